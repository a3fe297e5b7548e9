;; Makes a call for each chunk of a request's body, the first for /first and the others for /later. Says of each answer
;; which call it is for, and whether the context and the numbers that come with it are right.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_http_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_status" (func $buffer (param i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (global $plugin (mut i32) (i32.const 0))
  (global $made (mut i32) (i32.const 0))
  (data (i32.const 0x100) "callout")
  (data (i32.const 0x200) "\03\00\00\00\07\00\00\00\03\00\00\00\0a\00\00\00\07\00\00\00\05\00\00\00\06\00\00\00")
  (data (i32.const 0x21c) ":method\00GET\00:authority\00callout\00:path\00/first\00")
  (data (i32.const 0x300) "\03\00\00\00\07\00\00\00\03\00\00\00\0a\00\00\00\07\00\00\00\05\00\00\00\06\00\00\00")
  (data (i32.const 0x31c) ":method\00GET\00:authority\00callout\00:path\00/later\00")
  (data (i32.const 0x400) "answer to /first")
  (data (i32.const 0x410) "answer to /later")
  (data (i32.const 0x420) "answer to nobody")
  (data (i32.const 0x430) "right context   ")
  (data (i32.const 0x440) "wrong context   ")
  (data (i32.const 0x450) "right numbers   ")
  (data (i32.const 0x460) "wrong numbers   ")

  ;; Logs the 16 bytes at a place.
  (func $say (param $place i32) (drop (call $log (i32.const 2) (local.get $place) (i32.const 16))))

  ;; How many pairs a map has: its first word, if it has any.
  (func $count (param $map i32) (result i32)
    (i32.store (i32.const 4) (i32.const 0))
    (drop (call $pairs (local.get $map) (i32.const 0) (i32.const 4)))
    (if (i32.lt_u (i32.load (i32.const 4)) (i32.const 4)) (then (return (i32.const 0))))
    (i32.load (i32.load (i32.const 0))))

  ;; How many bytes the answer's body has.
  (func $size (result i32)
    (drop (call $buffer (i32.const 4) (i32.const 0) (i32.const 4)))
    (i32.load (i32.const 0)))

  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 0x1000))
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32)
    (if (i32.eqz (local.get $parent)) (then (global.set $plugin (local.get $context)))))

  ;; The ids go to 0x10 and 0x14.
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
    (drop (call $call (i32.const 0x100) (i32.const 7)
      (select (i32.const 0x300) (i32.const 0x200) (global.get $made)) (i32.const 72)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 5000)
      (select (i32.const 0x14) (i32.const 0x10) (global.get $made))))
    (global.set $made (i32.const 1))
    (i32.const 0))

  (func (export "proxy_on_http_call_response")
    (param $context i32) (param $call i32) (param $headers i32) (param $body i32) (param $trailers i32)
    (call $say (select (i32.const 0x400)
      (select (i32.const 0x410) (i32.const 0x420) (i32.eq (local.get $call) (i32.load (i32.const 0x14))))
      (i32.eq (local.get $call) (i32.load (i32.const 0x10)))))
    (call $say (select (i32.const 0x430) (i32.const 0x440) (i32.eq (local.get $context) (global.get $plugin))))
    (call $say (select (i32.const 0x450) (i32.const 0x460) (i32.and
      (i32.eq (local.get $headers) (call $count (i32.const 6)))
      (i32.and
        (i32.eq (local.get $body) (call $size))
        (i32.eq (local.get $trailers) (call $count (i32.const 7)))))))))

;; Says for headers and trailers whether the number that comes with them is that of the map's pairs, and whether the
;; context is that of the stream that was created last.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (global $stream (mut i32) (i32.const 0))
  (data (i32.const 0x100) "request headers: rightrequest headers: wrong")
  (data (i32.const 0x200) "request trailers: rightrequest trailers: wrong")
  (data (i32.const 0x300) "response headers: rightresponse headers: wrong")
  (data (i32.const 0x400) "response trailers: rightresponse trailers: wrong")

  ;; How many pairs a map has: its first word, if it has any.
  (func $count (param $map i32) (result i32)
    (i32.store (i32.const 4) (i32.const 0))
    (drop (call $pairs (local.get $map) (i32.const 0) (i32.const 4)))
    (if (i32.lt_u (i32.load (i32.const 4)) (i32.const 4)) (then (return (i32.const 0))))
    (i32.load (i32.load (i32.const 0))))

  (func $say (param $context i32) (param $number i32) (param $map i32) (param $size i32) (result i32)
    (local $wrong i32)
    (local.set $wrong (i32.or
      (i32.ne (local.get $context) (global.get $stream))
      (i32.ne (local.get $number) (call $count (local.get $map)))))
    (call $log (i32.const 2)
      (i32.add (i32.mul (i32.add (local.get $map) (i32.const 1)) (i32.const 0x100))
        (select (local.get $size) (i32.const 0) (local.get $wrong)))
      (local.get $size)))

  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 0x1000))
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32)
    (if (local.get $parent) (then (global.set $stream (local.get $context)))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $say (local.get 0) (local.get 1) (i32.const 0) (i32.const 22)))
  (func (export "proxy_on_request_trailers") (param i32 i32) (result i32)
    (call $say (local.get 0) (local.get 1) (i32.const 1) (i32.const 23)))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (call $say (local.get 0) (local.get 1) (i32.const 2) (i32.const 23)))
  (func (export "proxy_on_response_trailers") (param i32 i32) (result i32)
    (call $say (local.get 0) (local.get 1) (i32.const 3) (i32.const 24))))

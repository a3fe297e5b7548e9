;; Opens a stream at a request's body, and says of each callback about it whether its context is the plugin's, its id
;; the stream's, and its number that of what the host has to show: pairs, bytes, or the status.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_stream" (func $stream (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_send" (func $send (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_status" (func $buffer (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_status" (func $status (param i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (global $plugin (mut i32) (i32.const 0))
  (data (i32.const 0x100) "callout")
  (data (i32.const 0x110) "pw.Test")
  (data (i32.const 0x120) "Talk")
  (data (i32.const 0x200) "initial right")
  (data (i32.const 0x210) "initial wrong")
  (data (i32.const 0x220) "message right")
  (data (i32.const 0x230) "message wrong")
  (data (i32.const 0x240) "trailer right")
  (data (i32.const 0x250) "trailer wrong")
  (data (i32.const 0x260) "closing right")
  (data (i32.const 0x270) "closing wrong")

  ;; Logs the 13 bytes at a place, or those behind them if the context, the id or the number is not as it should be.
  ;; The stream's id is at 0x10.
  (func $say (param $place i32) (param $context i32) (param $id i32) (param $number i32) (param $shown i32)
    (drop (call $log (i32.const 2)
      (select (local.get $place) (i32.add (local.get $place) (i32.const 0x10))
        (i32.and
          (i32.eq (local.get $context) (global.get $plugin))
          (i32.and
            (i32.eq (local.get $id) (i32.load (i32.const 0x10)))
            (i32.eq (local.get $number) (local.get $shown)))))
      (i32.const 13))))

  ;; How many pairs a map has: its first word, if it has any.
  (func $count (param $map i32) (result i32)
    (i32.store (i32.const 4) (i32.const 0))
    (drop (call $pairs (local.get $map) (i32.const 0) (i32.const 4)))
    (if (i32.lt_u (i32.load (i32.const 4)) (i32.const 4)) (then (return (i32.const 0))))
    (i32.load (i32.load (i32.const 0))))

  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 0x1000))
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32)
    (if (i32.eqz (local.get $parent)) (then (global.set $plugin (local.get $context)))))

  (func $open
    (drop (call $stream (i32.const 0x100) (i32.const 7) (i32.const 0x110) (i32.const 7) (i32.const 0x120) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 0x10)))
    (drop (call $send (i32.load (i32.const 0x10)) (i32.const 0x120) (i32.const 4) (i32.const 1))))
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
    (call $open)
    (i32.const 0))

  (func (export "proxy_on_grpc_receive_initial_metadata") (param $context i32) (param $id i32) (param $number i32)
    (call $say (i32.const 0x200) (local.get $context) (local.get $id) (local.get $number) (call $count (i32.const 4))))

  (func (export "proxy_on_grpc_receive") (param $context i32) (param $id i32) (param $number i32)
    (i32.store (i32.const 0) (i32.const 0))
    (drop (call $buffer (i32.const 5) (i32.const 0) (i32.const 4)))
    (call $say (i32.const 0x220) (local.get $context) (local.get $id) (local.get $number) (i32.load (i32.const 0))))

  (func (export "proxy_on_grpc_receive_trailing_metadata") (param $context i32) (param $id i32) (param $number i32)
    (call $say (i32.const 0x240) (local.get $context) (local.get $id) (local.get $number) (call $count (i32.const 5))))

  (func (export "proxy_on_grpc_close") (param $context i32) (param $id i32) (param $number i32)
    (drop (call $status (i32.const 0) (i32.const 4) (i32.const 8)))
    (call $say (i32.const 0x260) (local.get $context) (local.get $id) (local.get $number) (i32.load (i32.const 0)))))

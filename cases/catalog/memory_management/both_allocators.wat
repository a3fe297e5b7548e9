;; Exports both allocators; stores a value, reads it back, and logs which of them were called for it.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "called:")
  (data (i32.const 32) "both_allocators")
  (global $end (mut i32) (i32.const 7))
  (func $note (param $char i32)
    (i32.store8 (global.get $end) (local.get $char))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))
  (func (export "$marker"))
  (func (export "malloc") (param i32) (result i32) (call $note (i32.const 109)) (i32.const 1024)) ;; m
  (func (export "proxy_on_memory_allocate") (param i32) (result i32)
    (call $note (i32.const 110)) ;; n
    (i32.const 1024))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $set (i32.const 32) (i32.const 15) (i32.const 32) (i32.const 15) (i32.const 0)))
    (global.set $end (i32.const 7))
    (drop (call $get (i32.const 32) (i32.const 15) (i32.const 64) (i32.const 68) (i32.const 72)))
    (drop (call $log (i32.const 2) (i32.const 0) (global.get $end)))
    (i32.const 1)))

;; Notes its start functions as they are called, and logs the notes whenever a context begins.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "calls:")
  (global $end (mut i32) (i32.const 6))
  (func $note (param $char i32)
    (i32.store8 (global.get $end) (local.get $char))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "main") (param i32 i32) (result i32)
    (call $note (i32.const 109)) ;; m
    (i32.const 7))
  (func (export "_initialize") (call $note (i32.const 105))) ;; i
  (func (export "proxy_on_context_create") (param i32 i32)
    (drop (call $log (i32.const 2) (i32.const 0) (global.get $end)))))

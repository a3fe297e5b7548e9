;; Exports `main`, but no other start function; logs whether it was called.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "not calledcalled")
  (global $called (mut i32) (i32.const 0))
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "main") (param i32 i32) (result i32) (global.set $called (i32.const 10)) (i32.const 0))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $log (i32.const 2) (global.get $called)
      (select (i32.const 6) (i32.const 10) (global.get $called))))
    (i32.const 1)))

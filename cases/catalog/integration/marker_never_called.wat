;; Remembers whether its marker was called, and says so whenever a context begins.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "not calledcalled")
  (global $called (mut i32) (i32.const 0))
  (func (export "$marker") (global.set $called (i32.const 10)))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32)
    (drop (call $log (i32.const 2) (global.get $called)
      (select (i32.const 6) (i32.const 10) (global.get $called))))))

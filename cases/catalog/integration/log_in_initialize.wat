;; Calls `proxy_log` in `_initialize`, and logs the status that it got once it is configured.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "status ?early")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "_initialize")
    (i32.store8 (i32.const 7)
      (i32.add (i32.const 48) (call $log (i32.const 2) (i32.const 8) (i32.const 5)))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $log (i32.const 2) (i32.const 0) (i32.const 8)))
    (i32.const 1)))

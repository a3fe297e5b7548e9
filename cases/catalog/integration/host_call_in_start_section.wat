;; Calls the host in its start section, when the host does not have the instance in hand yet.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "early")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func $early (drop (call $log (i32.const 2) (i32.const 0) (i32.const 5))))
  (start $early))

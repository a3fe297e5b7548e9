;; Imports a function twice, as linkers may let it, and calls both.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $again (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "once")
  (data (i32.const 32) "twice")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    (drop (call $log (i32.const 2) (i32.const 16) (i32.const 4)))
    (drop (call $again (i32.const 2) (i32.const 32) (i32.const 5)))
    (i32.const 1)))

;; Imports `proc_exit` by the older name of its module, as AssemblyScript's SDK does, and calls it.
(module
  (import "wasi_unstable" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32)
    (if (local.get 1) (then (call $exit (i32.const 1))))))

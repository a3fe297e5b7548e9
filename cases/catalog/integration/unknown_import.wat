;; Imports a function that no version has; never calls it.
(module
  (import "env" "proxy_no_such_function" (func (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024)))

;; Imports a function that only v0.1.0 has, as the C++ SDK's headers declare it for every version; never calls it.
(module
  (import "env" "proxy_get_configuration" (func (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024)))

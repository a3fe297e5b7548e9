;; The least that a plugin can be: a marker, memory, an allocator, and not one callback.
(module
  (memory (export "memory") 1)
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024)))

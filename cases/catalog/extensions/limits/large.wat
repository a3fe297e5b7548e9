;; Three pages of memory, and a table of a hundred.
(module
  (memory (export "memory") 3)
  (table 100 funcref)
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096)))

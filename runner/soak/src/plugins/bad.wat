;; What all plugins that misbehave have in common. `soak::kinds` puts the rest into the places in capitals.
(module
  IMPORTS
  (memory (export "memory") 17)
  ;; A name of an upstream, a name of a header, and the headers of a request.
  (data (i32.const 16) "upstream")
  (data (i32.const 32) ":path")
  HEADERS
  (global $count (mut i32) (i32.const 0))
  (func (export "VERSION"))
  ;; A number at address 64, another one each time.
  (func $next (result i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.store (i32.const 64) (global.get $count))
    (global.get $count))
  ;; Another page, written to; 0 if there is none.
  (func $hoard (result i32) (local $page i32)
    (local.set $page (memory.grow (i32.const 1)))
    (if (i32.eq (local.get $page) (i32.const -1)) (then (return (i32.const 0))))
    (memory.fill (i32.mul (local.get $page) (i32.const 65536)) (i32.const 1) (i32.const 65536))
    (i32.const 1))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) ALLOCATE)
  PARTS)

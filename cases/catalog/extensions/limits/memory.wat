(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "grownrefused")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func $grow (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1))
    (then (drop (call $log (i32.const 2) (i32.const 21) (i32.const 7))))
    (else (drop (call $log (i32.const 2) (i32.const 16) (i32.const 5))))))
  ;; Two pages are the limit: one more can be had, and then none.
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $grow)
    (call $grow)
    (i32.const 0)))

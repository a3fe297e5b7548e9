(module
  (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
  (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "flood")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  ;; Puts 2000 items into a queue of its own, of which it takes none.
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (local $left i32)
    (drop (call $register (i32.const 16) (i32.const 5) (i32.const 32)))
    (local.set $left (i32.const 2000))
    (loop $again
      (drop (call $enqueue (i32.load (i32.const 32)) (i32.const 16) (i32.const 5)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (i32.const 0))
  (func (export "proxy_on_queue_ready") (param i32 i32)))

;; Counts how often a connection to a client is closed, and says it when the context is deleted.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $closed (mut i32) (i32.const 0))
  (global $odd (mut i32) (i32.const 0))
  (data (i32.const 0x100) "closed once     ")
  (data (i32.const 0x110) "not closed once ")
  (data (i32.const 0x120) "odd peer type   ")

  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 0x1000))

  (func (export "proxy_on_downstream_connection_close") (param $context i32) (param $peer i32)
    (global.set $closed (i32.add (global.get $closed) (i32.const 1)))
    (if (i32.gt_u (local.get $peer) (i32.const 2)) (then (global.set $odd (i32.const 1)))))

  (func (export "proxy_on_delete") (param i32)
    (drop (call $log (i32.const 2)
      (select (i32.const 0x120)
        (select (i32.const 0x100) (i32.const 0x110) (i32.eq (global.get $closed) (i32.const 1)))
        (global.get $odd))
      (i32.const 16)))))

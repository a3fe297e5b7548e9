;; Grows its memory in a callback, and then lets the host read from the new page and write to it.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "time written")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (local $page i32)
    (drop (call $log (i32.const 2) (i32.const 0) (i32.const 0)))
    (local.set $page (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
    (i32.store (local.get $page) (i32.const 0x776f7267)) ;; "grow"
    (drop (call $log (i32.const 2) (local.get $page) (i32.const 4)))
    (if (i32.eqz (call $time (i32.add (local.get $page) (i32.const 8))))
      (then
        (if (i64.ne (i64.load offset=8 (local.get $page)) (i64.const 0))
          (then (drop (call $log (i32.const 2) (i32.const 0) (i32.const 12)))))))
    (i32.const 1)))

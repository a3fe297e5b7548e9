;; Reads the monotonic clock twice when it is configured, and once more for each stream; logs whether it ran backwards.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "backwards")
  (data (i32.const 16) "in order")
  (global $last (mut i64) (i64.const 0))
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func $read
    (if (call $clock (i32.const 1) (i64.const 0) (i32.const 64)) (then (return)))
    (if (i64.lt_u (i64.load (i32.const 64)) (global.get $last))
      (then (drop (call $log (i32.const 2) (i32.const 0) (i32.const 9))))
      (else (drop (call $log (i32.const 2) (i32.const 16) (i32.const 8)))))
    (global.set $last (i64.load (i32.const 64))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (call $read) (call $read) (i32.const 1))
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32)
    (if (local.get $parent) (then (call $read)))))

;; Draws 16 bytes twice, between guards, and logs whether the draws differ from each other and from what was there, and
;; whether the guards still stand.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "different")
  (data (i32.const 16) "within bounds")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func $differ (param $one i32) (param $other i32) (result i32)
    (i32.or
      (i64.ne (i64.load (local.get $one)) (i64.load (local.get $other)))
      (i64.ne (i64.load offset=8 (local.get $one)) (i64.load offset=8 (local.get $other)))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (if (i32.or (call $random (i32.const 128) (i32.const 16)) (call $random (i32.const 160) (i32.const 16)))
      (then (return (i32.const 1))))
    (if (i32.and (call $differ (i32.const 128) (i32.const 160))
                 (i32.and (call $differ (i32.const 128) (i32.const 64)) (call $differ (i32.const 160) (i32.const 64))))
      (then (drop (call $log (i32.const 2) (i32.const 0) (i32.const 9)))))
    (if (i64.eqz (i64.or (i64.or (i64.load (i32.const 120)) (i64.load (i32.const 144)))
                         (i64.or (i64.load (i32.const 152)) (i64.load (i32.const 176)))))
      (then (drop (call $log (i32.const 2) (i32.const 16) (i32.const 13)))))
    (i32.const 1)))

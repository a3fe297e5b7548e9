;; Gets its arguments, of which there are none, and logs whether its memory is as it was.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "success, and nothing written")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (i64.store (i32.const 64) (i64.const -1))
    (i64.store (i32.const 128) (i64.const -1))
    (if (i32.eqz (call $args (i32.const 64) (i32.const 128)))
      (then
        (if (i64.eq (i64.and (i64.load (i32.const 64)) (i64.load (i32.const 128))) (i64.const -1))
          (then (drop (call $log (i32.const 2) (i32.const 0) (i32.const 28)))))))
    (i32.const 1)))

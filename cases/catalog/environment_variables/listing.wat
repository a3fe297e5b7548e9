;; Asks for the sizes, lets the host write the variables between guards, and logs them: first the one whose name begins
;; with A, then the one with B. At last it logs whether everything stayed within the announced sizes.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "within the sizes")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func $length (param $at i32) (result i32) (local $size i32)
    (loop $next
      (if (i32.load8_u (i32.add (local.get $at) (local.get $size)))
        (then (local.set $size (i32.add (local.get $size) (i32.const 1))) (br $next))))
    (local.get $size))
  (func $show (param $letter i32) (param $entry i32) (local $at i32)
    (local.set $at (i32.load (local.get $entry)))
    (if (i32.eq (i32.load8_u (local.get $at)) (local.get $letter))
      (then (drop (call $log (i32.const 2) (local.get $at) (call $length (local.get $at)))))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (local $array_end i32) (local $buffer_end i32)
    (if (call $sizes (i32.const 32) (i32.const 36)) (then (return (i32.const 1))))
    (if (i32.ne (i32.load (i32.const 32)) (i32.const 2)) (then (return (i32.const 1))))
    (local.set $array_end (i32.const 72))
    (local.set $buffer_end (i32.add (i32.const 128) (i32.load (i32.const 36))))
    (i64.store (local.get $array_end) (i64.const -1))
    (i64.store (local.get $buffer_end) (i64.const -1))
    (if (call $get (i32.const 64) (i32.const 128)) (then (return (i32.const 1))))
    (call $show (i32.const 65) (i32.const 64)) (call $show (i32.const 65) (i32.const 68)) ;; A
    (call $show (i32.const 66) (i32.const 64)) (call $show (i32.const 66) (i32.const 68)) ;; B
    (if (i64.eq (i64.and (i64.load (local.get $array_end)) (i64.load (local.get $buffer_end))) (i64.const -1))
      (then (drop (call $log (i32.const 2) (i32.const 0) (i32.const 16)))))
    (i32.const 1)))

;; Writes a good piece with a bad one behind it, twice: one that ends behind the memory, one that wraps around. Logs
;; whether the answer was FAULT.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "fault behind the endfault around the end")
  (data (i32.const 64) "\00\00\00\00\05\00\00\00" "\fc\ff\00\00\05\00\00\00")
  (data (i32.const 80) "\00\00\00\00\05\00\00\00" "\f0\ff\ff\ff\20\00\00\00")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (if (i32.eq (call $write (i32.const 1) (i32.const 64) (i32.const 2) (i32.const 96)) (i32.const 21))
      (then (drop (call $log (i32.const 2) (i32.const 0) (i32.const 20)))))
    (if (i32.eq (call $write (i32.const 1) (i32.const 80) (i32.const 2) (i32.const 96)) (i32.const 21))
      (then (drop (call $log (i32.const 2) (i32.const 20) (i32.const 20)))))
    (i32.const 1)))

(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "onetwothree")
  ;; Three pieces: 3, 3 and 5 bytes.
  (data (i32.const 64) "\10\00\00\00\03\00\00\00\13\00\00\00\03\00\00\00\16\00\00\00\05\00\00\00")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  ;; A line of six bytes, and one of eleven.
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $write (i32.const 1) (i32.const 64) (i32.const 2) (i32.const 0)))
    (drop (call $write (i32.const 1) (i32.const 64) (i32.const 3) (i32.const 0)))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $write (i32.const 1) (i32.const 72) (i32.const 2) (i32.const 0)))
    (i32.const 0)))

;; Writes a megabyte of shared data, again and again.
(module
  (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 32)
  (data (i32.const 16) "key")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (loop $again
      (drop (call $set (i32.const 16) (i32.const 3) (i32.const 65536) (i32.const 1048576) (i32.const 0)))
      (br $again))
    (unreachable)))

;; Makes a call at a request's headers, and once again when a call has failed.
(module
  (import "env" "proxy_grpc_call"
    (func $grpc_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x100) "calloutpw.TestAsk")
  (global $again (mut i32) (i32.const 0))
  (func $call
    (drop (call $grpc_call
      (i32.const 0x100) (i32.const 7) (i32.const 0x107) (i32.const 7) (i32.const 0x10e) (i32.const 3)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 5000) (i32.const 0x200))))
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 0x1000))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $call)
    (i32.const 0))
  (func (export "proxy_on_grpc_close") (param i32 i32 i32)
    (if (i32.eqz (global.get $again))
      (then
        (global.set $again (i32.const 1))
        (call $call)))))

(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "x-ask-a-long-way")
  (data (i32.const 64) "x-status")
  (data (i32.const 80) "0")
  (data (i32.const 96) "x-value")
  (func (export "$marker"))
  ;; Always gives the block where the key of the call lies.
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 16))
  ;; Marks the request with the status and with the value.
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (i32.store8 (i32.const 80) (i32.add (i32.const 48)
      (call $get (i32.const 0) (i32.const 16) (i32.const 16) (i32.const 200) (i32.const 204))))
    (drop (call $add (i32.const 0) (i32.const 64) (i32.const 8) (i32.const 80) (i32.const 1)))
    (drop (call $add (i32.const 0) (i32.const 96) (i32.const 7) (i32.load (i32.const 200)) (i32.load (i32.const 204))))
    (i32.const 0)))

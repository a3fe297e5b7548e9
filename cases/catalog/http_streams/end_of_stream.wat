;; Says for each call for headers or a body whether it is the last of its message.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x000) "request headers openrequest headers last")
  (data (i32.const 0x100) "request body openrequest body last")
  (data (i32.const 0x200) "response headers openresponse headers last")
  (data (i32.const 0x300) "response body openresponse body last")

  ;; The second of the two texts of that size at that place if `end`, else the first. The status OK is CONTINUE, too.
  (func $say (param $place i32) (param $size i32) (param $end i32) (result i32)
    (call $log (i32.const 2)
      (i32.add (local.get $place) (select (local.get $size) (i32.const 0) (local.get $end)))
      (local.get $size)))

  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 0x1000))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $say (i32.const 0x000) (i32.const 20) (local.get 2)))
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
    (call $say (i32.const 0x100) (i32.const 17) (local.get 2)))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (call $say (i32.const 0x200) (i32.const 21) (local.get 2)))
  (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
    (call $say (i32.const 0x300) (i32.const 18) (local.get 2))))

(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (table 4 funcref)
  (type $nothing (func))
  (type $number (func (result i32)))
  (elem (i32.const 1) func $number)
  (data (i32.const 16) "x-crash")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func $number (type $number) (i32.const 7))
  (func $endless (param i32) (result i32) (i32.add (call $endless (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  (func $is (param i32) (result i32) (i32.eq (i32.load8_u (i32.const 4096)) (local.get 0)))
  ;; Traps in the way that the first letter of x-crash says.
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (if (call $get (i32.const 0) (i32.const 16) (i32.const 7) (i32.const 100) (i32.const 104))
      (then (return (i32.const 0))))
    (if (call $is (i32.const 117)) (then unreachable)) ;; u
    (if (call $is (i32.const 111)) (then (drop (i32.load offset=1 (i32.const 0xffffffff))))) ;; o
    (if (call $is (i32.const 100)) (then (drop (i32.div_s (i32.const 1) (i32.load (i32.const 8)))))) ;; d
    (if (call $is (i32.const 102)) (then (drop (i32.trunc_f32_s (f32.const nan))))) ;; f
    (if (call $is (i32.const 114)) (then (drop (call $endless (i32.const 0))))) ;; r
    (if (call $is (i32.const 110)) (then (call_indirect (type $nothing) (i32.const 0)))) ;; n
    (if (call $is (i32.const 115)) (then (call_indirect (type $nothing) (i32.const 1)))) ;; s
    (i32.const 0)))

;; Has no memory at all, and yet hands the host an address; traps in the first stream if the host took it.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (global $status (mut i32) (i32.const -1))
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (global.set $status (call $log (i32.const 2) (i32.const 8) (i32.const 4)))
    (i32.const 1))
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32)
    (if (i32.and (i32.ne (local.get $parent) (i32.const 0)) (i32.eqz (global.get $status)))
      (then unreachable))))

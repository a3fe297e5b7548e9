;; Says whether the host calls a foreign function in the plugin's context.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $plugin (mut i32) (i32.const 0))
  (data (i32.const 0x100) "right context")
  (data (i32.const 0x110) "wrong context")

  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 0x1000))
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32)
    (if (i32.eqz (local.get $parent)) (then (global.set $plugin (local.get $context)))))

  (func (export "proxy_on_foreign_function") (param $context i32) (param i32 i32)
    (drop (call $log (i32.const 2)
      (select (i32.const 0x100) (i32.const 0x110) (i32.eq (local.get $context) (global.get $plugin)))
      (i32.const 13)))))

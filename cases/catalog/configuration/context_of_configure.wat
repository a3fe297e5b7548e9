;; Logs whether it is configured for the context that was created for the plugin.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "the plugin's context")
  (global $plugin (mut i32) (i32.const 0))
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32)
    (if (i32.eqz (local.get $parent)) (then (global.set $plugin (local.get $context)))))
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    (if (i32.and (i32.ne (local.get $context) (i32.const 0)) (i32.eq (local.get $context) (global.get $plugin)))
      (then (drop (call $log (i32.const 2) (i32.const 0) (i32.const 20)))))
    (i32.const 1)))

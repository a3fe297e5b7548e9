;; Says which callback of a connection comes, if it comes with the connection's context, and that it is a stranger's
;; otherwise.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $plugin (mut i32) (i32.const 0))
  (global $stream (mut i32) (i32.const 0))
  (data (i32.const 0x100) "created  ")
  (data (i32.const 0x110) "connected")
  (data (i32.const 0x120) "down     ")
  (data (i32.const 0x130) "up       ")
  (data (i32.const 0x140) "closed   ")
  (data (i32.const 0x150) "stranger ")

  ;; Logs the 9 bytes at a place, if that is whom the callback is for.
  (func $say (param $place i32) (param $right i32)
    (drop (call $log (i32.const 2)
      (select (local.get $place) (i32.const 0x150) (local.get $right)) (i32.const 9))))

  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 0x1000))

  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32)
    (if (i32.eqz (local.get $parent))
      (then (global.set $plugin (local.get $context)))
      (else
        (call $say (i32.const 0x100) (i32.and
          (i32.eq (local.get $parent) (global.get $plugin))
          (i32.ne (local.get $context) (global.get $plugin))))
        (global.set $stream (local.get $context)))))

  (func (export "proxy_on_new_connection") (param $context i32) (result i32)
    (call $say (i32.const 0x110) (i32.eq (local.get $context) (global.get $stream)))
    (i32.const 0))

  (func (export "proxy_on_downstream_data") (param $context i32) (param i32 i32) (result i32)
    (call $say (i32.const 0x120) (i32.eq (local.get $context) (global.get $stream)))
    (i32.const 0))

  (func (export "proxy_on_upstream_data") (param $context i32) (param i32 i32) (result i32)
    (call $say (i32.const 0x130) (i32.eq (local.get $context) (global.get $stream)))
    (i32.const 0))

  (func (export "proxy_on_downstream_connection_close") (param $context i32) (param i32)
    (call $say (i32.const 0x140) (i32.eq (local.get $context) (global.get $stream)))))

;; Grows its memory by 64 MiB at a time, and says whether it was stopped before it had all that there can be.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x100) "stopped")
  (data (i32.const 0x110) "not stopped")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 0))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (local $times i32)
    (loop $more
      (if (i32.eq (memory.grow (i32.const 1024)) (i32.const -1))
        (then
          (drop (call $log (i32.const 2) (i32.const 0x100) (i32.const 7)))
          (return (i32.const 1))))
      (local.set $times (i32.add (local.get $times) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $times) (i32.const 63))))
    (drop (call $log (i32.const 2) (i32.const 0x110) (i32.const 11)))
    (i32.const 1)))

;; Sets 100 pairs, k000: v000 to k099: v099, reads them back, says whether all are there, and sets one pair again.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $get (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $value (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_header_map_pairs" (func $set (param i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (global $room (mut i32) (i32.const 0x8000))
  (data (i32.const 0x100) "all are there")
  (data (i32.const 0x110) "some are not there")
  (data (i32.const 0x130) "k099")
  ;; One pair, `x-sum: 5`.
  (data (i32.const 0x140) "\01\00\00\00\05\00\00\00\01\00\00\00x-sum\005\00")

  ;; Writes a letter, the three digits of a number, and a NUL; returns the address behind them.
  (func $entry (param $at i32) (param $letter i32) (param $number i32) (result i32)
    (i32.store8 (local.get $at) (local.get $letter))
    (i32.store8 offset=1 (local.get $at) (i32.add (i32.const 48) (i32.div_u (local.get $number) (i32.const 100))))
    (i32.store8 offset=2 (local.get $at)
      (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $number) (i32.const 10)) (i32.const 10))))
    (i32.store8 offset=3 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
    (i32.store8 offset=4 (local.get $at) (i32.const 0))
    (i32.add (local.get $at) (i32.const 5)))

  ;; The map: a count, 100 times the sizes 4 and 4, and 100 times ten bytes; 1804 bytes from 0x1000 on.
  (func $write
    (local $number i32) (local $at i32)
    (i32.store (i32.const 0x1000) (i32.const 100))
    (local.set $at (i32.const 0x1324))
    (loop $next
      (i32.store offset=0x1004 (i32.shl (local.get $number) (i32.const 3)) (i32.const 4))
      (i32.store offset=0x1008 (i32.shl (local.get $number) (i32.const 3)) (i32.const 4))
      (local.set $at (call $entry (local.get $at) (i32.const 107) (local.get $number)))
      (local.set $at (call $entry (local.get $at) (i32.const 118) (local.get $number)))
      (local.set $number (i32.add (local.get $number) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $number) (i32.const 100)))))

  ;; Whether the map that is read has 100 pairs and the size of the one that was set, and the last value is its own.
  (func $same (param $map i32) (result i32)
    (if (call $get (local.get $map) (i32.const 0) (i32.const 4)) (then (return (i32.const 0))))
    (if (i32.ne (i32.load (i32.const 4)) (i32.const 1804)) (then (return (i32.const 0))))
    (if (i32.ne (i32.load (i32.load (i32.const 0))) (i32.const 100)) (then (return (i32.const 0))))
    (if (call $value (local.get $map) (i32.const 0x130) (i32.const 4) (i32.const 0) (i32.const 4))
      (then (return (i32.const 0))))
    (if (i32.ne (i32.load (i32.const 4)) (i32.const 4)) (then (return (i32.const 0))))
    (i32.eq (i32.load (i32.load (i32.const 0))) (i32.const 0x39393076)))

  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $room)
    (global.set $room (i32.add (global.get $room) (local.get $size))))
  (func (export "proxy_on_request_trailers") (param i32 i32) (result i32)
    (call $write)
    (drop (call $set (i32.const 1) (i32.const 0x1000) (i32.const 1804)))
    (if (call $same (i32.const 1))
      (then (drop (call $log (i32.const 2) (i32.const 0x100) (i32.const 13))))
      (else (drop (call $log (i32.const 2) (i32.const 0x110) (i32.const 18)))))
    (drop (call $set (i32.const 1) (i32.const 0x140) (i32.const 20)))
    (i32.const 0)))

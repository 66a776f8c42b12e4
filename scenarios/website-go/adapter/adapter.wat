;; What Go's runtime expects of its system (wasi_snapshot_preview1), in terms of the contract.
;;
;; A scenario may import nothing but the contract, and Go's toolchain targets WASI only. This module
;; stands between: time and sleep come from `clock`, output goes to `log`, and there are no files,
;; arguments or environment. `wasm-tools component new --adapt` links it in.
;;
;; It is written by hand because it must not own memory: the stock adapter takes pages by
;; `memory.grow`, and Go's allocator, which believes that all memory is its own, writes over them.
(module
  (import "env" "memory" (memory 0))
  (import "swarm:scenario/clock@0.1.0" "now" (func $now_ms (result f64)))
  (import "swarm:scenario/clock@0.1.0" "sleep" (func $sleep_ms (param i32)))
  (import "swarm:scenario/log@0.1.0" "log" (func $log (param $level i32) (param i32) (param i32)))

  ;; WASI's error numbers.
  (global $ok i32 (i32.const 0))
  (global $bad_descriptor i32 (i32.const 8))
  (global $not_supported i32 (i32.const 58))

  (global $random (mut i64) (i64.const 0))

  ;; While the host hands over the result of an import, it calls cabi_realloc, and the component may
  ;; not call the host from there: that is a trap. Go's runtime asks for the time at any moment, be
  ;; it for its scheduler or its collector; hence package swarm says here when such a call begins
  ;; and ends, and in between the time stands still and output is dropped.
  (global $in_call (mut i32) (i32.const 0))
  (global $last_ns (mut i64) (i64.const 0))
  (func (export "swarm_in_call") (param $begun i32)
    (global.set $in_call (local.get $begun)))

  ;; Time: the test's clock for every clock that WASI knows, in nanoseconds, and a second more: Go
  ;; takes a zero for a broken clock.
  (func $now_ns (result i64)
    (if (i32.eqz (global.get $in_call))
      (then
        (global.set $last_ns
          (i64.trunc_sat_f64_u
            (f64.add (f64.mul (call $now_ms) (f64.const 1e6)) (f64.const 1e9))))))
    (global.get $last_ns))

  (func (export "clock_time_get")
    (param $clock i32) (param $precision i64) (param $time i32) (result i32)
    (i64.store (local.get $time) (call $now_ns))
    (global.get $ok))

  ;; Sleep: Go asks for one subscription, to a clock. In it: user data at 0, its kind at 8 (0 is a
  ;; clock), the time in nanoseconds at 24, and at 40 whether that time is absolute.
  (func (export "poll_oneoff")
    (param $in i32) (param $out i32) (param $count i32) (param $events i32) (result i32)
    (local $ns i64)
    (if (i32.or
          (global.get $in_call)
          (i32.or
            (i32.ne (local.get $count) (i32.const 1))
            (i32.load8_u offset=8 (local.get $in))))
      (then (return (global.get $not_supported))))
    (local.set $ns (i64.load offset=24 (local.get $in)))
    (if (i32.and (i32.load16_u offset=40 (local.get $in)) (i32.const 1))
      (then
        (local.set $ns (i64.sub (local.get $ns) (call $now_ns)))
        (if (i64.lt_s (local.get $ns) (i64.const 0)) (then (local.set $ns (i64.const 0))))))
    ;; Rounded up: a sleeper that wakes early would ask again at once.
    (call $sleep_ms
      (i32.trunc_sat_f64_u
        (f64.ceil (f64.div (f64.convert_i64_u (local.get $ns)) (f64.const 1e6)))))
    ;; The event: the user data, no error, the kind of the subscription.
    (i64.store (local.get $out) (i64.load (local.get $in)))
    (i32.store offset=8 (local.get $out) (i32.const 0))
    (i32.store (local.get $events) (i32.const 1))
    (global.get $ok))

  ;; Output: each line goes to the log; those of standard error, where Go reports a panic, as
  ;; errors. Go writes a panic word by word: the words are put together in a buffer that package
  ;; swarm lends, and what is written before it does is lost.
  (global $line (mut i32) (i32.const 0))
  (global $line_size (mut i32) (i32.const 0))
  (global $line_length (mut i32) (i32.const 0))
  (func (export "swarm_lend_line") (param $buffer i32) (param $size i32)
    (global.set $line (local.get $buffer))
    (global.set $line_size (local.get $size)))

  (func (export "fd_write")
    (param $fd i32) (param $pieces i32) (param $count i32) (param $written i32) (result i32)
    (local $sum i32)
    (local $length i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $length (i32.load offset=4 (local.get $pieces)))
        (local.set $sum (i32.add (local.get $sum) (local.get $length)))
        (call $put (local.get $fd) (i32.load (local.get $pieces)) (local.get $length))
        (local.set $pieces (i32.add (local.get $pieces) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $written) (local.get $sum))
    (global.get $ok))

  ;; Adds a text to the line, which is logged at each line feed and when it is full.
  (func $put (param $fd i32) (param $text i32) (param $length i32)
    (local $byte i32)
    (if (i32.eqz (global.get $line)) (then (return)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $byte (i32.load8_u (local.get $text)))
        (if (i32.eq (local.get $byte) (i32.const 10))
          (then (call $log_line (local.get $fd)))
          (else
            (i32.store8
              (i32.add (global.get $line) (global.get $line_length))
              (local.get $byte))
            (global.set $line_length (i32.add (global.get $line_length) (i32.const 1)))
            (if (i32.eq (global.get $line_length) (global.get $line_size))
              (then (call $log_line (local.get $fd))))))
        (local.set $text (i32.add (local.get $text) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next))))

  ;; The levels of `log`: 1 is info, 3 is error.
  (func $log_line (param $fd i32)
    (if (i32.and (i32.ne (global.get $line_length) (i32.const 0)) (i32.eqz (global.get $in_call)))
      (then
        (call $log
          (select (i32.const 3) (i32.const 1) (i32.eq (local.get $fd) (i32.const 2)))
          (global.get $line)
          (global.get $line_length))))
    (global.set $line_length (i32.const 0)))

  ;; Random bytes, for the seeds of Go's maps: a linear congruential generator begun with the time.
  (func (export "random_get") (param $buffer i32) (param $length i32) (result i32)
    (if (i64.eqz (global.get $random))
      (then (global.set $random (i64.or (call $now_ns) (i64.const 1)))))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (global.set $random
          (i64.add
            (i64.mul (global.get $random) (i64.const 6364136223846793005))
            (i64.const 1442695040888963407)))
        (i32.store8 (local.get $buffer)
          (i32.wrap_i64 (i64.shr_u (global.get $random) (i64.const 56))))
        (local.set $buffer (i32.add (local.get $buffer) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (global.get $ok))

  ;; No arguments and no environment.
  (func $none (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $size) (i32.const 0))
    (global.get $ok))
  (export "args_sizes_get" (func $none))
  (export "environ_sizes_get" (func $none))
  (func $nothing (param i32 i32) (result i32) (global.get $ok))
  (export "args_get" (func $nothing))
  (export "environ_get" (func $nothing))

  ;; No files.
  (func (export "fd_close") (param i32) (result i32) (global.get $bad_descriptor))
  (func $no_file (param i32 i32) (result i32) (global.get $bad_descriptor))
  (export "fd_fdstat_get" (func $no_file))
  (export "fd_fdstat_set_flags" (func $no_file))
  (export "fd_prestat_get" (func $no_file))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32)
    (global.get $bad_descriptor))

  (func (export "sched_yield") (result i32) (global.get $ok))

  ;; Go exits after a panic. The host sees a trap, ends this user and goes on with the others.
  (func (export "proc_exit") (param i32) (unreachable)))

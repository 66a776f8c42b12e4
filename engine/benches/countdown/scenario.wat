;; For the micro-benchmark of a guest call: a user that runs its task, which does nothing, as often
;; as its id says, and finishes. How a scenario is written in text form is explained in
;; `scenarios/minimal-wat`.
(module
  (import "swarm:scenario/http@0.1.0" "[resource-drop]client"
    (func $drop_client (param $client i32)))

  ;; Memory, one page of 64 KiB:
  ;;   0x000  texts               0x320  result of `start`, 12 bytes
  ;;   0x100  result of describe  0x330  result of `run`: go on, 12 bytes
  ;;   0x120  the class           0x340  result of `run`: finish, 12 bytes
  ;;   0x180  its root set
  ;;   0x1a0  its task
  (memory (export "memory") 1)

  (global $client (mut i32) (i32.const 0))
  ;; How often the task is still to run.
  (global $left (mut i32) (i32.const 0))

  (data (i32.const 0x000) "CountdownUser")   ;; 13 bytes
  (data (i32.const 0x010) "root")            ;; 4
  (data (i32.const 0x018) "nothing")         ;; 7

  ;; result<then, string>: case 0, ok; then case 1, hurry, or case 3, finish.
  (data (i32.const 0x330) "\00\00\00\00" "\01\00\00\00" "\00\00\00\00")
  (data (i32.const 0x340) "\00\00\00\00" "\03\00\00\00" "\00\00\00\00")

  ;; The plan, ready in memory. Numbers are little-endian; \00 where nothing is said.

  ;; result<scenario, string>, 20 bytes.
  (data (i32.const 0x100)
    "\00\00\00\00"                           ;; case 0: ok
    "\20\01\00\00" "\01\00\00\00"            ;; classes: 1 at 0x120
    "\00\00\00\00" "\00\00\00\00")           ;; sharing: case 0, per-user

  ;; user-class, 64 bytes, aligned to 8 because of its f64.
  (data (i32.const 0x120)
    "\00\00\00\00" "\0d\00\00\00"            ;; name: "CountdownUser"
    "\00\00\00\00\00\00\00\00"               ;; population: case 0, weight
    "\00\00\00\00\00\00\f0\3f"               ;;   1.0
    "\00\00\00\00"                           ;; host: case 0, none
    "\00\00\00\00" "\00\00\00\00"            ;;   room for the string it does not have
    "\00\00\00\00"                           ;; (up to a multiple of 8)
    "\00\00\00\00\00\00\00\00"               ;; wait: case 0, none
    "\00\00\00\00\00\00\00\00"               ;;   room for its payload
    "\80\01\00\00" "\01\00\00\00")           ;; sets: 1 at 0x180

  ;; task-set, 28 bytes.
  (data (i32.const 0x180)
    "\10\00\00\00" "\04\00\00\00"            ;; name: "root"
    "\00\00\00\00"                           ;; order: case 0, weighted
    "\00\00\00\00" "\00\00\00\00"            ;;   room for the lists of `markov`
    "\a0\01\00\00" "\01\00\00\00")           ;; tasks: 1 at 0x1a0

  ;; task, 40 bytes, aligned to 8 because of its f64.
  (data (i32.const 0x1a0)
    "\00\00\00\00"                           ;; id: 0, which `run` gets back
    "\18\00\00\00" "\07\00\00\00"            ;; name: "nothing"
    "\00\00\00\00"                           ;; (up to a multiple of 8)
    "\00\00\00\00\00\00\f0\3f"               ;; weight: 1.0
    "\00\00\00\00" "\00\00\00\00"            ;; tags: none
    "\00\00\00\00" "\00\00\00\00")           ;; action: case 0, run

  ;; describe: func() -> result<scenario, string>
  (func (export "describe") (result i32)
    (i32.const 0x100))

  ;; start: func(user: user, client: client) -> result<_, string>
  (func (export "start")
    (param $id i32) (param $class i32) (param $seed i32) (param $new_client i32) (result i32)
    (global.set $client (local.get $new_client))
    (global.set $left (local.get $id))
    (i32.const 0x320))                       ;; never written to: all zero, case 0: ok

  ;; run: func(user: u32, task: u32) -> result<then, string>
  (func (export "run") (param $user i32) (param $task i32) (result i32)
    (global.set $left (i32.sub (global.get $left) (i32.const 1)))
    (select (i32.const 0x330) (i32.const 0x340) (i32.gt_s (global.get $left) (i32.const 0))))

  ;; stop: func(user: u32)
  (func (export "stop") (param $user i32)
    (call $drop_client (global.get $client)))

  ;; Nothing that the host hands over needs memory.
  (func (export "cabi_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (unreachable)))

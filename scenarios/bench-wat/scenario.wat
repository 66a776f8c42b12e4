;; The benchmark's scenario by hand: what a request costs with the least that a guest can do for it.
;; One class, one task without a wait, which gets `/?item=N` with N from 0 to 9 in turn and expects
;; a 200. How a scenario is written in text form is explained in `scenarios/minimal-wat`.
(module
  (import "swarm:scenario/http@0.1.0" "[method]client.get"
    (func $get (param $client i32) (param $url i32) (param $url_len i32) (param $result i32)))
  (import "swarm:scenario/http@0.1.0" "[method]response.status"
    (func $status (param $response i32) (result i32)))
  (import "swarm:scenario/http@0.1.0" "[method]response.fail"
    (func $fail (param $response i32) (param $reason i32) (param $reason_len i32)))
  (import "swarm:scenario/http@0.1.0" "[resource-drop]response"
    (func $drop_response (param $response i32)))
  (import "swarm:scenario/http@0.1.0" "[resource-drop]client"
    (func $drop_client (param $client i32)))

  ;; Memory, one page of 64 KiB to begin with:
  ;;   0x000  texts               0x300  result of `client.get`, 16 bytes
  ;;   0x100  result of describe  0x320  result of `start`, 12 bytes
  ;;   0x120  the class           0x330  result of `run`, 12 bytes
  ;;   0x180  its root set
  ;;   0x1a0  its task            0x400  heap, up to the end
  (memory (export "memory") 1)
  (global $heap_start i32 (i32.const 0x400))
  (global $heap_end (mut i32) (i32.const 0x400))

  ;; The user's client. The plan says `per-user`, so this instance carries one user at a time.
  (global $client (mut i32) (i32.const 0))
  ;; The number in the path.
  (global $item (mut i32) (i32.const 0))

  (data (i32.const 0x000) "BenchUser")       ;; 9 bytes
  (data (i32.const 0x010) "root")            ;; 4
  (data (i32.const 0x018) "index")           ;; 5
  (data (i32.const 0x020) "/?item=0")        ;; 8, the last of them at 0x027
  (data (i32.const 0x028) "expected a 200")  ;; 14

  ;; The plan, ready in memory. Numbers are little-endian; \00 where nothing is said.

  ;; result<scenario, string>, 20 bytes.
  (data (i32.const 0x100)
    "\00\00\00\00"                           ;; case 0: ok
    "\20\01\00\00" "\01\00\00\00"            ;; classes: 1 at 0x120
    "\00\00\00\00" "\00\00\00\00")           ;; sharing: case 0, per-user

  ;; user-class, 64 bytes, aligned to 8 because of its f64.
  (data (i32.const 0x120)
    "\00\00\00\00" "\09\00\00\00"            ;; name: "BenchUser"
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
    "\18\00\00\00" "\05\00\00\00"            ;; name: "index"
    "\00\00\00\00"                           ;; (up to a multiple of 8)
    "\00\00\00\00\00\00\f0\3f"               ;; weight: 1.0
    "\00\00\00\00" "\00\00\00\00"            ;; tags: none
    "\00\00\00\00" "\00\00\00\00")           ;; action: case 0, run

  ;; describe: func() -> result<scenario, string>
  (func (export "describe") (result i32)
    (i32.const 0x100))

  ;; start: func(user: user, client: client) -> result<_, string>
  ;; A small record comes as its fields. The client is ours now: kept for `run`, dropped in `stop`.
  (func (export "start")
    (param $id i32) (param $class i32) (param $seed i32) (param $new_client i32) (result i32)
    (global.set $client (local.get $new_client))
    (i32.const 0x320))                       ;; never written to: all zero, case 0: ok

  ;; run: func(user: u32, task: u32) -> result<then, string>
  (func (export "run") (param $user i32) (param $task i32) (result i32)
    (local $response i32)
    ;; What the host wrote for the task before is no longer needed: the heap begins anew.
    (global.set $heap_end (global.get $heap_start))
    ;; The query's digit: 0 to 9 in turn.
    (global.set $item (i32.rem_u (i32.add (global.get $item) (i32.const 1)) (i32.const 10)))
    (i32.store8 (i32.const 0x027) (i32.add (global.get $item) (i32.const 0x30)))
    (call $get (global.get $client) (i32.const 0x020) (i32.const 8) (i32.const 0x300))
    ;; 0x300 holds a result<response, error>. An error is in the statistics already: nothing to do.
    (if (i32.eqz (i32.load8_u (i32.const 0x300)))
      (then
        (local.set $response (i32.load (i32.const 0x304)))
        (if (i32.ne (call $status (local.get $response)) (i32.const 200))
          (then (call $fail (local.get $response) (i32.const 0x028) (i32.const 14))))
        ;; A response that is not dropped stays in the host's memory.
        (call $drop_response (local.get $response))))
    (i32.const 0x330))                       ;; all zero: ok, and case 0 of `then`: rest

  ;; stop: func(user: u32)
  (func (export "stop") (param $user i32)
    (call $drop_client (global.get $client)))

  ;; The host asks for memory here when it has a string to hand over, in this scenario the message
  ;; of an error. Nothing is given back one by one: `run` resets the heap.
  (func (export "cabi_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $start i32)
    (local $missing i32)
    ;; start = heap_end, rounded up to a multiple of align, which is a power of two.
    (local.set $start
      (i32.and
        (i32.add (global.get $heap_end) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $heap_end (i32.add (local.get $start) (local.get $size)))
    ;; missing = pages that heap_end lies beyond the memory's end.
    (local.set $missing
      (i32.sub
        (i32.shr_u (i32.add (global.get $heap_end) (i32.const 0xffff)) (i32.const 16))
        (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then
        (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1))
          (then (unreachable)))))
    (local.get $start)))

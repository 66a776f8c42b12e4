;; A whole scenario without an SDK, without a compiler and without a runtime: one class, one task.
;;
;; This is a core module written against the canonical ABI of `wit/scenario.wit`, world `scenario`.
;; `wasm-tools component embed` writes the world into it and `wasm-tools component new` wraps it as
;; a component; the latter refuses any import or export below whose type does not fit the contract.
;;
;; The canonical ABI in five sentences:
;;   - A string or list is two i32: where its bytes are in memory, and how many items there are.
;;   - A variant, option, result or enum starts with one byte: which case it is, counted from 0; its
;;     payload follows at the next multiple of the largest alignment among all cases.
;;   - A record is its fields in order, each at the next multiple of its own alignment.
;;   - A resource is a handle: an i32 that stands for something the host keeps.
;;   - A result that needs more than one i32 comes back through memory: the export returns its
;;     address, the import is given one as its last parameter.
(module
  ;; Interface functions are named `package:name/interface@version` + `function`; methods of a
  ;; resource take their handle first. Unused imports are left out: the component gets none of them.
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

  (data (i32.const 0x000) "MinimalUser")     ;; 11 bytes
  (data (i32.const 0x010) "root")            ;; 4
  (data (i32.const 0x018) "index")           ;; 5
  (data (i32.const 0x020) "/")               ;; 1
  (data (i32.const 0x028) "expected a 200")  ;; 14

  ;; The plan, ready in memory. Numbers are little-endian; \00 where nothing is said.

  ;; result<scenario, string>, 20 bytes.
  (data (i32.const 0x100)
    "\00\00\00\00"                           ;; case 0: ok
    "\20\01\00\00" "\01\00\00\00"            ;; classes: 1 at 0x120
    "\00\00\00\00" "\00\00\00\00")           ;; sharing: case 0, per-user

  ;; user-class, 64 bytes, aligned to 8 because of its f64.
  (data (i32.const 0x120)
    "\00\00\00\00" "\0b\00\00\00"            ;; name: "MinimalUser"
    "\00\00\00\00\00\00\00\00"               ;; population: case 0, weight
    "\00\00\00\00\00\00\f0\3f"               ;;   1.0
    "\00\00\00\00"                           ;; host: case 0, none
    "\00\00\00\00" "\00\00\00\00"            ;;   room for the string it does not have
    "\00\00\00\00"                           ;; (up to a multiple of 8)
    "\01\00\00\00\00\00\00\00"               ;; wait: case 1, constant
    "\e8\03\00\00\00\00\00\00"               ;;   1000 ms
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
    (call $get (global.get $client) (i32.const 0x020) (i32.const 1) (i32.const 0x300))
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

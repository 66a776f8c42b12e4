;; A scenario without a language: `mod.rs` fills the marked places and wraps it as a component.
;; `scenarios/minimal-wat` explains the canonical ABI that this is written against.
(module
  (import "swarm:scenario/http@0.1.0" "[method]client.get"
    (func $client.get (param $client i32) (param $url i32) (param $url_len i32) (param $at i32)))
  (import "swarm:scenario/http@0.1.0" "[method]client.batch"
    (func $client.batch
      (param $client i32) (param $requests i32) (param $len i32) (param $at i32)))
  (import "swarm:scenario/http@0.1.0" "[method]client.send"
    (func $client.send (param $client i32) (param $request i32) (param $at i32)))
  (import "swarm:scenario/http@0.1.0" "[method]response.status"
    (func $status (param $response i32) (result i32)))
  ;; Imported so that bodies are kept.
  (import "swarm:scenario/http@0.1.0" "[method]response.body"
    (func $response.body (param $response i32) (param $at i32)))
  (import "swarm:scenario/http@0.1.0" "[resource-drop]response"
    (func $drop_response (param $response i32)))
  (import "swarm:scenario/http@0.1.0" "[resource-drop]client"
    (func $drop_client (param $client i32)))
  (import "swarm:scenario/http@0.1.0" "[constructor]request"
    (func $new_request (param $method i32) (param $method_len i32)
      (param $url i32) (param $url_len i32) (result i32)))
  (import "swarm:scenario/http@0.1.0" "[method]request.body"
    (func $request.body (param $request i32) (param $bytes i32) (param $len i32)))
  (import "swarm:scenario/log@0.1.0" "log"
    (func $log (param $level i32) (param $message i32) (param $message_len i32)))
  (import "swarm:scenario/args@0.1.0" "get"
    (func $args.get (param $name i32) (param $name_len i32) (param $at i32)))
  (import "swarm:scenario/clock@0.1.0" "sleep" (func $sleep (param $ms i32)))
{imports}

  ;; 0x00 result of describe, 0x20 of `client.get`, `send`, `batch` and of `args.get`, 0x40 of start
  ;; and run; 0x50 up to 12 requests of a batch; 0x80 clients by user; 0x100 plan and texts.
  (memory (export "memory") {pages})
  (global $heap_start i32 (i32.const {heap}))
  (global $heap_end (mut i32) (i32.const {heap}))
  ;; Of the user whose turn it is.
  (global $client (mut i32) (i32.const 0))
  ;; For the bodies below: how often `run` was called in this instance.
  (global $runs (mut i32) (i32.const 0))
{globals}
{data}

  ;; Where a user's client is kept: room for 32 users of one instance.
  (func $client_at (param $user i32) (result i32)
    (i32.add (i32.const 0x80)
      (i32.shl (i32.and (local.get $user) (i32.const 31)) (i32.const 2))))

  ;; GETs a URL. The response, or -1.
  (func $get (param $url i32) (param $url_len i32) (result i32)
    (call $client.get (global.get $client) (local.get $url) (local.get $url_len) (i32.const 0x20))
    (if (result i32) (i32.load8_u (i32.const 0x20))
      (then (i32.const -1))
      (else (i32.load (i32.const 0x24)))))

  ;; GETs a URL and drops the response.
  (func $visit (param $url i32) (param $url_len i32)
    (local $response i32)
    (local.set $response (call $get (local.get $url) (local.get $url_len)))
    (if (i32.ne (local.get $response) (i32.const -1))
      (then (call $drop_response (local.get $response)))))

  ;; Sends a request with a method and drops the response.
  (func $send (param $method i32) (param $method_len i32) (param $url i32) (param $url_len i32)
    (call $client.send
      (global.get $client)
      (call $new_request
        (local.get $method) (local.get $method_len) (local.get $url) (local.get $url_len))
      (i32.const 0x20))
    (if (i32.eqz (i32.load8_u (i32.const 0x20)))
      (then (call $drop_response (i32.load (i32.const 0x24))))))

  ;; The results of start and run.
  (func $ok (result i32)
    (i64.store (i32.const 0x40) (i64.const 0))
    (i32.const 0x40))
  (func $error (param $text i32) (param $text_len i32) (result i32)
    (i32.store (i32.const 0x40) (i32.const 1))
    (i32.store (i32.const 0x44) (local.get $text))
    (i32.store (i32.const 0x48) (local.get $text_len))
    (i32.const 0x40))

  (func (export "describe") (result i32)
    {describe}
    (i32.const 0x00))

  (func (export "start")
    (param $id i32) (param $class i32) (param $seed i32) (param $new_client i32) (result i32)
    (i32.store (call $client_at (local.get $id)) (local.get $new_client))
    (global.set $client (local.get $new_client))
    {start}
    (call $ok))

  (func (export "run") (param $user i32) (param $task i32) (result i32)
    (local $left i32)
    (global.set $client (i32.load (call $client_at (local.get $user))))
    (global.set $heap_end (global.get $heap_start))
    (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
    {run}
    (call $ok))

  (func (export "stop") (param $user i32)
    {stop}
    (call $drop_client (i32.load (call $client_at (local.get $user)))))

  (func (export "cabi_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $start i32)
    (local.set $start
      (i32.and
        (i32.add (global.get $heap_end) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $heap_end (i32.add (local.get $start) (local.get $size)))
    ;; One page is left for the few strings that the host hands over.
    (if (i32.gt_u (global.get $heap_end) (i32.mul (memory.size) (i32.const 0x10000)))
      (then (unreachable)))
    (local.get $start)))

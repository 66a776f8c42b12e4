//! Guests that do what they are told: components whose every call of the host, with every parameter
//! of it, is read from orders in their memory (`swarm_guest::fuzz::ORDERS`).
//!
//! A byte chooses the function; then each parameter is a byte that says what kind of value it is,
//! and what the kind needs. So hostile addresses, lengths and handles are a few bytes away from
//! sound ones, and what a fuzzer changes in one place leaves the rest as it was.

use std::fmt::Write;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A function of the host: module and field, parameters (`i`, `I`, `F` for 32 and 64 bits and a
/// float), and the result.
type Function = (&'static str, &'static str, &'static str, &'static str);

const HTTP: &str = "swarm:scenario/http@0.1.0";
const ASYNC: &str = "swarm:scenario/http-async@0.1.0";
const METRICS: &str = "swarm:scenario/metrics@0.1.0";
const TASKS: &str = "[export]$root";

/// Functions of both worlds.
const COMMON: [Function; 21] = [
    (HTTP, "[constructor]request", "iiii", "i"),
    (HTTP, "[method]request.header", "iiiii", ""),
    (HTTP, "[method]request.body", "iii", ""),
    (HTTP, "[method]request.text", "iii", ""),
    (HTTP, "[method]request.name", "iii", ""),
    (HTTP, "[method]request.timeout", "ii", ""),
    (HTTP, "[method]request.redirects", "ii", ""),
    (HTTP, "[resource-drop]request", "i", ""),
    (HTTP, "[method]response.status", "i", "i"),
    (HTTP, "[method]response.header", "iiii", ""),
    (HTTP, "[method]response.body", "ii", ""),
    (HTTP, "[method]response.text", "ii", ""),
    (HTTP, "[method]response.elapsed", "i", "F"),
    (HTTP, "[method]response.fail", "iii", ""),
    (HTTP, "[resource-drop]response", "i", ""),
    ("swarm:scenario/log@0.1.0", "log", "iii", ""),
    ("swarm:scenario/args@0.1.0", "get", "iii", ""),
    (METRICS, "count", "iiF", ""),
    (METRICS, "trend", "iiF", ""),
    (METRICS, "check", "iii", ""),
    (METRICS, "sample", "iiiiFiiii", ""),
];

const ISOLATED: [Function; 16] = [
    (HTTP, "[method]client.header", "iiiii", ""),
    (HTTP, "[method]client.get", "iiii", ""),
    (HTTP, "[method]client.send", "iii", ""),
    (HTTP, "[method]client.batch", "iiii", ""),
    (HTTP, "[resource-drop]client", "i", ""),
    ("swarm:scenario/clock@0.1.0", "now", "", "F"),
    ("swarm:scenario/clock@0.1.0", "sleep", "i", ""),
    ("wasi:random/random@0.2.6", "get-random-bytes", "Ii", ""),
    ("wasi:random/insecure@0.2.6", "get-insecure-random-u64", "", "I"),
    ("wasi:random/insecure-seed@0.2.6", "insecure-seed", "i", ""),
    ("wasi:clocks/monotonic-clock@0.2.6", "subscribe-duration", "I", "i"),
    ("wasi:clocks/monotonic-clock@0.2.6", "now", "", "I"),
    ("wasi:clocks/wall-clock@0.2.6", "now", "i", ""),
    ("wasi:io/poll@0.2.6", "[method]pollable.block", "i", ""),
    ("wasi:io/poll@0.2.6", "[method]pollable.ready", "i", "i"),
    ("wasi:io/poll@0.2.6", "[resource-drop]pollable", "i", ""),
];

const DENSE: [Function; 19] = [
    (ASYNC, "[method]client.header", "iiiii", ""),
    (ASYNC, "[async-lower][method]client.get", "iiii", "i"),
    (ASYNC, "[async-lower][method]client.send", "iii", "i"),
    (ASYNC, "[async-lower][method]client.batch", "iiii", "i"),
    (ASYNC, "[resource-drop]client", "i", ""),
    ("swarm:scenario/clock-async@0.1.0", "[async-lower]sleep", "i", "i"),
    ("$root", "[waitable-set-new]", "", "i"),
    ("$root", "[waitable-set-poll]", "ii", "i"),
    ("$root", "[waitable-set-drop]", "i", ""),
    ("$root", "[waitable-join]", "ii", ""),
    ("$root", "[subtask-drop]", "i", ""),
    ("$root", "[subtask-cancel]", "i", "i"),
    ("$root", "[context-get-0]", "", "i"),
    ("$root", "[context-set-0]", "i", ""),
    (TASKS, "[task-return]start", "iii", ""),
    (TASKS, "[task-return]run", "iii", ""),
    (TASKS, "[task-return]stop", "", ""),
    (TASKS, "[task-cancel]", "", ""),
    // Once more, so that it is chosen more often.
    ("$root", "[waitable-join]", "ii", ""),
];

/// What reads orders and parameters. Addresses below 0x800 are the guest's own: results at 0x40,
/// and what the orders say.
const READERS: &str = r#"
  (memory (export "memory") 2 16)
  (global $next (mut i32) (i32.const 0))
  (global $last (mut i32) (i32.const 1))
  (global $heap (mut i32) (i32.const 0x8000))
  (func $left (result i32)
    (i32.lt_u (global.get $next) (i32.load (i32.const 0xffc))))
  (func $byte (result i32)
    (if (i32.eqz (call $left)) (then (return (i32.const 0))))
    (global.set $next (i32.add (global.get $next) (i32.const 1)))
    (i32.load8_u offset=0xfff (global.get $next)))
  (func $word (result i32)
    (i32.or (call $byte) (i32.or (i32.shl (call $byte) (i32.const 8))
      (i32.or (i32.shl (call $byte) (i32.const 16)) (i32.shl (call $byte) (i32.const 24))))))
  (func $i (result i32)
    (local $kind i32)
    (local.set $kind (i32.and (call $byte) (i32.const 7)))
    (if (i32.eq (local.get $kind) (i32.const 0)) (then (return (call $byte))))
    (if (i32.eq (local.get $kind) (i32.const 1)) (then (return (global.get $last))))
    ;; At the end of the memory, and at that of all addresses.
    (if (i32.eq (local.get $kind) (i32.const 2))
      (then (return (i32.sub (i32.mul (memory.size) (i32.const 0x10000)) (call $byte)))))
    (if (i32.eq (local.get $kind) (i32.const 3))
      (then (return (i32.sub (i32.const 0) (call $byte)))))
    (if (i32.eq (local.get $kind) (i32.const 4)) (then (return (call $word))))
    ;; Sound addresses.
    (if (i32.eq (local.get $kind) (i32.const 5))
      (then (return (i32.shl (call $byte) (i32.const 3)))))
    (if (i32.eq (local.get $kind) (i32.const 6))
      (then (return (i32.add (i32.const 0x1000) (call $byte)))))
    ;; A power of two.
    (i32.shl (i32.const 1) (i32.and (call $byte) (i32.const 31))))
  (func $I (result i64)
    (i64.or (i64.extend_i32_u (call $i)) (i64.shl (i64.extend_i32_u (call $byte)) (i64.const 32))))
  (func $F (result f64)
    (local $byte i32)
    (local.set $byte (call $byte))
    (if (i32.eq (local.get $byte) (i32.const 255)) (then (return (f64.const nan))))
    (if (i32.eq (local.get $byte) (i32.const 254)) (then (return (f64.const inf))))
    (if (i32.eq (local.get $byte) (i32.const 253)) (then (return (f64.const -1))))
    (f64.convert_i32_u (local.get $byte)))
  (func $take_i (param i32) (global.set $last (local.get 0)))
  (func $take_I (param i64) (global.set $last (i32.wrap_i64 (local.get 0))))
  (func $take_F (param f64))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $byte i32)
    (local.set $byte (call $byte))
    (if (i32.gt_u (local.get $byte) (i32.const 0xe0)) (then (return (call $i))))
    (global.set $heap
      (i32.and (i32.add (global.get $heap) (i32.sub (local.get 2) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get 2))))
    (global.set $heap (i32.add (global.get $heap) (local.get 3)))
    (i32.sub (global.get $heap) (local.get 3)))
  (func (export "describe") (result i32) (unreachable))
"#;

/// The exports of an isolated guest. The address of a result is what the orders say, mostly 0x40.
const ISOLATED_EXPORTS: &str = r#"
  (func $result (result i32)
    (i32.store (i32.const 0x40) (i32.and (call $byte) (i32.const 1)))
    (i32.store (i32.const 0x44) (call $i))
    (i32.store (i32.const 0x48) (call $i))
    (if (i32.lt_u (call $byte) (i32.const 0xe0)) (then (return (i32.const 0x40))))
    (call $i))
  (func (export "start") (param i32 i32 i32 i32) (result i32)
    (global.set $last (local.get 3)) (call $go) (call $result))
  (func (export "run") (param i32 i32) (result i32) (call $go) (call $result))
  (func (export "stop") (param i32) (call $go))
"#;

/// The exports of a dense guest. When there are no orders left, its tasks give a result and end.
const DENSE_EXPORTS: &str = r#"
  (func $code (param $kind i32) (result i32)
    (local $byte i32)
    (if (call $left) (then
      (local.set $byte (call $byte))
      (if (i32.lt_u (local.get $byte) (i32.const 0x60))
        (then (return (i32.or (i32.const 2) (i32.shl (call $i) (i32.const 4))))))
      (if (i32.lt_u (local.get $byte) (i32.const 0x80)) (then (return (i32.const 1))))
      (if (i32.lt_u (local.get $byte) (i32.const 0x90)) (then (return (call $i))))
      (if (i32.lt_u (local.get $byte) (i32.const 0xa0)) (then (return (i32.const 0))))))
    (if (i32.eq (local.get $kind) (i32.const 0)) (then
      (call $TASK_START (i32.const 0) (i32.const 0) (i32.const 0))))
    (if (i32.eq (local.get $kind) (i32.const 1)) (then
      (call $TASK_RUN (i32.const 0) (i32.and (call $byte) (i32.const 3)) (i32.const 0))))
    (if (i32.eq (local.get $kind) (i32.const 2)) (then (call $TASK_STOP)))
    (i32.const 0))
  (func (export "[async-lift]start") (param i32 i32 i32 i32) (result i32)
    (global.set $last (local.get 3)) (call $go) (call $code (i32.const 0)))
  (func (export "[async-lift]run") (param i32 i32) (result i32)
    (call $go) (call $code (i32.const 1)))
  (func (export "[async-lift]stop") (param i32) (result i32)
    (call $go) (call $code (i32.const 2)))
  (func (export "[callback][async-lift]start") (param i32 i32 i32) (result i32)
    (global.set $last (local.get 1)) (call $go) (call $code (i32.const 0)))
  (func (export "[callback][async-lift]run") (param i32 i32 i32) (result i32)
    (global.set $last (local.get 1)) (call $go) (call $code (i32.const 1)))
  (func (export "[callback][async-lift]stop") (param i32 i32 i32) (result i32)
    (global.set $last (local.get 1)) (call $go) (call $code (i32.const 2)))
"#;

/// Calls in a row before the guest gives control back.
const CALLS_MAX: u32 = 32;

/// A guest of the world `scenario`, and some of WASI.
///
/// # Panics
/// When the contract has changed and this has not.
#[must_use]
pub fn isolated() -> Vec<u8> {
    component("with-wasi", &[&COMMON[..], &ISOLATED].concat(), ISOLATED_EXPORTS)
}

/// A guest of the world `scenario-async`.
///
/// # Panics
/// When the contract has changed and this has not.
#[must_use]
pub fn dense() -> Vec<u8> {
    let of = |field: &str| {
        let at = DENSE.iter().position(|function| function.1 == field).expect("it is listed");
        format!("$f{}", COMMON.len() + at)
    };
    let exports = DENSE_EXPORTS
        .replace("$TASK_START", &of("[task-return]start"))
        .replace("$TASK_RUN", &of("[task-return]run"))
        .replace("$TASK_STOP", &of("[task-return]stop"));
    component("scenario-async", &[&COMMON[..], &DENSE].concat(), &exports)
}

/// Orders for such a guest to begin with: each function once, with sound and less sound parameters.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let count = (COMMON.len() + ISOLATED.len().max(DENSE.len())) as u8;
    let mut seeds = Vec::new();
    for kind in 0..8 {
        let order = |function: u8| [&[function][..], &[kind, 16].repeat(5)].concat();
        seeds.push((0..count).flat_map(order).collect());
    }
    // A set, a wait that is begun, joined and waited for; what the guest has last is its number.
    let http = COMMON.len() as u8;
    let (sleep, new_set, join) = (http + 5, http + 6, http + 9);
    seeds.push(vec![new_set, sleep, 0, 9, join, 0, 1, 0, 1, 0xff, 0x10, 0, 1]);
    seeds
}

fn component(world: &str, functions: &[Function], exports: &str) -> Vec<u8> {
    let text = text(functions, exports);
    let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut resolve = Resolve::default();
    let (mut package, _) = resolve.push_dir(root.join("wit")).expect("the contract is sound");
    if world == "with-wasi" {
        let wasi = root.join("tests/tests/all/guests/wasi.wit");
        package = resolve.push_file(wasi).expect("this part of WASI is sound");
    }
    let world = resolve.select_world(&[package], Some(world)).expect("the world is there");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the module can carry its world");
    let mut encoder = ComponentEncoder::default();
    let component = encoder.module(&module).and_then(ComponentEncoder::encode);
    component.unwrap_or_else(|error| panic!("the guest does not fit the contract: {error:#}"))
}

fn text(functions: &[Function], exports: &str) -> String {
    let types = |letters: &str| {
        let ty = |letter| match letter {
            'i' => "i32",
            'I' => "i64",
            _ => "f64",
        };
        letters.chars().map(ty).collect::<Vec<_>>().join(" ")
    };
    let (mut imports, mut calls) = (String::new(), String::new());
    for (number, (module, field, parameters, result)) in functions.iter().enumerate() {
        let (of, to) = (types(parameters), types(result));
        writeln!(
            imports,
            "(import {module:?} {field:?} (func $f{number} (param {of}) (result {to})))"
        )
        .expect("a string takes it");
        let given: String = parameters.chars().map(|letter| format!("(call ${letter})")).collect();
        let call = format!("(call $f{number} {given})");
        let call = if result.is_empty() { call } else { format!("(call $take_{result} {call})") };
        writeln!(calls, "(if (i32.eq (local.get $order) (i32.const {number})) (then {call}))")
            .expect("a string takes it");
    }
    let count = functions.len();
    format!(
        "(module {imports} {READERS}
          (func $go (local $order i32) (local $calls i32)
            (loop $again
              (if (i32.eqz (call $left)) (then (return)))
              (local.set $order (call $byte))
              (if (i32.eq (local.get $order) (i32.const 255)) (then (return)))
              (local.set $order (i32.rem_u (local.get $order) (i32.const {count})))
              {calls}
              (local.set $calls (i32.add (local.get $calls) (i32.const 1)))
              (br_if $again (i32.lt_u (local.get $calls) (i32.const {CALLS_MAX})))))
          {exports})"
    )
}

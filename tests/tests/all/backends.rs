//! The two ways in which users run: as core modules, and by the component layer. `check` says which
//! one it is and why, and a test has the same result by either.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use swarm_core::plan::{Scenario, Sharing};
use swarm_tests::{PATIENCE, Process, Swarm, scenario};

use crate::guests::{Guest, fixed, visit};
use crate::languages::CACHE;
use crate::verdict::{FAILURES, run_until, summary};

/// Flags that decide by what users run; see [`by_either_backend`].
pub(crate) type Backend = &'static [&'static str];

/// Users run as core modules if they can.
pub(crate) const CORE_MODULE: Backend = &[];
/// Users run by the component layer.
pub(crate) const COMPONENT_LAYER: Backend = &["--component-layer"];

/// Makes tests of functions that take a [`Backend`]: one for each.
macro_rules! by_either_backend {
    ($($name:ident),* $(,)?) => {
        mod as_core_modules {
            $(#[test] fn $name() { super::$name($crate::backends::CORE_MODULE) })*
        }
        mod by_the_component_layer {
            $(#[test] fn $name() { super::$name($crate::backends::COMPONENT_LAYER) })*
        }
    };
}
pub(crate) use by_either_backend;

/// What `check` says of a scenario, as JSON.
#[track_caller]
fn check(path: &Path, more: &[&str]) -> Value {
    let swarm = Swarm::new();
    let path = path.to_str().expect("a plain name");
    let mut command = swarm.command(&[&["check", "--json", path][..], more].concat());
    command.env("SWARM_CACHE_DIR", CACHE);
    let mut process = Process::spawn("check", command);
    let code = process.wait(PATIENCE).code();
    assert_eq!(code, Some(0), "{}", process.err.text());
    serde_json::from_str(&process.out.text()).expect("it is JSON")
}

/// What falls off the fast way takes half as much time again for a request, and half as much memory
/// again for a user: nobody is to find that out by measuring.
#[test]
fn each_scenario_of_this_repository_runs_as_it_should() {
    const MODULES: &str = "it has 4 core modules";
    const COMPONENTS: &str = "it has other components in it";
    let mut expected = BTreeMap::from([
        ("bench", ("isolated", None)),
        ("bench-dense", ("dense", None)),
        ("bench-wat", ("isolated", None)),
        ("checkout", ("isolated", None)),
        ("contract", ("isolated", None)),
        ("contract-dense", ("dense", None)),
        ("dense-faults", ("dense", None)),
        ("idle", ("isolated", None)),
        ("idle-dense", ("dense", None)),
        ("minimal-wat", ("isolated", None)),
        ("website", ("isolated", None)),
        ("website-c", ("isolated", None)),
        ("website-dense", ("dense", None)),
        ("website-go", ("isolated", Some(MODULES))),
        ("website-js", ("isolated", Some(COMPONENTS))),
        ("website-py", ("isolated", Some(COMPONENTS))),
    ]);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
    for entry in std::fs::read_dir(folder).expect("there are scenarios") {
        let name = entry.expect("a folder has entries").file_name();
        let name = name.to_str().expect("a plain name");
        let (users, obstacle) =
            expected.remove(name).unwrap_or_else(|| panic!("say how the users of {name} run"));
        let said = check(&scenario(name), &[]);
        assert_eq!(said["users"], users, "{name}");
        let backend = if obstacle.is_none() { "core-module" } else { "component" };
        assert_eq!(said["backend"], backend, "{name}: {}", said["backend_reason"]);
        let reason = said["backend_reason"].as_str();
        assert!(reason.unwrap_or_default().starts_with(obstacle.unwrap_or_default()), "{reason:?}");
    }
    assert!(expected.is_empty(), "these are gone: {expected:?}");
}

#[test]
fn check_says_in_words_how_users_run() {
    let swarm = Swarm::new();
    let says = |path: &str, flags: &[&str], lines: &[&str]| {
        let (_, process) = swarm.finished(&[&["check", path][..], flags].concat());
        let text = process.out.text();
        for line in lines {
            assert!(text.lines().any(|said| said == *line), "{line:?} is not in:\n{text}");
        }
    };
    let plain = Guest::visiting(&["/"]);
    plain.write(&swarm, "plain");
    let isolated = "  users    isolated: one instance for each user";
    says("plain.wasm", &[], &[isolated, "  backend  core module, the fast one"]);
    let asked = "  backend  component layer, the slower one, because the settings ask for it";
    says("plain.wasm", COMPONENT_LAYER, &[isolated, asked]);
    let classes = vec![fixed("Class", 1, 0)];
    Guest::planned(Scenario { classes, sharing: Sharing::Shared(7), default_hosts: false })
        .write(&swarm, "shared");
    let shared = "  users    shared: up to 7 users take turns in one instance";
    says("shared.wasm", &[], &[shared]);
    let dense = scenario("website-dense");
    let dense = dense.to_str().expect("a plain name");
    says(
        dense,
        &[],
        &["  users    dense: all users of a load thread side by side in one instance"],
    );
}

/// An import that only the component layer has is named, by `check` and in the log of a test.
#[test]
fn what_keeps_users_off_the_fast_way_is_named() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let guest = Guest::visiting(&["/"]).imports(
        r#"(import "wasi:random/insecure@0.2.6" "get-insecure-random-u64"
            (func $number (result i64)))
          (import "wasi:io/poll@0.2.6" "poll" (func $poll (param i32 i32 i32)))"#,
    );
    let path = guest.write(&swarm, "polls");
    let reason = "it imports poll of wasi:io/poll@0.2.6";
    assert_eq!(check(&path, &[])["backend_reason"], reason);
    let ended = run_until(&swarm, &target, &path, &["-u", "1"], |counts| counts.total >= 2);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    let said = format!("by the component layer, at a higher cost, because {reason}");
    assert!(ended.log.contains(&said), "{}", ended.log);
}

/// Everything of a result that does not depend on time.
#[derive(Debug, PartialEq)]
struct Seen {
    entries: BTreeMap<(String, String), (u64, u64, u64)>,
    errors: BTreeMap<(String, String), u64>,
    exceptions: BTreeMap<String, u64>,
    metrics: BTreeMap<String, String>,
    /// By the target.
    paths: BTreeMap<String, u64>,
    statuses: BTreeMap<u16, u64>,
}

/// Runs a scenario to its end, which is there when all users have finished.
#[track_caller]
fn seen(path: &Path, users: u32, flags: &[&str]) -> Seen {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let (url, users) = (target.url(), users.to_string());
    let all = ["--headless", "-H", &url, "-u", &users, "-r", "100", "--threads", "1"];
    let more = ["--seed", "7", "--arg", "word=a b=c", "--json-file", "result.json"];
    let mut run = swarm.run(path, &[&all[..], &more, flags].concat());
    let code = run.process.wait(PATIENCE).code();
    let log = run.process.err.text();
    assert_eq!(code, Some(FAILURES), "{log}");
    assert_eq!(
        log.contains("by the component layer"),
        flags.contains(&COMPONENT_LAYER[0]),
        "{log}"
    );
    let (summary, counts) = (summary(&swarm), target.counts());
    assert_eq!(summary.interrupted, 0);
    let entry = |entry: &swarm_stats::snapshot::EntrySnapshot| {
        let name = (entry.method.clone(), entry.name.clone());
        (name, (entry.num_requests, entry.num_failures, entry.bytes))
    };
    let error = |error: &swarm_stats::snapshot::ErrorSnapshot| {
        ((error.name.clone(), error.error.clone()), error.occurrences)
    };
    Seen {
        entries: summary.entries.iter().map(entry).collect(),
        errors: summary.errors.iter().map(error).collect(),
        exceptions: summary.exceptions.iter().map(|e| (e.message.clone(), e.count)).collect(),
        metrics: summary
            .metrics
            .iter()
            .map(|metric| (metric.name.clone(), format!("{:?}", metric.value)))
            .collect(),
        paths: counts.paths,
        statuses: counts.statuses,
    }
}

/// Runs it by either backend.
#[track_caller]
fn is_the_same(path: &Path, users: u32, flags: &[&str]) -> Seen {
    let core_module = seen(path, users, &[flags, CORE_MODULE].concat());
    let component_layer = seen(path, users, &[flags, COMPONENT_LAYER].concat());
    assert_eq!(core_module, component_layer);
    core_module
}

/// The users of `contract` have called everything, and what they saw is what is there.
#[track_caller]
fn has_called_everything(seen: &Seen, users: u64) {
    let sum = |name: &str| seen.metrics.get(name).cloned().unwrap_or_default();
    for name in [
        r#"word: Some("a b=c"), other: None"#,
        r#"echo: {"a": "é"}, Some("application/json")"#,
        "bytes: [0, 255, 7]",
        "form: a+b=c%26d",
        "head: 200 with 0 bytes",
        "timeout: Timeout",
        "forbidden: Denied",
        "garbage: Protocol",
        "batch http://127.0.0.1:1/: Denied",
        "batch of nothing: 0",
        "map: 6",
    ] {
        let wanted = format!("sum: {users}.0");
        assert!(sum(name).contains(&wanted), "{name} {:?} in {:#?}", sum(name), seen.metrics);
    }
    for name in ["it took time", "the clock goes on", "the date is one"] {
        let failed = "fails: 0";
        assert!(sum(name).contains(failed), "{name}: {}", sum(name));
    }
    assert_eq!(seen.exceptions["Caller.count: this task ends with an error"], users);
    assert_eq!(seen.errors[&("/items".to_owned(), "not to my taste".to_owned())], users);
    let numbers: Vec<_> = seen.metrics.keys().filter(|name| name.contains(" draws ")).collect();
    assert_eq!(numbers.len() as u64, users, "each user draws a number of its own: {numbers:?}");
}

#[test]
fn isolated_users_see_the_same_by_either_backend() {
    let seen = is_the_same(&scenario("contract"), 3, &[]);
    has_called_everything(&seen, 3);
    let hashes = seen.metrics.keys().filter(|name| name.contains(" hashes ")).count();
    assert_eq!(hashes, 3, "each instance has keys of its own: {:#?}", seen.metrics);
}

#[test]
fn dense_users_see_the_same_by_either_backend() {
    has_called_everything(&is_the_same(&scenario("contract-dense"), 5, &[]), 5);
}

#[test]
fn dense_users_with_shared_connections_see_the_same_by_either_backend() {
    let flags = ["--connections", "shared:3"];
    has_called_everything(&is_the_same(&scenario("contract-dense"), 5, &flags), 5);
}

/// A guest that imports everything of WASI that a core module may, and tells as figures what it was
/// given when its user started.
fn wasi_guest() -> Guest {
    let tell = |name: &str, value: &str| {
        format!("(call $gauge (global.get ${name}) (global.get ${name}_len) {value})")
    };
    let number = |call: &str| format!("(f64.convert_i64_u (i64.shr_u {call} (i64.const 16)))");
    let loaded = |at: u32| number(&format!("(i64.load (i32.const {at}))"));
    // Results of two words are put at 0x50, those of lists as address and length; the moment of
    // the begin is kept at 0x70, the pollable at 0x78.
    let start = [
        tell("random", &number("(call $random)")),
        tell("again", &number("(call $random)")),
        tell("insecure", &number("(call $insecure)")),
        "(call $seed (i32.const 0x50))".to_owned(),
        tell("seed", &loaded(0x50)),
        tell("seed_high", &loaded(0x58)),
        "(call $random_bytes (i64.const 11) (i32.const 0x50))".to_owned(),
        tell("bytes", "(f64.convert_i32_u (i32.load (i32.load (i32.const 0x50))))"),
        tell("length", "(f64.convert_i32_u (i32.load (i32.const 0x54)))"),
        "(call $insecure_bytes (i64.const 5) (i32.const 0x50))".to_owned(),
        tell("insecure_bytes", "(f64.convert_i32_u (i32.load (i32.load (i32.const 0x50))))"),
        "(call $resolution (i32.const 0x50))".to_owned(),
        tell("tick", "(f64.convert_i32_u (i32.load (i32.const 0x58)))"),
        "(i64.store (i32.const 0x70) (call $monotonic))".to_owned(),
        "(i32.store (i32.const 0x78) (call $subscribe (i64.const 20000000)))".to_owned(),
        tell("early", "(f64.convert_i32_u (call $ready (i32.load (i32.const 0x78))))"),
        "(call $block (i32.load (i32.const 0x78)))".to_owned(),
        tell("ready", "(f64.convert_i32_u (call $ready (i32.load (i32.const 0x78))))"),
        "(call $drop_pollable (i32.load (i32.const 0x78)))".to_owned(),
        tell(
            "waited",
            "(f64.convert_i32_u (i64.ge_u (i64.sub (call $monotonic) (i64.load (i32.const 0x70)))
                (i64.const 20000000)))",
        ),
        "(call $wall (i32.const 0x50))".to_owned(),
        // After 2020.
        tell(
            "date",
            "(f64.convert_i32_u
                (i64.gt_u (i64.load (i32.const 0x50)) (i64.const 1577836800)))",
        ),
    ];
    let names = [
        "random",
        "again",
        "insecure",
        "seed",
        "seed_high",
        "bytes",
        "length",
        "insecure_bytes",
        "tick",
        "early",
        "ready",
        "waited",
        "date",
    ];
    let guest = Guest::new(vec![fixed("Caller", 1, 0)])
        .imports(WASI_IMPORTS)
        .text("last", "/last")
        .start(&start.concat())
        .run(&visit("last"));
    names.iter().fold(guest, |guest, name| guest.text(name, name))
}

#[test]
fn wasi_gives_the_same_numbers_by_either_backend() {
    let swarm = Swarm::new();
    let path = wasi_guest().write(&swarm, "wasi");
    assert_eq!(check(&path, &[])["backend"], "core-module");
    let run = |backend: Backend| {
        let swarm = Swarm::new();
        let target = swarm.target(&[]);
        let flags = [&["-u", "1", "--threads", "1", "--seed", "7"][..], backend].concat();
        let ended = run_until(&swarm, &target, &path, &flags, |counts| counts.total >= 1);
        // `/last` is not there.
        assert_eq!((ended.code, ended.exceptions("")), (Some(FAILURES), 0), "{}", ended.log);
        let figures = ended.summary.metrics.into_iter();
        figures.map(|metric| (metric.name, format!("{:?}", metric.value))).collect()
    };
    let figures: BTreeMap<String, String> = run(CORE_MODULE);
    assert_eq!(figures, run(COMPONENT_LAYER));
    let is = |name: &str, value: f64| {
        assert!(figures[name].contains(&format!("last: {value:?},")), "{}", figures[name]);
    };
    is("length", 11.0);
    is("early", 0.0);
    is("ready", 1.0);
    is("waited", 1.0);
    is("date", 1.0);
    assert_ne!(figures["random"], figures["again"]);
}

const WASI_IMPORTS: &str = r#"
  (import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))
  (import "wasi:random/random@0.2.6" "get-random-bytes" (func $random_bytes (param i64 i32)))
  (import "wasi:random/insecure@0.2.6" "get-insecure-random-u64" (func $insecure (result i64)))
  (import "wasi:random/insecure@0.2.6" "get-insecure-random-bytes"
    (func $insecure_bytes (param i64 i32)))
  (import "wasi:random/insecure-seed@0.2.6" "insecure-seed" (func $seed (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $monotonic (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration"
    (func $subscribe (param i64) (result i32)))
  (import "wasi:clocks/wall-clock@0.2.6" "now" (func $wall (param i32)))
  (import "wasi:clocks/wall-clock@0.2.6" "resolution" (func $resolution (param i32)))
  (import "wasi:io/poll@0.2.6" "[method]pollable.ready"
    (func $ready (param i32) (result i32)))
  (import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.6" "[resource-drop]pollable" (func $drop_pollable (param i32)))
  (import "swarm:scenario/metrics@0.1.0" "gauge" (func $gauge (param i32 i32 f64)))
"#;

//! Files that are no scenario, and scenarios that cannot run.

use swarm_core::plan::{Order, Population, Scenario, Sharing, UserClass, Wait};
use swarm_tests::{Swarm, scenario};

use crate::guests::{Guest, class, fixed, task};
use crate::verdict::{SCENARIO, refused};

/// The file is refused by `check` and by `run`, with a message that names it.
#[track_caller]
fn is_refused(swarm: &Swarm, file: &str, parts: &[&str]) {
    let parts: Vec<_> = parts.iter().copied().chain([file]).collect();
    refused(swarm, &["check", file], SCENARIO, &parts);
    let run = ["run", file, "--headless", "-H", "http://127.0.0.1:1", "--task-cpu-limit", "0.2"];
    refused(swarm, &run, SCENARIO, &parts);
}

#[test]
fn files_that_are_no_wasm() {
    let swarm = Swarm::new();
    let random: Vec<u8> =
        (0..5_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let cases: [(&str, &[u8], &str); 7] = [
        ("empty.wasm", b"", "empty"),
        ("text.wasm", b"users: 10\n", "magic number"),
        ("script", b"from locust import HttpUser\n", "magic number"),
        ("scenario.wat", b"(component)", "WebAssembly text"),
        ("comment.wat", b";; a scenario\n(component)", "WebAssembly text"),
        ("random.wasm", &random, "magic number"),
        ("half.wasm", b"\0asm", "truncated"),
    ];
    for (name, bytes, part) in cases {
        swarm.file(name, bytes);
        is_refused(&swarm, name, &[part]);
    }
}

#[test]
fn sources_that_have_to_be_compiled() {
    let swarm = Swarm::new();
    let cases: [(&str, &[u8], &[&str]); 2] = [
        ("scenario.js", b"export const run = 1;\n", &["JavaScript source", "website-js"]),
        ("scenario.ts", b"export const run = 1;\n", &["TypeScript source", "website-js"]),
    ];
    for (name, bytes, parts) in cases {
        swarm.file(name, bytes);
        is_refused(&swarm, name, parts);
    }
}

#[test]
fn paths_that_lead_nowhere() {
    let swarm = Swarm::new();
    std::fs::create_dir(swarm.folder().join("folder.wasm")).expect("the folder is new");
    is_refused(&swarm, "nothing.wasm", &["cannot read", "No such file"]);
    is_refused(&swarm, "folder.wasm", &["cannot use the script", "no folder.wasm/locustfile.py"]);
    is_refused(&swarm, "/dev/null", &["empty"]);
    refused(&swarm, &["check", "/dev/zero"], SCENARIO, &["/dev/zero", "more than 268435456 bytes"]);
}

#[test]
fn components_of_another_kind() {
    let swarm = Swarm::new();
    let guest = Guest::new(vec![fixed("User", 1, 0)]);
    swarm.file("core.wasm", &guest.core());
    is_refused(&swarm, "core.wasm", &["core WebAssembly module", "wasm-tools component new"]);

    swarm.module("nothing", "(component)");
    let missing = "does not export describe, start, run, stop";
    is_refused(&swarm, "nothing.wasm", &["another world", missing]);

    let one = "(component (core module $m (func (export \"stop\") (param i32)))
        (core instance $i (instantiate $m))
        (func (export \"stop\") (param \"user\" u32) (canon lift (core func $i \"stop\"))))";
    swarm.module("one", one);
    is_refused(&swarm, "one.wasm", &["does not export describe, start, run;"]);

    guest.version("@0.9.0").write(&swarm, "newer");
    is_refused(&swarm, "newer.wasm", &["swarm:scenario@0.9.0", "swarm:scenario@0.1.0"]);

    let other = "(component (import \"other:thing/api@1.0.0\" (instance (export \"f\" (func)))))";
    swarm.module("imports", other);
    is_refused(&swarm, "imports.wasm", &["does not export"]);
}

#[test]
fn a_truncated_file_is_never_more_than_refused() {
    let swarm = Swarm::new();
    let whole = std::fs::read(scenario("website")).expect("it was built");
    for length in (8..whole.len()).step_by(397) {
        swarm.file("cut.wasm", &whole[..length]);
        refused(&swarm, &["check", "cut.wasm"], SCENARIO, &["cut.wasm"]);
    }
}

#[test]
fn a_describe_that_goes_wrong() {
    let swarm = Swarm::new();
    let guest = || Guest::new(vec![fixed("User", 1, 0)]);
    guest().describe("(unreachable)").write(&swarm, "trap");
    is_refused(&swarm, "trap.wasm", &["describe()", "unreachable"]);

    guest().describe("(loop $again (br $again))").write(&swarm, "spin");
    is_refused(&swarm, "spin.wasm", &["describe()", "computed for more than"]);

    let says = "(i32.store (i32.const 0) (i32.const 1))
        (i32.store (i32.const 4) (global.get $why))
        (i32.store (i32.const 8) (global.get $why_len))";
    guest().text("why", "no data file").describe(says).write(&swarm, "error");
    is_refused(&swarm, "error.wasm", &["describe()", "no data file"]);

    let grow = "(loop $again (drop (memory.grow (i32.const 16))) (br $again))";
    guest().describe(grow).write(&swarm, "hungry");
    is_refused(&swarm, "hungry.wasm", &["describe()", "memory", "64 MiB"]);

    guest().describe("(i32.store (i32.const 4) (i32.const 0x7ffffff0))").write(&swarm, "wild");
    is_refused(&swarm, "wild.wasm", &["describe()"]);
}

/// A list of any length costs its guest almost nothing to claim: the host must not believe it.
#[test]
fn plans_without_measure() {
    let swarm = Swarm::new();
    let guest = || Guest::new(vec![fixed("User", 1, 0)]);
    let million = "(i32.store (i32.const 4) (i32.and (i32.add (global.get $heap_end) (i32.const 7))
        (i32.const -8))) (i32.store (i32.const 8) (i32.const 1000000))";
    guest().pages(1000).describe(million).write(&swarm, "million");
    is_refused(&swarm, "million.wasm", &["1000000 classes", "at most 1000"]);

    let class = guest().pages(500).text("long", &"x".repeat(64));
    // Every class's name is all of the memory.
    let names = "(local $at i32) (local $end i32)
        (local.set $at (i32.and (i32.add (global.get $heap_end) (i32.const 7)) (i32.const -8)))
        (i32.store (i32.const 4) (local.get $at)) (i32.store (i32.const 8) (i32.const 1000))
        (local.set $end (i32.add (local.get $at) (i32.const 64000)))
        (loop $each
          (i32.store (local.get $at) (local.get $end))
          (i32.store offset=4 (local.get $at) (i32.const 30000000))
          (local.set $at (i32.add (local.get $at) (i32.const 64)))
          (br_if $each (i32.lt_u (local.get $at) (local.get $end))))";
    class.describe(names).write(&swarm, "names");
    is_refused(&swarm, "names.wasm", &["describe()", "too much data"]);
}

#[test]
fn plans_that_cannot_run() {
    let swarm = Swarm::new();
    let user = || fixed("Buyer", 1, 0);
    let with = |change: fn(&mut UserClass)| {
        let mut class = user();
        change(&mut class);
        vec![class]
    };
    let cases: [(&str, Vec<UserClass>, &[&str]); 11] = [
        ("none", vec![], &["no user class"]),
        ("taskless", vec![class("Buyer", Order::Weighted, vec![])], &["Buyer", "has no task"]),
        ("setless", with(|class| class.sets.clear()), &["Buyer", "no task set"]),
        ("negative", with(|class| class.sets[0].tasks[0].weight = -1.0), &["work", "weight -1"]),
        ("nan", with(|class| class.sets[0].tasks[0].weight = f64::NAN), &["work", "weight NaN"]),
        ("weightless", with(|class| class.sets[0].tasks[0].weight = 0.0), &["weights are 0"]),
        ("nobody", with(|class| class.population = Population::Fixed(0)), &["0 fixed users"]),
        (
            "backwards",
            with(|class| class.wait = Wait::Between { min_ms: 500, max_ms: 100 }),
            &["Buyer", "between 500 and 100 ms"],
        ),
        ("same", vec![user(), user()], &["Buyer", "same name"]),
        (
            "ids",
            vec![class("Buyer", Order::Weighted, vec![task(7, "a"), task(7, "b")])],
            &["Buyer", "id 7"],
        ),
        ("custom", with(|class| class.wait = Wait::Custom), &["custom wait"]),
    ];
    for (name, classes, parts) in cases {
        Guest::new(classes).write(&swarm, name);
        let parts: Vec<_> = parts.iter().copied().chain(["plan is not sound"]).collect();
        is_refused(&swarm, &format!("{name}.wasm"), &parts);
    }
    let shared =
        Scenario { classes: vec![user()], sharing: Sharing::Shared(0), default_hosts: false };
    Guest::planned(shared).write(&swarm, "shared");
    is_refused(&swarm, "shared.wasm", &["shared by 0 users"]);
}

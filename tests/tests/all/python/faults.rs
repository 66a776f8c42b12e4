//! Scripts that misbehave while they run: whatever a script can do to itself is an exception with
//! its author's lines, and its neighbours in the same instance go on.

use std::path::PathBuf;

use swarm_target::Counts;
use swarm_tests::{Process, Swarm};

use super::{command, script};
use crate::verdict::{Ended, interrupted, until_interrupted};

/// The neighbours' rounds that are enough to see that they are well.
const ENOUGH: u64 = 200;

fn requests(counts: &Counts, path: &str) -> u64 {
    counts.paths.get(path).copied().unwrap_or(0)
}

fn enough(counts: &Counts) -> bool {
    requests(counts, "/about") >= ENOUGH
}

/// A folder with `faults.py`, and beside it a file that says which fault is meant.
fn with_fault(swarm: &Swarm, fault: &str) -> PathBuf {
    let folder = swarm.folder().join("scripts");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("faults.py");
    std::fs::copy(script("faults.py"), &path).expect("a copy");
    std::fs::write(folder.join("fault.txt"), fault).expect("a file");
    path
}

/// Runs a fault of `faults.py` until `enough` holds.
#[track_caller]
fn run_with(fault: &str, flags: &[&str], enough: impl Fn(&Counts) -> bool) -> Ended {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let url = target.url();
    let arguments = [&until_interrupted(&url)[..], &["-u", "6", "--threads", "1"], flags].concat();
    let command = command(&swarm, "run", &with_fault(&swarm, fault), &arguments);
    let ended = interrupted(&swarm, Process::spawn("run", command), &target, enough);
    assert!(!ended.log.contains("panicked at"), "{}", ended.log);
    ended
}

/// As [`run_with`], of a fault that takes nothing from the neighbours.
#[track_caller]
fn run(fault: &str) -> Ended {
    let ended = run_with(fault, &[], enough);
    ended.agree_on("/about", ENOUGH);
    ended
}

/// The fault is an exception with this text, and nothing else goes wrong. Returns its trace.
#[track_caller]
fn raises(fault: &str, text: &str) -> String {
    let ended = run(fault);
    let all = ended.exceptions("");
    assert!(all >= 1, "{}", ended.log);
    assert_eq!(ended.exceptions(text), all, "{:?}", ended.summary.exceptions);
    assert_eq!(ended.summary.total.num_failures, 0, "{:?}", ended.summary.errors);
    ended.summary.exceptions[0].trace.clone()
}

#[test]
fn an_exception_has_the_authors_lines() {
    let trace = raises("raises", "ValueError: the basket is empty");
    assert!(trace.contains("faults.py\", line"), "{trace}");
    assert!(trace.contains("raise ValueError(\"the basket is empty\")"), "{trace}");
    assert!(trace.contains("in misbehave"), "{trace}");
    assert!(!trace.contains("/swarm/") && !trace.contains("wasm"), "{trace}");
}

#[test]
fn an_exception_has_its_cause() {
    let trace = raises("raises_deeply", "RuntimeError: no way on");
    assert!(trace.contains("ValueError: the basket is empty"), "{trace}");
    assert!(trace.contains("The above exception was the direct cause"), "{trace}");
}

#[test]
fn recursion_without_end() {
    raises("recursion", "RecursionError: ");
    raises("recursion_in_c", "RecursionError: ");
}

#[test]
fn a_text_that_is_nested_too_deep_for_the_parser() {
    let ended = run("recursion_in_the_parser");
    let all = ended.exceptions("");
    let known = ended.exceptions("MemoryError") + ended.exceptions("SyntaxError: too many nested");
    assert!(all >= 1 && known == all, "{:?}", ended.summary.exceptions);
}

#[test]
fn lists_in_lists_are_freed() {
    let ended =
        run_with("freed_lists", &[], |counts| enough(counts) && requests(counts, "/freed") >= 3);
    ended.agree_on("/freed", 3);
    assert_eq!(ended.exceptions(""), 0, "{:?}", ended.summary.exceptions);
}

#[test]
fn a_task_without_end() {
    let ended = run_with("spins", &["--task-cpu-limit", "0.3"], enough);
    let spent = ended.exceptions("computed for more than 0.3");
    assert!(spent >= 1, "{:?}", ended.summary.exceptions);
    // What was on its way went with the instance, and is told.
    let known = ended.requests("/about") + ended.summary.interrupted;
    assert_eq!(known, requests(&ended.counts, "/about"), "{:?}", ended.summary.entries);
}

#[test]
fn memory_without_end() {
    raises("eats", "MemoryError");
    raises("eats_at_once", "MemoryError");
}

#[test]
fn what_a_script_has_no_machine_for() {
    raises("processes", "processes cannot be started in swarm");
    raises("sockets", "sockets are not available in swarm");
    raises("reads_files", "FileNotFoundError: ");
    raises("writes_files", "/app/new");
}

#[test]
fn threads_run_beside_users() {
    let ended =
        run_with("threads", &[], |counts| enough(counts) && requests(counts, "/threads") >= 3);
    ended.agree_on("/threads", 3);
    assert_eq!(ended.exceptions(""), 0, "{:?}", ended.summary.exceptions);
}

#[test]
fn an_exception_in_a_thread_is_logged() {
    let ended = run_with("fails_in_a_thread", &[], |counts| {
        enough(counts) && requests(counts, "/after-thread") >= 1
    });
    assert!(ended.log.contains("Exception in thread Thread-"), "{}", ended.log);
    assert!(ended.log.contains("the basket is empty"), "{}", ended.log);
}

#[test]
fn a_hundred_thousand_lines_are_not_all_logged() {
    let ended =
        run_with("prints", &[], |counts| enough(counts) && requests(counts, "/printed") >= 2);
    assert!(ended.log.contains("in nobody's interest 0"), "{}", ended.log);
    let logged = ended.log.matches("in nobody's interest").count();
    assert!(logged < 50_000, "{logged} lines");
    raises("prints_a_gigabyte", "MemoryError");
}

#[test]
fn texts_that_are_no_texts_elsewhere() {
    let ended = run("odd_texts");
    assert!(ended.exceptions("ValueError: half ? of a pair 404") >= 1, "{}", ended.log);
    assert!(ended.requests("half ? of a pair") >= 1, "{:?}", ended.summary.entries);
}

/// As in Locust: it ends the test. Here that is the part of the test that is in this instance.
#[test]
fn a_script_that_exits() {
    for fault in ["exits", "exits_at_once"] {
        let swarm = Swarm::new();
        let target = swarm.target(&[]);
        let url = target.url();
        let arguments =
            [&until_interrupted(&url)[..], &["-u", "6", "--threads", "1", "-t", "3"]].concat();
        let command = command(&swarm, "run", &with_fault(&swarm, fault), &arguments);
        let mut process = Process::spawn("run", command);
        process.wait(swarm_tests::PATIENCE);
        let log = process.err.text();
        assert!(log.contains("sys.exit(3)") || log.contains("exit code 3"), "{log}");
        assert!(!log.contains("panicked at"), "{log}");
    }
}

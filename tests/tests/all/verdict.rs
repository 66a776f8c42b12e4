//! What all tests of faults ask: was it refused in time, and does the result hold together?

use std::collections::BTreeMap;
use std::path::Path;

use swarm_stats::report::json::Summary;
use swarm_stats::snapshot::EntrySnapshot;
use swarm_target::Counts;
use swarm_tests::{PATIENCE, Process, Signal, Swarm, Target, wait_until};

/// Exit codes of the program.
pub(crate) const FAILURES: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const SCENARIO: i32 = 3;
pub(crate) const SETTINGS: i32 = 4;
pub(crate) const BIND: i32 = 5;
pub(crate) const UNREACHABLE: i32 = 6;
pub(crate) const REFUSED: i32 = 7;
pub(crate) const OUTPUT: i32 = 10;
pub(crate) const NOTHING_ANSWERED: i32 = 11;

/// The binary ends with this exit code and says all of this, before it opens a port.
#[track_caller]
pub(crate) fn refused(swarm: &Swarm, arguments: &[&str], exit: i32, parts: &[&str]) {
    let (status, process) = swarm.finished(arguments);
    refused_as(&process, status.code(), arguments, exit, parts);
}

/// As [`refused`], of a process that has ended.
#[track_caller]
pub(crate) fn refused_as(
    process: &Process,
    code: Option<i32>,
    arguments: &[&str],
    exit: i32,
    parts: &[&str],
) {
    let said = process.err.text();
    assert_eq!(code, Some(exit), "{arguments:?} said:\n{said}");
    for part in parts {
        assert!(said.contains(part), "{arguments:?}: {part:?} is not in:\n{said}");
    }
    for started in ["panicked", "web interface on", "listening on", "a test begins"] {
        assert!(!said.contains(started), "{arguments:?}: {started:?} is in:\n{said}");
    }
    assert_eq!(process.out.text(), "", "{arguments:?}");
}

/// How a headless run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) summary: Summary,
    /// Its log.
    pub(crate) log: String,
    /// What the target received.
    pub(crate) counts: Counts,
}

/// Runs a scenario against a target until `enough` holds, then interrupts it as Ctrl-C does; its
/// users finish their tasks.
#[track_caller]
pub(crate) fn run_until(
    swarm: &Swarm,
    target: &Target,
    scenario: &Path,
    arguments: &[&str],
    enough: impl Fn(&Counts) -> bool,
) -> Ended {
    let url = target.url();
    let run = swarm.run(scenario, &[&until_interrupted(&url)[..], arguments].concat());
    interrupted(swarm, run.process, target, enough)
}

/// As [`run_until`], against any server: exit code, result, log.
#[track_caller]
pub(crate) fn run_against(
    swarm: &Swarm,
    url: &str,
    scenario: &Path,
    arguments: &[&str],
    enough: impl Fn() -> bool,
) -> (Option<i32>, Summary, String) {
    let run = swarm.run(scenario, &[&until_interrupted(url)[..], arguments].concat());
    interrupted_against(swarm, run.process, enough)
}

/// Arguments of `swarm run` for [`interrupted`].
pub(crate) fn until_interrupted(url: &str) -> [&str; 9] {
    let long = "60";
    ["--headless", "-H", url, "-s", long, "-r", "100", "--json-file", "result.json"]
}

/// As [`run_until`], of a process that has been started.
#[track_caller]
pub(crate) fn interrupted(
    swarm: &Swarm,
    process: Process,
    target: &Target,
    enough: impl Fn(&Counts) -> bool,
) -> Ended {
    let enough = || enough(&target.counts());
    let (code, summary, log) = interrupted_against(swarm, process, enough);
    Ended { code, summary, log, counts: target.counts() }
}

#[track_caller]
fn interrupted_against(
    swarm: &Swarm,
    mut process: Process,
    enough: impl Fn() -> bool,
) -> (Option<i32>, Summary, String) {
    wait_until("enough has been received", PATIENCE, || {
        assert!(process.is_running(), "the run has ended by itself");
        enough()
    });
    process.signal(Signal::INT);
    let code = process.wait(PATIENCE).code();
    (code, summary(swarm), process.err.text())
}

/// The result in `result.json`, which holds together.
#[track_caller]
pub(crate) fn summary(swarm: &Swarm) -> Summary {
    let text = std::fs::read_to_string(swarm.folder().join("result.json"));
    let summary = Summary::from_json(&text.expect("the result was written"));
    let summary = summary.expect("the result is a summary");
    let (total, entries) = (&summary.total, &summary.entries);
    let sum = |of: fn(&EntrySnapshot) -> u64| entries.iter().map(of).sum::<u64>();
    assert_eq!(sum(|entry| entry.num_requests), total.num_requests);
    assert_eq!(sum(|entry| entry.num_failures), total.num_failures);
    assert_eq!(sum(|entry| entry.bytes), total.bytes);
    let failures: u64 = summary.errors.iter().map(|error| error.occurrences).sum();
    assert_eq!(failures, total.num_failures, "{:?}", summary.errors);
    let reported: u64 = summary.workers.iter().map(|worker| worker.num_requests).sum();
    assert_eq!(reported, total.num_requests, "{:?}", summary.workers);
    assert_eq!(sum(|entry| entry.num_resent), total.num_resent);
    assert_eq!(sum(|entry| entry.num_unanswered), total.num_unanswered);
    assert!(total.num_unanswered <= total.num_failures, "{total:?}");
    summary
}

impl Ended {
    /// Requests to a path, failed ones included.
    pub(crate) fn requests(&self, name: &str) -> u64 {
        let entries = self.summary.entries.iter().filter(|entry| entry.name == name);
        entries.map(|entry| entry.num_requests).sum()
    }

    /// Failures by path and text.
    pub(crate) fn failures(&self) -> BTreeMap<(&str, &str), u64> {
        let errors = self.summary.errors.iter();
        errors.map(|e| ((e.name.as_str(), e.error.as_str()), e.occurrences)).collect()
    }

    /// How many exceptions say this.
    pub(crate) fn exceptions(&self, part: &str) -> u64 {
        let exceptions = self.summary.exceptions.iter();
        exceptions.filter(|exception| exception.message.contains(part)).map(|e| e.count).sum()
    }

    /// The result and the target agree on the requests to a path; there were so many at least.
    #[track_caller]
    pub(crate) fn agree_on(&self, path: &str, at_least: u64) {
        let received = self.counts.paths.get(path).copied().unwrap_or(0);
        assert_eq!(self.requests(path), received, "{path}: {:#?}", self.summary.entries);
        assert!(received >= at_least, "{received} requests to {path}, fewer than {at_least}");
        assert_eq!(self.summary.interrupted, 0);
    }
}

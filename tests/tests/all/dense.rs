//! Users side by side in one instance, through the real binary: their figures, their faults.
//!
//! In `dense-faults` one villain misbehaves as its argument says, and neighbours in the same
//! instance visit `/about` twice a task, and `/items` on their way out.

use std::cell::Cell;

use swarm_target::Counts;
use swarm_tests::{PATIENCE, Swarm, scenario};

use crate::backends::{Backend, CORE_MODULE, by_either_backend};
use crate::verdict::{Ended, FAILURES, SETTINGS, USAGE, refused, run_until, summary};

/// The villain and its neighbours, all in one instance.
const USERS: u64 = 21;
const FLAGS: [&str; 4] = ["-u", "21", "--threads", "1"];

/// Rounds of the neighbours that are enough to see that they are well.
const ENOUGH: u64 = 10 * USERS;

fn requests(counts: &Counts, path: &str) -> u64 {
    counts.paths.get(path).copied().unwrap_or(0)
}

fn enough(counts: &Counts) -> bool {
    requests(counts, "/about") >= ENOUGH
}

by_either_backend! {
    a_million_could_share_these_connections,
    every_user_may_have_connections_of_its_own,
    a_trap_costs_the_instance_and_all_start_anew,
    a_task_without_end_is_ended_with_its_instance,
    a_user_that_waits_for_an_answer_stops_in_time,
    a_user_that_sleeps_in_its_task_stops_in_time,
}

/// Runs `dense-faults` until `enough` holds.
#[track_caller]
fn run(backend: Backend, fault: &str, flags: &[&str], enough: impl Fn(&Counts) -> bool) -> Ended {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let fault = format!("fault={fault}");
    let flags = [&FLAGS[..], &["--arg", &fault], flags, backend].concat();
    let ended = run_until(&swarm, &target, &scenario("dense-faults"), &flags, enough);
    assert!(!ended.log.contains("panicked at engine"), "{}", ended.log);
    ended
}

/// Every request that the target received is a sample, or was cut off when the instance ended.
#[track_caller]
fn all_is_accounted_for(ended: &Ended) {
    let received: u64 = ended.counts.paths.values().sum();
    let counted = ended.summary.total.num_requests + ended.summary.interrupted;
    assert_eq!(counted, received, "{:?} {:?}", ended.summary.entries, ended.counts.paths);
    assert_eq!(ended.summary.total.num_failures, 0);
}

fn a_million_could_share_these_connections(backend: Backend) {
    const CONNECTIONS: u64 = 3;
    let open_max = Cell::new(0);
    let ended = run(backend, "none", &["--connections", "shared:3"], |counts| {
        open_max.set(open_max.get().max(counts.open));
        enough(counts)
    });
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    // And that of whoever asks, and of who asked before.
    assert!(open_max.get() <= CONNECTIONS + 2, "{} connections", open_max.get());
    let connections = &ended.summary.connections;
    assert!((1..=CONNECTIONS).contains(&connections.opened), "{connections:?}");
    let total = ended.summary.total.num_requests;
    assert_eq!(connections.opened + connections.reused, total, "{connections:?}");
    ended.agree_on("/", 1);
    ended.agree_on("/about", ENOUGH);
    ended.agree_on("/items", USERS - 1);
}

fn every_user_may_have_connections_of_its_own(backend: Backend) {
    let ended = run(backend, "none", &["--connections", "per-user"], |counts| {
        // The neighbours' two at a time, the villain's one.
        enough(counts) && counts.open > 2 * (USERS - 1)
    });
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    ended.agree_on("/about", ENOUGH);
    ended.agree_on("/items", USERS - 1);
}

fn a_trap_costs_the_instance_and_all_start_anew(backend: Backend) {
    let enough = |counts: &Counts| enough(counts) && requests(counts, "/") >= 7;
    let ended = run(backend, "trap", &["--connections", "shared:4"], enough);
    assert_eq!(ended.code, Some(FAILURES), "{}", ended.log);
    all_is_accounted_for(&ended);
    // It traps in the third run of each life.
    let traps = ended.exceptions("unreachable");
    assert_eq!(traps, ended.requests("/") / 3, "{:?}", ended.summary.exceptions);
    assert!(traps >= 2);
    let anew = ended.exceptions("started anew");
    // Its neighbours may not all have been introduced yet when it traps.
    assert!((traps..=traps * USERS).contains(&anew), "{anew} users, {traps} traps");
    assert_eq!(ended.exceptions(""), traps + anew);
    let trap = ended.summary.exceptions.iter().find(|e| e.message.contains("unreachable"));
    let trap = trap.expect("it has trapped");
    // The component layer does not tell which of the calls in an instance has trapped.
    let named = trap.message.starts_with("Villain.misbehave: ");
    assert_eq!(named, backend == CORE_MODULE, "{}", trap.message);
    assert!(trap.trace.contains("wasm backtrace"));
    let neighbours = ended.exceptions("Neighbour: started anew");
    assert!((1..=anew).contains(&neighbours), "{:?}", ended.summary.exceptions);
}

fn a_task_without_end_is_ended_with_its_instance(backend: Backend) {
    let enough = |counts: &Counts| enough(counts) && requests(counts, "/") >= 4;
    let ended = run(backend, "spin", &["--task-cpu-limit", "0.3"], enough);
    assert_eq!(ended.code, Some(FAILURES), "{}", ended.log);
    all_is_accounted_for(&ended);
    assert!(ended.exceptions("computed for more than 0.3 s") >= 1);
}

/// Ends by itself after two seconds, whatever the villain waits for.
#[track_caller]
fn stops_in_time(backend: Backend, fault: &str) -> swarm_stats::report::json::Summary {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let (url, fault) = (target.url(), format!("fault={fault}"));
    let flags = ["--headless", "-H", &url, "-r", "100", "-t", "2s", "-s", "0"];
    let flags =
        [&flags[..], &["--json-file", "result.json", "--arg", &fault], &FLAGS, backend].concat();
    let mut run = swarm.run(&scenario("dense-faults"), &flags);
    let code = run.process.wait(PATIENCE).code();
    assert_eq!(code, Some(0), "{}", run.process.err.text());
    let (summary, counts) = (summary(&swarm), target.counts());
    let received: u64 = counts.paths.values().sum();
    assert_eq!(summary.total.num_requests + summary.interrupted, received);
    summary
}

fn a_user_that_waits_for_an_answer_stops_in_time(backend: Backend) {
    assert!(stops_in_time(backend, "slow").interrupted >= 1);
}

fn a_user_that_sleeps_in_its_task_stops_in_time(backend: Backend) {
    stops_in_time(backend, "sleep");
}

#[test]
fn connections_are_shared_only_where_an_instance_is() {
    let swarm = Swarm::new();
    let run = |path: &str, connections: &str, exit, says: &[&str]| {
        let flags = ["run", path, "--headless", "-u", "1", "-H", "http://127.0.0.1:9"];
        let flags = [&flags[..], &["-P", "0", "--connections", connections]].concat();
        refused(&swarm, &flags, exit, says);
    };
    let (isolated, dense) = (scenario("website"), scenario("website-dense"));
    let [isolated, dense] = [&isolated, &dense].map(|path| path.to_str().expect("a plain path"));
    run(isolated, "shared:4", SETTINGS, &["--connections shared", "scenario-async"]);
    run(dense, "shared:0", USAGE, &["per-user, or shared:N"]);
    run(dense, "none", USAGE, &["per-user, or shared:N"]);
}

//! Targets that misbehave: every fault is counted as what it is, and the user goes on.

use std::collections::BTreeMap;
use std::net::TcpListener;

use swarm_tests::{PATIENCE, Signal, Swarm, Target, wait_until};

use crate::guests::Guest;
use crate::verdict::{Ended, FAILURES, run_until};

/// Users visit these paths in turn, and `/` behind each, until the last has been reached thrice.
#[track_caller]
fn visit(swarm: &Swarm, target: &Target, paths: &[&str], arguments: &[&str]) -> Ended {
    let urls: Vec<&str> = paths.iter().flat_map(|path| [*path, "/"]).collect();
    let guest = Guest::visiting(&urls).write(swarm, "visitor");
    let last = paths.last().copied().unwrap_or("/");
    let ended = run_until(swarm, target, &guest, arguments, |counts| {
        counts.paths.get(last).is_some_and(|&count| count >= 6)
    });
    assert_eq!(ended.code, Some(FAILURES), "{}", ended.log);
    assert_eq!(ended.exceptions(""), 0, "{:?}", ended.summary.exceptions);
    // Nothing that went wrong keeps a user from what follows, nor that from being counted.
    ended.agree_on("/", 2);
    assert!(ended.failures().keys().all(|(path, _)| *path != "/"), "{:?}", ended.failures());
    ended
}

/// All requests to a path have failed, and with this text.
#[track_caller]
fn all_failed(ended: &Ended, path: &str, text: &str) {
    let requests = ended.requests(path);
    let of_path = ended.failures().into_iter().filter(|((name, _), _)| *name == path);
    assert_eq!(of_path.collect::<BTreeMap<_, _>>(), [((path, text), requests)].into());
    assert!(requests > 0, "{path}");
}

#[test]
fn connections_that_break() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let ended = visit(&swarm, &target, &["/reset", "/close", "/garbage"], &["-u", "2"]);
    all_failed(&ended, "/reset", "connection reset before the response began");
    all_failed(&ended, "/close", "connection closed before the response began");
    all_failed(&ended, "/garbage", "malformed response head");
}

#[test]
fn answers_without_end() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let ended = visit(&swarm, &target, &["/endless-headers", "/endless-body"], &["-u", "1"]);
    all_failed(&ended, "/endless-headers", "response head larger than 64 KiB");
    all_failed(&ended, "/endless-body", "response body larger than 16 MiB");
}

#[test]
fn answers_that_do_not_come() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let arguments = ["-u", "2", "--request-timeout", "0.5"];
    let ended = visit(&swarm, &target, &["/delay/20000", "/hang"], &arguments);
    for path in ["/hang", "/delay/20000"] {
        all_failed(&ended, path, "timed out after 500 ms (request timeout)");
        let entry = ended.summary.entries.iter().find(|entry| entry.name == path);
        let times = &entry.expect("it was requested").response_time_ms;
        assert!(times.min >= 499.0, "{path}: {times:?}");
        assert!(times.max < 10_000.0, "{path}: {times:?}");
    }
}

#[test]
fn bad_statuses() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let ended = visit(&swarm, &target, &["/status/500", "/status/404"], &["-u", "2"]);
    all_failed(&ended, "/status/500", "500 Internal Server Error");
    all_failed(&ended, "/status/404", "404 Not Found");
    for path in ["/status/500", "/status/404"] {
        ended.agree_on(path, 2);
    }
}

#[test]
fn a_port_where_nobody_listens() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let free = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = free.local_addr().expect("it is bound").to_string();
    drop(free);
    let url = format!("http://{address}/away");
    let guest = Guest::visiting(&[&url, "/"]).write(&swarm, "visitor");
    let allowed = ["-u", "2", "--allow-host", &address];
    let ended = run_until(&swarm, &target, &guest, &allowed, |counts| counts.total >= 6);
    assert_eq!(ended.code, Some(FAILURES), "{}", ended.log);
    ended.agree_on("/", 6);
    let failures = ended.failures();
    let text = failures.keys().map(|(_, text)| *text).collect::<Vec<_>>();
    assert_eq!(text, [format!("cannot connect to {address}: connection refused")]);
    assert_eq!(ended.summary.total.num_failures, failures.values().sum::<u64>());
}

#[test]
fn a_target_that_dies_in_the_middle() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let guest = Guest::visiting(&["/"]).write(&swarm, "visitor");
    let mut run = swarm.run(&guest, &["-H", &target.url()]);
    run.page().start(5, 100.0);
    target.wait_for_requests(20);
    drop(target);
    wait_until("failures are counted", PATIENCE, || {
        let stats = run.page().stats();
        let errors = stats["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().any(|error| {
            error["error"].as_str().is_some_and(|text| text.ends_with(": connection refused"))
        })
    });
    run.page().stop();
    run.page().wait_for_state("stopped");
    run.process.signal(Signal::INT);
    assert_eq!(run.process.wait(PATIENCE).code(), Some(FAILURES));
}

//! Masters that come late, go, come back; waiting for workers.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use swarm_tests::{Master, PATIENCE, Signal, Swarm, scenario};

use super::{Cluster, master_at};

#[test]
fn workers_may_be_there_before_the_master() {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let address = free_address();
    let mut workers: Vec<_> =
        ["w0", "w1"].map(|id| swarm.worker_at(address, &["--id", id, "--threads", "1"])).into();
    for worker in &mut workers {
        worker.process.wait_for_value("is not there: ");
    }
    let master = master_at(address.port(), &swarm, &target);
    let cluster = Cluster { workers, master, target, swarm };
    cluster.wait_until_ready(2);
    cluster.master.page().start(20, 100.0);
    cluster.wait_for_shares(20, 2);
    cluster.wait_for_more_requests(20);
    cluster.stop();
    cluster.finish().assert_exact();
}

/// A cluster whose master is killed in the middle of a test.
fn beheaded(grace: &str) -> (Cluster, SocketAddr) {
    let mut cluster = Cluster::start(0);
    let address = cluster.master.address();
    cluster.add_worker(&["--master-grace", grace]);
    cluster.add_worker(&["--master-grace", grace]);
    cluster.wait_until_ready(2);
    cluster.master.page().start(60, 100.0);
    cluster.wait_for_shares(60, 2);
    // Also reports have come and were acknowledged.
    let page = cluster.master.page();
    swarm_tests::wait_until("reports", PATIENCE, || {
        page.stats()["stats"].to_string().contains("/about")
    });
    cluster.master.process.signal(Signal::KILL);
    cluster.master.process.wait(PATIENCE);
    (cluster, address)
}

/// A test with the next master: its figures are its own.
#[track_caller]
fn next_test(mut cluster: Cluster, master: Master) {
    cluster.master = master;
    cluster.wait_until_ready(2);
    cluster.wait_until_quiet();
    assert_eq!(cluster.view().users, 0);
    cluster.target.take_counts();
    cluster.master.page().start(20, 100.0);
    cluster.wait_for_shares(20, 2);
    cluster.wait_for_more_requests(20);
    cluster.stop();
    let finished = cluster.finish();
    finished.assert_exact();
    let notices = finished.summary["notices"].to_string();
    assert!(!notices.contains("missing"), "{notices}");
}

#[test]
fn without_a_master_the_load_ends_after_the_grace() {
    let (cluster, address) = beheaded("2");
    cluster.wait_until_quiet();
    let master = master_at(address.port(), &cluster.swarm, &cluster.target);
    next_test(cluster, master);
}

#[test]
fn a_restarted_master_ends_the_load_of_the_one_before() {
    let (cluster, address) = beheaded("600");
    cluster.wait_for_more_requests(20);
    let master = master_at(address.port(), &cluster.swarm, &cluster.target);
    next_test(cluster, master);
}

#[test]
fn samples_that_a_master_before_has_taken_are_not_missed() {
    let mut cluster = Cluster::start(2);
    cluster.master.page().start(20, 100.0);
    cluster.wait_for_shares(20, 2);
    cluster.wait_for_more_requests(20);
    cluster.stop();
    // Its workers have nothing left to report.
    let port = cluster.master.address().port();
    cluster.master.process.signal(Signal::KILL);
    cluster.master.process.wait(PATIENCE);
    let master = master_at(port, &cluster.swarm, &cluster.target);
    next_test(cluster, master);
}

#[test]
fn a_headless_master_gives_up_when_workers_are_missing() {
    let swarm = Swarm::new();
    let arguments = ["--headless", "-u", "1", "-t", "1", "--host", "http://127.0.0.1:1"];
    let expected = ["--expect-workers", "2", "--expect-workers-max-wait", "3"];
    let mut master = swarm.master(&scenario("website"), &[&arguments[..], &expected].concat());
    let mut worker = swarm.worker(&master, &[]);
    assert_eq!(master.process.wait(PATIENCE).code(), Some(8));
    let said = master.process.err.text();
    assert!(said.contains(" of 2 expected workers were ready after 3 s"), "{said}");
    assert!(said.contains("--expect-workers-max-wait"), "{said}");
    worker.process.wait(PATIENCE);
}

#[test]
fn a_headless_master_starts_when_all_are_there() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let (host, json) = (target.url(), swarm.folder().join("result.json"));
    let json = json.to_str().expect("temporary folders have plain names");
    let arguments = ["--headless", "-u", "20", "-r", "100", "-t", "3", "-s", "10"];
    let files = ["--host", &host, "--json-file", json, "--expect-workers", "2"];
    let mut master = swarm.master(&scenario("website"), &[&arguments[..], &files].concat());
    let mut first = swarm.worker(&master, &["--id", "w0"]);
    master.process.wait_for_value("worker w0 has joined");
    first.process.wait_for_value("joined the master");
    assert_eq!(target.counts().total, 0, "one is not enough");
    let mut second = swarm.worker(&master, &["--id", "w1"]);
    assert_eq!(master.process.wait(PATIENCE).code(), Some(0));
    for worker in [&mut first, &mut second] {
        assert_eq!(worker.process.wait(PATIENCE).code(), Some(0));
    }
    let text = std::fs::read_to_string(json).expect("the master has written its result");
    let summary: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let users: Vec<_> = summary["workers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|worker| &worker["users_max"])
        .collect();
    assert_eq!(users, [10, 10], "{summary}");
    assert_eq!(super::requests_by_path(&summary["entries"]), target.counts().paths);
}

#[test]
fn a_worker_gives_up_a_master_that_never_comes() {
    let swarm = Swarm::new();
    let mut worker = swarm.worker_at(free_address(), &["--master-max-wait", "1"]);
    assert_eq!(worker.process.wait(PATIENCE).code(), Some(6));
    let said = worker.process.err.text();
    assert!(said.contains("--master-max-wait"), "{said}");
}

/// Before, each attempt had a line: five in three seconds.
#[test]
fn an_outage_is_told_once() {
    let swarm = Swarm::new();
    let mut worker = swarm.worker_at(free_address(), &["--master-max-wait", "3"]);
    assert_eq!(worker.process.wait(PATIENCE).code(), Some(6));
    let said = worker.process.err.text();
    let warnings = said.lines().filter(|line| line.contains("WARN"));
    assert_eq!(warnings.count(), 1, "{said}");
}

/// As when its supervisor starts a worker again under its name before the master has missed it.
#[test]
fn a_worker_waits_for_the_one_before_it_to_be_gone() {
    let mut cluster = Cluster::start(2);
    cluster.master.page().start(20, 100.0);
    cluster.wait_for_shares(20, 2);
    cluster.workers[0].process.signal(Signal::STOP);
    let mut next = cluster.swarm.worker(&cluster.master, &["--id", "w0", "--threads", "1"]);
    next.process.wait_for_value("the master does not take this worker yet");
    let reason = next.process.wait_for_value("a worker with the id w0 is connected ");
    assert_eq!(reason, "already:");
    next.process.wait_for_value("joined the master");
    cluster.workers[0].process.signal(Signal::KILL);
    cluster.workers[0].process.wait(PATIENCE);
    cluster.workers[0] = next;
    cluster.wait_for_shares(20, 2);
}

/// Whoever told it to end kills it after 10 s, as `docker stop` does.
#[test]
fn a_worker_without_a_master_ends_before_it_is_killed() {
    const KILLED_AFTER: Duration = Duration::from_secs(10);
    let mut cluster = Cluster::start(1);
    cluster.master.page().start(20, 100.0);
    cluster.wait_for_shares(20, 1);
    cluster.wait_for_more_requests(20);
    cluster.master.process.signal(Signal::KILL);
    cluster.master.process.wait(PATIENCE);
    let worker = &mut cluster.workers[0].process;
    worker.wait_for_value("the connection to the master has ended");
    worker.signal(Signal::TERM);
    let code = worker.wait(KILLED_AFTER).code();
    let said = worker.err.text();
    assert_eq!(code, Some(9), "its samples are lost, and that is said: {said}");
    assert!(said.contains("could not be handed to the master"), "{said}");
}

/// Where nobody listens, and nobody will who is not told to.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
    listener.local_addr().expect("it is bound")
}

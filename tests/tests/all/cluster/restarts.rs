//! Masters that are killed in the middle of a test, and go on from their state directory: the
//! workers carry on, their users do not start anew, and the result is exact.

use std::path::Path;
use std::time::Duration;

use swarm_tests::{Master, PATIENCE, Signal, Swarm, Target, scenario, wait_until};

use super::{Cluster, Finished, result_file};

/// Arguments of a master with a state directory.
fn master_with_state(port: u16, swarm: &Swarm, target: &Target) -> Master {
    let (json, state) = (result_file(swarm), swarm.folder().join("state"));
    let path = |path: &Path| path.to_str().expect("temporary folders have plain names").to_owned();
    let (json, state) = (path(&json), path(&state));
    let arguments = ["-s", "10", "--json-file", &json, "--state-dir", &state];
    swarm.master_at(
        port,
        &scenario("website"),
        &[&["--host", &target.url()], &arguments[..]].concat(),
    )
}

/// A cluster whose master has a state directory.
fn cluster(workers: usize, arguments: &[&str]) -> Cluster {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let master = master_with_state(0, &swarm, &target);
    let mut cluster = Cluster { workers: Vec::new(), master, target, swarm };
    (0..workers).for_each(|_| cluster.add_worker(arguments));
    cluster.wait_until_ready(workers);
    cluster
}

impl Cluster {
    #[track_caller]
    fn kill_master(&mut self) {
        self.master.process.signal(Signal::KILL);
        self.master.process.wait(PATIENCE);
    }

    /// Starts the master anew, as it was started.
    #[track_caller]
    fn restart_master(&mut self) {
        let port = self.master.address().port();
        self.master = master_with_state(port, &self.swarm, &self.target);
    }

    fn requests(&self) -> u64 {
        let stats = self.master.page().stats();
        let rows = stats["stats"].as_array().expect("a list").iter();
        let all = rows.filter(|row| row["name"] == "Aggregated");
        all.map(|row| row["num_requests"].as_u64().expect("a number")).sum()
    }
}

impl Finished {
    #[track_caller]
    fn assert_restarts(&self, count: usize) {
        let notices = self.rows("notices").filter_map(|notice| notice.as_str());
        let told = notices.filter(|text| text.contains("the master has restarted and goes on"));
        assert_eq!(told.count(), count, "{}", self.summary["notices"]);
        let lost = self.summary["notices"].to_string();
        assert!(!lost.contains("missing") && !lost.contains("lost"), "{lost}");
    }
}

#[test]
fn a_master_killed_in_every_phase_goes_on_with_the_test() {
    const USERS: u64 = 150;
    let mut cluster = cluster(3, &[]);
    cluster.master.page().start(150, 25.0);
    // In the ramp, twice.
    for users in [40, 80] {
        cluster.wait_for_view("the ramp is under way", |view| view.users >= users);
        cluster.kill_master();
        cluster.restart_master();
    }
    cluster.wait_for_shares(USERS, 3);
    // Nobody has asked the target until now.
    let before = cluster.target.counts();
    assert_eq!(before.connections, USERS + 1, "each user has had one connection");
    assert_eq!(before.open, USERS + 1);
    // On the plateau, and without a master for a while.
    for pause_ms in [0, 700, 2_500] {
        cluster.kill_master();
        std::thread::sleep(Duration::from_millis(pause_ms));
        cluster.restart_master();
        cluster.wait_for_shares(USERS, 3);
    }
    let after = cluster.target.counts();
    assert_eq!(after.connections, before.connections + 1, "all users have kept theirs");
    assert!(after.total > before.total, "they have gone on");
    // While it stops.
    cluster.master.page().stop();
    cluster.kill_master();
    cluster.restart_master();
    cluster.master.page().wait_for_state("stopped");
    let finished = cluster.finish();
    finished.assert_exact();
    finished.assert_restarts(6);
}

#[test]
fn a_master_killed_again_and_again_at_any_moment_loses_nothing() {
    let mut cluster = cluster(2, &[]);
    cluster.master.page().start(60, 60.0);
    cluster.wait_for_shares(60, 2);
    for pause_ms in [10, 90, 170, 333, 650, 900, 1_210] {
        std::thread::sleep(Duration::from_millis(pause_ms));
        cluster.kill_master();
        cluster.restart_master();
    }
    cluster.wait_for_shares(60, 2);
    cluster.wait_for_more_requests(60);
    cluster.stop();
    let finished = cluster.finish();
    finished.assert_exact();
    finished.assert_restarts(7);
}

#[test]
fn after_the_grace_the_load_ends_and_comes_back_with_the_master() {
    let mut cluster = cluster(2, &["--master-grace", "2"]);
    cluster.master.page().start(40, 100.0);
    cluster.wait_for_shares(40, 2);
    cluster.wait_for_more_requests(40);
    cluster.kill_master();
    cluster.wait_until_quiet();
    cluster.restart_master();
    cluster.wait_for_shares(40, 2);
    cluster.wait_for_more_requests(40);
    cluster.stop();
    let finished = cluster.finish();
    finished.assert_exact();
    finished.assert_restarts(1);
}

#[test]
fn a_test_that_has_ended_is_shown_again() {
    let mut cluster = cluster(2, &[]);
    cluster.master.page().start(20, 100.0);
    cluster.wait_for_shares(20, 2);
    cluster.wait_for_more_requests(20);
    cluster.stop();
    // The page shows the end as soon as it has come; what it answers is on disk, with all before
    // it.
    cluster.master.page().get("/stop");
    let total = cluster.requests();
    assert_eq!(total, cluster.target.counts().total);
    cluster.kill_master();
    cluster.restart_master();
    cluster.master.page().wait_for_state("stopped");
    assert_eq!(cluster.requests(), total);
    cluster.wait_until_ready(2);
    let finished = cluster.finish();
    finished.assert_exact();
    finished.assert_restarts(0);
}

#[test]
fn the_next_test_has_its_own_figures() {
    let mut cluster = cluster(2, &[]);
    for _ in 0..2 {
        cluster.target.take_counts();
        cluster.master.page().start(20, 100.0);
        cluster.wait_for_shares(20, 2);
        cluster.kill_master();
        cluster.restart_master();
        cluster.wait_for_shares(20, 2);
        cluster.wait_for_more_requests(20);
        cluster.stop();
        assert_eq!(cluster.requests(), cluster.target.counts().total);
    }
    let finished = cluster.finish();
    finished.assert_exact();
    finished.assert_restarts(1);
}

/// The command of a headless master with a state directory, and its files.
fn headless(swarm: &Swarm, target: &Target, port: u16) -> Master {
    let (host, json) = (target.url(), result_file(swarm));
    let json = json.to_str().expect("temporary folders have plain names");
    let load = ["--headless", "-u", "20", "-r", "100", "-t", "6", "-s", "10"];
    let files = ["--host", &host, "--json-file", json, "--state-dir", "state"];
    swarm.master_at(port, &scenario("website"), &[&load[..], &files].concat())
}

#[test]
fn a_headless_test_ends_at_its_time_and_is_not_run_twice() {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let mut master = headless(&swarm, &target, 0);
    let port = master.address().port();
    let worker = swarm.worker(&master, &["--id", "w0"]);
    target.wait_for_requests(20);
    master.process.signal(Signal::KILL);
    master.process.wait(PATIENCE);

    let mut master = headless(&swarm, &target, port);
    assert_eq!(master.process.wait(PATIENCE).code(), Some(0), "{}", master.process.err.text());
    let text = std::fs::read_to_string(result_file(&swarm)).expect("it has written its result");
    let summary: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(super::requests_by_path(&summary["entries"]), target.counts().paths);
    let length = summary["duration_s"].as_f64().expect("a number");
    assert!((6.0..8.0).contains(&length), "the run time counts from the start: {length} s");
    drop(worker);

    // Its result was handed over: the same command begins a new one.
    let mut master = headless(&swarm, &target, port);
    let _worker = swarm.worker(&master, &["--id", "w1"]);
    master.process.wait_for_value("a test begins");
    wait_until("a new test", PATIENCE, || target.counts().total > 0);
}

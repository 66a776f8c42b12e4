//! Workers that crash, freeze, leave.

use std::time::{Duration, Instant};

use swarm_tests::{PATIENCE, Signal, Swarm, wait_until};

use super::Cluster;
use crate::guests::Guest;

/// Longer than a master waits for a sign of life.
const FREEZE: Duration = Duration::from_secs(6);

#[test]
fn a_crash_moves_the_users_and_says_what_is_missing() {
    let mut cluster = Cluster::start(4);
    cluster.master.page().start(200, 100.0);
    cluster.wait_for_shares(200, 4);
    cluster.wait_for_more_requests(100);
    cluster.workers[2].process.signal(Signal::KILL);
    cluster.workers[2].process.wait(PATIENCE);
    let view = cluster.wait_for_view("the loss is noticed", |view| view.workers["w2"].0 == "lost");
    assert!(view.users <= 200, "{view:?}");
    cluster.wait_for_shares(200, 3);
    cluster.wait_for_more_requests(100);
    cluster.stop();

    let finished = cluster.finish();
    assert_eq!(finished.code, Some(9), "samples are missing: {}", finished.log);
    finished.assert_consistent();
    finished.assert_notice("worker w2 was lost");
    for worker in finished.workers() {
        assert_eq!(worker["lost"], worker["id"] == "w2", "{worker}");
    }
    let detail = finished.worker("w2")["lost_detail"].as_str().expect("it says what is missing");
    assert!(detail.contains("its 50 users"), "{detail}");
    // A user of this scenario makes a request a second at most.
    let seconds = detail.split("up to ").nth(1).and_then(|rest| rest.split(' ').next());
    let seconds: f64 = seconds.expect("it says how much").parse().expect("in seconds");
    let missing = finished.counts.total.checked_sub(finished.total());
    let missing = missing.expect("nothing counts twice");
    let missing_max = 50.0 * (seconds + 1.0);
    assert!((missing as f64) <= missing_max, "{missing} are missing, {detail}");
}

#[test]
fn a_frozen_worker_comes_back_with_all_its_samples() {
    let mut cluster = Cluster::start(3);
    cluster.master.page().start(150, 100.0);
    cluster.wait_for_shares(150, 3);
    cluster.workers[1].process.signal(Signal::STOP);
    let frozen = Instant::now();
    cluster.wait_for_view("the loss is noticed", |view| view.workers["w1"].0 == "lost");
    cluster.wait_for_shares(150, 2);
    std::thread::sleep(FREEZE.saturating_sub(frozen.elapsed()));
    cluster.workers[1].process.signal(Signal::CONT);
    cluster.wait_for_shares(150, 3);
    cluster.wait_for_more_requests(100);
    cluster.stop();

    let finished = cluster.finish();
    assert_eq!(finished.code, Some(0), "nothing is missing: {}", finished.log);
    finished.assert_consistent();
    finished.assert_notice("worker w1 was lost: it fell silent");
    finished.assert_notice("worker w1 is back with all its samples");
    assert_eq!(finished.worker("w1")["lost"], false);
    // Those whose answer came too late are counted apart.
    let (total, received) = (finished.total(), finished.counts.total);
    let interrupted = finished.summary["interrupted"].as_u64().expect("a number");
    assert!(total <= received && received <= total + interrupted, "{total} of {received}");
}

#[test]
fn a_worker_that_is_told_to_end_hands_everything_over() {
    let mut cluster = Cluster::start(3);
    cluster.master.page().start(150, 100.0);
    cluster.wait_for_shares(150, 3);
    cluster.wait_for_more_requests(50);
    cluster.workers[0].process.signal(Signal::TERM);
    assert_eq!(cluster.workers[0].process.wait(PATIENCE).code(), Some(0));
    cluster.wait_for_shares(150, 2);
    let view = cluster.wait_for_view("it is not missed", |view| view.workers["w0"].0 == "left");
    assert!(view.workers.values().all(|(state, _)| state != "lost"), "{view:?}");
    assert_eq!(cluster.master.page().stats()["worker_count"], 2);
    cluster.wait_for_more_requests(50);
    cluster.stop();
    let finished = cluster.finish();
    finished.assert_exact();
    finished.assert_notice("worker w0 left");
    for worker in finished.workers() {
        assert_eq!(worker["left"], worker["id"] == "w0", "{worker}");
    }
}

#[test]
fn a_worker_that_leaves_takes_no_more_users() {
    // Its tasks take a while to end, and the ramp goes on meanwhile.
    let slow = |swarm: &Swarm| Guest::visiting(&["/delay/1000"]).write(swarm, "slow");
    let mut cluster = Cluster::of(2, slow);
    cluster.master.page().start(600, 20.0);
    cluster.wait_for_view("users are there", |view| view.users >= 20);
    cluster.workers[0].process.signal(Signal::TERM);
    assert_eq!(cluster.workers[0].process.wait(PATIENCE).code(), Some(0));
    cluster.wait_for_more_requests(20);
    cluster.stop();
    let finished = cluster.finish();
    finished.assert_exact();
    finished.assert_notice("worker w0 left");
}

#[test]
fn the_last_worker_is_lost_and_another_takes_over() {
    let mut cluster = Cluster::start(1);
    cluster.master.page().start(30, 100.0);
    cluster.wait_for_shares(30, 1);
    cluster.workers[0].process.signal(Signal::KILL);
    cluster.workers[0].process.wait(PATIENCE);
    wait_until("no user is left", PATIENCE, || cluster.view().users == 0);
    cluster.add_workers(1);
    cluster.wait_for_shares(30, 1);
    cluster.wait_for_more_requests(30);
    cluster.stop();
    let finished = cluster.finish();
    assert_eq!(finished.code, Some(9), "{}", finished.log);
    finished.assert_consistent();
}

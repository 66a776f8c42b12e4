//! Who gets how many users, and that all figures are true.

use super::{Cluster, requests_by_path, worker_with_cache};

/// The heads of Locust's files, the first one with two columns of our own behind them.
const STATS_HEAD: &str = "Type,Name,Request Count,Failure Count,Median Response Time,\
    Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,\
    Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,Resent Count,\
    Unanswered Count";
const HISTORY_HEAD: &str = "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,\
    90%,95%,98%,99%,99.9%,99.99%,100%,Total Request Count,Total Failure Count,\
    Total Median Response Time,Total Average Response Time,Total Min Response Time,\
    Total Max Response Time,Total Average Content Size";
const FAILURES_HEAD: &str = "Method,Name,Error,Occurrences,First Seen,Last Seen";
const EXCEPTIONS_HEAD: &str = "Count,Message,Traceback,Nodes";

#[test]
fn three_workers_share_evenly_and_count_exactly() {
    let cluster = Cluster::start(3);
    cluster.master.page().start(300, 100.0);
    cluster.wait_for_shares(300, 3);
    cluster.wait_for_more_requests(300);
    cluster.stop();
    let shown = requests_by_path(&cluster.master.page().stats()["stats"]);
    assert_eq!(shown, cluster.target.counts().paths, "the page is exact once it says stopped");

    let finished = cluster.finish();
    finished.assert_exact();
    assert!(finished.workers().all(|worker| worker["users_max"] == 100), "{}", finished.summary);
    assert_eq!(finished.summary["users_max"], 300);
    for (name, head) in [
        ("stats", STATS_HEAD),
        ("stats_history", HISTORY_HEAD),
        ("failures", FAILURES_HEAD),
        ("exceptions", EXCEPTIONS_HEAD),
    ] {
        let path = finished._swarm.folder().join(format!("result_{name}.csv"));
        let text = std::fs::read_to_string(path).expect("the master has written it");
        assert_eq!(text.lines().next(), Some(head), "{name}");
        if name == "stats" {
            let all = format!(",Aggregated,{},0,", finished.total());
            assert!(text.lines().last().is_some_and(|line| line.starts_with(&all)), "{text}");
        }
    }
}

#[test]
fn unequal_workers_have_their_parts() {
    let mut cluster = Cluster::start(1);
    cluster.add_worker(&["--weight", "3"]);
    cluster.wait_until_ready(2);
    cluster.master.page().start(200, 100.0);
    let parts_of = |cluster: &Cluster, parts: &[u64]| {
        cluster.wait_for_view(&format!("users in parts of {parts:?}"), |view| {
            assert!(view.users <= 200, "too many users: {view:?}");
            view.state == "running" && view.present().eq(parts.iter().copied())
        });
    };
    parts_of(&cluster, &[50, 150]);
    cluster.add_worker(&["--weight", "4"]);
    parts_of(&cluster, &[25, 75, 100]);
    cluster.wait_for_more_requests(200);
    cluster.stop();
    cluster.finish().assert_exact();
}

#[test]
fn workers_that_join_take_their_share_at_once() {
    let mut cluster = Cluster::start(3);
    cluster.master.page().start(300, 100.0);
    cluster.wait_for_shares(300, 3);
    cluster.add_workers(7);
    cluster.wait_for_shares(300, 10);
    cluster.wait_for_more_requests(200);
    cluster.stop();
    let finished = cluster.finish();
    finished.assert_exact();
    assert_eq!(finished.workers().count(), 10);
    for worker in finished.workers() {
        assert!(worker["num_requests"].as_u64() > Some(0), "{worker} has done nothing");
    }
}

#[test]
fn a_module_travels_once_to_each_cache() {
    let mut cluster = Cluster::start(2);
    let sent =
        |cluster: &Cluster| cluster.master.process.err.text().matches("sending the module").count();
    assert_eq!(sent(&cluster), 1, "both share a cache");

    // The same worker again.
    assert_eq!(cluster.workers[0].leave(swarm_tests::PATIENCE).code(), Some(0));
    cluster.wait_until_ready(1);
    cluster.workers[0] = cluster.swarm.worker(&cluster.master, &["--id", "w0"]);
    cluster.wait_until_ready(2);
    assert_eq!(sent(&cluster), 1, "it is still there");

    for n in 0..2 {
        let cache = cluster.swarm.folder().join(format!("cache-{n}"));
        let worker = worker_with_cache(&cluster, &format!("apart-{n}"), &cache);
        cluster.workers.push(worker);
    }
    cluster.wait_until_ready(4);
    assert_eq!(sent(&cluster), 3, "two more, which have a cache each");
    cluster.master.page().start(40, 100.0);
    cluster.wait_for_shares(40, 4);
    cluster.wait_for_more_requests(40);
    cluster.stop();
    cluster.finish().assert_exact();
}

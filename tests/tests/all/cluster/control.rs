//! The page's commands, while a test runs and after it.

use super::{Cluster, requests_by_path};

#[test]
fn the_number_of_users_can_be_changed_while_they_run() {
    let cluster = Cluster::start(2);
    let page = cluster.master.page();
    page.start(60, 100.0);
    cluster.wait_for_shares(60, 2);
    page.start(100, 50.0);
    cluster.wait_for_shares(100, 2);
    page.start(30, 50.0);
    cluster.wait_for_view("30 users", |view| view.state == "running" && view.users == 30);
    cluster.wait_for_shares(30, 2);
    cluster.wait_for_more_requests(20);
    cluster.stop();
    let finished = cluster.finish();
    finished.assert_exact();
    assert_eq!(finished.summary["users_max"], 100);
}

#[test]
fn a_second_test_has_figures_of_its_own() {
    let cluster = Cluster::start(2);
    let page = cluster.master.page();
    page.start(60, 100.0);
    cluster.wait_for_shares(60, 2);
    cluster.wait_for_more_requests(60);
    cluster.stop();
    let first = cluster.target.take_counts();
    assert_eq!(requests_by_path(&page.stats()["stats"]), first.paths);

    page.start(10, 100.0);
    cluster.wait_for_shares(10, 2);
    cluster.wait_for_more_requests(20);
    cluster.stop();
    let finished = cluster.finish();
    finished.assert_exact();
    assert_eq!(finished.summary["users_max"], 10);
    assert!(finished.workers().all(|worker| worker["users_max"] == 5), "{}", finished.summary);
}

#[test]
fn a_reset_forgets_what_came_before() {
    let cluster = Cluster::start(2);
    let page = cluster.master.page();
    page.start(60, 100.0);
    cluster.wait_for_shares(60, 2);
    cluster.wait_for_more_requests(100);
    let before = cluster.target.counts().total;
    assert_eq!(page.get("/stats/reset").status, 200);
    cluster.wait_for_more_requests(100);
    cluster.stop();
    let shown: u64 = requests_by_path(&page.stats()["stats"]).values().sum();
    let received = cluster.target.counts().total;
    // Exact to the second of a report, in which each user makes one request at most.
    let since = received - before;
    assert!(shown <= since + 60 && shown + 60 >= since, "{shown} shown of {since} since the reset");
    assert_eq!(cluster.view().users, 0);

    assert_eq!(page.get("/stats/reset").status, 200);
    swarm_tests::wait_until("nothing is shown", swarm_tests::PATIENCE, || {
        requests_by_path(&page.stats()["stats"]).is_empty()
    });
    let finished = cluster.finish();
    assert_eq!((finished.code, finished.total()), (Some(0), 0));
}

#[test]
fn an_end_in_the_middle_of_a_test_stops_it_first() {
    let cluster = Cluster::start(2);
    cluster.master.page().start(60, 100.0);
    cluster.wait_for_shares(60, 2);
    cluster.wait_for_more_requests(60);
    // No stop: the interrupt does that.
    cluster.finish().assert_exact();
}

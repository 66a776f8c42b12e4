//! Tests of some of the user classes, and workers that leave: on the state machine alone.

use std::time::Duration;

use swarm_core::cluster::{Action, Cluster, Load};
use swarm_core::dispatch::ClassShare;
use swarm_core::message::{Heartbeat, Settings, WorkerInfo, WorkerState};
use swarm_core::plan::Population;

const SECOND: Duration = Duration::from_secs(1);
const CONNECTION: u64 = 1;

fn classes() -> Vec<ClassShare> {
    let class = |name: &str, population| ClassShare { name: name.to_owned(), population };
    vec![
        class("Browser", Population::Weight(3.0)),
        class("Buyer", Population::Weight(1.0)),
        class("Admin", Population::Fixed(2)),
    ]
}

/// A master with one worker that is ready.
fn ready() -> Cluster {
    let mut cluster = Cluster::new([0; 32], classes(), 1);
    let worker = WorkerInfo::new("w", 7);
    cluster.join(Duration::ZERO, CONNECTION, worker).0.expect("it is the first of its name");
    cluster.heartbeat(Duration::ZERO, CONNECTION, Heartbeat::new(WorkerState::Ready));
    cluster
}

fn load(users: u32, only_classes: &[u32]) -> Load {
    Load {
        users,
        spawn_rate: 1000.0,
        run_time: None,
        settings: Settings::default(),
        only_classes: only_classes.to_vec(),
    }
}

/// Users by class that the worker has been told, after the ramp.
fn told(cluster: &mut Cluster, now: Duration, first: Vec<Action>) -> Vec<(u32, u64)> {
    let mut actions = first;
    for step in 1..=100 {
        actions.extend(cluster.tick(now + SECOND / 50 * step));
    }
    let mut orders = actions.into_iter().filter_map(|action| match action {
        Action::Order { order, .. } => Some(order),
        _ => None,
    });
    let last = orders.next_back().expect("the worker is told");
    last.users.iter().map(|users| (users.class, users.ids.len())).collect()
}

#[test]
fn only_the_classes_that_were_chosen_get_users() {
    for (only, expected) in [
        (&[][..], &[(0, 6), (1, 2), (2, 2)][..]),
        (&[1], &[(1, 10)]),
        (&[0, 1], &[(0, 7), (1, 3)]),
        // A fixed class is as large as it is, also alone.
        (&[2], &[(2, 2)]),
    ] {
        let mut cluster = ready();
        let actions = cluster.start(SECOND, load(10, only)).expect("a sound load");
        assert_eq!(told(&mut cluster, SECOND, actions), expected, "{only:?}");
    }
}

#[test]
fn the_choice_holds_while_the_test_runs_and_over_a_restart_of_the_master() {
    let mut cluster = ready();
    let actions = cluster.start(SECOND, load(4, &[1])).expect("a sound load");
    told(&mut cluster, SECOND, actions);
    cluster.heartbeat(3 * SECOND, CONNECTION, Heartbeat::new(WorkerState::Running));
    let refused = cluster.start(4 * SECOND, load(8, &[0])).expect_err("another choice");
    assert!(refused.contains("user classes cannot change"), "{refused}");
    let actions = cluster.start(4 * SECOND, load(8, &[1])).expect("the same choice");
    assert_eq!(told(&mut cluster, 4 * SECOND, actions), [(1, 8)]);

    let memory = cluster.memory(0);
    let restored = Cluster::restore([0; 32], classes(), 1, memory, 8 * SECOND);
    let mut cluster = restored.expect("a sound memory");
    cluster.join(8 * SECOND, 2, WorkerInfo::new("w", 7)).0.expect("it is back");
    cluster.heartbeat(8 * SECOND, 2, Heartbeat::new(WorkerState::Running));
    let actions = cluster.start(9 * SECOND, load(9, &[1])).expect("the same choice");
    assert_eq!(told(&mut cluster, 9 * SECOND, actions), [(1, 9)]);
}

#[test]
fn who_says_goodbye_has_left_and_is_not_lost() {
    let mut cluster = ready();
    cluster.start(SECOND, load(4, &[])).expect("a sound load");
    cluster.closed(2 * SECOND, CONNECTION, true);
    let worker = &cluster.workers()[0];
    assert!(worker.has_left() && worker.lost().is_none());
    let memory = cluster.memory(0);
    let restored = Cluster::restore([0; 32], classes(), 1, memory, 3 * SECOND);
    assert!(restored.expect("a sound memory").workers()[0].has_left());

    cluster.join(3 * SECOND, 2, WorkerInfo::new("w", 8)).0.expect("it comes again");
    assert!(!cluster.workers()[0].has_left());
    cluster.heartbeat(3 * SECOND, 2, Heartbeat::new(WorkerState::Ready));
    cluster.closed(4 * SECOND, 2, false);
    let worker = &cluster.workers()[0];
    assert!(!worker.has_left() && worker.lost().is_some());
}

//! What a worker does with orders that come late, in a bunch.

use std::time::Duration;

use swarm_core::agent::Agent;
use swarm_core::message::{Moves, Order};

use super::{SECOND, agent, ids, order_of_classes, started, stops};

/// An order for users of two classes, over a second.
fn order(number: u64, classes: [&[u32]; 2]) -> Order {
    order_of_classes(number, classes.map(|users| ids(users.iter().copied())))
}

/// User 3 has its turn in a move at that time of the master's clock.
fn moves(start_ms: u64) -> Vec<Moves> {
    vec![Moves { start_ms, spread_ms: 0, ids: ids([3]) }]
}

/// A worker on which user 3 of class 1 and user 4 of class 0 run.
fn busy() -> Agent {
    let mut agent = agent(1);
    let mut actions = agent.order(Duration::ZERO, 0, order(1, [&[4], &[3]]));
    actions.extend(agent.tick(SECOND));
    let started = started(&actions);
    assert_eq!(started.len(), 2, "{started:?}");
    started.into_iter().for_each(|id| agent.user_started(id));
    agent
}

/// A ramp takes user 3 away, which is to happen within a second; its id comes back as a user of
/// another class and then goes to another worker. All three orders come when the last turn is over,
/// and the other worker starts the user as soon as this one has confirmed them.
#[test]
fn a_user_that_goes_to_another_worker_has_stopped_when_its_turn_is_over() {
    let mut agent = busy();
    let mut actions = agent.order(SECOND, 5000, order(2, [&[4], &[]]));
    let back = Order { moves: moves(3000), ..order(3, [&[3, 4], &[]]) };
    actions.extend(agent.order(SECOND, 5000, back));
    assert!(!stops(&actions), "it leaves within the second of order 2");
    let away = Order { moves: moves(4000), ..order(4, [&[4], &[]]) };
    assert!(stops(&agent.order(SECOND, 5000, away)));
    assert_eq!(agent.status(true).order_taken, 4);
}

/// The same with a last turn that is still to come: the first of the two moments counts.
#[test]
fn a_user_that_goes_to_another_worker_stops_at_its_turn_at_the_latest() {
    let first_of_both = |master_ms: u64| {
        let mut agent = busy();
        agent.order(SECOND, master_ms, order(2, [&[4], &[]]));
        let back = Order { moves: moves(3000), ..order(3, [&[3, 4], &[]]) };
        agent.order(SECOND, master_ms, back);
        let away = Order { moves: moves(4000), ..order(4, [&[4], &[]]) };
        assert!(!stops(&agent.order(SECOND, master_ms, away)));
        (0..=100)
            .map(|step| SECOND + step * Duration::from_millis(10))
            .find(|&now| stops(&agent.tick(now)))
    };
    let by_ramp = first_of_both(2900).expect("it stops within the second of order 2");
    assert!(by_ramp > SECOND + Duration::from_millis(500), "{by_ramp:?}");
    assert_eq!(first_of_both(3900), Some(SECOND + Duration::from_millis(100)));
}

/// A ramp takes user 3 away within the second after its order was issued. That order comes late:
/// the master takes it that the user has stopped by then, and may give its id to another worker.
#[test]
fn a_user_stops_within_the_spread_from_when_its_order_was_issued() {
    let stop = |master_ms: u64| {
        let mut agent = busy();
        let away = Order { issued_ms: 3000, ..order(2, [&[4], &[]]) };
        let mut actions = agent.order(SECOND, master_ms, away);
        (0..=100).map(|step| step * Duration::from_millis(10)).find(|&later| {
            actions.extend(agent.tick(SECOND + later));
            stops(&actions)
        })
    };
    let in_time = stop(3000).expect("it stops within the second");
    assert!(in_time > SECOND / 2, "{in_time:?}");
    assert_eq!(stop(3200), Some(in_time - SECOND / 5));
    assert_eq!(stop(4000), Some(Duration::ZERO));
}

/// User 3 has left by its first move, and was to come back by a second one when it is not wanted
/// any more. The worker has learnt meanwhile that its clock was ahead: the first turn is still to
/// come.
#[test]
fn a_user_that_has_left_by_a_move_does_not_come_by_it_when_the_clock_is_set_back() {
    let mut agent = busy();
    let away = Order { moves: moves(1100), ..order(2, [&[4], &[]]) };
    agent.order(SECOND, 1000, away);
    let back = Order { moves: moves(1500), ..order(3, [&[4], &[3]]) };
    agent.order(SECOND, 1000, back);
    let now = SECOND + Duration::from_millis(110);
    assert!(stops(&agent.tick(now)));
    assert_eq!(agent.user_ended(now, 3, false), None, "it comes back later");
    let gone = Order { moves: moves(1500), ..order(4, [&[4], &[]]) };
    let mut actions = agent.order(now, 1090, gone);
    actions.extend(agent.tick(now + SECOND));
    assert_eq!(started(&actions), Vec::<u32>::new());
}

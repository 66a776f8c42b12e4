//! A worker's decisions where a whole cluster in virtual time does not lead.

use std::time::Duration;

use swarm_core::agent::{Action, Agent, LEASE};
use swarm_core::message::{ClassUsers, Order, Settings};

const SECOND: Duration = Duration::from_secs(1);

/// A worker with one user, in the middle of a test.
fn busy() -> Agent {
    let mut agent = Agent::new(1, 30 * SECOND);
    agent.set_module_ready(true);
    agent.registered(Duration::ZERO);
    let order = Order {
        number: 1,
        test: 7,
        module: [0; 32],
        test_start_ms: 0,
        spread_ms: 0,
        users: vec![ClassUsers { class: 0, ids: vec![3] }],
        settings: Settings::default(),
    };
    agent.order(Duration::ZERO, order);
    agent.user_started(3);
    agent.answered(SECOND);
    agent
}

fn stops(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::Stop { id: 3, .. }))
}

#[test]
fn a_connection_that_closes_leaves_the_load_until_the_grace_is_over() {
    let mut agent = busy();
    assert_eq!(agent.closed(2 * SECOND), []);
    assert_eq!(agent.tick(32 * SECOND), []);
    assert!(stops(&agent.tick(33 * SECOND)));
}

#[test]
fn a_connection_that_closes_after_the_lease_ends_the_load_at_once() {
    let mut agent = busy();
    // The process stood still, and sees the end of the connection before it looks at the clock.
    assert!(stops(&agent.closed(SECOND + LEASE + SECOND)));
    assert_eq!(agent.tick(20 * SECOND), [], "the load has ended, and the connection too");
}

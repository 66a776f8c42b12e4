//! Workers that cannot be told what they shall run: it is said, and the others run their users.

use std::time::Duration;

use swarm_core::cluster::State;
use swarm_core::message::Order;

use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

fn cannot_hear(world: &mut World, id: &str, is_undeliverable: fn(&Order) -> bool) {
    world.nodes.get_mut(id).expect("a worker").is_undeliverable = is_undeliverable;
}

/// What was said of worker c.
fn said(world: &World) -> Vec<&String> {
    world.notices.iter().filter(|text| text.starts_with("worker c cannot take part")).collect()
}

/// A worker of an older version may accept less than the others.
#[test]
fn the_others_run_the_users_of_a_worker_that_no_order_reaches() {
    for is_undeliverable in [|order: &Order| !order.users.is_empty(), |_: &Order| true] {
        let mut world = World::new(&["a", "b", "c"]);
        cannot_hear(&mut world, "c", is_undeliverable);
        world.start(90, 90.0);
        world.run(4 * SECOND);
        assert_eq!((world.alive(), world.alive_on("a"), world.alive_on("c")), (90, 45, 0));
        assert_eq!(world.master.state(), State::Running);
        let problem = "it cannot be told which users to run: too long";
        assert_eq!(said(&world), [&format!("worker c cannot take part: {problem}")]);
        let shown = world.master.workers().iter().find(|worker| worker.info().id == "c");
        assert_eq!(shown.and_then(|worker| worker.problem()), Some(problem));
        // Nobody waits for it to confirm the end of a test that it has no part in.
        world.stop();
        world.run(2 * SECOND);
        assert_eq!((world.alive(), world.master.state()), (0, State::Stopped));

        cannot_hear(&mut world, "c", |_| false);
        world.start(90, 90.0);
        world.run(4 * SECOND);
        assert_eq!((world.alive(), world.spread()), (90, (30, 30)), "the next test is another");
        assert_eq!(said(&world).len(), 1);
    }
}

/// What it was told before holds, and no user runs twice, which the world checks.
#[test]
fn a_worker_that_later_orders_do_not_reach_keeps_its_users() {
    let mut world = World::new(&["a", "b", "c"]);
    world.start(90, 90.0);
    world.run(4 * SECOND);
    cannot_hear(&mut world, "c", |_| true);
    world.start(120, 120.0);
    world.run(4 * SECOND);
    assert_eq!((world.alive(), world.alive_on("c")), (120, 30));
    assert_eq!(said(&world).len(), 1);
    // The next change of the load finds it able to hear again.
    cannot_hear(&mut world, "c", |_| false);
    world.start(121, 120.0);
    world.run(4 * SECOND);
    assert_eq!((world.alive(), world.alive_on("c")), (121, 0));
    world.stop();
    world.run(2 * SECOND);
    assert_eq!((world.alive(), world.master.state()), (0, State::Stopped));
}

//! Users that move while workers come and go: the total stays, and nobody runs twice, which the
//! world checks at each of its steps.

use std::time::Duration;

use swarm_core::cluster::State;

use crate::world::{Fault, World};

const SECOND: Duration = Duration::from_secs(1);
const USERS: u32 = 10_000;
/// Fewest users while they move: they are nowhere for the gap, and this world goes in steps.
const LEAST: usize = 9_850;
/// The same when one rebalance follows the other: more of them move at a time, and some twice.
const LEAST_TWICE: usize = 9_800;
/// Fewest users that the master sees meanwhile: the clocks of this world are 10 ms apart.
const SEEN_LEAST: u32 = 9_780;

/// Three workers with [`USERS`].
fn three() -> World {
    let mut world = World::new(&["a", "b", "c"]);
    world.start(USERS, 5000.0);
    world.run(5 * SECOND);
    assert_eq!((world.alive(), world.master.state()), (USERS as usize, State::Running));
    world
}

const LATE: [&str; 7] = ["d", "e", "f", "g", "h", "i", "j"];

#[test]
fn the_total_stays_while_seven_workers_join_three() {
    let mut world = three();
    for late in LATE {
        world.join(late);
    }
    let watched = world.watch(2 * SECOND);
    assert!(watched.users[0] >= LEAST && watched.users[1] <= USERS as usize, "{watched:?}");
    assert!(watched.shown[0] >= SEEN_LEAST && watched.shown[1] <= USERS, "{watched:?}");
    // Within 2 s they have their full share.
    assert_eq!((world.alive(), world.spread()), (USERS as usize, (1000, 1000)));
    assert_eq!(world.master.state(), State::Running);
}

/// Users that were on their way to one are sent on to the next.
#[test]
fn the_total_stays_while_workers_join_one_after_the_other() {
    let mut world = three();
    for late in LATE {
        world.join(late);
        let watched = world.watch(SECOND / 5);
        assert!(
            watched.users[0] >= LEAST_TWICE && watched.users[1] <= USERS as usize,
            "{watched:?}"
        );
    }
    let watched = world.watch(2 * SECOND);
    assert!(watched.users[0] >= LEAST_TWICE && watched.users[1] <= USERS as usize, "{watched:?}");
    assert_eq!((world.alive(), world.spread()), (USERS as usize, (1000, 1000)));
}

#[test]
fn a_worker_may_be_lost_while_users_are_on_their_way_to_it() {
    let mut world = three();
    let before = world.ids();
    world.join("d");
    world.join("e");
    world.run(SECOND / 2);
    world.fault("d", Fault::Killed);
    world.run(SECOND / 5);
    world.fault("a", Fault::Killed);
    world.run(4 * SECOND);
    assert_eq!((world.ids(), world.master.state()), (before, State::Running));
    assert_eq!(world.spread(), (3333, 3334));
}

#[test]
fn the_load_may_change_while_users_move() {
    let mut world = three();
    for late in LATE {
        world.join(late);
    }
    world.run(SECOND / 2);
    world.start(USERS / 2, 10_000.0);
    world.run(SECOND / 2);
    world.start(2 * USERS, 10_000.0);
    world.run(5 * SECOND);
    assert_eq!((world.alive(), world.spread()), (2 * USERS as usize, (2000, 2000)));
    assert_eq!(world.master.state(), State::Running);
}

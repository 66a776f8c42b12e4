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

/// A worker joins and leaves again, and the load falls, all of it before the users have moved. The
/// moments of the three changes differ from one run to the next, and the world checks that nobody
/// runs twice.
#[test]
fn the_load_may_fall_while_users_go_to_a_worker_and_back() {
    const PAUSES_MS: [u64; 4] = [10, 30, 50, 80];
    for stay_ms in (200..1_000).step_by(100) {
        for (pause_ms, second_ms) in PAUSES_MS.iter().zip(PAUSES_MS.iter().rev()) {
            let mut world = World::new(&["a"]);
            world.start(40, 400.0);
            world.run(2 * SECOND);
            world.join("b");
            world.run(Duration::from_millis(stay_ms));
            world.leave("b");
            world.run(Duration::from_millis(*pause_ms));
            world.start(26, 17.0);
            world.run(Duration::from_millis(*second_ms));
            world.start(12, 17.0);
            world.run(6 * SECOND);
            assert_eq!((world.alive(), world.alive_on("a")), (12, 12));
            assert_eq!(world.master.state(), State::Running);
        }
    }
}

/// The order that takes users away from a worker does not arrive: nobody may start them before the
/// worker's lease is over, which the world checks.
#[test]
fn users_of_a_worker_that_cannot_hear_stay_until_its_lease_is_over() {
    let mut world = three();
    world.fault("a", Fault::Silent);
    world.run(SECOND / 2);
    world.join("d");
    world.run(8 * SECOND);
    assert_eq!((world.alive(), world.master.state()), (USERS as usize, State::Running));
    assert_eq!((world.alive_on("a"), world.alive_on("d")), (0, 3333));
}

/// Users that were ramped down have a second to stop; their ids may be given again in it.
#[test]
fn an_id_that_is_given_again_stops_first() {
    let mut world = World::new(&["a", "b", "c"]);
    world.start(90, 90.0);
    world.run(3 * SECOND);
    for users in [60, 90, 45, 91, 30, 90] {
        world.start(users, 30.0);
        world.run(SECOND / 3);
    }
    world.run(5 * SECOND);
    assert_eq!((world.alive(), world.spread()), (90, (30, 30)));
}

#[test]
fn a_worker_that_leaves_hands_its_users_over_first() {
    let mut world = three();
    world.leave("b");
    let watched = world.watch(4 * SECOND);
    assert!(watched.users[0] >= LEAST && watched.users[1] <= USERS as usize, "{watched:?}");
    assert_eq!((world.alive_on("a"), world.alive_on("c")), (5000, 5000));
    assert!(world.notices().iter().any(|text| text == "worker b left"), "{:?}", world.notices());
    assert!(world.notices().iter().all(|text| !text.contains("lost")), "{:?}", world.notices());
}

#[test]
fn moves_are_told_once() {
    let mut world = three();
    world.join("d");
    world.join("e");
    world.run(4 * SECOND);
    let told = world.notices().iter().filter(|text| text.contains("moved to even out"));
    assert_eq!(told.collect::<Vec<_>>(), ["4000 users have moved to even out the workers"]);
}

#[test]
fn without_rebalancing_a_worker_that_joins_gets_only_who_starts_or_has_lost_its_worker() {
    let mut world = World::new(&["a", "b"]);
    world.master.set_rebalancing(false);
    world.start(20, 20.0);
    world.run(3 * SECOND);
    let before = world.ids_by_worker();
    world.join("c");
    world.run(3 * SECOND);
    assert_eq!(world.ids_by_worker()[..2], before);
    assert_eq!(world.alive_on("c"), 0);
    world.start(26, 20.0);
    world.run(3 * SECOND);
    assert_eq!((world.alive_on("a"), world.alive_on("b"), world.alive_on("c")), (10, 10, 6));
    world.fault("a", Fault::Killed);
    world.run(3 * SECOND);
    assert_eq!((world.alive_on("b"), world.alive_on("c")), (13, 13));
}

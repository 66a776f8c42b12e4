//! Master and workers together, in virtual time: the real state machines, joined by a network that
//! delivers after a while, or not at all.

mod classes;
mod moves;
mod restart;
mod seen;
mod undeliverable;
mod world;

use std::time::Duration;

use swarm_core::cluster::State;
use swarm_core::limits::WORKER_ID_BYTES_MAX;
use world::{Fault, World};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn users_ramp_up_evenly_and_end_with_the_test() {
    let mut world = World::new(&["a", "b", "c"]);
    world.start(100, 10.0);
    world.run(5 * SECOND);
    let users = world.alive();
    assert!((45..=55).contains(&users), "{users} users after 5 s at 10/s");
    world.run(7 * SECOND);
    assert_eq!(world.alive(), 100);
    assert_eq!(world.master.state(), State::Running);
    assert_eq!(world.spread(), (33, 34));
    world.stop();
    world.run(3 * SECOND);
    assert_eq!((world.alive(), world.master.state()), (0, State::Stopped));
}

#[test]
fn the_starts_of_a_second_are_spread_over_it_and_over_the_workers() {
    let mut world = World::new(&["a", "b", "c", "d"]);
    world.start(100, 100.0);
    world.run(2 * SECOND);
    let starts = world.starts();
    assert_eq!(starts.len(), 100);
    let first = starts[0];
    for tenth in 0..10_u32 {
        let from = first + SECOND / 10 * tenth;
        let count = starts.iter().filter(|&&at| at >= from && at < from + SECOND / 10).count();
        assert!((6..=14).contains(&count), "{count} starts in tenth {tenth}");
    }
}

#[test]
fn a_killed_workers_users_go_to_the_others_with_their_ids() {
    let mut world = World::new(&["a", "b", "c"]);
    world.start(90, 90.0);
    world.run(4 * SECOND);
    let before = world.ids();
    world.fault("b", Fault::Killed);
    world.run(2 * SECOND);
    assert_eq!(world.alive(), 90);
    assert_eq!(world.ids(), before);
    assert_eq!(world.spread(), (45, 45));
    assert!(world.notices().iter().any(|text| text.starts_with("worker b was lost")));
}

#[test]
fn a_lost_worker_takes_its_requests_on_their_way_along() {
    let mut world = World::new(&["a", "b", "c"]);
    world.start(90, 90.0);
    world.run(4 * SECOND);
    assert_eq!(world.master.in_flight(), 90, "one of each user");
    world.fault("b", Fault::Killed);
    let mut fewest = u64::MAX;
    for _ in 0..200 {
        world.run(SECOND / 100);
        fewest = fewest.min(world.master.in_flight());
    }
    assert_eq!(fewest, 60);
    // Those that took its users over have told of them.
    world.run(SECOND);
    assert_eq!(world.master.in_flight(), 90);
}

#[test]
fn a_silent_worker_stops_its_load_before_its_users_are_given_away() {
    let mut world = World::new(&["a", "b"]);
    world.start(100, 100.0);
    world.run(4 * SECOND);
    world.fault("b", Fault::Silent);
    // `run` checks at each step that no user is alive twice.
    world.run(6 * SECOND);
    assert_eq!(world.alive(), 100);
    assert_eq!(world.alive_on("b"), 0);
    world.heal("b");
    world.run(6 * SECOND);
    assert_eq!((world.alive_on("a"), world.alive_on("b")), (50, 50));
}

#[test]
fn without_a_master_the_load_goes_on_for_the_grace_and_ends() {
    let mut world = World::new(&["a"]);
    world.start(10, 10.0);
    world.run(4 * SECOND);
    world.kill_master();
    world.run(world::GRACE - SECOND);
    assert_eq!(world.alive(), 10);
    world.run(3 * SECOND);
    assert_eq!(world.alive(), 0);
}

#[test]
fn the_load_of_an_earlier_master_ends_with_the_first_order_of_the_next() {
    let mut world = World::new(&["a"]);
    world.start(10, 10.0);
    world.run(4 * SECOND);
    world.kill_master();
    world.new_master();
    world.run(3 * SECOND);
    assert_eq!(world.alive(), 0);
    world.start(4, 4.0);
    world.run(4 * SECOND);
    assert_eq!(world.alive(), 4);
}

#[test]
fn the_load_can_change_while_it_runs() {
    let mut world = World::new(&["a", "b"]);
    world.start(10, 10.0);
    world.run(4 * SECOND);
    world.start(30, 10.0);
    world.run(4 * SECOND);
    assert_eq!((world.alive(), world.master.state()), (30, State::Running));
    world.start(7, 10.0);
    world.run(5 * SECOND);
    assert_eq!((world.alive(), world.spread()), (7, (3, 4)));
}

#[test]
fn a_ramp_waits_for_workers_and_does_not_burst_when_they_come() {
    let mut world = World::new(&[]);
    world.start(100, 10.0);
    world.run(20 * SECOND);
    world.join("a");
    world.run(4 * SECOND);
    let users = world.alive();
    assert!((20..=45).contains(&users), "{users} users within 4 s at 10/s");
}

#[test]
fn users_that_finish_are_not_replaced_and_the_test_ends_with_the_last() {
    let mut world = World::new(&["a", "b"]);
    world.start(6, 6.0);
    world.run(4 * SECOND);
    world.finish(2);
    world.run(3 * SECOND);
    assert_eq!((world.alive(), world.master.state()), (5, State::Running));
    world.fault("a", Fault::Killed);
    world.run(3 * SECOND);
    assert_eq!(world.alive(), 5, "nobody that finished comes back by a move");
    for id in [0, 1, 3, 4, 5] {
        world.finish(id);
    }
    world.run(5 * SECOND);
    assert_eq!((world.alive(), world.master.state()), (0, State::Stopped));
}

#[test]
fn a_second_worker_of_the_same_id_is_refused() {
    let mut world = World::new(&["a"]);
    let refused = world.try_join("a").expect_err("the id is taken");
    assert!(refused.reason.contains("a worker with the id a is connected already"), "{refused:?}");
    assert!(refused.temporary, "the first one may leave");
}

#[test]
fn an_id_that_nobody_can_have_is_refused_for_good() {
    let mut world = World::new(&["a"]);
    for id in ["", "a\nb", &"x".repeat(WORKER_ID_BYTES_MAX + 1)] {
        let refused = world.try_join(id).expect_err("it is no id");
        assert!(!refused.temporary, "{refused:?}");
    }
}

/// Nobody has to be waited for who moves from nowhere.
#[test]
fn the_first_user_starts_as_soon_as_the_order_is_there() {
    let mut world = World::new(&["a", "b"]);
    let start = world.now();
    world.start(100, 100.0);
    world.run(2 * SECOND);
    let first = world.starts()[0] - start;
    assert!(first <= world::DELAY, "the first user starts {first:?} after the test");
}

/// Those that were taken away and are still at their tasks are users like the others, also when
/// the load rises again meanwhile.
#[test]
fn users_that_finish_their_tasks_count_until_they_end() {
    let mut world = World::new(&["a"]);
    world.start(30, 100.0);
    world.run(3 * SECOND);
    world.task = 6 * SECOND;
    world.start(10, 100.0);
    world.run(2 * SECOND);
    assert_eq!((world.alive(), world.master.users()), (30, 30));
    world.start(12, 1.0);
    world.run(SECOND);
    assert_eq!((world.alive(), world.master.users()), (30, 30));
    world.task = Duration::ZERO;
    world.run(8 * SECOND);
    assert_eq!((world.alive(), world.master.users()), (12, 12));
}

/// What the first process of an id had not reported is missing for good, whatever becomes of the
/// second.
#[test]
fn a_process_that_comes_back_does_not_make_good_for_an_earlier_one() {
    let mut world = World::new(&["a", "b"]);
    world.start(20, 20.0);
    world.run(3 * SECOND);
    world.fault("b", Fault::Killed);
    world.run(SECOND);
    world.join("b");
    world.run(3 * SECOND);
    world.fault("b", Fault::Silent);
    world.run(5 * SECOND);
    world.heal("b");
    world.run(3 * SECOND);
    assert!(world.notices().iter().any(|text| text == "worker b is back with all its samples"));
    assert_eq!(world.master.workers()[1].lost().map(|lost| lost.users), Some(10));
    assert_eq!((world.alive_on("a"), world.alive_on("b")), (10, 10));
}

#[test]
fn a_worker_that_connects_anew_has_not_left() {
    let mut world = World::new(&["a", "b"]);
    world.start(20, 20.0);
    world.run(3 * SECOND);
    world.reconnect("b");
    world.run(3 * SECOND);
    assert!(!world.notices().iter().any(|text| text.contains("left")), "{:?}", world.notices());
    assert_eq!((world.alive_on("a"), world.alive_on("b")), (10, 10));
}

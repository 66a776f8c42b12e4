//! A master that dies, and one that goes on with what it has kept.

use std::time::Duration;

use swarm_core::cluster::State;
use swarm_core::cluster::memory::MemoryError;
use swarm_core::message::WEIGHT_MAX;

use crate::world::{self, Fault, World};

const SECOND: Duration = Duration::from_secs(1);

/// Three workers with 90 users, whose master has just died.
fn orphans() -> World {
    let mut world = World::new(&["a", "b", "c"]);
    world.start(90, 90.0);
    world.run(4 * SECOND);
    assert_eq!((world.alive(), world.master.state()), (90, State::Running));
    world.kill_master();
    world
}

#[test]
fn workers_that_carry_on_keep_their_users() {
    let mut world = orphans();
    let (ids, starts) = (world.ids_by_worker(), world.starts());
    world.run(3 * SECOND);
    world.restart_master();
    let watched = world.watch(8 * SECOND);
    assert_eq!(watched.users, [90, 90]);
    assert_eq!((world.ids_by_worker(), world.starts()), (ids, starts));
    assert_eq!((world.master.users(), world.master.state()), (90, State::Running));
    world.stop();
    world.run(3 * SECOND);
    assert_eq!((world.alive(), world.master.state()), (0, State::Stopped));
}

#[test]
fn who_does_not_come_back_is_lost_and_its_users_go_to_the_others() {
    let mut world = orphans();
    let before = world.ids();
    world.fault("b", Fault::Killed);
    world.run(SECOND);
    world.restart_master();
    world.run(4 * SECOND);
    assert_eq!(world.alive(), 60, "it may yet come back");
    world.run(3 * SECOND);
    assert_eq!((world.alive(), world.ids()), (90, before));
    assert!(
        world.notices().iter().any(|text| {
            text.starts_with(
                "worker b was lost: it did not come back to the restarted master; its 30 ",
            )
        }),
        "{:?}",
        world.notices()
    );
}

#[test]
fn a_process_in_the_place_of_another_takes_its_users_and_the_loss_is_told() {
    let mut world = orphans();
    let ids = world.ids_by_worker();
    world.fault("b", Fault::Killed);
    world.join("b");
    world.restart_master();
    world.run(4 * SECOND);
    assert_eq!(world.ids_by_worker(), ids);
    let told = |text: &String| text.contains("worker b was lost: another process has taken");
    assert!(world.notices().iter().any(told), "{:?}", world.notices());
    assert!(world.master.workers()[1].lost().is_some());
}

/// The orders of a rebalance get lost with the connections: nobody may run twice, which the world
/// checks, and everybody has to run somewhere.
#[test]
fn users_that_were_on_their_way_get_there() {
    for late_ms in (0..2000).step_by(130) {
        let mut world = World::new(&["a", "b"]);
        world.start(200, 200.0);
        world.run(4 * SECOND);
        world.join("c");
        world.run(Duration::from_millis(late_ms));
        world.kill_master();
        world.run(SECOND / 5);
        world.restart_master();
        world.run(5 * SECOND);
        assert_eq!((world.alive(), world.spread()), (200, (66, 67)), "{late_ms} ms");
        assert_eq!(world.master.state(), State::Running);
    }
}

/// Of a fall the last users stop a second later. The next master knows nothing of these, and their
/// ids are free: it gives none of them away until then.
#[test]
fn whom_an_earlier_master_has_told_to_stop_has_stopped_before_others_start() {
    let mut world = World::new(&["a", "b", "c"]);
    world.start(90, 90.0);
    world.run(4 * SECOND);
    world.start(9, 90.0);
    world.run(SECOND / 2);
    world.kill_master();
    world.restart_master();
    world.start(40, 1000.0);
    let starts = world.starts();
    world.run(Duration::from_millis(1_100));
    assert_eq!((world.starts(), world.alive()), (starts, 9));
    world.run(3 * SECOND);
    assert_eq!(world.alive(), 40);
}

#[test]
fn the_ramp_and_the_run_time_go_on() {
    let mut world = World::new(&["a", "b"]);
    world.start_for(100, 5.0, Some(30 * SECOND));
    world.run(5 * SECOND);
    world.kill_master();
    world.run(2 * SECOND);
    let before = world.alive();
    assert!((24..=31).contains(&before), "{before} users after 5 s at 5/s");
    world.restart_master();
    world.run(5 * SECOND);
    let users = world.alive();
    assert!((before + 20..=before + 35).contains(&users), "{users} users 5 s after {before}");
    world.run(17 * SECOND);
    assert!(world.alive() > users, "the run time is not over");
    world.run(3 * SECOND);
    assert_eq!((world.alive(), world.master.state()), (0, State::Stopped));
}

#[test]
fn a_test_that_was_stopping_stops() {
    let mut world = World::new(&["a", "b"]);
    world.start(20, 20.0);
    world.run(4 * SECOND);
    world.stop();
    // The orders are lost.
    world.kill_master();
    world.run(SECOND);
    assert_eq!(world.alive(), 20);
    world.restart_master();
    world.run(2 * SECOND);
    assert_eq!((world.alive(), world.master.state()), (0, State::Stopped));
    world.start(4, 4.0);
    world.run(3 * SECOND);
    assert_eq!((world.alive(), world.master.test_number()), (4, Some(1000)));
}

#[test]
fn a_load_may_change_and_users_may_finish_before_all_are_back() {
    let mut world = orphans();
    world.fault("c", Fault::Killed);
    world.restart_master();
    world.run(SECOND);
    world.finish(0);
    world.start(60, 100.0);
    world.run(10 * SECOND);
    // The master hears of the one that has finished only after the load has fallen: it counts.
    assert_eq!((world.alive(), world.master.state()), (59, State::Running));
    world.join("c");
    world.run(4 * SECOND);
    assert_eq!((world.alive(), world.spread()), (59, (19, 20)));
}

#[test]
fn a_memory_that_contradicts_itself_is_refused() {
    let mut world = orphans();
    let memory = world.memory();
    let placed_twice = {
        let mut memory = memory.clone();
        let users = memory.workers[&0].users.clone();
        memory.workers.get_mut(&1).unwrap().users = users;
        memory
    };
    let error = world::restore(placed_twice).unwrap_err();
    assert!(matches!(error, MemoryError::Users(_)), "{error}");
    let mut gap = memory.clone();
    gap.workers.remove(&1);
    assert!(matches!(world::restore(gap).unwrap_err(), MemoryError::WorkerMissing(1)));
    let mut other = memory.clone();
    other.module = [8; 32];
    assert!(matches!(world::restore(other).unwrap_err(), MemoryError::Module));
    for weight in [0, WEIGHT_MAX + 1] {
        let mut memory = memory.clone();
        memory.workers.get_mut(&1).unwrap().info.weight = weight;
        assert!(matches!(world::restore(memory).unwrap_err(), MemoryError::Weight { .. }));
    }
    let mut stranger = memory;
    stranger.workers.get_mut(&0).unwrap().users[0].class = 9;
    assert!(matches!(world::restore(stranger).unwrap_err(), MemoryError::Users(_)));
}

/// Nobody is awaited without a test, and nobody has a place who is not there.
#[test]
fn a_test_may_begin_before_any_worker_is_back() {
    let mut world = World::new(&["a", "b"]);
    world.kill_master();
    world.fault("b", Fault::Killed);
    world.restart_master();
    world.start(10, 10.0);
    world.run(4 * SECOND);
    assert_eq!((world.alive(), world.alive_on("a")), (10, 10));
    assert_eq!(world.master.state(), State::Running);
}

/// The last one ended by the clock while its workers were away: they have no place in the next
/// until they are back, and who does not come back keeps nobody.
#[test]
fn a_test_may_begin_while_workers_of_the_last_are_awaited() {
    let mut world = World::new(&["a", "b"]);
    world.start(20, 20.0);
    world.run(4 * SECOND);
    world.stop();
    world.kill_master();
    world.fault("b", Fault::Killed);
    world.run(20 * SECOND);
    world.restart_master();
    world.run(Duration::from_millis(10));
    assert_eq!(world.master.state(), State::Stopped);
    world.start(10, 10.0);
    world.run(4 * SECOND);
    assert_eq!((world.alive(), world.alive_on("a")), (10, 10));
    assert_eq!(world.master.state(), State::Running);
}

//! Placement of very many users; `--nocapture` prints what it takes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Instant;

use swarm_core::dispatch::{ClassShare, Dispatcher};
use swarm_core::plan::Population;

fn dispatcher(workers: u32, classes: u32) -> Dispatcher {
    let class = |class: u32| ClassShare {
        name: format!("class {class}"),
        population: Population::Weight(f64::from(2 + class * 95 / 49)),
    };
    let mut dispatcher = Dispatcher::new(&(0..classes).map(class).collect::<Vec<_>>());
    for worker in 0..workers {
        dispatcher.add_worker(&format!("host{}_{worker}", worker / 4), None, 1);
    }
    dispatcher
}

fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = act();
    println!("{what}: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    done
}

fn spread(dispatcher: &Dispatcher) -> u32 {
    let loads = || dispatcher.workers().map(|(_, users)| users);
    loads().max().unwrap() - loads().min().unwrap()
}

#[test]
fn hundred_thousand_users_in_steps() {
    let mut dispatcher = dispatcher(1000, 50);
    dispatcher.set_target(100_000, None);
    for step in 1..=20 {
        timed("5,000 users more on 1,000 workers", || dispatcher.step(5000));
        assert_eq!((dispatcher.users(), spread(&dispatcher)), (step * 5000, 0));
    }
    timed("a worker lost", || dispatcher.remove_worker("host7_30"));
    timed("a worker more", || dispatcher.add_worker("host7_30", None, 1));
    assert_eq!((dispatcher.users(), spread(&dispatcher)), (100_000, 0));
    timed("one user more", || {
        dispatcher.set_target(100_001, None);
        dispatcher.step(1)
    });
    dispatcher.set_target(0, None);
    for _ in 0..21 {
        timed("5,000 users less", || dispatcher.step(5000));
        assert!(spread(&dispatcher) <= 1);
    }
    assert_eq!(dispatcher.users(), 0);
}

#[test]
fn a_million_users_at_once() {
    let mut dispatcher = timed("10,000 workers", || dispatcher(10_000, 50));
    dispatcher.set_target(1_000_000, None);
    assert!(timed("1,000,000 users on 10,000 workers", || dispatcher.step(u32::MAX)));
    assert_eq!((dispatcher.users(), spread(&dispatcher)), (1_000_000, 0));
    timed("a worker more", || dispatcher.add_worker("one more", None, 1));
    assert_eq!((dispatcher.users(), spread(&dispatcher)), (1_000_000, 1));
    dispatcher.set_target(0, None);
    assert!(timed("all of them gone", || dispatcher.step(u32::MAX)));
}

#[test]
fn a_million_users_on_one_worker() {
    let mut dispatcher = dispatcher(1, 50);
    dispatcher.set_target(1_000_000, None);
    assert!(timed("1,000,000 users on one worker", || dispatcher.step(u32::MAX)));
    dispatcher.set_target(0, None);
    assert!(timed("all of them gone", || dispatcher.step(u32::MAX)));
    assert_eq!(dispatcher.users(), 0);
}

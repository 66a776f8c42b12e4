//! Clusters that go wrong in every way that some hundred seeds can think of.

use std::time::Duration;

use swarm_sim::{Seen, run};

/// Seeds of every test run; `cargo xtask sim` takes more.
const SEEDS: u64 = 300;

#[test]
fn hundreds_of_clusters_survive() {
    let mut seen = Seen::default();
    for seed in 0..SEEDS {
        match run(seed, Duration::from_secs(120)) {
            Ok(more) => seen.add(more),
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{seen:?}");
    assert!(seen.faults > 10 * SEEDS && seen.settled > 2 * SEEDS, "{seen:?}");
}

/// Else a failure could not be repeated.
#[test]
fn a_seed_gives_the_same_run_again() {
    let once = |seed| run(seed, Duration::from_secs(100));
    assert_eq!(once(7), once(7));
}

//! The simulator finds what is wrong: each of the planted faults, within a bounded number of seeds.
//!
//!     cargo test --release -p swarm-sim --features planted-bugs

use std::time::Duration;

use swarm_core::planted::{self as core, Bug as CoreBug};
use swarm_sim::run;
use swarm_stats::planted::{self as stats, Bug as StatsBug};

/// A fault has to be found within so many seeds.
const SEEDS_MAX: u64 = 1000;

/// How long each seed is simulated.
const TIME: Duration = Duration::from_secs(120);

fn find(name: &str) {
    for seed in 0..SEEDS_MAX {
        if let Err(failure) = run(seed, TIME) {
            println!("{name}: seed {seed}: {}", failure.what);
            return;
        }
    }
    panic!("{name} was not found within {SEEDS_MAX} seeds");
}

#[test]
fn faults_of_the_decisions_are_found() {
    for bug in core::ALL {
        core::plant(Some(bug));
        find(&format!("{bug:?}"));
    }
    core::plant(None::<CoreBug>);
}

#[test]
fn faults_of_the_statistics_are_found() {
    for bug in stats::ALL {
        stats::plant(Some(bug));
        find(&format!("{bug:?}"));
    }
    stats::plant(None::<StatsBug>);
}

//! A whole cluster in one process and in virtual time: the real state machines of master and
//! workers, the real way of the samples, and around them a network, processes and clocks that go
//! wrong in every way that a seed can think of.
//!
//! [`run`] simulates one seed for some time and checks at each step what must always hold. The same
//! seed gives the same run, so a failure is repeated with its seed and the commit that it was found
//! at.
//!
//! # Layout
//! - [`world`]: the clock, what happens next, and what each event does.
//! - [`schedule`]: what befalls the cluster, drawn from the seed.
//! - `net`: connections over links that delay, hold back, and end.
//! - `master`: a master's process and its disk; `worker`, `users`, `reports`: a worker's process.
//! - [`check`]: what must hold at each moment; `settled`: what must hold after a while.
//!
//! # What is simulated how
//! The loops around the state machines (`swarm-node`) are written again here, as thin as they are
//! there: when a heartbeat is sent, a report collected, a master dialled. The network keeps the
//! order inside a connection as TCP does: what is lost on the way comes later, or the connection
//! ends.
#![forbid(unsafe_code)]

pub mod check;
mod master;
mod net;
mod reports;
pub mod schedule;
mod settled;
mod users;
mod worker;
pub mod world;

use std::fmt;
use std::time::Duration;

use schedule::Schedule;
use world::World;

/// A rule that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The seed of the run.
    pub seed: u64,
    /// Since its begin.
    pub at: Duration,
    /// Which rule, and how.
    pub what: String,
    /// What had happened before, the last at the end.
    pub log: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, at, what, log } = self;
        for line in log {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "seed {seed} failed after {:.3} s: {what}", at.as_secs_f64())?;
        write!(f, "replay with: cargo xtask sim --from {seed} --seeds 1")
    }
}

/// What a run has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Things that went wrong.
    pub faults: u64,
    /// Times that all was found to be in order after a while without any.
    pub settled: u64,
    /// Samples taken.
    pub samples: u64,
    /// Events.
    pub events: u64,
    /// Time simulated.
    pub time: Duration,
}

impl Seen {
    /// Adds another run.
    pub fn add(&mut self, other: Self) {
        self.faults += other.faults;
        self.settled += other.settled;
        self.samples += other.samples;
        self.events += other.events;
        self.time += other.time;
    }

    /// Whole seconds simulated.
    pub fn seconds(&self) -> u64 {
        self.time.as_secs()
    }
}

/// Lines of the log that a failure shows, unless it is told otherwise.
pub const LOG_LINES: usize = 80;

/// Simulates the cluster of `seed` for `time`, and until it has settled after that.
///
/// # Errors
/// The first rule that does not hold.
pub fn run(seed: u64, time: Duration) -> Result<Seen, Box<Failure>> {
    run_logged(seed, time, LOG_LINES)
}

/// As [`run`]; a failure shows so many lines of the log.
///
/// # Errors
/// As [`run`].
pub fn run_logged(seed: u64, time: Duration, log_lines: usize) -> Result<Seen, Box<Failure>> {
    let mut world = World::new(seed, log_lines);
    Schedule::new(seed, time).play(&mut world)?;
    Ok(world.seen())
}

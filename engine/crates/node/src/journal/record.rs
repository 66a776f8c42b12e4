//! What is written down: everything that changes what a master knows, in the order it happened.

use serde::{Deserialize, Serialize};
use swarm_core::cluster::memory::Memory;
use swarm_core::message::Settings;
use swarm_stats::delta::Report;

/// Version of what is written. To be raised with every change to [`Record`], to
/// [`Kept`](super::kept::Kept), to what they hold of other crates and to how the database keeps
/// them, but for the statistics, whose version is [`swarm_stats::FORMAT`]: nothing in the bytes
/// tells.
pub(crate) const FORMAT: u32 = 4;

/// One thing that happened. Times are in milliseconds of the master's clock.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// A report counts: the next of its stream.
    Report {
        /// Id of the worker.
        worker: String,
        /// What it said.
        report: Box<Report>,
    },
    /// A stream is at this number, but its report counts nowhere.
    Heard {
        /// The stream.
        stream: u64,
        /// The number.
        sequence: u64,
    },
    /// A test has begun.
    Begun {
        /// When.
        at_ms: u64,
    },
    /// The test has ended.
    Ended {
        /// When.
        at_ms: u64,
    },
    /// The statistics were reset.
    Reset {
        /// When.
        at_ms: u64,
    },
    /// Users alive. Told twice a second while a test runs: so a successor knows the time, too.
    Users {
        /// When.
        at_ms: u64,
        /// How many.
        users: u32,
        /// How many requests are on their way.
        in_flight: u64,
    },
    /// The reader of the result was told.
    Notice {
        /// When.
        at_ms: u64,
        /// What.
        text: String,
    },
    /// Samples are missing that no lost worker accounts for.
    Incomplete,
    /// The settings of the next test.
    Settings(Box<Settings>),
    /// Who is there and who runs what: what has changed since the last of these.
    Cluster(Box<Memory>),
    /// The result was handed over in order: whoever starts next begins a new test.
    Given,
}

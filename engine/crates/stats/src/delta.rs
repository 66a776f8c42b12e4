//! What was recorded in one interval. Deltas add up: the sum of all deltas of all workers is the
//! result of the test, to the last sample.

use serde::{Deserialize, Serialize};

use crate::addresses::AddressDelta;
use crate::connections::ConnectionCounts;
use crate::histogram::Histogram;

/// Statistics of one (method, name) pair in an interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntryDelta {
    /// HTTP method, or the kind a guest gave.
    pub method: String,
    /// Path, or the name a guest gave.
    pub name: String,
    /// Samples, failures included.
    pub requests: u64,
    /// Samples that failed.
    pub failures: u64,
    /// Of these, samples without a response of any status.
    pub unanswered: u64,
    /// Times that one of the samples' requests was sent again.
    pub resent: u64,
    /// Sum of response body sizes in bytes.
    pub bytes: u64,
    /// Response times in microseconds. Holds every sample, failures included; those above
    /// [`HIGHEST_US`](crate::times::HIGHEST_US) as that.
    pub times: Histogram,
    /// Sum of the exact response times in microseconds.
    pub sum_us: u64,
    /// Smallest exact response time in microseconds; `u64::MAX` when there is no sample.
    pub min_us: u64,
    /// Largest exact response time in microseconds; 0 when there is no sample.
    pub max_us: u64,
}

/// One kind of failure of one (method, name) pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDelta {
    /// As in [`EntryDelta`].
    pub method: String,
    /// As in [`EntryDelta`].
    pub name: String,
    /// What went wrong, without anything that differs from sample to sample.
    pub error: String,
    /// How often.
    pub occurrences: u64,
    /// First and last time, in milliseconds of the master's clock.
    pub first_ms: u64,
    /// See `first_ms`.
    pub last_ms: u64,
}

/// One kind of exception: a trap of the guest, or an error that a task returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionDelta {
    /// One line.
    pub message: String,
    /// Wasm backtrace, or empty.
    pub trace: String,
    /// How often.
    pub occurrences: u64,
}

/// A metric of the guest's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricDelta {
    /// Name that the guest gave.
    pub name: String,
    /// What was recorded.
    pub value: MetricValue,
}

/// What a metric of the guest's own has recorded. One name has one kind, in one recorder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum MetricValue {
    /// Sum of all additions.
    Count {
        /// The sum.
        sum: f64,
        /// Number of additions.
        updates: u64,
    },
    /// A value that is set.
    Gauge {
        /// The last value set, and when, in milliseconds of the master's clock.
        last: f64,
        /// See `last`.
        last_ms: u64,
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// Values with percentiles, in thousandths (three decimals); values below 0 are refused.
    Trend {
        /// The values times 1000.
        values: Histogram,
        /// Exact sum.
        sum: f64,
        /// Exact smallest value.
        min: f64,
        /// Exact largest value.
        max: f64,
    },
    /// A condition that held or not.
    Check {
        /// Times it held.
        passes: u64,
        /// Times it did not.
        fails: u64,
    },
}

/// All that was recorded in one interval.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Delta {
    /// By (method, name); each pair once.
    pub entries: Vec<EntryDelta>,
    /// By (method, name, error); each once.
    pub errors: Vec<ErrorDelta>,
    /// By (message, trace); each once.
    pub exceptions: Vec<ExceptionDelta>,
    /// By (name, kind); each once. A recorder refuses a second kind of a name, but two recorders
    /// may disagree: then both are kept.
    pub metrics: Vec<MetricDelta>,
    /// What requests took of connections: those of all samples, and those that were cut off.
    pub connections: ConnectionCounts,
    /// Requests cut off on their way, by the end of the stop timeout or with the instance that sent
    /// them. They are no samples.
    pub interrupted: u64,
    /// Requests given up in the same way before a connection had them: the target cannot know of
    /// them. They are no samples.
    pub unsent: u64,
    /// Samples that went to the entry `(other)` because there were too many names.
    pub names_overflowed: u64,
    /// By load thread, rising; each once, and only those that started tasks.
    pub lateness: Vec<LatenessDelta>,
    /// Places in the test's list of arguments of those that a guest has asked for, rising; each
    /// once. A worker tells each once in a test.
    pub args_read: Vec<u32>,
    /// What came of each address, if that was asked for, rising; each once.
    pub addresses: Vec<AddressDelta>,
}

/// How late one load thread started tasks that were due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatenessDelta {
    /// Number of the load thread in its worker, from 0.
    pub shard: u32,
    /// Due to started in microseconds, of every task that was started; above
    /// [`HIGHEST_US`](crate::times::HIGHEST_US) as that.
    pub times: Histogram,
    /// Exact largest in microseconds.
    pub max_us: u64,
}

/// A delta on its way to the master.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `WorkerInfo::stream` of the worker process that recorded it.
    pub stream: u64,
    /// 1, 2, 3... within the stream; the master applies each once.
    pub sequence: u64,
    /// The interval, in milliseconds of the master's clock.
    pub from_ms: u64,
    /// See `from_ms`.
    pub to_ms: u64,
    /// Number of the test that the samples belong to.
    pub test: u32,
    /// What was recorded.
    pub delta: Delta,
}

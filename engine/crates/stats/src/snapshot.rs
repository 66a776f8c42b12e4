//! The merged statistics at one moment, ready to be shown or written.

use serde::{Deserialize, Serialize};

use crate::connections::ConnectionCounts;

/// Percentiles of response time that reports carry, in percent (those of Locust's console).
pub const PERCENTILES: [f64; 11] =
    [50.0, 66.0, 75.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.9, 99.99, 100.0];

/// Response times in milliseconds, with microseconds as decimals. All 0 without a sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TimesMs {
    /// Exact smallest.
    pub min: f64,
    /// 50th percentile.
    pub median: f64,
    /// Exact mean.
    pub mean: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p99_9: f64,
    /// Exact largest.
    pub max: f64,
    /// The values at [`PERCENTILES`], in their order; the last equals `max`.
    pub percentiles: [f64; 11],
}

/// One line of the statistics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EntrySnapshot {
    /// HTTP method or kind; empty for the aggregate.
    pub method: String,
    /// Name; `Aggregated` for the aggregate.
    pub name: String,
    /// Samples, failures included.
    pub num_requests: u64,
    /// Samples that failed.
    pub num_failures: u64,
    /// Of these, samples without a response of any status.
    #[serde(default)]
    pub num_unanswered: u64,
    /// Times that one of the samples' requests was sent again.
    #[serde(default)]
    pub num_resent: u64,
    /// Sum of body sizes in bytes.
    pub bytes: u64,
    /// Over the whole test.
    pub response_time_ms: TimesMs,
    /// Requests a second, mean of the whole test.
    pub rps: f64,
    /// Failures a second, mean of the whole test.
    pub fail_per_sec: f64,
    /// Requests a second, mean of the last ten complete seconds.
    pub current_rps: f64,
    /// Failures a second, mean of the last ten complete seconds.
    pub current_fail_per_sec: f64,
    /// 50th and 95th percentile of the last ten complete seconds; `None` without a sample.
    pub current_ms: Option<(f64, f64)>,
    /// The values at [`PERCENTILES`] of the last ten complete seconds, in milliseconds; `None`
    /// without a sample.
    #[serde(default)]
    pub current_percentiles_ms: Option<[f64; 11]>,
}

/// One kind of failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorSnapshot {
    /// HTTP method or kind.
    pub method: String,
    /// Name.
    pub name: String,
    /// What went wrong.
    pub error: String,
    /// How often.
    pub occurrences: u64,
    /// First time, in milliseconds of the master's clock.
    pub first_ms: u64,
    /// Last time, in milliseconds of the master's clock.
    pub last_ms: u64,
}

/// One kind of exception.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExceptionSnapshot {
    /// One line.
    pub message: String,
    /// Backtrace or empty.
    pub trace: String,
    /// How often.
    pub count: u64,
    /// Ids of the workers that saw it, sorted.
    pub nodes: Vec<String>,
}

/// One complete second of the test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Start of the second, in milliseconds of the master's clock.
    pub at_ms: u64,
    /// Users alive.
    pub users: u32,
    /// Requests on their way: given to a connection or waiting for one, and not answered.
    #[serde(default)]
    pub in_flight: u64,
    /// Requests in this second.
    pub requests: u64,
    /// Failures in this second.
    pub failures: u64,
    /// 50th and 95th percentile of this second; `None` without a sample.
    pub p50_p95_ms: Option<(f64, f64)>,
}

/// A metric of the guest's own, merged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSnapshot {
    /// Name that the guest gave.
    pub name: String,
    /// Kind and figures.
    #[serde(flatten)]
    pub value: MetricFigures,
}

/// The figures of a metric of the guest's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MetricFigures {
    /// See `delta::MetricValue::Count`.
    Count {
        /** The sum. */
        sum: f64,
        /** Number of additions. */
        updates: u64,
    },
    /// See `delta::MetricValue::Gauge`.
    Gauge {
        /** Last value. */
        last: f64,
        /** Smallest. */
        min: f64,
        /** Largest. */
        max: f64,
    },
    /// See `delta::MetricValue::Trend`; percentiles as in [`PERCENTILES`].
    Trend {
        /** Number of values. */
        values: u64,
        /** Smallest. */
        min: f64,
        /** Mean. */
        mean: f64,
        /** Largest. */
        max: f64,
        /** The values at [`PERCENTILES`]. */
        percentiles: [f64; 11],
    },
    /// See `delta::MetricValue::Check`.
    Check {
        /** Times it held. */
        passes: u64,
        /** Times it did not. */
        fails: u64,
    },
}

/// What came of one address of the target, as of [`AddressCounts`](crate::AddressCounts).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressSnapshot {
    /// As in 10.0.0.1:80 or [::1]:80, or `(other)`.
    pub address: String,
    /// Connections made to it.
    pub opened: u64,
    /// Attempts to connect to it that came to nothing.
    pub failed: u64,
    /// Samples of requests over its connections.
    pub num_requests: u64,
    /// Those of them that failed.
    pub num_failures: u64,
}

/// The merged statistics at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The aggregate of all entries.
    pub total: EntrySnapshot,
    /// By (name, method), sorted.
    pub entries: Vec<EntrySnapshot>,
    /// Sorted by (name, method, error).
    pub errors: Vec<ErrorSnapshot>,
    /// Most frequent first.
    pub exceptions: Vec<ExceptionSnapshot>,
    /// Metrics of the guest's own, sorted by name. A name is there twice only when workers used it
    /// for different kinds.
    pub metrics: Vec<MetricSnapshot>,
    /// The newest seconds, oldest first; at most `SECONDS_MAX` of them.
    pub seconds: Vec<Second>,
    /// What all requests took of connections, those included that were cut off.
    pub connections: ConnectionCounts,
    /// What came of each address, sorted, if that was asked for; those above the limit come last,
    /// together.
    #[serde(default)]
    pub addresses: Vec<AddressSnapshot>,
    /// Requests cut off on their way, by the end of the stop timeout or with the instance that sent
    /// them; they are no samples.
    pub interrupted: u64,
    /// Requests given up in the same way before a connection had them; they are no samples.
    pub unsent: u64,
    /// Samples under `(other)` because there were too many names.
    pub names_overflowed: u64,
    /// Lateness of the generator (due to started) in milliseconds: p50, p99, max.
    pub lateness_ms: Option<(f64, f64, f64)>,
    /// The generator is the bottleneck: see [`is_late`](crate::lateness::is_late).
    #[serde(default)]
    pub late: bool,
}

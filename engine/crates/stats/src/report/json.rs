//! The JSON summary of a finished test.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::connections::ConnectionCounts;
use crate::lateness::WorkerLateness;
use crate::snapshot::{
    AddressSnapshot, EntrySnapshot, ErrorSnapshot, ExceptionSnapshot, MetricSnapshot, PERCENTILES,
    Second, Snapshot,
};

/// Version of the summary's form. It grows when a reader of the form before would go wrong; new
/// fields alone do not count.
pub const SCHEMA_VERSION: u32 = 1;

/// A finished test: what ran, how it ended, and its statistics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA_VERSION`] of the program that wrote it.
    pub schema_version: u32,
    /// Name of the scenario's file.
    pub scenario: String,
    /// SHA-256 of the scenario's module, in hexadecimal.
    pub module_digest: String,
    /// Base URL of the target.
    pub host: Option<String>,
    /// Begin of the test, RFC 3339 in UTC.
    pub started_at: String,
    /// Origin of the clock of all `*_ms` moments below, Unix time in milliseconds.
    pub clock_origin_unix_ms: u64,
    /// Length of the test in seconds; what `rps` is divided by.
    pub duration_s: f64,
    /// Largest number of users.
    pub users_max: u32,
    /// Why the program ended.
    pub exit_reason: String,
    /// Why nothing was answered, if so: the figures say nothing about the target then.
    #[serde(default)]
    pub nothing_answered: Option<String>,
    /// What the reader must know to trust the figures, in order.
    pub notices: Vec<String>,
    /// The workers, lost ones included.
    pub workers: Vec<WorkerSummary>,
    /// The levels of all `percentiles` below, in percent.
    pub percentile_levels: Vec<f64>,
    /// The aggregate of all entries.
    pub total: EntrySnapshot,
    /// By (name, method), sorted.
    pub entries: Vec<EntrySnapshot>,
    /// Sorted by (name, method, error).
    pub errors: Vec<ErrorSnapshot>,
    /// Most frequent first.
    pub exceptions: Vec<ExceptionSnapshot>,
    /// Metrics of the guest's own, sorted by name.
    pub metrics: Vec<MetricSnapshot>,
    /// The newest seconds, oldest first.
    pub seconds: Vec<Second>,
    /// What all requests took of connections, those included that were cut off.
    #[serde(default)]
    pub connections: ConnectionCounts,
    /// What came of each address of the target, sorted, if that was asked for; those above the
    /// limit come last, together.
    #[serde(default)]
    pub addresses: Vec<AddressSnapshot>,
    /// Requests that were still on their way: given to a connection or waiting for one, and not
    /// answered. 0 unless the program ended before the test.
    #[serde(default)]
    pub in_flight: u64,
    /// Requests cut off on their way; they are no samples.
    pub interrupted: u64,
    /// Requests given up before a connection had them; they are no samples.
    #[serde(default)]
    pub unsent: u64,
    /// Samples under `(other)` because there were too many names.
    pub names_overflowed: u64,
    /// Lateness of the generator in milliseconds: p50, p99, max.
    pub lateness_ms: Option<(f64, f64, f64)>,
    /// The generator was the bottleneck: see [`is_late`](crate::lateness::is_late).
    #[serde(default)]
    pub late: bool,
}

/// A worker's part in a finished test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerSummary {
    /// Its id.
    pub id: String,
    /// Largest number of users on it.
    pub users_max: u32,
    /// Requests that it reported, failures included.
    pub num_requests: u64,
    /// How late its load threads started tasks; `None` when they started none.
    pub lateness_ms: Option<WorkerLateness>,
    /// Did it leave in order, and report everything before?
    #[serde(default)]
    pub left: bool,
    /// Was it lost before it had reported everything?
    pub lost: bool,
    /// What is missing because of that, in one sentence.
    pub lost_detail: Option<String>,
}

/// A saved summary could not be read.
#[derive(Debug, Error)]
pub enum SummaryError {
    /// Not JSON, or not a summary.
    #[error("parse the summary")]
    Parse(#[from] serde_json::Error),
    /// Written in another form.
    #[error(
        "the summary has schema version {found}, this program reads {SCHEMA_VERSION}: \
         use the release that wrote it"
    )]
    Version {
        /// The summary's version.
        found: u32,
    },
}

impl Summary {
    /// A summary with the statistics filled in; the other fields are empty.
    #[must_use]
    pub fn new(statistics: Snapshot) -> Self {
        let Snapshot {
            total,
            entries,
            errors,
            exceptions,
            metrics,
            seconds,
            connections,
            addresses,
            interrupted,
            unsent,
            names_overflowed,
            lateness_ms,
            late,
        } = statistics;
        Self {
            schema_version: SCHEMA_VERSION,
            percentile_levels: PERCENTILES.to_vec(),
            total,
            entries,
            errors,
            exceptions,
            metrics,
            seconds,
            connections,
            addresses,
            interrupted,
            unsent,
            names_overflowed,
            lateness_ms,
            late,
            ..Self::default()
        }
    }

    /// The statistics in it.
    #[must_use]
    pub fn into_statistics(self) -> Snapshot {
        Snapshot {
            total: self.total,
            entries: self.entries,
            errors: self.errors,
            exceptions: self.exceptions,
            metrics: self.metrics,
            seconds: self.seconds,
            connections: self.connections,
            addresses: self.addresses,
            interrupted: self.interrupted,
            unsent: self.unsent,
            names_overflowed: self.names_overflowed,
            lateness_ms: self.lateness_ms,
            late: self.late,
        }
    }

    /// The summary as indented JSON with a line break at its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("a summary has only text keys and values that JSON knows");
        text.push('\n');
        text
    }

    /// Reads a summary.
    ///
    /// # Errors
    /// If the text is no summary, or one of another [`SCHEMA_VERSION`].
    pub fn from_json(text: &str) -> Result<Self, SummaryError> {
        /// Read first: another version may lack any other field.
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let Version { schema_version: found } = serde_json::from_str(text)?;
        if found != SCHEMA_VERSION {
            return Err(SummaryError::Version { found });
        }
        Ok(serde_json::from_str(text)?)
    }
}

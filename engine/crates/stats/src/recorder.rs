//! What one load thread records. Nothing is shared: each thread has its own recorder, and what it
//! drains is merged elsewhere.
//!
//! Recording a sample costs one look-up of the name (none if the caller keeps the [`EntryId`]) and
//! a few additions; it allocates while the first samples of an entry after a drain come. Entries
//! without samples cost a drain nothing.

use std::net::SocketAddr;

use crate::addresses::{self, AddressCounts, AddressDelta};
use crate::connections::ConnectionCounts;
use crate::delta::{
    Delta, EntryDelta, ErrorDelta, ExceptionDelta, LatenessDelta, MetricDelta, MetricValue,
};
use crate::limits::{Limits, OTHER_NAME, cut};
use crate::metric::{MetricError, MetricKind, Update};
use crate::rows::{Key, Keyed, Rows};
use crate::tally::Tally;
use crate::times::HIGHEST_US;

/// A (method, name) pair of one recorder. Means nothing to another recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryId(usize);

/// The entry that takes samples of names above the limit.
const OTHER: EntryId = EntryId(0);

/// One finished request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Response time in microseconds. Above [`HIGHEST_US`](crate::times::HIGHEST_US) percentiles
    /// take it for that; sum and maximum are exact.
    pub response_time_us: u64,
    /// Size of the response body in bytes.
    pub bytes: u64,
    /// What went wrong, if so; without anything that differs from sample to sample.
    pub error: Option<&'a str>,
    /// There was no response of any status. Such a sample has an `error`.
    pub unanswered: bool,
    /// What it took of connections.
    pub connections: ConnectionCounts,
    /// When it ended, in milliseconds of the master's clock.
    pub at_ms: u64,
}

/// One entry with what was recorded since the last drain.
#[derive(Debug)]
struct Entry {
    method: String,
    name: String,
    /// `None` when nothing was recorded since the last drain: an idle entry holds no histogram.
    open: Option<Open>,
}

/// The figures of an entry since the last drain; see [`EntryDelta`].
#[derive(Debug)]
struct Open {
    requests: u64,
    failures: u64,
    unanswered: u64,
    resent: u64,
    bytes: u64,
    times: Tally,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
}

impl Keyed for Entry {
    fn key(&self) -> Key<'_> {
        [&self.method, &self.name, ""]
    }
}

impl Open {
    fn new() -> Self {
        Self {
            requests: 0,
            failures: 0,
            unanswered: 0,
            resent: 0,
            bytes: 0,
            times: Tally::default(),
            sum_us: 0,
            min_us: u64::MAX,
            max_us: 0,
        }
    }

    #[inline]
    fn add(&mut self, sample: &Sample<'_>) {
        let time_us = sample.response_time_us;
        self.requests += 1;
        self.failures += u64::from(sample.error.is_some());
        self.unanswered += u64::from(sample.unanswered);
        self.resent += sample.connections.resent;
        self.bytes = self.bytes.saturating_add(sample.bytes);
        self.times.record(time_us.min(HIGHEST_US));
        self.sum_us = self.sum_us.saturating_add(time_us);
        self.min_us = self.min_us.min(time_us);
        self.max_us = self.max_us.max(time_us);
    }
}

/// A metric of the guest's own. Its kind stays when its value is drained.
#[derive(Debug)]
struct Metric {
    name: String,
    kind: MetricKind,
    value: Option<MetricValue>,
}

impl Keyed for Metric {
    fn key(&self) -> Key<'_> {
        [&self.name, "", ""]
    }
}

/// Records the samples of one load thread between two drains.
///
/// Names and kinds of metrics are kept for the life of the recorder; errors and exceptions only
/// until the next drain.
#[derive(Debug)]
pub struct Recorder {
    limits: Limits,
    entries: Rows<Entry>,
    /// Entries with samples since the last drain, in the order of their first one.
    touched: Vec<EntryId>,
    errors: Rows<ErrorDelta>,
    exceptions: Rows<ExceptionDelta>,
    metrics: Rows<Metric>,
    connections: ConnectionCounts,
    interrupted: u64,
    unsent: u64,
    names_overflowed: u64,
    late: Tally,
    late_max_us: Option<u64>,
    args_read: Vec<u32>,
    addresses: Vec<AddressDelta>,
}

impl Recorder {
    /// An empty recorder.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let mut entries = Rows::default();
        entries.push(Entry::new("", OTHER_NAME));
        Self {
            limits,
            entries,
            touched: Vec::new(),
            errors: Rows::default(),
            exceptions: Rows::default(),
            metrics: Rows::default(),
            connections: ConnectionCounts::default(),
            interrupted: 0,
            unsent: 0,
            names_overflowed: 0,
            late: Tally::default(),
            late_max_us: None,
            args_read: Vec::new(),
            addresses: Vec::new(),
        }
    }

    /// The entry of this method and name. Allocates only when the pair is new. Above
    /// [`Limits::names_max`] pairs it is the entry `(other)`.
    #[inline]
    pub fn intern(&mut self, method: &str, name: &str) -> EntryId {
        match self.entries.find([method, name, ""]) {
            Some(position) => EntryId(position),
            None => self.intern_new(method, name),
        }
    }

    #[cold]
    fn intern_new(&mut self, method: &str, name: &str) -> EntryId {
        let method = cut(method, self.limits.name_bytes_max);
        let name = cut(name, self.limits.name_bytes_max);
        if let Some(position) = self.entries.find([&method, &name, ""]) {
            return EntryId(position);
        }
        // One row is `(other)` itself.
        if self.entries.len() > self.limits.names_max {
            return OTHER;
        }
        EntryId(self.entries.push(Entry::new(&method, &name)))
    }

    /// Records one request. `entry` must come from [`Self::intern`] of this recorder; an id that
    /// it has never given counts under `(other)`.
    #[inline]
    pub fn record(&mut self, entry: EntryId, sample: Sample<'_>) {
        let id = if entry.0 < self.entries.len() { entry } else { OTHER };
        if id == OTHER {
            self.names_overflowed += 1;
        }
        let entry = &mut self.entries[id.0];
        let open = match &mut entry.open {
            Some(open) => open,
            None => {
                self.touched.push(id);
                entry.open.insert(Open::new())
            }
        };
        open.add(&sample);
        self.connections.add(&sample.connections);
        if let Some(error) = sample.error {
            self.error(id, error, sample.at_ms);
        }
    }

    fn error(&mut self, entry: EntryId, error: &str, at_ms: u64) {
        let error = cut(error, self.limits.error_bytes_max);
        let Entry { method, name, .. } = &self.entries[entry.0];
        let key = [method, name, &*error];
        let position = self.errors.find_or_push(
            key,
            self.limits.errors_max,
            ErrorDelta::OTHER,
            ErrorDelta::new,
        );
        self.errors[position].count(1, at_ms, at_ms);
    }

    /// Counts a trap of the guest, or an error that a task returned. Line breaks in the message
    /// become spaces.
    pub fn exception(&mut self, message: &str, trace: &str) {
        let message = message.trim_end().replace(['\r', '\n'], " ");
        let message = cut(&message, self.limits.error_bytes_max);
        let trace = cut(trace, self.limits.trace_bytes_max);
        let position = self.exceptions.find_or_push(
            [&message, &trace, ""],
            self.limits.exceptions_max,
            ExceptionDelta::OTHER,
            ExceptionDelta::new,
        );
        self.exceptions[position].occurrences += 1;
    }

    /// Adds to a metric of the guest's own.
    ///
    /// # Errors
    /// If the name has another kind, `by` is not finite, or there are too many names.
    pub fn count(&mut self, name: &str, by: f64) -> Result<(), MetricError> {
        self.update(name, Update::Count(by))
    }

    /// Sets a metric of the guest's own, at a time in milliseconds of the master's clock.
    ///
    /// # Errors
    /// If the name has another kind, `value` is not finite, or there are too many names.
    pub fn gauge(&mut self, name: &str, value: f64, at_ms: u64) -> Result<(), MetricError> {
        self.update(name, Update::Gauge(value, at_ms))
    }

    /// Records a value of a metric with percentiles.
    ///
    /// # Errors
    /// If the name has another kind, `value` is negative or not finite, or there are too many
    /// names.
    pub fn trend(&mut self, name: &str, value: f64) -> Result<(), MetricError> {
        self.update(name, Update::Trend(value))
    }

    /// Records whether a condition held.
    ///
    /// # Errors
    /// If the name has another kind or there are too many names.
    pub fn check(&mut self, name: &str, ok: bool) -> Result<(), MetricError> {
        self.update(name, Update::Check(ok))
    }

    fn update(&mut self, name: &str, update: Update) -> Result<(), MetricError> {
        let name = &*cut(name, self.limits.name_bytes_max);
        update.check(name)?;
        let (kind, metrics_max) = (update.kind(), self.limits.metrics_max);
        let key = [name, "", ""];
        let position = match self.metrics.find(key) {
            Some(position) => position,
            None if self.metrics.len() < metrics_max => {
                self.metrics.push(Metric { name: name.to_owned(), kind, value: None })
            }
            None => return Err(MetricError::TooMany { name: name.to_owned(), metrics_max }),
        };
        let metric = &mut self.metrics[position];
        if metric.kind != kind {
            let (name, first) = (name.to_owned(), metric.kind);
            return Err(MetricError::OtherKind { name, first, now: kind });
        }
        match &mut metric.value {
            Some(value) => update.apply(value),
            None => metric.value = Some(update.first()),
        }
        Ok(())
    }

    /// Records by how many microseconds the generator started a task later than it was due.
    pub fn lateness(&mut self, late_us: u64) {
        self.late.record(late_us.min(HIGHEST_US));
        self.late_max_us = Some(late_us.max(self.late_max_us.unwrap_or(0)));
    }

    /// Counts a request that was cut off on its way, by the end of the stop timeout or with the
    /// instance that sent it, and what it had taken of connections.
    pub fn interrupted(&mut self, connections: &ConnectionCounts) {
        self.interrupted += 1;
        self.connections.add(connections);
    }

    /// Counts what a request took of connections whose sample somebody else records.
    pub fn connections(&mut self, connections: &ConnectionCounts) {
        self.connections.add(connections);
    }

    /// Counts a request that was given up in the same way before a connection had it.
    pub fn unsent(&mut self) {
        self.unsent += 1;
    }

    /// Counts what a request had to do with an address. `None` stands for several of which nobody
    /// knows more.
    pub fn address(&mut self, address: Option<SocketAddr>, counts: AddressCounts) {
        let more = AddressDelta { address, counts };
        addresses::count(&mut self.addresses, &more, self.limits.addresses_max);
    }

    /// Notes that a guest has asked for the argument at this place in the test's list of arguments.
    /// To be told of each once in a test: it is kept until the next drain.
    pub fn arg_read(&mut self, place: u32) {
        if let Err(at) = self.args_read.binary_search(&place) {
            self.args_read.insert(at, place);
        }
    }

    /// What was recorded since the last drain. The cost is that of the entries with samples. Its
    /// load thread is number 0, until [`Delta::of_shard`] says otherwise.
    pub fn drain(&mut self) -> Delta {
        let mut entries = Vec::with_capacity(self.touched.len());
        for id in self.touched.drain(..) {
            let entry = &mut self.entries[id.0];
            if let Some(open) = entry.open.take() {
                entries.push(entry.delta(open));
            }
        }
        let drain_metric = |metric: &mut Metric| {
            let value = metric.value.take()?;
            Some(MetricDelta { name: metric.name.clone(), value })
        };
        Delta {
            entries,
            errors: self.errors.take(),
            exceptions: self.exceptions.take(),
            metrics: self.metrics.iter_mut().filter_map(drain_metric).collect(),
            connections: std::mem::take(&mut self.connections),
            interrupted: std::mem::take(&mut self.interrupted),
            unsent: std::mem::take(&mut self.unsent),
            names_overflowed: std::mem::take(&mut self.names_overflowed),
            lateness: self.drain_lateness(),
            args_read: std::mem::take(&mut self.args_read),
            addresses: std::mem::take(&mut self.addresses),
        }
    }

    fn drain_lateness(&mut self) -> Vec<LatenessDelta> {
        let times = std::mem::take(&mut self.late).into_histogram();
        let late = self.late_max_us.take().map(|max_us| LatenessDelta { shard: 0, times, max_us });
        late.into_iter().collect()
    }
}

impl Entry {
    fn new(method: &str, name: &str) -> Self {
        Self { method: method.to_owned(), name: name.to_owned(), open: None }
    }

    fn delta(&self, open: Open) -> EntryDelta {
        EntryDelta {
            method: self.method.clone(),
            name: self.name.clone(),
            requests: open.requests,
            failures: open.failures,
            unanswered: open.unanswered,
            resent: open.resent,
            bytes: open.bytes,
            times: open.times.into_histogram(),
            sum_us: open.sum_us,
            min_us: open.min_us,
            max_us: open.max_us,
        }
    }
}

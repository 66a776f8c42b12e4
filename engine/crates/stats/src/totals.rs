//! The result of a test: the sum of all reports of all workers, and what is shown of it.
//!
//! [`Totals`] counts whatever it is given: that each report is given once is the business of the
//! [`Ledger`](crate::ledger::Ledger), that it belongs to this test that of the caller.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::addresses::{self, AddressDelta};
use crate::connections::ConnectionCounts;
use crate::delta::{
    Delta, EntryDelta, ErrorDelta, ExceptionDelta, LatenessDelta, MetricDelta, Report,
};
use crate::dense::Dense;
use crate::lateness::{Shards, WorkerLateness};
use crate::layout::{FINE, bucket_of};
use crate::limits::{Limits, OTHER_WORKERS, cut};
use crate::merge::merge_sorted;
use crate::rows::{Key, Keyed, Rows};
use crate::series::Series;
use crate::span::Span;
use crate::split::{Split, TimesPart};
use crate::times::HIGHEST_US;
use crate::window::Window;

/// Name of the aggregate of all entries; its method is empty.
pub const AGGREGATED: &str = "Aggregated";

/// Where a report was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// In the totals and in the seconds it belongs to.
    Counted,
    /// In the totals only: it is older than the series, or its clock is more than a minute ahead.
    TotalsOnly,
    /// Nowhere: most of its interval lies before the last reset.
    BeforeReset,
}

/// The bucket of all times from an hour on.
const LAST_BUCKET: u32 = bucket_of::<FINE>(HIGHEST_US);

/// Buckets of a report that are shared out before they are added up. The places of their sums are
/// far from each other in memory, and a processor only fetches several at once where little else
/// is done between them: with the sharing out between, a third of a busy master's time was waiting
/// here.
const BUCKETS_AT_A_TIME: usize = 64;

/// The figures of the whole test under one name; see [`EntryDelta`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) method: String,
    pub(crate) name: String,
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    pub(crate) unanswered: u64,
    pub(crate) resent: u64,
    pub(crate) bytes: u64,
    pub(crate) times: Dense,
    pub(crate) sum_us: u64,
    pub(crate) min_us: u64,
    pub(crate) max_us: u64,
}

impl Line {
    fn new(method: &str, name: &str) -> Self {
        Self {
            method: method.to_owned(),
            name: name.to_owned(),
            requests: 0,
            failures: 0,
            unanswered: 0,
            resent: 0,
            bytes: 0,
            times: Dense::default(),
            sum_us: 0,
            min_us: u64::MAX,
            max_us: 0,
        }
    }

    fn add(&mut self, more: &EntryDelta) {
        self.requests = self.requests.saturating_add(more.requests);
        self.failures = self.failures.saturating_add(more.failures);
        self.unanswered = self.unanswered.saturating_add(more.unanswered);
        self.resent = self.resent.saturating_add(more.resent);
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.sum_us = self.sum_us.saturating_add(more.sum_us);
        self.min_us = self.min_us.min(more.min_us);
        self.max_us = self.max_us.max(more.max_us);
        for &(bucket, count) in more.times.buckets() {
            self.times.add_bucket(bucket.min(LAST_BUCKET), count);
        }
    }
}

/// One (method, name) pair: the whole test and the last seconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) line: Line,
    pub(crate) window: Window,
}

impl Keyed for Entry {
    fn key(&self) -> Key<'_> {
        [&self.line.method, &self.line.name, ""]
    }
}

/// One kind of exception and the workers that saw it, as positions in `Totals::workers`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Exception {
    pub(crate) all: ExceptionDelta,
    pub(crate) workers: Vec<usize>,
}

impl Keyed for Exception {
    fn key(&self) -> Key<'_> {
        self.all.key()
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Worker {
    pub(crate) id: String,
    pub(crate) requests: u64,
    late: Shards,
}

impl Keyed for Worker {
    fn key(&self) -> Key<'_> {
        [&self.id, "", ""]
    }
}

/// The statistics of one test. They can be saved and read again, all but the limits, which are
/// those of the program that reads. What was saved by another [`FORMAT`](crate::FORMAT) is not
/// read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Totals {
    #[serde(skip)]
    pub(crate) limits: Limits,
    pub(crate) span: Span,
    pub(crate) aggregate: Line,
    pub(crate) entries: Rows<Entry>,
    pub(crate) errors: Rows<ErrorDelta>,
    pub(crate) exceptions: Rows<Exception>,
    pub(crate) metrics: Rows<MetricDelta>,
    pub(crate) workers: Rows<Worker>,
    pub(crate) connections: ConnectionCounts,
    pub(crate) addresses: Vec<AddressDelta>,
    pub(crate) interrupted: u64,
    pub(crate) unsent: u64,
    pub(crate) names_overflowed: u64,
    pub(crate) metrics_refused: u64,
    pub(crate) late: Dense,
    pub(crate) late_max_us: u64,
    pub(crate) series: Series,
    users_max: u32,
    /// Places of the arguments that a guest has asked for, rising. As a reset forgets figures and
    /// not the test, this and what follows outlive it.
    args_read: Vec<u32>,
    /// There were responses before the last reset.
    answered_before: bool,
    #[serde(skip)]
    split: Split,
    /// Room for [`BUCKETS_AT_A_TIME`] and their parts.
    #[serde(skip)]
    parts: Vec<TimesPart>,
}

impl Serialize for Totals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Of the derived code, which has the name but is no trait's.
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Totals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let totals = Self::deserialize(deserializer)?;
        let known = |exception: &Exception| {
            exception.workers.iter().all(|&worker| worker < totals.workers.len())
        };
        if !totals.exceptions.iter().all(known) {
            return Err(D::Error::custom("an exception was seen by a worker that there is not"));
        }
        if !totals.series.is_sound() {
            return Err(D::Error::custom("the series has more seconds than it may have"));
        }
        Ok(totals)
    }
}

impl Totals {
    /// Empty totals.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            span: Span::default(),
            aggregate: Line::new("", AGGREGATED),
            entries: Rows::default(),
            errors: Rows::default(),
            exceptions: Rows::default(),
            metrics: Rows::default(),
            workers: Rows::default(),
            connections: ConnectionCounts::default(),
            addresses: Vec::new(),
            interrupted: 0,
            unsent: 0,
            names_overflowed: 0,
            metrics_refused: 0,
            late: Dense::default(),
            late_max_us: 0,
            series: Series::default(),
            users_max: 0,
            args_read: Vec::new(),
            answered_before: false,
            split: Split::default(),
            parts: Vec::new(),
        }
    }

    /// The test starts now: rates are over the time from here, and seconds are counted from here.
    /// Forgets everything from before. Without it the test starts with the first report.
    pub fn start(&mut self, now_ms: u64) {
        *self = Self::new(self.limits.clone());
        self.span.start_ms = Some(now_ms);
    }

    /// The test is over: all its users are gone. Rates are over the time until here, or until the
    /// end of the last report with samples if that is later. Reports that still come are counted.
    pub fn stop(&mut self, now_ms: u64) {
        self.span.stop_ms.get_or_insert(now_ms);
        self.series.reach(self.span.second_of(now_ms));
    }

    /// Forgets all statistics, and counts from now on. A report counts if at least half of its
    /// interval lies after the reset: the figures are right to half an interval of a report.
    pub fn reset(&mut self, now_ms: u64) {
        let mut fresh = Self::new(self.limits.clone());
        fresh.series = std::mem::take(&mut self.series);
        fresh.series.restart();
        fresh.users_max = fresh.series.users();
        fresh.answered_before = self.is_answered();
        fresh.args_read = std::mem::take(&mut self.args_read);
        fresh.span.start_ms = Some(now_ms);
        fresh.span.reset_ms = Some(now_ms);
        fresh.span.stop_ms = self.span.stop_ms.map(|_| now_ms);
        *self = fresh;
    }

    /// Users alive now. To be told once a second, also when nothing changes: it is how the series
    /// knows the master's clock. Ignored after [`Self::stop`].
    pub fn set_users(&mut self, at_ms: u64, users: u32) {
        if self.span.is_over() {
            return;
        }
        self.span.start_ms.get_or_insert(at_ms);
        self.series.set_users(self.span.second_of(at_ms), users);
        self.users_max = self.users_max.max(users);
    }

    /// Requests on their way now, told as and when the users are.
    pub fn set_in_flight(&mut self, at_ms: u64, in_flight: u64) {
        if !self.span.is_over() {
            self.span.start_ms.get_or_insert(at_ms);
            self.series.set_in_flight(self.span.second_of(at_ms), in_flight);
        }
    }

    /// What requests took of connections.
    #[must_use]
    pub fn connections(&self) -> ConnectionCounts {
        self.connections
    }

    /// Has there been a response of any status since the test began, before a reset or after it?
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.answered_before || self.aggregate.requests > self.aggregate.unanswered
    }

    /// Has a guest asked for the argument at this place in the test's list of arguments?
    #[must_use]
    pub fn is_arg_read(&self, place: u32) -> bool {
        self.args_read.binary_search(&place).is_ok()
    }

    /// Largest number of users that [`Self::set_users`] was told.
    #[must_use]
    pub fn users_max(&self) -> u32 {
        self.users_max
    }

    /// Requests of one worker, failures included.
    #[must_use]
    pub fn requests_of(&self, worker_id: &str) -> u64 {
        let worker = self.workers.find([worker_id, "", ""]);
        worker.map_or(0, |worker| self.workers[worker].requests)
    }

    /// How late the load threads of one worker were; `None` when it has started no task. Workers
    /// above [`Limits::workers_max`] have none of their own.
    #[must_use]
    pub fn lateness_of(&self, worker_id: &str) -> Option<WorkerLateness> {
        let worker = self.workers.find([worker_id, "", ""])?;
        self.workers[worker].late.summary()
    }

    /// Metrics in reports that were left out because there were more than
    /// [`Limits::metrics_max`] of them.
    #[must_use]
    pub fn metrics_refused(&self) -> u64 {
        self.metrics_refused
    }

    /// Length of the test in milliseconds: what the rates of the whole test are divided by.
    #[must_use]
    pub fn length_ms(&self) -> u64 {
        self.span.length_ms()
    }

    /// Adds a report. It is counted in the seconds that its interval covers, as if its samples
    /// were spread evenly over it.
    pub fn apply(&mut self, worker_id: &str, report: &Report) -> Applied {
        merge_sorted(&mut self.args_read, &report.delta.args_read);
        let (from_ms, to_ms) = (report.from_ms, report.to_ms.max(report.from_ms));
        let middle_ms = from_ms + (to_ms - from_ms) / 2;
        if self.span.reset_ms.is_some_and(|reset_ms| middle_ms < reset_ms) {
            return Applied::BeforeReset;
        }
        self.span.start_ms.get_or_insert(from_ms);
        self.split.cover(self.span.since_start(from_ms), self.span.since_start(to_ms));
        let placed = self.series.holds(self.split.last_second());
        let delta = &report.delta;
        // After the end of the test a report without samples says nothing about its length.
        if placed && !(self.span.is_over() && delta.is_empty()) {
            self.span.last_ms = self.span.last_ms.max(to_ms);
        }
        let worker = self.worker(worker_id, delta.requests());
        for entry in &delta.entries {
            self.add_entry(entry, placed);
        }
        self.add_errors(&delta.errors);
        for exception in &delta.exceptions {
            self.add_exception(exception, worker);
        }
        self.add_lateness(&delta.lateness, worker);
        self.add_rest(delta);
        if placed { Applied::Counted } else { Applied::TotalsOnly }
    }

    /// Counts requests of a worker and returns its position.
    fn worker(&mut self, id: &str, requests: u64) -> usize {
        let id = &*cut(id, self.limits.name_bytes_max);
        let new =
            |[id, ..]: Key<'_>| Worker { id: id.to_owned(), requests: 0, late: Shards::default() };
        let other = [OTHER_WORKERS, "", ""];
        let position = self.workers.find_or_push([id, "", ""], self.limits.workers_max, other, new);
        let worker = &mut self.workers[position];
        worker.requests = worker.requests.saturating_add(requests);
        position
    }

    fn add_entry(&mut self, more: &EntryDelta, placed: bool) {
        let position = self.entry(more);
        let entry = &mut self.entries[position];
        entry.line.add(more);
        self.aggregate.add(more);
        if !placed {
            return;
        }
        let (window, series, split) = (&mut entry.window, &mut self.series, &mut self.split);
        split.begin();
        for buckets in more.times.buckets().chunks(BUCKETS_AT_A_TIME) {
            self.parts.clear();
            for &(bucket, count) in buckets {
                // Whatever a worker sends, an hour is the end of our own histograms.
                let bucket = bucket.min(LAST_BUCKET);
                split.give(count, |second, part| self.parts.push((second, bucket, part)));
            }
            window.add_times(&self.parts);
            series.add_times(&self.parts);
        }
        split.begin();
        split.give(more.requests, |second, part| {
            window.add_counts(second, part, 0);
            series.add_counts(second, part, 0);
        });
        split.begin();
        split.give(more.failures, |second, part| {
            window.add_counts(second, 0, part);
            series.add_counts(second, 0, part);
        });
    }

    /// Position of the entry that takes these samples.
    fn entry(&mut self, more: &EntryDelta) -> usize {
        let new = |[method, name, _]: Key<'_>| Entry {
            line: Line::new(method, name),
            window: Window::default(),
        };
        let (key, other) = (more.key(), EntryDelta::OTHER);
        let position = self.entries.find_or_push(key, self.limits.names_max, other, new);
        // What came as `(other)` has been counted where it became that.
        if key != other && self.entries[position].key() == other {
            self.names_overflowed = self.names_overflowed.saturating_add(more.requests);
        }
        position
    }

    fn add_errors(&mut self, errors: &[ErrorDelta]) {
        let errors_max = self.limits.errors_max;
        for more in errors {
            let position = self.errors.find_or_push(
                more.key(),
                errors_max,
                ErrorDelta::OTHER,
                ErrorDelta::new,
            );
            self.errors[position].count(more.occurrences, more.first_ms, more.last_ms);
        }
    }

    fn add_exception(&mut self, more: &ExceptionDelta, worker: usize) {
        let position = self.exceptions.find_or_push(
            more.key(),
            self.limits.exceptions_max,
            ExceptionDelta::OTHER,
            |key| Exception { all: ExceptionDelta::new(key), workers: Vec::new() },
        );
        let exception = &mut self.exceptions[position];
        exception.all.occurrences = exception.all.occurrences.saturating_add(more.occurrences);
        if let Err(place) = exception.workers.binary_search(&worker) {
            exception.workers.insert(place, worker);
        }
    }

    fn add_rest(&mut self, delta: &Delta) {
        let metrics_max = self.limits.metrics_max;
        for metric in &delta.metrics {
            if let Some(position) = self.metrics.find(metric.key()) {
                self.metrics[position].value.add(&metric.value);
            } else if self.metrics.len() < metrics_max {
                self.metrics.push(metric.clone());
            } else {
                self.metrics_refused += 1;
            }
        }
        self.connections.add(&delta.connections);
        for more in &delta.addresses {
            addresses::count(&mut self.addresses, more, self.limits.addresses_max);
        }
        self.interrupted = self.interrupted.saturating_add(delta.interrupted);
        self.unsent = self.unsent.saturating_add(delta.unsent);
        self.names_overflowed = self.names_overflowed.saturating_add(delta.names_overflowed);
    }

    fn add_lateness(&mut self, lateness: &[LatenessDelta], worker: usize) {
        // Workers that share a line would mix their load threads.
        let own = self.workers[worker].id != OTHER_WORKERS;
        for more in lateness {
            self.late.add_histogram(&more.times);
            self.late_max_us = self.late_max_us.max(more.max_us);
            if own {
                self.workers[worker].late.add(more);
            }
        }
    }
}

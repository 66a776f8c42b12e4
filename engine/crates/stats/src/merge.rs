//! Joining deltas: the shards of a worker make one report.

use crate::addresses;
use crate::delta::{Delta, EntryDelta, ErrorDelta, ExceptionDelta, LatenessDelta, MetricDelta};
use crate::histogram::Histogram;
use crate::limits::{OTHER_ERRORS, OTHER_EXCEPTIONS, OTHER_NAME};
use crate::rows::{Key, Keyed, Rows};

impl Keyed for EntryDelta {
    fn key(&self) -> Key<'_> {
        [&self.method, &self.name, ""]
    }
}

impl Keyed for ErrorDelta {
    fn key(&self) -> Key<'_> {
        [&self.method, &self.name, &self.error]
    }
}

impl Keyed for ExceptionDelta {
    fn key(&self) -> Key<'_> {
        [&self.message, &self.trace, ""]
    }
}

impl ErrorDelta {
    /// Key of the failures above the limit.
    pub(crate) const OTHER: Key<'static> = ["", OTHER_NAME, OTHER_ERRORS];

    /// An error that has not happened yet.
    pub(crate) fn new([method, name, error]: Key<'_>) -> Self {
        Self {
            method: method.to_owned(),
            name: name.to_owned(),
            error: error.to_owned(),
            occurrences: 0,
            first_ms: u64::MAX,
            last_ms: 0,
        }
    }

    /// Adds occurrences between two times.
    pub(crate) fn count(&mut self, occurrences: u64, first_ms: u64, last_ms: u64) {
        self.occurrences = self.occurrences.saturating_add(occurrences);
        self.first_ms = self.first_ms.min(first_ms);
        self.last_ms = self.last_ms.max(last_ms);
    }
}

impl ExceptionDelta {
    /// Key of the exceptions above the limit.
    pub(crate) const OTHER: Key<'static> = [OTHER_EXCEPTIONS, "", ""];

    /// An exception that has not happened yet.
    pub(crate) fn new([message, trace, _]: Key<'_>) -> Self {
        Self { message: message.to_owned(), trace: trace.to_owned(), occurrences: 0 }
    }
}

impl EntryDelta {
    /// Key of the samples of names above the limit.
    pub(crate) const OTHER: Key<'static> = ["", OTHER_NAME, ""];

    /// An entry without samples.
    #[must_use]
    pub fn new(method: &str, name: &str) -> Self {
        Self {
            method: method.to_owned(),
            name: name.to_owned(),
            requests: 0,
            failures: 0,
            unanswered: 0,
            resent: 0,
            bytes: 0,
            times: Histogram::new(),
            sum_us: 0,
            min_us: u64::MAX,
            max_us: 0,
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.unanswered = self.unanswered.saturating_add(other.unanswered);
        self.resent = self.resent.saturating_add(other.resent);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.min_us = self.min_us.min(other.min_us);
        self.max_us = self.max_us.max(other.max_us);
        self.times.add(&other.times);
    }
}

impl LatenessDelta {
    fn add(&mut self, other: &Self) {
        self.times.add(&other.times);
        self.max_us = self.max_us.max(other.max_us);
    }
}

impl Delta {
    /// The same as drained from the load thread of this number.
    #[must_use]
    pub fn of_shard(mut self, shard: u32) -> Self {
        for late in &mut self.lateness {
            late.shard = shard;
        }
        self
    }

    /// Adds what another recorder has recorded. Nothing is rounded and nothing is lost: the result
    /// is what one recorder would have drained for both (with the limits of neither), in
    /// whatever order deltas are merged. Only the sums of metrics are floating point, which
    /// rounds by order.
    pub fn merge(&mut self, other: Self) {
        merge_rows(&mut self.entries, other.entries, |entry, more| entry.add(&more));
        merge_rows(&mut self.errors, other.errors, |error, more| {
            error.count(more.occurrences, more.first_ms, more.last_ms);
        });
        merge_rows(&mut self.exceptions, other.exceptions, |exception, more| {
            exception.occurrences = exception.occurrences.saturating_add(more.occurrences);
        });
        merge_rows(&mut self.metrics, other.metrics, |metric: &mut MetricDelta, more| {
            metric.value.add(&more.value);
        });
        self.connections.add(&other.connections);
        self.interrupted = self.interrupted.saturating_add(other.interrupted);
        self.unsent = self.unsent.saturating_add(other.unsent);
        self.names_overflowed = self.names_overflowed.saturating_add(other.names_overflowed);
        for more in other.lateness {
            match self.lateness.binary_search_by_key(&more.shard, |late| late.shard) {
                Ok(place) => self.lateness[place].add(&more),
                Err(place) => self.lateness.insert(place, more),
            }
        }
        merge_sorted(&mut self.args_read, &other.args_read);
        for more in &other.addresses {
            addresses::count(&mut self.addresses, more, usize::MAX);
        }
    }

    /// Is there nothing in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.errors.is_empty()
            && self.exceptions.is_empty()
            && self.metrics.is_empty()
            && self.connections.is_empty()
            && self.interrupted == 0
            && self.unsent == 0
            && self.names_overflowed == 0
            && self.lateness.is_empty()
            && self.args_read.is_empty()
            && self.addresses.is_empty()
    }

    /// Samples of all entries.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.requests))
    }
}

/// Adds numbers that are not there yet; both lists rise.
pub(crate) fn merge_sorted(into: &mut Vec<u32>, from: &[u32]) {
    for number in from {
        if let Err(place) = into.binary_search(number) {
            into.insert(place, *number);
        }
    }
}

/// Adds rows to the ones with the same key, and appends those that are new.
fn merge_rows<T: Keyed>(into: &mut Vec<T>, from: Vec<T>, add: impl Fn(&mut T, T)) {
    if into.is_empty() {
        *into = from;
        return;
    }
    if from.is_empty() {
        return;
    }
    let mut rows = Rows::from_vec(std::mem::take(into));
    for row in from {
        match rows.find(row.key()) {
            Some(position) => add(&mut rows[position], row),
            None => {
                rows.push(row);
            }
        }
    }
    *into = rows.into_vec();
}

//! Joining deltas: the shards of a worker make one report.

use crate::delta::{Delta, EntryDelta, ErrorDelta, ExceptionDelta, MetricDelta};
use crate::limits::{OTHER_ERRORS, OTHER_EXCEPTIONS, OTHER_NAME};
use crate::rows::{Key, Keyed, Rows};
use crate::times::{add_histogram, new_histogram};

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
            bytes: 0,
            times: new_histogram(),
            sum_us: 0,
            min_us: u64::MAX,
            max_us: 0,
        }
    }

    /// Adds all figures but the histogram.
    pub(crate) fn add_figures(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.min_us = self.min_us.min(other.min_us);
        self.max_us = self.max_us.max(other.max_us);
    }
}

impl Delta {
    /// The same in parts of at most `rows_max` rows a list, for messages that must not be too
    /// long. The parts add up to the whole.
    ///
    /// # Panics
    /// When `rows_max` is 0.
    #[must_use]
    pub fn into_parts(mut self, rows_max: usize) -> Vec<Self> {
        assert!(rows_max > 0, "a part has rows");
        let mut parts = Vec::new();
        loop {
            let rest = Self {
                entries: split_off(&mut self.entries, rows_max),
                errors: split_off(&mut self.errors, rows_max),
                exceptions: split_off(&mut self.exceptions, rows_max),
                metrics: split_off(&mut self.metrics, rows_max),
                ..Self::default()
            };
            parts.push(self);
            if rest.is_empty() {
                return parts;
            }
            self = rest;
        }
    }

    /// Adds what another recorder has recorded. Nothing is rounded and nothing is lost: the result
    /// is what one recorder would have drained for both (with the limits of neither), in
    /// whatever order deltas are merged. Only the sums of metrics are floating point, which
    /// rounds by order.
    pub fn merge(&mut self, other: Self) {
        merge_rows(&mut self.entries, other.entries, |entry, more| {
            entry.add_figures(&more);
            add_histogram(&mut entry.times, &more.times);
        });
        merge_rows(&mut self.errors, other.errors, |error, more| {
            error.count(more.occurrences, more.first_ms, more.last_ms);
        });
        merge_rows(&mut self.exceptions, other.exceptions, |exception, more| {
            exception.occurrences = exception.occurrences.saturating_add(more.occurrences);
        });
        merge_rows(&mut self.metrics, other.metrics, |metric: &mut MetricDelta, more| {
            metric.value.add(&more.value);
        });
        self.interrupted = self.interrupted.saturating_add(other.interrupted);
        self.names_overflowed = self.names_overflowed.saturating_add(other.names_overflowed);
        match (&mut self.lateness, other.lateness) {
            (Some(lateness), Some(more)) => add_histogram(lateness, &more),
            (lateness @ None, more) => *lateness = more,
            (Some(_), None) => {}
        }
    }

    /// Is there nothing in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.errors.is_empty()
            && self.exceptions.is_empty()
            && self.metrics.is_empty()
            && self.interrupted == 0
            && self.names_overflowed == 0
            && self.lateness.is_none()
    }

    /// Samples of all entries.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.requests))
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

/// Takes what is beyond `rows_max`.
fn split_off<T>(rows: &mut Vec<T>, rows_max: usize) -> Vec<T> {
    rows.split_off(rows.len().min(rows_max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Recorder, Sample};

    #[test]
    fn parts_are_short_and_add_up_to_the_whole() {
        let mut recorder = Recorder::new(Limits::default());
        for name in 0..25 {
            let entry = recorder.intern("GET", &format!("/{name}"));
            let sample = Sample { response_time_us: 7, bytes: 3, error: Some("no"), at_ms: 1 };
            recorder.record(entry, sample);
        }
        recorder.exception("a", "b");
        recorder.interrupted();
        let whole = recorder.drain();
        let parts = whole.clone().into_parts(10);
        assert_eq!(parts.iter().map(|part| part.entries.len()).collect::<Vec<_>>(), [10, 10, 5]);
        assert_eq!(parts.iter().map(|part| part.errors.len()).max(), Some(10));
        let mut sum = Delta::default();
        for part in parts {
            sum.merge(part);
        }
        assert_eq!(sum, whole);
        assert_eq!(Delta::default().into_parts(1), [Delta::default()]);
    }
}

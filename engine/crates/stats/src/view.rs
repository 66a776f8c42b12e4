//! Totals at one moment, as a [`Snapshot`].

use crate::addresses;
use crate::dense::Dense;
use crate::lateness::is_late;
use crate::metric::figures;
use crate::series::Series;
use crate::snapshot::{EntrySnapshot, ErrorSnapshot, ExceptionSnapshot, PERCENTILES, Snapshot};
use crate::times::{mean, percentiles_ms, times_ms, to_ms};
use crate::totals::{Line, Totals};

/// The figures of the last complete seconds of an entry.
struct Current {
    seconds: u64,
    requests: u64,
    failures: u64,
    /// At [`PERCENTILES`].
    percentiles_ms: Option<[f64; PERCENTILES.len()]>,
}

impl Totals {
    /// What the totals say now. The `current_*` figures are of the last ten complete seconds, or
    /// of fewer if the test is younger; a second is complete two seconds after its end
    /// ([`SETTLE_MS`](crate::series::SETTLE_MS)), when the reports about it are there.
    /// `seconds` ends with the last complete one, and after [`Self::stop`] with the last
    /// one of the test, which may be cut short.
    pub fn snapshot(&mut self, now_ms: u64) -> Snapshot {
        let complete = self.span.complete(now_ms);
        let window = Series::window(complete);
        if !self.span.is_over()
            && let Some(newest) = complete.checked_sub(1)
        {
            self.series.reach(newest);
        }
        let mut times = Dense::default();
        let (requests, failures) = self.series.sum(window.clone(), &mut times);
        let seconds = window.end - window.start;
        let total = self.entry_snapshot(
            &self.aggregate,
            &Current::new(seconds, (requests, failures), &times, &self.aggregate),
        );
        let mut entries: Vec<_> = self
            .entries
            .iter()
            .map(|entry| {
                times.clear();
                let counts = entry.window.sum(window.clone(), &mut times);
                let current = Current::new(seconds, counts, &times, &entry.line);
                self.entry_snapshot(&entry.line, &current)
            })
            .collect();
        entries.sort_unstable_by(|a, b| (&a.name, &a.method).cmp(&(&b.name, &b.method)));
        let shown = if self.span.is_over() {
            self.series.filled_to().max(self.span.seconds_in_all())
        } else {
            complete
        };
        let lateness_ms = (!self.late.is_empty()).then(|| {
            let values = self.late.values_at([50.0, 99.0]);
            let [p50, p99] = values.map(|late_us| to_ms(late_us.min(self.late_max_us)));
            (p50, p99, to_ms(self.late_max_us))
        });
        let tasks = self.late.samples();
        let mut metrics: Vec<_> = self.metrics.iter().map(figures).collect();
        metrics.sort_by(|a, b| a.name.cmp(&b.name));
        Snapshot {
            total,
            entries,
            errors: self.error_snapshots(),
            exceptions: self.exception_snapshots(),
            metrics,
            seconds: self.series.seconds(shown, self.span.start_ms()),
            connections: self.connections,
            addresses: addresses::shown(&self.addresses),
            interrupted: self.interrupted,
            unsent: self.unsent,
            names_overflowed: self.names_overflowed,
            lateness_ms,
            late: lateness_ms.is_some_and(|(p50, p99, _)| is_late(tasks, p50, p99)),
        }
    }

    fn entry_snapshot(&self, all: &Line, current: &Current) -> EntrySnapshot {
        let length_ms = self.span.length_ms();
        let per_second = |count: u64| mean(count, length_ms) * 1000.0;
        EntrySnapshot {
            method: all.method.clone(),
            name: all.name.clone(),
            num_requests: all.requests,
            num_failures: all.failures,
            num_unanswered: all.unanswered,
            num_resent: all.resent,
            bytes: all.bytes,
            response_time_ms: times_ms(&all.times, all.sum_us, all.min_us, all.max_us),
            rps: per_second(all.requests),
            fail_per_sec: per_second(all.failures),
            current_rps: mean(current.requests, current.seconds),
            current_fail_per_sec: mean(current.failures, current.seconds),
            current_ms: current.percentiles_ms.map(|[p50, _, _, _, _, p95, ..]| (p50, p95)),
            current_percentiles_ms: current.percentiles_ms,
        }
    }

    fn error_snapshots(&self) -> Vec<ErrorSnapshot> {
        let mut errors: Vec<_> = self
            .errors
            .iter()
            .map(|error| ErrorSnapshot {
                method: error.method.clone(),
                name: error.name.clone(),
                error: error.error.clone(),
                occurrences: error.occurrences,
                first_ms: error.first_ms,
                last_ms: error.last_ms,
            })
            .collect();
        errors.sort_unstable_by(|a, b| {
            (&a.name, &a.method, &a.error).cmp(&(&b.name, &b.method, &b.error))
        });
        errors
    }

    fn exception_snapshots(&self) -> Vec<ExceptionSnapshot> {
        let id = |&worker: &usize| self.workers[worker].id.clone();
        let mut exceptions: Vec<_> = self
            .exceptions
            .iter()
            .map(|exception| {
                let mut nodes: Vec<_> = exception.workers.iter().map(id).collect();
                nodes.sort_unstable();
                ExceptionSnapshot {
                    message: exception.all.message.clone(),
                    trace: exception.all.trace.clone(),
                    count: exception.all.occurrences,
                    nodes,
                }
            })
            .collect();
        exceptions.sort_unstable_by(|a, b| {
            (b.count, &a.message, &a.trace).cmp(&(a.count, &b.message, &b.trace))
        });
        exceptions
    }
}

impl Current {
    fn new(seconds: u64, (requests, failures): (u64, u64), times: &Dense, all: &Line) -> Self {
        let percentiles_ms = percentiles_ms(times, PERCENTILES, all.min_us, all.max_us);
        Self { seconds, requests, failures, percentiles_ms }
    }
}

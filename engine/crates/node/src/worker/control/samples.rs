//! The way of the samples: from the load threads into reports, and from there to the master.

use std::time::Duration;

use futures_util::future::join_all;
use swarm_core::cluster::NO_TEST;
use swarm_stats::delta::Delta;
use swarm_wire::WireError;

use super::{Control, Event};
use crate::shard::LoadThread;

impl Control {
    /// Collects what the load threads have recorded, unless that is under way.
    pub(super) fn collect(&mut self) {
        if self.collecting == 0 {
            self.collect_now();
        }
    }

    pub(super) fn collect_now(&mut self) {
        self.collecting += 1;
        // As long as users run, there is more to come.
        self.uncollected = self.agent.users() > 0;
        let (test, from, to) = (self.test, self.collected_until, self.clock.now());
        self.collected_until = to;
        let replies: Vec<_> = self.threads.iter().map(LoadThread::collect).collect();
        self.spawn(async move {
            let replies = (0..).zip(join_all(replies).await);
            // A thread that has panicked gives none; that has been printed.
            let of_shard =
                |(shard, delta): (u32, Result<Delta, _>)| Some(delta.ok()?.of_shard(shard));
            let deltas = replies.filter_map(of_shard).collect();
            Event::Collected { test, from, to, deltas }
        });
    }

    pub(super) fn collected(
        &mut self,
        test: u32,
        from: Duration,
        to: Duration,
        deltas: Vec<Delta>,
    ) {
        self.collecting -= 1;
        let sum = deltas.into_iter().reduce(|mut sum, delta| {
            sum.merge(delta);
            sum
        });
        if let Some(delta) = sum.filter(|delta| !delta.is_empty()) {
            let (from, to) = (self.clock.master_ms(from), self.clock.master_ms(to));
            self.put(test, from, to, delta);
        }
        self.send_reports();
        if self.agent.users() == 0 {
            self.beat();
        }
    }

    fn put(&mut self, test: u32, from_ms: u64, to_ms: u64, delta: Delta) {
        let dropped = self.outbox.push(test, from_ms, to_ms, delta);
        if dropped > 0 {
            tracing::error!(
                "too many reports wait for the master: the {dropped} oldest are dropped, their \
                 samples are lost unless it has them already"
            );
        }
    }

    /// Sends the oldest report, unless one is under way.
    pub(super) fn send_reports(&mut self) {
        let Some((link, session)) = self.session.clone() else { return };
        if self.reporting {
            return;
        }
        let Some(report) = self.outbox.next() else { return };
        self.reporting = true;
        self.spawn(
            async move { Event::ReportAnswered { link, result: session.report(&report).await } },
        );
    }

    pub(super) fn report_answered(&mut self, result: Result<u64, WireError>) {
        self.reporting = false;
        match result {
            Ok(acknowledged) => {
                self.outbox.acknowledged(acknowledged);
                self.send_reports();
                if self.agent.users() == 0 && self.flushed() {
                    self.beat();
                }
            }
            Err(error @ (WireError::Unsendable(_) | WireError::Remote(_))) => {
                // The same report would fail again: better to say so than to stop reporting.
                tracing::error!("a report cannot be delivered, its samples are lost: {error}");
                let lost = self.outbox.give_up_first();
                if let Some(lost) = lost.filter(|report| !report.delta.is_empty()) {
                    // Without a report after it the master would not notice that one is missing.
                    self.put(lost.test, lost.to_ms, lost.to_ms, Delta::default());
                }
                self.send_reports();
            }
            // The end of the connection is noticed by itself.
            Err(error) => tracing::debug!("a report was not acknowledged: {error}"),
        }
    }

    /// Tells a master that may be new how far the numbers of the reports are: else the next would
    /// look like a loss of all that an earlier master has taken. Reports that wait do that too.
    pub(super) fn introduce_stream(&mut self, now: Duration) {
        if self.outbox.is_empty() {
            let now_ms = self.clock.master_ms(now);
            self.put(NO_TEST, now_ms, now_ms, Delta::default());
        }
    }

    /// Does the master have every sample?
    pub(super) fn flushed(&self) -> bool {
        !self.uncollected && self.collecting == 0 && self.outbox.is_empty()
    }
}

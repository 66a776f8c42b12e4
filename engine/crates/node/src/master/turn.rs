//! The end of a turn: what has happened in it is written down, and then it is told.

use std::time::Duration;

use swarm_stats::delta::Report;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::state::{Decided, State};
use crate::journal::record::Record;
use crate::journal::{Progress, Scribe};

/// How often all of the cluster's memory is written down, changed or not: the most users that each
/// worker had are in it, which are no change by themselves.
const REMEMBER_INTERVAL: Duration = Duration::from_secs(5);

impl State {
    /// Something happens to the results.
    pub(super) fn record(&mut self, record: Record) {
        self.results.apply(&record);
        if self.scribe.is_some() {
            self.turn.push(record);
        }
    }

    /// Writes down what has happened, and tells of it when it is safe.
    pub(super) fn turn_ends(&mut self) {
        self.remember();
        let Some(scribe) = &mut self.scribe else {
            let decided = std::mem::take(&mut self.decided);
            return decided.into_iter().for_each(|decided| self.tell(decided));
        };
        let room = self.room.take();
        if !self.turn.is_empty() {
            scribe.write(std::mem::take(&mut self.turn), room);
        }
        let number = scribe.written();
        self.held.extend(self.decided.drain(..).map(|decided| (number, decided)));
        self.tell_what_is_safe();
    }

    /// Adds the cluster's memory to what has happened, as far as it is new.
    fn remember(&mut self) {
        if self.scribe.is_none() {
            return;
        }
        let (revision, now) = (self.cluster.revision(), self.clock.now());
        let all =
            self.cluster.is_busy() && now.saturating_sub(self.remembered_at) >= REMEMBER_INTERVAL;
        if revision == self.remembered && !all {
            return;
        }
        let since = if all { 0 } else { self.remembered };
        if since == 0 {
            self.remembered_at = now;
        }
        self.remembered = revision;
        self.turn.push(Record::Cluster(Box::new(self.cluster.memory(since))));
    }

    /// Tells what waits no longer. While nothing can be written the test goes on all the same: only
    /// reports are not acknowledged.
    pub(super) fn tell_what_is_safe(&mut self) {
        let Some(scribe) = &self.scribe else { return };
        let safe = scribe.progress().borrow().safe;
        while let Some((number, _)) = self.held.front()
            && (*number <= safe || self.failing.is_some())
            && let Some((_, decided)) = self.held.pop_front()
        {
            self.tell(decided);
        }
    }

    fn tell(&self, decided: Decided) {
        match decided {
            Decided::Order { connection, order } => {
                let connection = self.connections.get(&connection);
                if let Some(worker) = connection.and_then(|it| it.worker.as_ref()) {
                    // It is on its way; what becomes of it shows in the heartbeats.
                    drop(worker.order(*order));
                }
            }
            Decided::Answer { reply, answer } => {
                // Whoever asked may have gone.
                let _ = reply.send(answer);
            }
        }
    }

    /// The writing has gone on, or fails.
    pub(super) fn written(&mut self, progress: &Progress) {
        let failing = progress.failing.clone();
        if self.failing != failing {
            let before = std::mem::replace(&mut self.failing, failing);
            let path = self.scribe.as_ref().map(|scribe| scribe.path().display().to_string());
            let path = path.unwrap_or_default();
            match &self.failing {
                Some(why) => self.notice(format!(
                    "cannot write {path}: {why}. Until that is put right reports are not \
                     acknowledged, and the workers keep them"
                )),
                None if before.is_some() => {
                    self.notice(format!("{path} is written again: nothing was lost"));
                }
                None => {}
            }
            self.show();
        }
        self.tell_what_is_safe();
    }

    /// The news of the scribe.
    pub(super) fn progress(&self) -> Option<watch::Receiver<Progress>> {
        self.scribe.as_ref().map(Scribe::progress)
    }

    /// Room for a report among what waits to be written.
    pub(super) fn room_for(
        &self,
        report: &Report,
    ) -> Option<impl Future<Output = Option<OwnedSemaphorePermit>> + use<>> {
        let scribe = self.scribe.as_ref()?;
        Some(scribe.room(report.delta.message_bytes()))
    }

    /// Resolves when all that has happened is safe.
    pub(super) fn safe(&self) -> Option<impl Future<Output = ()> + use<>> {
        self.scribe.as_ref().map(|scribe| scribe.safe(scribe.written()))
    }
}

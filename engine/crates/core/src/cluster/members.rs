//! Who goes, and how that is noticed.

use std::time::Duration;

use super::worker::{Lost, Worker};
use super::{Action, Cluster, SILENCE_MAX};

impl Cluster {
    /// A worker is gone; with the next orders its users go to the others. `why`: `None` when
    /// nothing is lost with it.
    pub(super) fn part(
        &mut self,
        now: Duration,
        index: usize,
        why: Option<&str>,
        actions: &mut Vec<Action>,
    ) {
        let busy = self.is_busy();
        let worker = &mut self.workers[index];
        let Some(connection) = worker.connection() else { return };
        self.connections.remove(&connection);
        let users = worker.users();
        let lost = why.filter(|_| busy).map(|why| Lost {
            at: now,
            users,
            why: why.to_owned(),
            last_report: worker.reported,
        });
        let id = worker.info().id.clone();
        if let Some(lost) = &lost {
            actions.push(Action::Notice(format!("worker {id} was lost: {lost}")));
        } else if busy && why.is_none() {
            actions.push(Action::Notice(format!("worker {id} left")));
        }
        self.told -= u64::from(users);
        worker.part(lost);
        self.touch(index);
        let worker = &mut self.workers[index];
        if std::mem::take(&mut worker.placed) {
            self.dispatcher.remove_worker(&id);
        }
    }

    pub(super) fn drop_silent(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let silent = |worker: &Worker| now.saturating_sub(worker.last_heard()) > SILENCE_MAX;
        let silent: Vec<_> = self
            .connections
            .iter()
            .filter(|&(_, &index)| silent(&self.workers[index]))
            .map(|(&connection, &index)| (connection, index))
            .collect();
        for (connection, index) in silent {
            self.part(now, index, Some("it fell silent"), actions);
            self.rebalance = true;
            actions.push(Action::Close { connection, reason: "it fell silent".to_owned() });
        }
    }
}

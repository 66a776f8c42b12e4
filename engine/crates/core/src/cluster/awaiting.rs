//! A master that goes on where another one ended waits for the workers of that one.
//!
//! They carry on with their last orders, so there is no haste, and as long as it is not known who
//! is still there nobody is told to start anyone: a user that was on its way when the old master
//! died may run on either of two workers. Once all are back each is told its users, those that it
//! had, and who is on the way.

use std::time::Duration;

use super::motion::LEAVE_SLACK;
use super::worker::Lost;
use super::{Action, Cluster, LOSS_SPREAD};
use crate::message::ClassUsers;

/// Workers that carry on are waited for this long after a restart. They dial at least every 2 s
/// while nobody listens, and have to hear, dial and register; who does not come back is taken for
/// dead, as one whose connection has closed.
pub const AWAIT_MAX: Duration = Duration::from_secs(5);

/// And for this long at least, even if all are back: whom an order of the old master takes away may
/// stop at the end of its spread, and until then nobody else may get that user's id.
const AWAIT_MIN: Duration = LOSS_SPREAD.saturating_add(LEAVE_SLACK);

impl Cluster {
    /// Waits for who was connected, if a test is under way.
    pub(super) fn await_workers(&mut self, now: Duration) {
        let busy = self.is_busy();
        for worker in &mut self.workers {
            worker.awaited &= busy;
            worker.placed &= worker.awaited;
        }
        let awaited = self.workers.iter().filter(|worker| worker.awaited).count();
        if busy {
            self.awaiting = Some(now + AWAIT_MAX);
            self.news.push(format!("the master has restarted: {awaited} workers are awaited"));
        }
    }

    /// Nobody may be told to start users yet.
    pub(super) fn holds_back(&self) -> bool {
        self.awaiting.is_some() && self.is_live()
    }

    /// Ends the waiting when all are back, or it has been long enough.
    pub(super) fn look_for_awaited(&mut self, now: Duration, actions: &mut Vec<Action>) {
        actions.extend(std::mem::take(&mut self.news).into_iter().map(Action::Notice));
        let Some(until) = self.awaiting else { return };
        let missing: Vec<_> =
            (0..self.workers.len()).filter(|&index| self.workers[index].awaited).collect();
        if !missing.is_empty() && (now < until || planted!(EndlessWait)) {
            return;
        }
        if now < until.saturating_sub(AWAIT_MAX.saturating_sub(AWAIT_MIN)) {
            return;
        }
        for index in missing {
            self.give_up(now, index, "it did not come back to the restarted master", actions);
            self.workers[index].awaited = false;
            if std::mem::take(&mut self.workers[index].placed) {
                let id = self.workers[index].info().id.clone();
                self.dispatcher.remove_worker(&id);
            }
        }
        self.awaiting = None;
        self.motion.again(now);
        self.rebalance = true;
        self.revision += 1;
    }

    /// An awaited worker, or the process that it was, is lost.
    pub(super) fn give_up(
        &mut self,
        now: Duration,
        index: usize,
        why: &str,
        actions: &mut Vec<Action>,
    ) {
        let users = self.dispatcher.placement(&self.workers[index].info().id);
        let users = users.iter().map(|ClassUsers { ids, .. }| ids.len()).sum::<u64>();
        let worker = &mut self.workers[index];
        let lost = Lost {
            at: now,
            users: u32::try_from(users).expect("users are counted in u32"),
            why: why.to_owned(),
            last_report: worker.reported,
        };
        actions.push(Action::Notice(format!("worker {} was lost: {lost}", worker.info().id)));
        worker.part(Some(lost), false);
        self.touch(index);
    }
}

//! Who comes and goes, and how that is noticed.

use std::time::Duration;

use super::motion::SPREAD;
use super::worker::{Lost, Worker};
use super::{Action, Cluster, SILENCE_MAX, WORKERS_MAX};
use crate::limits::check_worker_id;
use crate::message::{Refusal, WorkerInfo};

impl Cluster {
    /// A worker wants to join by a new connection. Its index, or why it may not. Its protocol has
    /// been compared before: of another one not even the rest of `info` would be known.
    ///
    /// # Errors
    /// The reason, for the operator of the worker.
    pub fn join(
        &mut self,
        now: Duration,
        connection: u64,
        info: WorkerInfo,
    ) -> (Result<u32, Refusal>, Vec<Action>) {
        let mut actions = Vec::new();
        if let Err(error) = check_worker_id(&info.id) {
            return (Err(Refusal::lasting(error.to_string())), actions);
        }
        let index = match self.by_id.get(&info.id).copied() {
            Some(index) => {
                let worker = &self.workers[index];
                if worker.is_ahead_of(&info) {
                    let reason = "a later attempt of it was first";
                    return (Err(Refusal::temporary(reason)), actions);
                }
                if let Some(old) = worker.connection() {
                    if worker.info().stream == info.stream {
                        self.reconnects(index, old, &mut actions);
                    } else if worker.broken {
                        let why = Some("its connection broke");
                        self.part(now, index, why, &mut actions);
                        self.rebalance = true;
                    } else {
                        // One that has been restarted finds the process before it still there,
                        // which hands its users over or has not been missed yet.
                        let reason = format!(
                            "a worker with the id {} is connected already: give each its own id",
                            info.id
                        );
                        return (Err(Refusal::temporary(reason)), actions);
                    }
                }
                index
            }
            None if self.workers.len() >= WORKERS_MAX => {
                let reason = format!("{WORKERS_MAX} workers have joined already");
                return (Err(Refusal::lasting(reason)), actions);
            }
            None => {
                self.by_id.insert(info.id.clone(), self.workers.len());
                self.workers.push(Worker::new(info.clone()));
                self.workers.len() - 1
            }
        };
        let awaited = self.workers[index].awaited;
        if awaited && self.workers[index].info().stream != info.stream {
            self.give_up(now, index, "another process has taken its place", &mut actions);
        }
        self.workers[index].join(now, connection, info);
        self.workers[index].awaited = false;
        self.touch(index);
        // What was given to it by an earlier master is told again.
        self.rebalance |= awaited;
        self.connections.insert(connection, index);
        (Ok(u32::try_from(index).expect("bounded by WORKERS_MAX")), actions)
    }

    /// A connection has ended. `left`: the worker said so before, and has no users and no samples.
    pub fn closed(&mut self, now: Duration, connection: u64, left: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some(&index) = self.connections.get(&connection) {
            let why = (!left).then_some("its connection closed");
            if left {
                self.has_all_samples(index, &mut actions);
            }
            if left && self.is_busy() {
                let text = format!("worker {} left", self.workers[index].info().id);
                actions.push(Action::Notice(text));
            }
            self.part(now, index, why, &mut actions);
            self.rebalance = true;
            self.settle(now, &mut actions);
        }
        actions
    }

    /// A worker has done what it was told, or has left in order: its samples are there. If it was
    /// lost before, nothing is missing after all.
    pub(super) fn has_all_samples(&mut self, index: usize, actions: &mut Vec<Action>) {
        let worker = &mut self.workers[index];
        if worker.is_found() {
            let text = format!("worker {} is back with all its samples", worker.info().id);
            actions.push(Action::Notice(text));
            self.touch(index);
        }
    }

    /// A connection has ended, and not because the worker's process has ended: something on the way
    /// has broken it, or this side. The worker may run its users for as long as its lease lasts, so
    /// they stay with it: until it comes back, or has been silent for [`SILENCE_MAX`].
    pub fn broke(&mut self, connection: u64) {
        if let Some(&index) = self.connections.get(&connection) {
            self.workers[index].broken = true;
        }
    }

    /// The worker's process connects anew. It keeps its place and its users: what it was told it
    /// may run, whatever it has heard of that, and it is told all of it again.
    pub(super) fn reconnects(&mut self, index: usize, old: u64, actions: &mut Vec<Action>) {
        let worker = &mut self.workers[index];
        self.told -= u64::from(worker.users());
        self.connections.remove(&old);
        if !worker.broken {
            let reason = "its worker has connected anew".to_owned();
            actions.push(Action::Close { connection: old, reason });
        }
        worker.short = true;
        self.rebalance = true;
    }

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
        let lost = why.filter(|_| busy && !planted!(LossUntold)).map(|why| Lost {
            at: now,
            users,
            why: why.to_owned(),
            last_report: worker.reported,
        });
        let id = worker.info().id.clone();
        if let Some(lost) = &lost {
            actions.push(Action::Notice(format!("worker {id} was lost: {lost}")));
        }
        self.told -= u64::from(users);
        worker.part(lost, why.is_none());
        self.touch(index);
        let worker = &mut self.workers[index];
        if std::mem::take(&mut worker.placed) && !planted!(LossForgotten) {
            self.dispatcher.remove_worker(&id);
        }
    }

    /// Whether users of a running test move to even out the workers; they do, unless told
    /// otherwise. Without it a worker that joins gets only users that start, or that have lost
    /// their worker.
    pub fn set_rebalancing(&mut self, rebalances: bool) {
        self.rebalances = rebalances;
        self.dispatcher.set_levels(rebalances);
    }

    /// Says that users have moved; once for those of the same moment.
    pub(super) fn tell_of_moves(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if let Some((_, users)) = self.moved.take_if(|(at, _)| now > *at + SPREAD) {
            let text = format!("{users} users have moved to even out the workers");
            actions.push(Action::Notice(text));
        }
    }

    pub(super) fn drop_silent(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let max = if planted!(SilenceTooShort) { SILENCE_MAX / 2 } else { SILENCE_MAX };
        let silent = |worker: &Worker| now.saturating_sub(worker.last_heard()) > max;
        let silent: Vec<_> = self
            .connections
            .iter()
            .filter(|&(_, &index)| silent(&self.workers[index]))
            .map(|(&connection, &index)| (connection, index))
            .collect();
        for (connection, index) in silent {
            let broken = self.workers[index].broken;
            let why = if broken { "its connection broke" } else { "it fell silent" };
            self.part(now, index, Some(why), actions);
            self.rebalance = true;
            if !broken {
                actions.push(Action::Close { connection, reason: why.to_owned() });
            }
        }
    }
}

//! What must outlive the master's process, so that a test goes on under the next one: plain data.
//!
//! [`Cluster::memory`] gives it, [`Cluster::restore`] makes a cluster of it. Who keeps it follows
//! two rules:
//! - **First the memory, then the orders.** What a call has changed is kept before its actions are
//!   carried out. A master may die between the two, but no worker may have been told what the next
//!   master does not know.
//! - **The clock goes on.** All times are of the master's clock; its successor's begins where the
//!   time is, not at 0. Statistics and moves are on the same axis then.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::worker::{Lost, Worker};
use super::{Cluster, Load, State, Test};
use crate::dispatch::{ClassShare, Dispatcher, PlacedWorker, Placements, PlacementsError};
use crate::ids::IdSet;
use crate::message::{ClassUsers, Digest, WEIGHT_MAX, WorkerInfo};
use crate::pace::{Ramp, RateError};

/// A restarted master's orders are numbered from so much above the last one that it remembers: they
/// grow also where the memory is a little older than the last order.
pub const ORDERS_LEAP: u64 = 1 << 32;

/// What a master knows that its successor must know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The module of the scenario.
    pub module: Digest,
    /// Number of the next test.
    pub next_test: u32,
    /// Number of the last order.
    pub last_order: u64,
    /// Most users alive in the current or last test. Is no change by itself.
    pub users_max: u32,
    /// The current or last test.
    pub test: Option<TestMemory>,
    /// Workers by index, lost ones included: all, or those that have changed.
    pub workers: BTreeMap<u32, WorkerMemory>,
}

/// A test, as far as a successor must know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestMemory {
    /// Its number.
    pub number: u32,
    /// When it began.
    pub start: Duration,
    /// What it puts on the target.
    pub load: Load,
    /// Where it is.
    pub state: State,
    /// When the next users of its ramp are due, while it has one.
    pub ramp_due: Option<Duration>,
    /// The load has fallen, and some of those taken away may still be at their tasks.
    pub falls: bool,
    /// Since when it is stopping; holds in no other state.
    pub stopping: Duration,
    /// Who is on the way from one worker to another, and since when, the earliest first.
    pub moving: Vec<(Duration, IdSet)>,
    /// Users without a worker, by class.
    pub unplaced: Vec<IdSet>,
    /// Users that have finished and are not replaced, by class.
    pub finished: Vec<u32>,
    /// Ids below `next_id` that nobody has.
    pub free_ids: IdSet,
    /// The lowest id that nobody ever had.
    pub next_id: u32,
}

/// A worker, as far as a successor must know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerMemory {
    /// How it introduced itself.
    pub info: WorkerInfo,
    /// It was connected.
    pub connected: bool,
    /// It has left in order.
    pub left: bool,
    /// How it was lost.
    pub lost: Option<Lost>,
    /// How the first process was lost in whose place another one has come.
    pub buried: Option<Lost>,
    /// Most users alive on it in the current or last test. Is no change by itself.
    pub users_max: u32,
    /// When its last report was added. Is no change by itself.
    pub reported: Option<Duration>,
    /// It has a place among those that run users.
    pub placed: bool,
    /// Most users that it can carry in this test; `None` is no limit.
    pub room: Option<u32>,
    /// Who shall run on it, by class.
    pub users: Vec<ClassUsers>,
    /// The test of its last order, and who was to run on it by that, by class.
    pub told: Option<(u32, Vec<ClassUsers>)>,
    /// Who comes to it from another worker or goes to one, and maybe others that have arrived.
    pub moving: IdSet,
    /// Who was to leave it by orders that it has not taken, and maybe others that have left.
    pub unheard: IdSet,
    /// Its users that have finished.
    pub retired: IdSet,
}

/// A memory that no master of this scenario can have had.
#[derive(Debug, Error)]
pub enum MemoryError {
    /// Of another scenario.
    #[error("it is of another module")]
    Module,
    /// There are gaps in the numbers of the workers.
    #[error("worker {0} is missing")]
    WorkerMissing(u32),
    /// Two workers have the same id.
    #[error("two workers have the id {0}")]
    WorkerTwice(String),
    /// A worker has a weight that none can have.
    #[error("worker {worker} has the weight {weight}; it is from 1 to {WEIGHT_MAX}")]
    Weight {
        /// Its id.
        worker: String,
        /// As it was kept.
        weight: u32,
    },
    /// The users cannot be so.
    #[error("the users of its test are not sound")]
    Users(#[from] PlacementsError),
    /// The spawn rate cannot be so.
    #[error("the load of its test is not sound")]
    Rate(#[from] RateError),
}

impl Memory {
    /// Takes what a later [`Cluster::memory`] has given, of changes only.
    pub fn update(&mut self, mut newer: Self) {
        let mut workers = std::mem::take(&mut self.workers);
        workers.append(&mut newer.workers);
        *self = Self { workers, ..newer };
    }
}

impl Cluster {
    /// Grows when the memory changes; 0 for a cluster that nothing has happened to.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What a successor must know: of the workers those that have changed since `revision`, of 0
    /// all of them.
    pub fn memory(&self, since: u64) -> Memory {
        let changed = |worker: &Worker| {
            since == 0
                || worker.revision > since
                || self.is_live() && self.dispatcher.is_changed(&worker.info().id)
        };
        let workers = (0..).zip(&self.workers).filter(|(_, worker)| changed(worker));
        Memory {
            module: self.module,
            next_test: self.next_test,
            last_order: self.last_order,
            users_max: self.users_max,
            test: self.test.as_ref().map(|test| self.remember_test(test)),
            workers: workers.map(|(index, worker)| (index, self.remember(worker))).collect(),
        }
    }

    fn remember_test(&self, test: &Test) -> TestMemory {
        let Placements { unplaced, finished, free_ids, next_id, .. } = self.dispatcher.remainder();
        TestMemory {
            number: test.number,
            start: test.start,
            load: test.load.clone(),
            state: test.state,
            ramp_due: test.ramp.as_ref().map(Ramp::next_due),
            falls: test.falls,
            stopping: test.stopping,
            moving: self.motion.rebalances(),
            unplaced,
            finished,
            free_ids,
            next_id,
        }
    }

    fn remember(&self, worker: &Worker) -> WorkerMemory {
        let id = &worker.info().id;
        WorkerMemory {
            connected: worker.connection().is_some() || worker.awaited,
            room: self.dispatcher.limit(id),
            users: self.dispatcher.placement(id),
            ..worker.remember()
        }
    }

    /// Worker `index` is not what the memory last said of it.
    pub(super) fn touch(&mut self, index: usize) {
        self.revision += 1;
        self.workers[index].revision = self.revision;
    }

    /// A master of the scenario with these classes that goes on where another one ended. Its clock
    /// shows `now`, which is not before any time in `memory`. `first_test` as in [`Self::new`].
    ///
    /// While a test runs its workers are waited for, at most [`super::AWAIT_MAX`]: until all are
    /// back, and whom the earlier master has told to stop has stopped, nobody is told anything but
    /// to stop. Who stays away is lost.
    ///
    /// # Errors
    /// The memory is of another module, or contradicts itself.
    pub fn restore(
        module: Digest,
        classes: Vec<ClassShare>,
        first_test: u32,
        memory: Memory,
        now: Duration,
    ) -> Result<Self, MemoryError> {
        if memory.module != module {
            return Err(MemoryError::Module);
        }
        let mut cluster = Self::new(module, classes, first_test.max(memory.next_test));
        if !planted!(NumbersAgain) {
            cluster.last_order = memory.last_order.saturating_add(ORDERS_LEAP);
        }
        cluster.users_max = memory.users_max;
        cluster.revision = 1;
        let mut placements = Placements::default();
        for ((index, worker), expected) in memory.workers.into_iter().zip(0..) {
            if index != expected {
                return Err(MemoryError::WorkerMissing(expected));
            }
            placements.workers.extend(worker.placed.then(|| {
                let WorkerMemory { info, room, users, .. } = &worker;
                PlacedWorker {
                    id: info.id.clone(),
                    users_max: *room,
                    weight: info.weight,
                    users: users.clone(),
                }
            }));
            cluster.remind(worker)?;
        }
        if let Some(test) = memory.test {
            cluster.resume_test(now, test, placements)?;
        }
        cluster.await_workers(now);
        Ok(cluster)
    }

    fn remind(&mut self, memory: WorkerMemory) -> Result<(), MemoryError> {
        let WorkerInfo { id, weight, .. } = memory.info.clone();
        if !(1..=WEIGHT_MAX).contains(&weight) {
            return Err(MemoryError::Weight { worker: id, weight });
        }
        if self.by_id.insert(id.clone(), self.workers.len()).is_some() {
            return Err(MemoryError::WorkerTwice(id));
        }
        self.workers.push(Worker::reminded(memory));
        Ok(())
    }

    fn resume_test(
        &mut self,
        now: Duration,
        test: TestMemory,
        mut placements: Placements,
    ) -> Result<(), MemoryError> {
        let mut ramp = Ramp::new(now, test.load.spawn_rate)?;
        ramp.delay(test.ramp_due.unwrap_or_default());
        let live = matches!(test.state, State::Spawning | State::Running);
        if live {
            placements.unplaced = test.unplaced;
            placements.finished = test.finished;
            placements.free_ids = test.free_ids;
            placements.next_id = test.next_id;
            self.dispatcher = Dispatcher::restore(&self.classes, placements)?;
            self.dispatcher.set_target(test.load.users, test.load.only());
            self.motion.resume(test.moving);
        }
        self.test = Some(Test {
            number: test.number,
            start: test.start,
            load: test.load,
            state: test.state,
            ramp: test.ramp_due.map(|_| ramp),
            falls: test.falls,
            stopping: test.stopping,
        });
        Ok(())
    }
}

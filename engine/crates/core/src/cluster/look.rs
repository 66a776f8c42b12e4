//! How things are, for those who only look.

use std::time::Duration;

use crate::message::{ClassUsers, Connections};

use super::worker::Worker;
use super::{Cluster, Load, State};

impl Cluster {
    /// Is a test under way?
    pub fn is_busy(&self) -> bool {
        self.state().is_busy()
    }

    /// Users run, or are about to.
    pub(super) fn is_live(&self) -> bool {
        self.state().is_live()
    }

    /// Where the test is.
    pub fn state(&self) -> State {
        self.test.as_ref().map_or(State::Ready, |test| test.state)
    }

    /// Number of the current or last test.
    pub fn test_number(&self) -> Option<u32> {
        self.test.as_ref().map(|test| test.number)
    }

    /// When the current or last test began.
    pub fn test_start(&self) -> Option<Duration> {
        self.test.as_ref().map(|test| test.start)
    }

    /// The load of the current or last test.
    pub fn load(&self) -> Option<&Load> {
        self.test.as_ref().map(|test| &test.load)
    }

    /// All workers by index, lost ones included.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// The worker of an open connection.
    pub fn worker_of(&self, connection: u64) -> Option<&Worker> {
        self.connections.get(&connection).map(|&index| &self.workers[index])
    }

    /// Workers that can run users.
    pub fn ready_workers(&self) -> usize {
        self.workers.iter().filter(|worker| worker.is_ready()).count()
    }

    /// Users that the workers which are ready can carry together; `None` is no limit, or not known
    /// because none is ready.
    pub fn room(&self) -> Option<u32> {
        let mut able = self.workers.iter().filter(|worker| worker.is_ready()).peekable();
        able.peek()?;
        able.map(|worker| worker.room(self.connections_of_test()))
            .try_fold(0_u32, |sum, room| Some(sum.saturating_add(room?)))
    }

    /// Whose connections carry the requests of the current or last test.
    pub(super) fn connections_of_test(&self) -> Connections {
        self.load().map(|load| load.settings.connections).unwrap_or_default()
    }

    /// Users alive, as the workers tell. Their words arrive at different moments, so one that
    /// moves may be in the words of two workers; it is counted once, as there are never more users
    /// than ids given out.
    pub fn users(&self) -> u32 {
        let told = u32::try_from(self.told).unwrap_or(u32::MAX);
        match &self.test {
            Some(test) if test.only_grows() => {
                told.min(self.dispatcher.users() + self.dispatcher.unplaced())
            }
            _ => told,
        }
    }

    /// Requests that are on their way now, as the workers tell. One that is lost takes its own
    /// along.
    pub fn in_flight(&self) -> u64 {
        let told = self.workers.iter().filter_map(Worker::beat).map(|beat| beat.in_flight);
        told.fold(0, u64::saturating_add)
    }

    /// Users that shall run now, as far as the ramp has come; 0 once the test stops.
    pub fn users_wanted(&self) -> u32 {
        if self.is_live() { self.dispatcher.users() + self.dispatcher.unplaced() } else { 0 }
    }

    /// Users of a worker that shall run on it now, by class; it may not have been told yet.
    pub fn placement(&self, worker: &str) -> Vec<ClassUsers> {
        if self.is_live() { self.dispatcher.placement(worker) } else { Vec::new() }
    }

    /// Is it waiting for the workers of an earlier master?
    pub fn is_waiting(&self) -> bool {
        self.awaiting.is_some()
    }

    /// Most users alive in the current or last test.
    pub fn users_max(&self) -> u32 {
        self.users_max
    }

    /// Users alive by class, as the workers tell.
    pub fn users_by_class(&self) -> Vec<u32> {
        let mut users = vec![0; self.classes.len()];
        for &(class, count) in self.workers.iter().flat_map(Worker::users_by_class) {
            if let Some(users) = users.get_mut(class as usize) {
                *users = u32::saturating_add(*users, count);
            }
        }
        users
    }
}

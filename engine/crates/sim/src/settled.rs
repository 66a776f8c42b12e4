//! What must hold when nothing has gone wrong for a while.

use std::collections::BTreeSet;

use swarm_core::cluster::State;

use crate::master::Master;
use crate::worker::Process;
use crate::world::World;

/// Samples of the last seconds may not have been reported yet, of each user.
const PENDING_PER_USER: u64 = 4;

/// Samples on their way whoever takes them.
const PENDING: u64 = 20;

/// Of a worker: users that run on it, the most that it takes, and its weight.
type Seats = (u32, u32, u32);

impl World {
    /// Looks whether all is in order.
    pub(crate) fn check_settled(&mut self) {
        self.seen.settled += 1;
        let found = match &self.master {
            None => Err("there is no master".to_owned()),
            Some(master) => {
                self.users_in_order(master).and_then(|()| self.samples_in_order(master))
            }
        };
        if let Err(what) = found {
            self.fail(format!("not in order: {what}"));
        }
    }

    /// Workers that can run users.
    fn able(&self) -> impl Iterator<Item = (usize, &Process)> {
        let workers = self.workers.iter().enumerate();
        workers.filter_map(|(w, worker)| {
            let process = worker.process.as_ref().filter(|_| worker.frozen.is_none())?;
            self.net.links[w].up.then_some((w, process))
        })
    }

    fn users_in_order(&self, master: &Master) -> Result<(), String> {
        let cluster = &master.cluster;
        let alive: u32 = self.able().map(|(_, process)| count(process.users())).sum();
        let state = cluster.state();
        match state {
            State::Stopping if self.is_stopping_late(master) => {
                return Err("the test does not stop".to_owned());
            }
            State::Stopping => return Ok(()),
            State::Ready | State::Stopped if alive > 0 => {
                return Err(format!("{alive} users run without a test"));
            }
            State::Ready | State::Stopped => return Ok(()),
            State::Spawning if self.able().next().is_some() => {
                return Err(format!("still spawning, {alive} users run"));
            }
            State::Spawning | State::Running => {}
        }
        let wanted = cluster.users_wanted();
        let asked = cluster.load().map_or(0, |load| load.users);
        let mut counts = Vec::new();
        for (w, process) in self.able() {
            let worker = &self.workers[w];
            let running: BTreeSet<u32> = process.running().into_iter().collect();
            let placed: BTreeSet<u32> = cluster
                .placement(&worker.id)
                .iter()
                .flat_map(|class| class.ids.iter().collect::<Vec<_>>())
                .collect();
            if running != placed {
                return Err(format!("worker {w} runs {running:?}, and should {placed:?}"));
            }
            let room = worker.users_max.unwrap_or(u32::MAX);
            counts.push((count(running.len()), room, worker.weight));
        }
        if counts.is_empty() {
            return Ok(());
        }
        let room = counts.iter().fold(0_u32, |sum, &(_, room, _)| sum.saturating_add(room));
        let finished = self.finished.len();
        let expected = asked.min(room);
        if wanted > asked || alive > expected || alive + count(finished) < expected {
            return Err(format!("{alive} users run, {wanted} are wanted, {expected} are possible"));
        }
        if cluster.users() != alive {
            return Err(format!("{alive} users run, and the master sees {}", cluster.users()));
        }
        // Who finished is not replaced, wherever that was.
        let spare = count(finished);
        let gives = |&(users, _, weight): &Seats| (i64::from(users) * 2 - 1, i64::from(weight));
        let takes = |&(users, _, weight): &Seats| (i64::from(users + spare) * 2 + 1, weight.into());
        let above = |(a, b): (i64, i64), (c, d): (i64, i64)| a * d > c * b;
        for low in counts.iter().filter(|&&(users, room, _)| users + spare < room) {
            if let Some(high) = counts.iter().find(|high| above(gives(high), takes(low))) {
                return Err(format!("workers have {high:?} and {low:?} users, limit, weight"));
            }
        }
        Ok(())
    }

    fn samples_in_order(&self, master: &Master) -> Result<(), String> {
        let cluster = &master.cluster;
        let Some(test) = cluster.test_number() else { return Ok(()) };
        let applied = |stream: u64| -> u64 {
            let reports = self.applied.get(&stream).into_iter().flat_map(|all| all.values());
            reports.filter(|report| report.test == test).map(|report| report.delta.requests()).sum()
        };
        let all: u64 = self.applied.keys().map(|&stream| applied(stream)).sum();
        let ids = self.workers.iter().map(|worker| &worker.id);
        let counted: u64 = ids.map(|id| master.totals.requests_of(id)).sum();
        if all != counted {
            return Err(format!("{all} samples were reported, the result has {counted}"));
        }
        // Each took a connection that was kept.
        let reused = master.totals.connections().reused;
        if reused != counted {
            return Err(format!("{counted} samples took {reused} kept connections"));
        }
        let told = |id: &str| {
            let mut workers = cluster.workers().iter();
            let worker = workers.find(|worker| worker.info().id == id);
            master.incomplete
                || self.may_be_missing
                || worker.is_some_and(|worker| worker.lost().is_some())
        };
        for (id, process) in &self.dead {
            let recorded = process.recorded.get(&test).copied().unwrap_or(0);
            let there = applied(process.stream);
            if there > recorded || there < recorded && !told(id) {
                return Err(format!(
                    "the late worker {id} took {recorded} samples, {there} were reported, and \
                     nothing is said of it"
                ));
            }
        }
        let asked = cluster.load().map_or(0, |load| load.users);
        for (w, process) in self.able() {
            let recorded = process.recorded.get(&test).copied().unwrap_or(0);
            let there = applied(process.stream);
            let pending = match cluster.state() {
                State::Stopped | State::Ready => 0,
                // Its users have just ended, maybe all that there were.
                State::Stopping => PENDING + PENDING_PER_USER * u64::from(asked),
                State::Spawning | State::Running => {
                    PENDING + PENDING_PER_USER * process.users() as u64
                }
            };
            let missing = recorded.saturating_sub(there) > pending;
            if there > recorded || missing && !told(&self.workers[w].id) {
                let waits = process.waits();
                return Err(format!(
                    "worker {w} took {recorded} samples, {there} were reported, and nothing is \
                     said of it; {waits}"
                ));
            }
        }
        Ok(())
    }
}

fn count(users: usize) -> u32 {
    u32::try_from(users).expect("users are counted in u32")
}

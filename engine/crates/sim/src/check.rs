//! What must hold.
//!
//! - **No user in two places.** Judged are users that run and were not told to stop; one that is
//!   told finishes its task ([`swarm_core::agent::MOVE_GRACE`]) while its successor begins.
//!   [`OVERLAP_MAX_US`] is allowed, as workers know the master's clock to half a trip. One
//!   exception: a process that has just thawed needs one look at its clock.
//! - **Never over target.** Running users are never more than were to run within the last
//!   [`WANTED_WINDOW_US`] (a worker that is cut off keeps its users for the lease) by more than 1 %
//!   for more than 1 s.
//! - **Back at target in time.** Users are as many as were to run all through the last
//!   [`BEHIND_US`], as far as there is room for them; what goes wrong gives [`BACK_AFTER_CLOSE_US`]
//!   or [`BACK_AFTER_SILENCE_US`] to get there again, from the last of it on. While users move
//!   they may be fewer for [`SHORT_MAX_US`]. Without a master nobody can bring them back, and a
//!   restarted one waits for its workers first.
//! - **Stopped is stopped.** [`World::check_stopped`](crate::world::World).
//! - **Order numbers only grow**, **samples count once**, **nothing acknowledged is lost**,
//!   **all is back in order**: where it happens, in `master` and `world`.

use std::collections::{BTreeMap, VecDeque};

/// How long a user that moves may run twice, in microseconds.
pub const OVERLAP_MAX_US: u64 = 100_000;

/// In microseconds: the lease, a spread, and the way.
pub const WANTED_WINDOW_US: u64 = 5_000_000;

/// Longest time above the target, in microseconds.
pub const OVER_MAX_US: u64 = 1_000_000;

/// After an end of a connection or a process users are back within this time, in microseconds; the
/// same holds for what is no fault: workers that join or leave, and another load.
pub const BACK_AFTER_CLOSE_US: u64 = 5_000_000;

/// After silence users are back within this time, in microseconds.
pub const BACK_AFTER_SILENCE_US: u64 = 8_000_000;

/// Users of a step of a ramp start over a second, and have to be told, in microseconds.
pub const BEHIND_US: u64 = 1_500_000;

/// Users may be fewer while some move, in microseconds.
pub const SHORT_MAX_US: u64 = 2_000_000;

/// Test and id of a user.
type Key = (u32, u32);

/// Who runs where, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Check {
    /// Workers that run a user which was not told to stop.
    holders: BTreeMap<Key, Vec<usize>>,
    /// Users with more than one, and since when that counts.
    doubles: BTreeMap<Key, Option<u64>>,
    /// Users by test and worker.
    running: BTreeMap<(u32, usize), u32>,
    /// How many were to run, and until when; falling.
    wanted: VecDeque<(u64, u32)>,
    over_since: Option<u64>,
    /// How many were to run and had room, and since when; rising.
    possible: VecDeque<(u64, u32)>,
    short_since: Option<u64>,
    /// Until then they may be fewer.
    back_by_us: u64,
}

impl Check {
    pub(crate) fn begins(&mut self, worker: usize, test: u32, id: u32) {
        let holders = self.holders.entry((test, id)).or_default();
        holders.push(worker);
        if holders.len() > 1 {
            self.doubles.insert((test, id), None);
        }
        *self.running.entry((test, worker)).or_default() += 1;
    }

    /// A user ends, or is told to.
    pub(crate) fn ends(&mut self, worker: usize, test: u32, id: u32) {
        let Some(holders) = self.holders.get_mut(&(test, id)) else { return };
        let Some(place) = holders.iter().position(|&holder| holder == worker) else { return };
        holders.swap_remove(place);
        if holders.len() < 2 {
            self.doubles.remove(&(test, id));
        }
        if holders.is_empty() {
            self.holders.remove(&(test, id));
        }
        let running = self.running.get_mut(&(test, worker)).expect("it has begun");
        *running -= 1;
        if *running == 0 {
            self.running.remove(&(test, worker));
        }
    }

    /// Users of a test on a worker that were not told to stop.
    pub(crate) fn on(&self, test: u32, worker: usize) -> u32 {
        self.running.get(&(test, worker)).copied().unwrap_or(0)
    }

    /// So many users are to run now.
    pub(crate) fn wanted(&mut self, now_us: u64, users: u32) {
        while self.wanted.back().is_some_and(|&(_, wanted)| wanted <= users) {
            self.wanted.pop_back();
        }
        self.wanted.push_back((now_us, users));
    }

    /// Something has happened that may cost users: they are back `within_us`.
    pub(crate) fn disturbed(&mut self, now_us: u64, within_us: u64) {
        self.back_by_us = self.back_by_us.max(now_us + within_us);
    }

    /// There is no master that could bring users back, or nobody shall run.
    pub(crate) fn nobody_asks(&mut self) {
        self.possible.clear();
        self.short_since = None;
    }

    /// So many users are to run now and have room. Are they there?
    pub(crate) fn look_for(
        &mut self,
        now_us: u64,
        test: u32,
        possible: u32,
        exempt: &[bool],
    ) -> Result<(), String> {
        while self.possible.back().is_some_and(|&(_, before)| before >= possible) {
            self.possible.pop_back();
        }
        self.possible.push_back((now_us, possible));
        while self.possible.len() > 1 && self.possible[0].0 + BEHIND_US < now_us {
            self.possible.pop_front();
        }
        let expected = self.possible.front().map_or(0, |&(_, users)| users);
        let users = self.users(test, exempt);
        if users >= expected {
            self.short_since = None;
            return Ok(());
        }
        let since = *self.short_since.get_or_insert(now_us);
        if now_us > self.back_by_us.max(since + SHORT_MAX_US) {
            return Err(format!(
                "{users} users run where {expected} are wanted, for {:.1} s",
                (now_us - since) as f64 / 1e6
            ));
        }
        Ok(())
    }

    /// Users of a test that were not told to stop, on workers that are not `exempt`.
    fn users(&self, test: u32, exempt: &[bool]) -> u32 {
        let on = self.running.range((test, 0)..=(test, usize::MAX));
        on.filter(|((_, worker), _)| !exempt[*worker]).map(|(_, users)| users).sum()
    }

    /// Looks at users and their number; `exempt` workers do not count.
    pub(crate) fn sweep(
        &mut self,
        now_us: u64,
        test: Option<u32>,
        exempt: &[bool],
    ) -> Result<(), String> {
        for (&(test, id), since) in &mut self.doubles {
            let holders = &self.holders[&(test, id)];
            if holders.iter().filter(|&&holder| !exempt[holder]).count() < 2 {
                *since = None;
                continue;
            }
            let begun = *since.get_or_insert(now_us);
            if now_us - begun > OVERLAP_MAX_US {
                return Err(format!("user {id} of test {test} runs on workers {holders:?}"));
            }
        }
        let Some(test) = test else { return Ok(()) };
        while self.wanted.len() > 1 && self.wanted[1].0 + WANTED_WINDOW_US < now_us {
            self.wanted.pop_front();
        }
        let wanted = self.wanted.front().map_or(0, |&(_, users)| users);
        let users = self.users(test, exempt);
        if users <= wanted + wanted / 100 {
            self.over_since = None;
        } else if now_us - *self.over_since.get_or_insert(now_us) > OVER_MAX_US {
            return Err(format!("{users} users run where {wanted} are wanted"));
        }
        Ok(())
    }
}

//! The master's placement of virtual users on workers: a deterministic data structure.
//!
//! # Layout
//! - `share`: which class gains or loses the next user.
//! - `roster`: the workers in their order, and who runs on them.
//! - `mix`: which of equally loaded workers gets which class.
//! - `memory`: what it knows, as plain data.
//!
//! # Rules
//! 1. Users are added to the least loaded worker that has room and removed from the most loaded
//!    one, by the weights of the workers. With equal weights, which is the rule, workers never
//!    differ by more than one user unless a limit keeps one lower.
//! 2. The class comes from the counts alone: fixed classes first, then the class that brings the
//!    counts nearest to the weights. Removal is the exact reverse, so 9 -> 8 -> 9 users end as
//!    they began, and a ratio that an order for a subset of classes bent is mended on the way
//!    down. Fixed classes are the last to shrink.
//! 3. Which of equally loaded workers serves first is decided by the mix: every worker shall have
//!    its part of every class. Only among equals the order counts: first of each host, second of
//!    each host, and so on. A plan is made for all workers at that load, also for those whose turn
//!    comes with a later step. Between workers of different weights hardly any two are ever equally
//!    loaded: there the next few dozen users are dealt out together, and on the way to a target the
//!    classes may be a few users from what rule 2 says.
//! 4. When the most loaded workers have no user of the class that should shrink, which happens
//!    with few users on each, balance goes first: the class nearest to it shrinks instead.
//! 5. A step never moves a user. Workers that come or go cause the fewest moves that restore
//!    rule 1; a user keeps its id and its class.
//! 6. A user that finished by its own wish is not replaced: it counts towards the target, and
//!    towards its class, until the target falls. Then finished users go first, as nobody runs
//!    them. What finishes is no reason to move others, so the balance of rule 1 comes back with
//!    the next users that come or the next change of workers. Only who lost its worker and found
//!    no room takes the room of who finished.
//! 7. What comes to a worker in one step has ids in a row, class by class, as far as they are
//!    free: users are held and told as runs of ids, and what a step costs does not depend on the
//!    users that it leaves alone.

mod memory;
mod mix;
mod roster;
mod share;

use std::cmp::Reverse;

use crate::ids::{IdRun, IdSet};
use crate::message::ClassUsers;
use crate::plan::Population;
pub use memory::{PlacedWorker, Placements, PlacementsError};
use roster::{Roster, Seat};
use share::{Sequence, Shares};

/// What a class is entitled to.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassShare {
    /// Equal classes go by name.
    pub name: String,
    /// As in the plan; weights as [`crate::validate::validate`] accepts them.
    pub population: Population,
}

/// Who runs where. See the module's rules.
///
/// Users are known by ids, unique among the living: the lowest free one is given to the next. The
/// id of a user that finished is not given again.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    shares: Shares,
    roster: Roster,
    /// Users without a worker, because no worker had room, by class.
    unplaced: Vec<IdSet>,
    /// Users that finished and are not replaced, by class.
    finished: Vec<u32>,
    target: u32,
    /// By class: may it gain users?
    eligible: Vec<bool>,
    ids: Ids,
    /// Users may be moved to even out the workers.
    levels: bool,
}

/// The lowest free ids are given first.
#[derive(Debug, Clone, Default)]
struct Ids {
    free: IdSet,
    next: u32,
}

impl Ids {
    fn take(&mut self, users: u32) -> IdSet {
        let mut ids = self.free.take_first(u64::from(users));
        let new = users - u32::try_from(ids.len()).expect("no more than were asked for");
        if new > 0 {
            ids.insert_run(IdRun { first: self.next, last: self.next + (new - 1) });
            self.next += new;
        }
        ids
    }
}

impl Dispatcher {
    /// No worker, no user, target 0. Classes are known by their index from here on.
    #[must_use]
    pub fn new(classes: &[ClassShare]) -> Self {
        Self {
            shares: Shares::new(classes),
            roster: Roster::new(classes.len()),
            unplaced: vec![IdSet::new(); classes.len()],
            finished: vec![0; classes.len()],
            target: 0,
            eligible: vec![true; classes.len()],
            ids: Ids::default(),
            levels: true,
        }
    }

    /// Whether users are moved to even out the workers; they are, unless told otherwise. Without it
    /// rules 1 and 5 hold only for who is added or removed.
    pub fn set_levels(&mut self, levels: bool) {
        self.levels = levels;
    }

    /// A worker comes; `users_max` is the most users it accepts, `None` is no limit, and `weight`
    /// its part beside those of the others, from 1 to [`crate::message::WEIGHT_MAX`]. It takes its
    /// share at once. For a worker that is there already only limit and weight change.
    pub fn add_worker(&mut self, id: &str, users_max: Option<u32>, weight: u32) {
        self.roster.admit(id, users_max, weight);
        if let Some(place) = self.roster.place(id) {
            for _ in 0..self.roster.excess(place) {
                let class = self
                    .roster
                    .classes(place)
                    .max_by_key(|&class| (self.roster.count(place, class), Reverse(class)));
                let class = class.expect("a worker with users has a class with users");
                let user = self.roster.take((place, class));
                self.unplaced[class].insert(user);
            }
        }
        self.level();
    }

    /// A worker is gone; its users go to the others at once, as far as these have room. The rest
    /// stays unplaced until there is room. An unknown id changes nothing.
    pub fn remove_worker(&mut self, id: &str) {
        if let Some(users) = self.roster.dismiss(id) {
            self.unplaced.iter_mut().zip(&users).for_each(|(all, users)| all.insert_all(users));
            self.level();
        }
    }

    /// How many users there shall be. [`Self::step`] goes there. Only classes with an index in
    /// `only` gain users on the way up, `None` is all; on the way down any class shrinks.
    pub fn set_target(&mut self, users: u32, only: Option<&[u32]>) {
        self.target = users;
        for (class, eligible) in (0_u32..).zip(&mut self.eligible) {
            *eligible = only.is_none_or(|only| only.contains(&class));
        }
    }

    /// A user has finished by its own wish. An id that no user on a worker has changes nothing.
    pub fn retire(&mut self, id: u32) {
        if let Some(class) = self.roster.take_user(id) {
            self.finished[class] += 1;
        }
    }

    /// Gives the users that lost their worker the room that others have left by finishing.
    pub fn place_waiting(&mut self) {
        if self.unplaced() > 0 && self.roster.capacity() > self.roster.users() {
            self.place_unplaced();
        }
    }

    /// Have all users finished that the target allows for? False when there never was one.
    #[must_use]
    pub fn all_retired(&self) -> bool {
        let finished = self.finished.iter().any(|&users| users > 0);
        finished && self.users() == 0 && self.unplaced() == 0 && self.at_target()
    }

    /// Adds or removes up to `n` users, towards the target. True when [`Self::at_target`].
    pub fn step(&mut self, n: u32) -> bool {
        let users = self.claimed();
        if users > self.target {
            self.shrink(n.min(users - self.target));
        } else {
            self.grow(n);
        }
        self.at_target()
    }

    /// Is there nothing to do for [`Self::step`]? The target may still be out of reach.
    #[must_use]
    pub fn at_target(&self) -> bool {
        let users = self.claimed();
        users == self.target || (users < self.target && users >= self.reachable())
    }

    /// Users on all workers together.
    #[must_use]
    pub fn users(&self) -> u32 {
        self.roster.users()
    }

    /// Users on all workers together, by class.
    #[must_use]
    pub fn users_by_class(&self) -> Vec<u32> {
        self.roster.counts().to_vec()
    }

    /// Users that lost their worker and wait for one with room.
    #[must_use]
    pub fn unplaced(&self) -> u32 {
        (0..self.unplaced.len()).map(|class| self.waiting(class)).sum()
    }

    /// How many users there shall be.
    #[must_use]
    pub fn target(&self) -> u32 {
        self.target
    }

    /// The users at which [`Self::step`] ends, unplaced and finished ones included: the target, or
    /// less where the limits of the workers or of fixed classes are lower. Without a worker nobody
    /// can be added.
    #[must_use]
    pub fn reachable(&self) -> u32 {
        let counts = self.claimed_by_class();
        let users: u32 = counts.iter().sum();
        let room = (0..self.shares.len())
            .filter(|&class| self.eligible[class])
            .try_fold(0_u32, |sum, class| {
                Some(sum.saturating_add(self.shares.room(class, counts[class])?))
            });
        let on_workers = self.roster.capacity().saturating_sub(self.roster.users());
        let room = room.map_or(on_workers, |room| room.min(on_workers));
        self.target.min(users.saturating_add(room))
    }

    /// The complete users of a worker, classes and ids ascending. Empty for an unknown id.
    #[must_use]
    pub fn placement(&self, worker: &str) -> Vec<ClassUsers> {
        let place = self.roster.place(worker);
        place.map_or_else(Vec::new, |place| self.roster.placement(place))
    }

    /// Ids of the workers whose users have changed since the last time that this was asked. One
    /// that has come since is among them, also without users.
    pub fn take_changed(&mut self) -> Vec<String> {
        self.roster.take_changed()
    }

    /// Is this worker among those that [`Self::take_changed`] would tell?
    #[must_use]
    pub fn is_changed(&self, worker: &str) -> bool {
        self.roster.place(worker).is_some_and(|place| self.roster.is_changed(place))
    }

    /// The most users that a worker accepts; `None` is no limit, or an unknown id.
    #[must_use]
    pub fn limit(&self, worker: &str) -> Option<u32> {
        self.roster.place(worker).and_then(|place| self.roster.limit(place))
    }

    /// The workers in their order, with their numbers of users.
    pub fn workers(&self) -> impl Iterator<Item = (&str, u32)> {
        self.roster.workers()
    }

    /// Users that count towards the target: on a worker, unplaced, or finished.
    fn claimed(&self) -> u32 {
        self.users() + self.unplaced() + self.finished.iter().sum::<u32>()
    }

    fn claimed_by_class(&self) -> Vec<u32> {
        let mut counts = self.idle_by_class();
        counts.iter_mut().zip(self.roster.counts()).for_each(|(all, users)| *all += users);
        counts
    }

    /// Users that count towards the target although nobody runs them.
    fn idle_by_class(&self) -> Vec<u32> {
        let classes = self.finished.iter().enumerate();
        classes.map(|(class, finished)| finished + self.waiting(class)).collect()
    }

    /// Users of a class without a worker.
    fn waiting(&self, class: usize) -> u32 {
        u32::try_from(self.unplaced[class].len()).expect("users are counted in u32")
    }

    fn grow(&mut self, n: u32) {
        let ahead = self.reachable().saturating_sub(self.claimed());
        let shares = self.shares.clone();
        let classes = shares.growth(&self.claimed_by_class(), |class| self.eligible[class]);
        let seats = self.fill(n, ahead, classes);
        self.name(seats, |dispatcher, _, users| dispatcher.ids.take(users));
    }

    fn shrink(&mut self, n: u32) {
        let left = n - self.forget_idle(n);
        let ahead = self.claimed() - self.target;
        let shares = self.shares.clone();
        let classes = shares.decline(&self.claimed_by_class());
        for (_, user) in self.drain(left, ahead, classes) {
            self.ids.free.insert(user);
        }
    }

    /// Takes up to `n` of those away that nobody runs. Returns how many.
    fn forget_idle(&mut self, n: u32) -> u32 {
        let mut counts = self.claimed_by_class();
        let mut idle = self.idle_by_class();
        for forgotten in 0..n {
            let waiting = (0..idle.len()).filter(|&class| idle[class] > 0);
            let Some(class) = self.shares.first_to_go(&counts, waiting) else { return forgotten };
            counts[class] -= 1;
            idle[class] -= 1;
            if self.finished[class] > 0 {
                self.finished[class] -= 1;
            } else {
                let user = self.unplaced[class].take_first(1);
                self.ids.free.insert_all(&user);
            }
        }
        n
    }

    /// Restores the balance after workers or limits changed.
    fn level(&mut self) {
        self.place_unplaced();
        let moves = if self.levels { self.roster.moves() } else { 0 };
        if moves > 0 {
            // What moves has the mix of the whole.
            let counts = self.roster.counts();
            let shares = Shares::like(counts);
            let classes = shares.growth(&vec![0; counts.len()], |_| true);
            let moved = self.drain(moves, moves, classes);
            for (class, user) in moved {
                self.unplaced[class].insert(user);
            }
            self.place_unplaced();
        }
    }

    fn place_unplaced(&mut self) {
        let waiting: Vec<u32> = (0..self.unplaced.len()).map(|class| self.waiting(class)).collect();
        let shares = Shares::like(&waiting);
        // The reverse of a decline: interleaved, and each class exactly as often as it waits.
        let mut classes: Vec<usize> = shares.decline(&waiting).collect();
        classes.reverse();
        let users = self.unplaced();
        let seats = self.fill(users, users, classes.into_iter());
        self.name(seats, |dispatcher, class, users| {
            dispatcher.unplaced[class].take_first(u64::from(users))
        });
    }

    /// Takes up to `n` seats for users of `classes`, as far as there is room, and plans for
    /// `ahead`.
    fn fill(&mut self, n: u32, ahead: u32, mut classes: impl Iterator<Item = usize>) -> Vec<Seat> {
        let (mut left, mut ahead) = (n.min(ahead) as usize, ahead as usize);
        let mut laps = self.roster.fill_order();
        let mut seats = Vec::with_capacity(left);
        while left > 0 {
            let lap = laps.next(|place, more| self.roster.has_room_after(place, more));
            let planned: Vec<usize> = classes.by_ref().take(lap.len().min(ahead)).collect();
            if planned.is_empty() {
                break;
            }
            let dealt = mix::deal(&lap, &planned, |place, class| self.roster.served(place, class));
            let now = left.min(planned.len());
            for seat in dealt.into_iter().take(now) {
                self.roster.reserve(seat);
                seats.push(seat);
            }
            left -= now;
            ahead -= now;
        }
        seats
    }

    /// Gives the seats to users: those of one class on one worker together. `users` says who they
    /// are, so many of a class.
    fn name(&mut self, mut seats: Vec<Seat>, users: impl Fn(&mut Self, usize, u32) -> IdSet) {
        seats.sort_unstable();
        for group in seats.chunk_by(|a, b| a == b) {
            let count = u32::try_from(group.len()).expect("users are counted in u32");
            let users = users(self, group[0].1, count);
            self.roster.seat(group[0], &users);
        }
    }

    /// Takes up to `n` users from the workers, and plans for `ahead`. Returns (class, id).
    fn drain(&mut self, n: u32, ahead: u32, mut classes: impl Sequence) -> Vec<(usize, u32)> {
        let (mut left, mut ahead) = (n.min(ahead) as usize, ahead as usize);
        let mut laps = self.roster.drain_order();
        let mut taken = Vec::with_capacity(left);
        while left > 0 {
            let lap = laps.next(|place, less| self.roster.load(place) > less);
            let planned: Vec<usize> = classes.by_ref().take(lap.len().min(ahead)).collect();
            if planned.is_empty() {
                break;
            }
            let dealt =
                mix::deal(&lap, &planned, |place, class| match self.roster.count(place, class) {
                    0 => mix::UNABLE,
                    _ => -self.roster.served(place, class),
                });
            let now = left.min(planned.len());
            for (place, class) in dealt.into_iter().take(now) {
                let actual = self.class_to_take(place, class, &mut classes);
                taken.push((actual, self.roster.take((place, actual))));
            }
            left -= now;
            ahead -= now;
        }
        taken
    }

    /// The planned class, or, if the worker has none of it, the one to take instead.
    fn class_to_take(&self, place: usize, planned: usize, classes: &mut impl Sequence) -> usize {
        if self.roster.count(place, planned) > 0 {
            return planned;
        }
        let actual = classes.first_of(self.roster.classes(place));
        let actual = actual.expect("a worker with users has a class with users");
        classes.replaced(planned, actual);
        actual
    }
}

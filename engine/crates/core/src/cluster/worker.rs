//! What the master knows of one worker.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::memory::WorkerMemory;
use crate::dispatch::Dispatcher;
use crate::ids::IdSet;
use crate::message::{ClassUsers, Connections, Heartbeat, WorkerInfo};

/// How a worker was lost in the middle of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// When the master noticed.
    pub at: Duration,
    /// Users that it ran.
    pub users: u32,
    /// How it was noticed.
    pub why: String,
    /// When its last report arrived.
    pub last_report: Option<Duration>,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { users, why, .. } = self;
        write!(f, "{why}; its {users} users go to the others; ")?;
        match self.last_report {
            Some(at) => {
                let missing = self.at.saturating_sub(at).as_secs_f64();
                write!(f, "up to {missing:.1} s of its samples are missing")
            }
            None => write!(f, "it had reported no samples"),
        }
    }
}

/// What the master knows of one worker.
#[derive(Debug)]
pub struct Worker {
    info: WorkerInfo,
    connection: Option<u64>,
    last_heard: Duration,
    beat: Option<Heartbeat>,
    /// The connection has ended, though its process may not have.
    pub(super) broken: bool,
    /// It has said goodbye, with all its samples told, and is not back.
    left: bool,
    /// Users alive on it, by its last sign of life.
    users: u32,
    /// How this process was lost, and has not come back.
    lost: Option<Lost>,
    /// How the first process was lost in whose place another one has come: it will not come back.
    buried: Option<Lost>,
    /// Most users alive in the current or last test.
    users_max: u32,
    /// It has a place in the dispatcher: it is connected and can run users.
    pub(super) placed: bool,
    /// When its last report was added.
    pub(super) reported: Option<Duration>,
    /// Its users that come from another worker or go to one.
    pub(super) moving: IdSet,
    /// Who was taken from it to start nowhere: they may run until the end of their order's spread.
    taken: IdSet,
    /// Its users of this test that have finished, as far as the dispatcher knows.
    pub(super) retired: IdSet,
    /// Number of the last order, 0 for none since it joined.
    order: u64,
    /// What that order said.
    ordered: Option<(u32, Vec<ClassUsers>)>,
    /// Who was to run on it when its order was last thought of; some of them may not have been
    /// told, as another worker may still run them.
    planned: Option<(u32, Vec<ClassUsers>)>,
    /// Who was to leave it by orders that it has not taken: it may still run them. 0 stands for the
    /// first order of this master.
    unheard: Vec<(u64, IdSet)>,
    /// What the order before said, which holds if the last one cannot be delivered.
    ordered_before: Option<(u32, Vec<ClassUsers>)>,
    /// Number of the last order that could not be delivered in this test, and why.
    undeliverable: Option<(u64, String)>,
    /// It is about to end, and hands its users over.
    pub(super) leaving: bool,
    /// Not all of those planned could be told.
    pub(super) short: bool,
    /// It was not told of all its moves.
    pub(super) moves_withheld: bool,
    /// It may not have heard that order, of an earlier master: it is told again.
    unsure: bool,
    /// It was connected to an earlier master, and is not back yet.
    pub(super) awaited: bool,
    /// When it was last not what the memory said of it.
    pub(super) revision: u64,
}

impl Worker {
    pub(super) fn new(info: WorkerInfo) -> Self {
        Self {
            info,
            connection: None,
            last_heard: Duration::ZERO,
            beat: None,
            broken: false,
            left: false,
            users: 0,
            lost: None,
            buried: None,
            users_max: 0,
            placed: false,
            reported: None,
            moving: IdSet::new(),
            taken: IdSet::new(),
            retired: IdSet::new(),
            order: 0,
            ordered: None,
            planned: None,
            unheard: Vec::new(),
            ordered_before: None,
            undeliverable: None,
            leaving: false,
            short: false,
            moves_withheld: false,
            unsure: false,
            awaited: false,
            revision: 0,
        }
    }

    /// As an earlier master knew it.
    pub(super) fn reminded(memory: WorkerMemory) -> Self {
        Self {
            left: memory.left,
            lost: memory.lost,
            buried: memory.buried,
            users_max: memory.users_max,
            placed: memory.placed,
            reported: memory.reported,
            moving: memory.moving,
            retired: memory.retired,
            planned: memory.told.clone(),
            ordered: memory.told,
            unheard: vec![(0, memory.unheard)],
            awaited: memory.connected,
            ..Self::new(memory.info)
        }
    }

    /// What a successor must know of it; what the dispatcher knows is missing.
    pub(super) fn remember(&self) -> WorkerMemory {
        WorkerMemory {
            info: self.info.clone(),
            connected: self.connection.is_some(),
            left: self.left,
            lost: self.lost.clone(),
            buried: self.buried.clone(),
            users_max: self.users_max,
            reported: self.reported,
            placed: self.placed,
            room: None,
            users: Vec::new(),
            told: self.ordered.clone(),
            moving: self.moving.clone(),
            unheard: self.unheard(),
            retired: self.retired.clone(),
        }
    }

    /// It has connected.
    pub(super) fn join(&mut self, now: Duration, connection: u64, info: WorkerInfo) {
        let same = self.info.stream == info.stream;
        let keeps = same && (self.awaited || self.connection.is_some());
        self.info = info;
        self.broken = false;
        self.left = false;
        self.connection = Some(connection);
        self.last_heard = now;
        self.silence();
        self.undeliverable = None;
        self.order = 0;
        self.unsure = true;
        if !keeps {
            self.ordered = None;
            self.ordered_before = None;
            self.planned = None;
            self.unheard.clear();
            self.forget_moves();
        }
        if !same {
            let lost = self.lost.take();
            self.buried = self.buried.take().or(lost);
        }
    }

    /// It is lost no more. False if it was not.
    pub(super) fn is_found(&mut self) -> bool {
        self.lost.take().is_some()
    }

    /// It is gone. `left`: in order, with nothing missing.
    pub(super) fn part(&mut self, lost: Option<Lost>, left: bool) {
        self.connection = None;
        self.left = left;
        self.broken = false;
        self.leaving = false;
        self.silence();
        self.unheard.clear();
        // A second loss before the first was made good keeps the first's account.
        self.lost = self.lost.take().or(lost);
    }

    /// What it has told does not hold any more.
    fn silence(&mut self) {
        self.beat = None;
        self.users = 0;
    }

    /// A new test begins.
    pub(super) fn begin(&mut self) {
        self.retired = IdSet::new();
        self.forget_moves();
        self.planned = None;
        self.unheard.clear();
        self.undeliverable = None;
        self.users_max = 0;
        self.lost = None;
        self.buried = None;
        self.reported = None;
        if self.connection.is_none() {
            // Who is still awaited after a restart has no place in this test until it is back.
            self.awaited = false;
            self.placed = false;
        }
    }

    /// Takes a sign of life.
    pub(super) fn heard(&mut self, now: Duration, beat: Heartbeat) {
        self.last_heard = now;
        self.users = beat.users.iter().fold(0, |sum, &(_, users)| sum.saturating_add(users));
        self.beat = Some(beat);
        self.users_max = self.users_max.max(self.users);
    }

    /// Is the heartbeat of a worker that has taken its newest order?
    pub(super) fn order_is_current(&self, beat: &Heartbeat) -> bool {
        self.order != 0 && beat.order_done == self.order
    }

    /// Has it done all that it was told? So has one that is gone.
    pub(super) fn order_done(&self) -> bool {
        let Some(_) = self.connection else { return !self.awaited };
        if self.undeliverable.as_ref().is_some_and(|(number, _)| *number == self.order) {
            // It does not even know of it.
            return true;
        }
        if self.order == 0 {
            // Nothing by this connection yet. What it did by the one before it has not confirmed,
            // and as long as it has said nothing it may have samples left.
            let may_confirm = self.beat.is_none() || self.takes_orders();
            return !(self.unsure && self.ordered.is_some() && may_confirm);
        }
        self.beat.as_ref().is_some_and(|beat| beat.order_done >= self.order)
    }

    /// Can it run users?
    pub(super) fn is_ready(&self) -> bool {
        (self.placed || self.leaving) && self.connection.is_some()
    }

    /// Can it be told to run users, or at least to run none?
    pub(super) fn takes_orders(&self) -> bool {
        self.is_ready() || self.is_unreachable() && self.connection.is_some()
    }

    /// Could an order of this test not be delivered?
    pub(super) fn is_unreachable(&self) -> bool {
        self.undeliverable.is_some()
    }

    /// May users of the test run on it that it was told of before an order could not be delivered?
    pub(super) fn keeps_users_of(&self, test: u32) -> bool {
        self.is_unreachable() && self.told(test).is_some_and(|users| !users.is_empty())
    }

    /// This order could not be delivered: what the one before said holds. `None` when there is a
    /// later one already, which says it all again; else whether it is the first of the test.
    pub(super) fn undeliverable(&mut self, number: u64, why: &str) -> Option<bool> {
        if self.order != number {
            return None;
        }
        self.ordered = self.ordered_before.take();
        self.unheard.retain(|&(order, _)| order != number);
        let first = self.undeliverable.is_none();
        let why = format!("it cannot be told which users to run: {why}");
        self.undeliverable = Some((number, why));
        Some(first)
    }

    /// What it was told to run in this test.
    pub(super) fn told(&self, test: u32) -> Option<&[ClassUsers]> {
        let (last, users) = self.ordered.as_ref()?;
        (*last == test).then_some(users.as_slice())
    }

    /// Who has to leave it and who comes to it, when it shall run `users` from now on.
    pub(super) fn plan(&mut self, test: u32, users: &[ClassUsers]) -> (IdSet, IdSet) {
        let before = self.planned.take().filter(|(last, _)| *last == test);
        let before = before.map(|(_, users)| users).unwrap_or_default();
        let changes = (ids_without(&before, users), ids_without(users, &before));
        self.planned = Some((test, users.to_vec()));
        changes
    }

    /// Who of those that it was told does not run by `users`.
    pub(super) fn gives_away(&self, test: u32, users: &[ClassUsers]) -> IdSet {
        ids_without(self.told(test).unwrap_or_default(), users)
    }

    /// Nobody moves any more.
    pub(super) fn forget_moves(&mut self) {
        self.moving = IdSet::new();
        self.taken = IdSet::new();
    }

    /// Who of those that begin to move was to leave it by an earlier order of the test: by that one
    /// it may run them longer than until they move.
    pub(super) fn sent_on(&self, test: u32, moving: &IdSet) -> IdSet {
        let mut ids = IdSet::new();
        if self.told(test).is_some() {
            ids = self.taken.intersection(moving);
            let planned = self.planned.iter().flat_map(|(_, users)| users);
            planned.for_each(|class| ids.remove_all(&class.ids));
        }
        ids
    }

    /// Who may run on it, by what it was told.
    pub(super) fn holds(&self, test: u32) -> IdSet {
        let mut ids = self.unheard();
        self.told(test).unwrap_or_default().iter().for_each(|class| ids.insert_all(&class.ids));
        ids
    }

    /// Who was to leave it, and it may not know.
    pub(super) fn unheard(&self) -> IdSet {
        let mut ids = IdSet::new();
        self.unheard.iter().for_each(|(_, left)| ids.insert_all(left));
        ids
    }

    /// Whose moves it is told with an order for `users`, when these are `unheard` by all workers
    /// together: those of whom another one may not know yet that it shall not run them come later.
    pub(super) fn moves_to_tell(&mut self, users: &[ClassUsers], unheard: &IdSet) -> IdSet {
        let mut elsewhere = self.moving.intersection(unheard);
        elsewhere.remove_all(&self.unheard());
        users.iter().for_each(|class| elsewhere.remove_all(&class.ids));
        self.moves_withheld = !elsewhere.is_empty();
        self.moving.difference(&elsewhere)
    }

    /// It has taken all orders up to this one. True if somebody is free for others now.
    pub(super) fn took(&mut self, number: u64) -> bool {
        let before = self.unheard.len();
        self.unheard.retain(|&(order, _)| order == 0 || order > number);
        before > self.unheard.len()
    }

    pub(super) fn is_news(&self, test: u32, users: &[ClassUsers]) -> bool {
        let new = |(last, told): &(u32, Vec<ClassUsers>)| *last != test || told != users;
        self.unsure || self.moves_withheld || self.ordered.as_ref().is_none_or(new)
    }

    /// It is told its users by the order of this number, and of those that begin to move.
    pub(super) fn ordered(
        &mut self,
        number: u64,
        test: u32,
        users: Vec<ClassUsers>,
        moving: &IdSet,
    ) {
        let mut left = self.gives_away(test, &users);
        let sent_on = self.sent_on(test, moving);
        self.taken.insert_all(&left);
        self.taken.remove_all(moving);
        users.iter().for_each(|class| self.taken.remove_all(&class.ids));
        left.insert_all(&sent_on);
        // Also who comes back stays among them. The worker may still run that user by the earlier
        // order, and the others are told when it moves by this one.
        for (order, _) in &mut self.unheard {
            *order = if *order == 0 { number } else { *order };
        }
        self.unheard.push((number, left));
        self.unheard.retain(|(_, ids)| !ids.is_empty());
        self.order = number;
        self.ordered_before = self.ordered.replace((test, users));
        self.unsure = false;
    }

    /// How it introduced itself.
    pub fn info(&self) -> &WorkerInfo {
        &self.info
    }

    /// Its connection, while it is there.
    pub fn connection(&self) -> Option<u64> {
        self.connection
    }

    /// How it was lost in this test, if it was and has not come back with its samples.
    pub fn lost(&self) -> Option<&Lost> {
        self.buried.as_ref().or(self.lost.as_ref())
    }

    /// Has it left in order, with all its samples told? Who is back has not.
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// When it was last heard.
    pub fn last_heard(&self) -> Duration {
        self.last_heard
    }

    /// Has a later attempt of the same process to join come before this one? That happens when the
    /// network holds an attempt up until its worker has given it up.
    pub(super) fn is_ahead_of(&self, info: &WorkerInfo) -> bool {
        self.info.stream == info.stream && self.info.attempt > info.attempt
    }

    /// Its last sign of life, while it is there.
    pub fn beat(&self) -> Option<&Heartbeat> {
        self.beat.as_ref()
    }

    /// Why it cannot run users.
    pub fn problem(&self) -> Option<&str> {
        let told = self.beat.as_ref().and_then(|beat| beat.problem.as_deref());
        told.or(self.undeliverable.as_ref().map(|(_, why)| why.as_str()))
    }

    /// Most users alive in the current or last test.
    pub fn users_max(&self) -> u32 {
        self.users_max
    }

    /// Most users that it can carry with such connections, as it has said; `None` is no limit.
    pub fn room(&self, connections: Connections) -> Option<u32> {
        let measured = self.beat.as_ref().and_then(|beat| beat.room.with(connections));
        self.info.users_max.into_iter().chain(measured).min()
    }

    /// Gives it its place among those that run users, or renews what it has said of itself.
    pub(super) fn seat(&self, dispatcher: &mut Dispatcher, connections: Connections) {
        dispatcher.add_worker(&self.info.id, self.room(connections), self.info.weight);
    }

    /// What its operator should know.
    pub fn warning(&self) -> Option<&str> {
        self.beat.as_ref()?.warning.as_deref()
    }

    /// Users alive on it by class.
    pub fn users_by_class(&self) -> &[(u32, u32)] {
        self.beat.as_ref().map_or(&[], |beat| &beat.users)
    }

    /// Users alive on it.
    pub fn users(&self) -> u32 {
        self.users
    }
}

/// The ids of `users` that `others` do not have in the same class.
fn ids_without(users: &[ClassUsers], others: &[ClassUsers]) -> IdSet {
    let mut ids = IdSet::new();
    for class in users {
        match others.iter().find(|other| other.class == class.class) {
            Some(other) => ids.insert_all(&class.ids.difference(&other.ids)),
            None => ids.insert_all(&class.ids),
        }
    }
    ids
}

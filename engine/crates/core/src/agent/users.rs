//! The users of a worker: who is where in its life, and whose turn it is next.
//!
//! Made for a million of them: 16 bytes each in pages by id, counters in place of counting, and a
//! look at the clock touches only those that are due.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use super::{Action, Start};

/// Ids of one page.
const PAGE: u32 = 64;

/// A load thread gets a user this long before it is due, so that it starts to the point although
/// the clock is looked at in steps. Until then the user costs nothing there.
const START_AHEAD: Duration = Duration::from_millis(50);

/// Most actions of one look at the clock: what is due at once for a million users must not hold up
/// a sign of life. The rest follows with the next look.
const ACTIONS_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// To be started later.
    Pending,
    /// Its load thread was told to start it.
    Starting,
    Running,
    /// To be stopped later.
    Leaving,
    /// Its load thread was told to stop it.
    Stopping,
}

#[derive(Debug, Clone, Copy)]
struct User {
    class: u32,
    /// Of its turn: an entry of the schedule with another one is void.
    ticket: u32,
    shard: u16,
    phase: Phase,
    /// It has begun, and counts.
    alive: bool,
    /// It was told to stop once already.
    told: bool,
    /// It is wanted again: it starts anew when it has stopped.
    again: bool,
}

impl User {
    /// It is to be stopped, and nobody was told yet.
    fn is_leaving(self) -> bool {
        self.phase == Phase::Leaving && !self.told
    }
}

/// What a worker holds of each user.
const _: () = assert!(size_of::<Option<User>>() == 16);

#[derive(Debug)]
struct Page {
    users: [Option<User>; PAGE as usize],
    count: usize,
}

/// A turn, the earliest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    at_us: u64,
    id: u32,
    ticket: u32,
}

/// The users of a worker.
#[derive(Debug)]
pub(super) struct Users {
    /// By id divided by [`PAGE`].
    pages: BTreeMap<u32, Box<Page>>,
    len: usize,
    /// Users of each load thread.
    shards: Vec<u32>,
    /// Users alive by class; no class without users.
    alive: BTreeMap<u32, u32>,
    /// Users that have not begun.
    waiting: usize,
    /// Users to be stopped.
    ending: usize,
    /// When those have their turn that are wanted again before they have stopped.
    returns: BTreeMap<u32, Duration>,
    starts: BinaryHeap<Reverse<Turn>>,
    stops: BinaryHeap<Reverse<Turn>>,
    tickets: u32,
}

impl Users {
    pub(super) fn new(shards: usize) -> Self {
        assert!(shards > 0, "a worker has a load thread");
        assert!(u16::try_from(shards).is_ok(), "a worker has fewer than 65,536 load threads");
        Self {
            pages: BTreeMap::new(),
            len: 0,
            shards: vec![0; shards],
            alive: BTreeMap::new(),
            waiting: 0,
            ending: 0,
            returns: BTreeMap::new(),
            starts: BinaryHeap::new(),
            stops: BinaryHeap::new(),
            tickets: 0,
        }
    }

    /// Users that are not gone yet.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Users that have not begun.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Users that are to stop.
    pub(super) fn ending(&self) -> usize {
        self.ending
    }

    /// Users alive by class; classes without users are missing.
    pub(super) fn alive(&self) -> impl Iterator<Item = (u32, u32)> {
        self.alive.iter().map(|(&class, &users)| (class, users))
    }

    fn get(&self, id: u32) -> Option<User> {
        self.pages.get(&page(id))?.users[slot(id)]
    }

    /// Puts a user in the place of what is there, and counts.
    fn set(&mut self, id: u32, new: Option<User>) {
        let page = self
            .pages
            .entry(page(id))
            .or_insert_with(|| Box::new(Page { users: [None; PAGE as usize], count: 0 }));
        let old = std::mem::replace(&mut page.users[slot(id)], new);
        page.count = page.count + usize::from(new.is_some()) - usize::from(old.is_some());
        if page.count == 0 {
            self.pages.remove(&self::page(id));
        }
        if let Some(old) = old {
            self.count(old, |n| n - 1);
        }
        if let Some(new) = new {
            self.count(new, |n| n + 1);
        }
    }

    fn count(&mut self, user: User, change: impl Fn(usize) -> usize) {
        self.len = change(self.len);
        match user.phase {
            Phase::Pending | Phase::Starting => self.waiting = change(self.waiting),
            Phase::Leaving | Phase::Stopping => self.ending = change(self.ending),
            Phase::Running => {}
        }
        if user.alive {
            let users = self.alive.entry(user.class).or_insert(0);
            *users = u32::try_from(change(*users as usize)).expect("users are counted in u32");
            if *users == 0 {
                self.alive.remove(&user.class);
            }
        }
    }

    fn ticket(&mut self) -> u32 {
        self.tickets = self.tickets.wrapping_add(1);
        self.tickets
    }

    fn schedule_start(&mut self, id: u32, class: u32, at: Duration) {
        let ticket = self.ticket();
        let (phase, shard) = (Phase::Pending, 0);
        let user = User { class, ticket, shard, phase, alive: false, told: false, again: false };
        self.set(id, Some(user));
        self.starts.push(Reverse(Turn { at_us: micros(at), id, ticket }));
    }

    fn schedule_stop(&mut self, id: u32, user: User, at: Duration) {
        let ticket = self.ticket();
        self.set(id, Some(User { ticket, phase: Phase::Leaving, ..user }));
        self.stops.push(Reverse(Turn { at_us: micros(at), id, ticket }));
    }

    /// A user shall run here: it is started at `at` unless it is there. One that is on its way out
    /// stays or, when it was told to stop or `goes_first`, comes back.
    pub(super) fn want(&mut self, id: u32, class: u32, at: Duration, goes_first: bool) {
        match self.get(id) {
            None => self.schedule_start(id, class, at),
            Some(user) if user.told || user.class != class || goes_first && user.is_leaving() => {
                self.returns.insert(id, at);
                self.set(id, Some(User { again: true, ..user }));
            }
            Some(user) if user.phase == Phase::Leaving => {
                let phase = if user.alive { Phase::Running } else { Phase::Starting };
                self.set(id, Some(User { phase, ..user }));
            }
            Some(_) => {}
        }
    }

    /// A user shall not run here: it is stopped at `at`, or not started at all.
    pub(super) fn leave(&mut self, now: Duration, id: u32, at: Duration) {
        let Some(user) = self.get(id) else { return };
        match user.phase {
            Phase::Pending => self.set(id, None),
            Phase::Starting => self.schedule_stop(id, user, now),
            Phase::Running => self.schedule_stop(id, user, at),
            Phase::Leaving | Phase::Stopping => {
                self.returns.remove(&id);
                self.set(id, Some(User { again: false, ..user }));
            }
        }
    }

    /// A user that moves: it stops at `go` if it goes, and starts at `come` if it comes. False if
    /// it does neither.
    pub(super) fn shift(&mut self, id: u32, go: Duration, come: Duration) -> bool {
        match self.get(id) {
            Some(user) if user.again => {
                self.returns.insert(id, come);
            }
            Some(user) if user.phase == Phase::Pending => {
                self.schedule_start(id, user.class, come);
            }
            Some(user) if user.is_leaving() && user.alive => self.schedule_stop(id, user, go),
            _ => return false,
        }
        true
    }

    /// Is it to be stopped, and was not told yet?
    pub(super) fn is_leaving(&self, id: u32) -> bool {
        self.get(id).is_some_and(User::is_leaving)
    }

    /// A user that is to be stopped stops at `at` at the latest: whoever has it next starts it
    /// then.
    pub(super) fn leave_by(&mut self, id: u32, at: Duration) {
        if let Some(user) = self.get(id).filter(|&user| user.is_leaving()) {
            // The turn that it has stays in the schedule: the first of the two counts.
            self.stops.push(Reverse(Turn { at_us: micros(at), id, ticket: user.ticket }));
        }
    }

    /// A user that leaves by an earlier move, which stays as it is: if it comes back it does so at
    /// `at`.
    pub(super) fn delay_return(&mut self, id: u32, at: Duration) {
        match self.get(id) {
            Some(user) if user.again => {
                self.returns.insert(id, at);
            }
            Some(user) if user.phase == Phase::Pending => self.schedule_start(id, user.class, at),
            _ => {}
        }
    }

    /// A user that comes by an earlier move, `due` then, and goes on at `at`.
    pub(super) fn pass(&mut self, id: u32, due: Duration, at: Duration) -> Option<Start> {
        let user = self.get(id)?;
        let start = (user.phase == Phase::Pending).then(|| self.start(id, user.class, due));
        match self.get(id)? {
            user if matches!(user.phase, Phase::Starting | Phase::Running) => {
                self.schedule_stop(id, user, at);
            }
            user => self.set(id, Some(User { again: false, ..user })),
        }
        start
    }

    /// Nobody shall run here any more, from now on. Who was told to stop is told again, for it may
    /// have to hurry.
    pub(super) fn leave_all(&mut self, now: Duration) {
        self.returns.clear();
        let pages: Vec<u32> = self.pages.keys().copied().collect();
        for id in pages.into_iter().flat_map(|page| page * PAGE..=page * PAGE + (PAGE - 1)) {
            match self.get(id) {
                Some(user) if user.phase == Phase::Pending => self.set(id, None),
                Some(user) => self.schedule_stop(id, User { again: false, ..user }, now),
                None => {}
            }
        }
    }

    /// Does what is due, as far as that is not too much at once. Who is stopped has `grace`.
    pub(super) fn release(&mut self, now: Duration, grace: Duration, actions: &mut Vec<Action>) {
        let full = actions.len() + ACTIONS_MAX;
        while actions.len() < full
            && let Some(turn) = due(&mut self.stops, now)
        {
            let Some(user) = self.get(turn.id) else { continue };
            if user.phase == Phase::Leaving && user.ticket == turn.ticket {
                self.set(turn.id, Some(User { phase: Phase::Stopping, told: true, ..user }));
                let shard = usize::from(user.shard);
                actions.push(Action::Stop { id: turn.id, shard, grace });
            }
        }
        while actions.len() < full
            && let Some(turn) = due(&mut self.starts, now + START_AHEAD)
        {
            let Some(user) = self.get(turn.id) else { continue };
            if user.phase == Phase::Pending && user.ticket == turn.ticket {
                let due = Duration::from_micros(turn.at_us);
                actions.push(Action::Start(self.start(turn.id, user.class, due)));
            }
        }
    }

    fn start(&mut self, id: u32, class: u32, due: Duration) -> Start {
        let shards = (0..).zip(&mut self.shards);
        let (shard, users) = shards.min_by_key(|(_, users)| **users).expect("a load thread");
        *users += 1;
        let (ticket, phase) = (0, Phase::Starting);
        let user = User { class, ticket, shard, phase, alive: false, told: false, again: false };
        self.set(id, Some(user));
        Start { id, class, shard: usize::from(shard), due }
    }

    /// A user has begun.
    pub(super) fn started(&mut self, id: u32) {
        if let Some(user) = self.get(id) {
            let phase = match user.phase {
                Phase::Starting => Phase::Running,
                other => other,
            };
            self.set(id, Some(User { phase, alive: true, ..user }));
        }
    }

    /// A user has ended. Was it there, was it told to, and is it wanted again?
    pub(super) fn ended(&mut self, id: u32) -> Option<Ended> {
        let user = self.get(id)?;
        self.set(id, None);
        let again = self.returns.remove(&id).filter(|_| user.again);
        if user.phase != Phase::Pending {
            self.shards[usize::from(user.shard)] -= 1;
        }
        Some(Ended { told: user.told, again })
    }

    /// Starts a user anew when it is its turn, which may be now.
    pub(super) fn restart(
        &mut self,
        now: Duration,
        id: u32,
        class: u32,
        at: Duration,
    ) -> Option<Start> {
        if at <= now {
            return Some(self.start(id, class, now));
        }
        self.schedule_start(id, class, at);
        None
    }
}

/// How it was with a user that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    /// It was told to.
    pub(super) told: bool,
    /// It is wanted again, from then on.
    pub(super) again: Option<Duration>,
}

/// The first turn, if it has come.
fn due(turns: &mut BinaryHeap<Reverse<Turn>>, now: Duration) -> Option<Turn> {
    let Reverse(first) = *turns.peek()?;
    if first.at_us > micros(now) {
        return None;
    }
    turns.pop();
    Some(first)
}

fn page(id: u32) -> u32 {
    id / PAGE
}

fn slot(id: u32) -> usize {
    (id % PAGE) as usize
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

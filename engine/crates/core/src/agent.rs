//! What a worker does when: orders, users, the lease. Pure: `(now, event) -> actions`.
//!
//! A worker holds the last complete order of its master. It starts whom the order names and stops
//! everyone else. While the master is silent the worker's lease runs out before the master gives
//! its users away ([`LEASE`] < [`crate::cluster::SILENCE_MAX`]), so that no user runs twice. A
//! connection that ends is silence, too: the master may live and be out of reach. But when it is
//! refused to connect, nobody listens there: the master's process is gone, and the worker carries
//! on for as long as that is so, as there is nobody who could give its users away.
//!
//! An order costs what it changes, not what it says: it is compared with the last one by runs of
//! ids. A user gets to its load thread shortly before it is due.

mod users;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::IdSet;
use crate::message::{ClassUsers, Heartbeat, Order, WorkerState};
use crate::pace::turn;
use users::Users;

/// How often a worker gives a sign of life.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// After this long without an answer to a sign of life, the load stops.
pub const LEASE: Duration = Duration::from_millis(2500);

/// After the master's machine has refused a connection the load goes on for this long, and longer
/// if it refuses the next: a master that starts just then waits for its workers longer than this
/// ([`crate::cluster::AWAIT_MAX`]) before it gives their users away. Attempts are at most 2 s
/// apart, and one whose first packet is lost takes 1 s more.
pub const REFUSAL_LEASE: Duration = Duration::from_secs(4);

/// A worker that leaves has this long to hand over its users and samples. Whoever told it to end
/// may kill it after 10 s, as `docker stop` does.
pub const LEAVE_MAX: Duration = Duration::from_secs(7);

/// A worker that leaves waits for its master for this long when that is not there.
pub const LEAVE_ALONE_MAX: Duration = Duration::from_secs(4);

/// A user that moves or is ramped down may finish its task for this long, also when the stop
/// timeout of the test is shorter: a rebalance must not cut off requests.
pub const MOVE_GRACE: Duration = Duration::from_secs(2);

/// A user that comes from another worker starts this much later than it stops there, so that it
/// does not run twice although the two know the master's clock only to a few milliseconds, and the
/// one stops its users in steps. While 5,300 of 10,000 users move within a second, as when seven
/// workers join three, 107 of them are nowhere because of it.
const HANDOVER_GAP: Duration = Duration::from_millis(20);

/// A worker that knows the master's clock to less than this takes it as it is: ways there and back
/// are much alike. One that knows it worse, as after it stood still while it joined, lets users go
/// and come that much earlier and later.
const CLOCK_ERROR_MAX: Duration = Duration::from_millis(50);

/// Most runs of ids of finished users that a heartbeat tells. The next ones follow when the master
/// has heard of these.
pub const FINISHED_RUNS_MAX: usize = 100_000;

/// Turns are remembered for this long after they have come.
const TURNS_KEPT_MS: u64 = 5_000;

/// What the worker has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Prepare for the users of this order's test, the first that it names here.
    Begin(Box<Order>),
    /// Start a user.
    Start(Start),
    /// Stop a user at its next rest, at the latest after `grace`.
    Stop {
        /// Its id.
        id: u32,
        /// Where it runs.
        shard: usize,
        /// From now.
        grace: Duration,
    },
    /// Give the connection up and dial again.
    Redial,
}

/// A user to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Its id.
    pub id: u32,
    /// Its class.
    pub class: u32,
    /// Where it shall run.
    pub shard: usize,
    /// When.
    pub due: Duration,
}

/// The link to the master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Registered; the last sign of life that was answered left at this time.
    Up { answered: Duration },
    /// Ended at `since`. The load goes on until `until`, and not beyond the grace.
    Down { since: Duration, until: Duration },
    /// No load until the next registration.
    Idle,
}

/// A worker's state machine.
#[derive(Debug)]
pub struct Agent {
    master_grace: Duration,
    link: Link,
    module_ready: bool,
    order: Option<Order>,
    /// The last test that this worker has prepared for.
    begun: Option<u32>,
    users: Users,
    /// How long the task of a user that is told to stop may take.
    grace: Duration,
    /// What the master's clock may be ahead or behind of what this worker takes it for.
    clock_error: Duration,
    /// When users that move have their turns, in microseconds of the master's clock: for those
    /// whose next start or stop here is that of their move, and for a while after it.
    turns: BTreeMap<u32, u64>,
    /// Users of the order that ended by their own wish.
    finished: IdSet,
    /// Users of the order that ended without having been told to, as by a fault of the worker. The
    /// next order starts them anew.
    fallen: IdSet,
    leaving: bool,
}

impl Agent {
    /// A worker with `shards` load threads. It carries on for `master_grace` without a master.
    ///
    /// # Panics
    /// When `shards` is 0, or 65,536 and more.
    pub fn new(shards: usize, master_grace: Duration) -> Self {
        Self {
            master_grace,
            link: Link::Idle,
            module_ready: false,
            order: None,
            begun: None,
            users: Users::new(shards),
            grace: Duration::ZERO,
            clock_error: Duration::ZERO,
            turns: BTreeMap::new(),
            finished: IdSet::new(),
            fallen: IdSet::new(),
            leaving: false,
        }
    }

    /// The master has accepted the request to join that left at `sent`. Its numbers of orders begin
    /// anew. Whose lease is over stops first: a process that stood still may come here before it
    /// looks at its clock. For the same reason the new lease begins at `sent`: the master may have
    /// accepted this worker long ago and have given its users away since.
    pub fn registered(&mut self, now: Duration, sent: Duration) -> Vec<Action> {
        let mut actions = self.check_link(now);
        actions.retain(|action| *action != Action::Redial);
        self.link = Link::Up { answered: sent.min(now) };
        if let Some(order) = &mut self.order
            && !planted!(OldNumbers)
        {
            order.number = 0;
        }
        actions
    }

    /// The module of the coming orders is there, or is being prepared.
    pub fn set_module_ready(&mut self, ready: bool) {
        self.module_ready = ready;
    }

    /// The sign of life that left at `sent` was answered.
    pub fn answered(&mut self, sent: Duration) {
        if let Link::Up { answered } = &mut self.link {
            *answered = sent.max(*answered);
        }
    }

    /// The master's clock is known anew, to `error`.
    pub fn synchronised(&mut self, error: Duration) {
        self.clock_error = if error > CLOCK_ERROR_MAX { error } else { Duration::ZERO };
    }

    /// The connection has ended, whoever ended it.
    pub fn closed(&mut self, now: Duration) -> Vec<Action> {
        let Link::Up { answered } = self.link else { return Vec::new() };
        if self.leaving {
            // Nobody takes the users over any more.
            self.link = Link::Idle;
            return self.stop_all(now, MOVE_GRACE);
        }
        if now.saturating_sub(answered) > LEASE {
            // As after a freeze: the master has given the users away before it closed.
            self.link = Link::Idle;
            return self.stop_all(now, Duration::ZERO);
        }
        let lease = if planted!(CloseTrusted) { self.master_grace } else { LEASE };
        self.link = Link::Down { since: now, until: answered + lease };
        Vec::new()
    }

    /// An attempt to connect that began at `sent` was refused: where the master was nobody listens.
    pub fn refused(&mut self, sent: Duration) {
        if let Link::Down { until, .. } = &mut self.link {
            *until = (sent + REFUSAL_LEASE).max(*until);
        }
    }

    /// Looks at the clock: is the lease over, or the grace, and whose turn is it? To be called
    /// every few milliseconds while [`Self::is_changing`].
    pub fn tick(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = self.check_link(now);
        self.release(now, &mut actions);
        actions
    }

    /// Does what is due. Who stops has had its turn: by that it does not come any more, whatever
    /// the clock shows later.
    fn release(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let before = actions.len();
        self.users.release(now, self.grace, actions);
        for action in &actions[before..] {
            if let Action::Stop { id, .. } = action {
                self.turns.remove(id);
            }
        }
    }

    fn check_link(&mut self, now: Duration) -> Vec<Action> {
        match self.link {
            Link::Up { answered }
                if now.saturating_sub(answered) > LEASE && !planted!(LeaseIgnored) =>
            {
                self.link = Link::Idle;
                let mut actions = self.stop_all(now, Duration::ZERO);
                actions.push(Action::Redial);
                actions
            }
            Link::Down { since, .. } if now.saturating_sub(since) > self.master_grace => {
                self.link = Link::Idle;
                let grace = self.order.as_ref().map_or(Duration::ZERO, Order::stop_timeout);
                self.stop_all(now, grace)
            }
            Link::Down { until, .. } if now > until => {
                self.link = Link::Idle;
                self.stop_all(now, Duration::ZERO)
            }
            Link::Up { .. } | Link::Down { .. } | Link::Idle => Vec::new(),
        }
    }

    /// Stops every user, as when the program ends.
    pub fn stop_all(&mut self, now: Duration, grace: Duration) -> Vec<Action> {
        self.order = None;
        self.grace = grace;
        self.turns.clear();
        self.users.leave_all(now);
        let mut actions = Vec::new();
        self.release(now, &mut actions);
        actions
    }

    /// Takes an order, when the master's clock shows `master_ms`. One that is not newer than the
    /// last is ignored, and so is one that comes after the lease is over.
    pub fn order(&mut self, now: Duration, master_ms: u64, order: Order) -> Vec<Action> {
        // A process that stood still may come here before it looks at its clock.
        let mut actions = self.check_link(now);
        let Link::Up { .. } = self.link else { return actions };
        let mut spread = Duration::from_millis(order.spread_ms);
        let before = match self.order.take() {
            Some(last) if order.number <= last.number => {
                self.order = Some(last);
                return actions;
            }
            Some(last) if last.test == order.test => {
                if last.number == 0 {
                    // The connection is new: whom this order leaves out runs elsewhere already.
                    spread = Duration::ZERO;
                }
                last.users
            }
            _ => {
                actions.extend(self.stop_all(now, Duration::ZERO));
                self.finished = IdSet::new();
                self.fallen = IdSet::new();
                Vec::new()
            }
        };
        if self.begun != Some(order.test) && !order.users.is_empty() {
            self.begun = Some(order.test);
            actions.push(Action::Begin(Box::new(order.clone())));
        }
        if order.users.is_empty() && order.moves.is_empty() {
            self.grace = order.stop_timeout();
            self.finished = IdSet::new();
            self.fallen = IdSet::new();
            self.users.leave_all(now);
        } else {
            self.grace = order.stop_timeout().max(MOVE_GRACE);
            let mut held = IdSet::new();
            before.iter().for_each(|class| held.insert_all(&class.ids));
            self.turns.retain(|_, turn| *turn / 1000 + TURNS_KEPT_MS > master_ms);
            let sent_on = self.sent_on(master_ms, &held, &order);
            let age = order.age(master_ms) + self.clock_error;
            let leave = |id| (now + turn(id, spread)).saturating_sub(age);
            self.change(now, &before, &order, leave, &sent_on);
            actions.extend(self.shift(now, master_ms, &order, &sent_on));
        }
        self.order = Some(order);
        self.release(now, &mut actions);
        actions
    }

    /// Lets those go, each when it is to `leave`, that this worker shall not run any more, and
    /// starts those that it shall.
    fn change(
        &mut self,
        now: Duration,
        before: &[ClassUsers],
        order: &Order,
        leave: impl Fn(u32) -> Duration,
        sent_on: &SentOn,
    ) {
        let at = |id| now + turn(id, Duration::from_millis(order.spread_ms));
        let nobody = IdSet::new();
        for ClassUsers { class, ids } in before {
            let left = ids.difference(of_class(&order.users, *class).unwrap_or(&nobody));
            for id in left.difference(&sent_on.through).iter() {
                self.users.leave(now, id, leave(id));
                self.forget_turn(id, sent_on);
            }
            self.finished.remove_all(&left);
            self.fallen.remove_all(&left);
        }
        let fallen = std::mem::take(&mut self.fallen);
        for ClassUsers { class, ids } in &order.users {
            let mut come = ids.difference(of_class(before, *class).unwrap_or(&nobody));
            come.insert_all(&fallen.intersection(ids));
            for id in come.iter() {
                let goes_first = sent_on.away.contains(id);
                self.users.want(id, *class, at(id), goes_first);
                self.forget_turn(id, sent_on);
            }
        }
    }

    /// A user starts or stops by the present order: not by an earlier move any more, unless it is
    /// one that stays as it was told.
    fn forget_turn(&mut self, id: u32, sent_on: &SentOn) {
        if !sent_on.away.contains(id) {
            self.turns.remove(&id);
        }
    }

    /// Finds the users that these moves send on although their turn in an earlier move comes first.
    /// It is too late to change the earlier move everywhere in time, so it stays as it was told.
    ///
    /// What the user does here tells which end of the earlier move this worker is: one that is
    /// about to stop leaves by it, one that is still to come arrives by it. What the last order
    /// said tells nothing, because a user that leaves and is to come back later was in it as well.
    fn sent_on(&self, master_ms: u64, held: &IdSet, order: &Order) -> SentOn {
        let mut sent_on = SentOn::default();
        for moves in &order.moves {
            let start_us = moves.start_ms.saturating_mul(1000);
            for id in moves.ids.iter() {
                let Some(&turn) = self.turns.get(&id).filter(|&&turn| turn < start_us) else {
                    continue;
                };
                if self.users.is_leaving(id) {
                    sent_on.away.insert(id);
                } else if held.contains(id)
                    && turn >= master_ms * 1000
                    && !order.users.iter().any(|class| class.ids.contains(id))
                {
                    sent_on.through.insert(id);
                }
            }
        }
        sent_on
    }

    /// Gives those that move their turns by the master's clock: the other worker has the same.
    fn shift(
        &mut self,
        now: Duration,
        master_ms: u64,
        order: &Order,
        sent_on: &SentOn,
    ) -> Vec<Action> {
        let mut starts = Vec::new();
        let local = |turn_us: u64| {
            let ahead = Duration::from_micros(turn_us.saturating_sub(master_ms * 1000));
            let behind = Duration::from_micros((master_ms * 1000).saturating_sub(turn_us));
            (now + ahead).saturating_sub(behind)
        };
        let gap = HANDOVER_GAP + self.clock_error;
        for moves in &order.moves {
            let spread = Duration::from_millis(moves.spread_ms);
            for id in moves.ids.iter() {
                let turn = Duration::from_millis(moves.start_ms) + turn(id, spread);
                let turn_us = u64::try_from(turn.as_micros()).unwrap_or(u64::MAX);
                let (at, come) = (local(turn_us), local(turn_us) + gap);
                let go = at.saturating_sub(self.clock_error);
                if sent_on.away.contains(id) {
                    self.users.leave_by(id, go);
                    self.users.delay_return(id, come);
                    continue;
                }
                let earlier = self.turns.get(&id).copied();
                if let Some(earlier) = earlier.filter(|_| sent_on.through.contains(id)) {
                    let start = self.users.pass(id, local(earlier) + gap, go);
                    starts.extend(start.map(Action::Start));
                } else if !self.users.shift(id, go, come) {
                    continue;
                }
                self.turns.insert(id, turn_us);
            }
        }
        starts
    }

    /// A user has begun.
    pub fn user_started(&mut self, id: u32) {
        self.users.started(id);
    }

    /// A user has ended: told to, or by its own wish.
    pub fn user_ended(&mut self, now: Duration, id: u32, finished: bool) -> Option<Action> {
        let ended = self.users.ended(id)?;
        let users = &self.order.as_ref()?.users;
        let class = users.iter().find(|class| class.ids.contains(id))?.class;
        if finished {
            self.finished.insert(id);
        } else if let Some(at) = ended.again {
            return self.users.restart(now, id, class, at).map(Action::Start);
        } else if !ended.told {
            self.fallen.insert(id);
        }
        None
    }

    /// What to tell the master, but for what the process alone knows of itself. `flushed`: the
    /// master has every sample so far.
    pub fn status(&self, flushed: bool) -> Heartbeat {
        let idle = self.order.as_ref().is_none_or(|order| order.users.is_empty());
        let state = match (self.module_ready, idle) {
            _ if self.leaving => WorkerState::Leaving,
            (false, _) => WorkerState::Preparing,
            (true, true) if self.users.len() > 0 => WorkerState::Stopping,
            (true, true) => WorkerState::Ready,
            (true, false) if self.users.waiting() > 0 => WorkerState::Spawning,
            (true, false) => WorkerState::Running,
        };
        // A test has ended here when also its last samples have arrived.
        let done = !self.is_changing() && (!idle || flushed);
        let number = self.order.as_ref().map_or(0, |order| order.number);
        Heartbeat {
            order_done: if done { number } else { 0 },
            order_taken: number,
            users: self.users.alive().collect(),
            finished: self.finished.runs().take(FINISHED_RUNS_MAX).collect(),
            ..Heartbeat::new(state)
        }
    }

    /// Is an order being carried out? Then the master wants to hear of it often.
    pub fn is_changing(&self) -> bool {
        self.users.waiting() + self.users.ending() > 0
    }

    /// The program is to end: the master is told, and gives the users to others. Without a master
    /// they end here.
    pub fn leave(&mut self, now: Duration) -> Vec<Action> {
        self.leaving = true;
        if let Link::Up { .. } = self.link { Vec::new() } else { self.stop_all(now, MOVE_GRACE) }
    }

    /// Users that are not gone yet.
    pub fn users(&self) -> usize {
        self.users.len()
    }
}

/// Users that are sent on before their first move is over.
#[derive(Debug, Default)]
struct SentOn {
    /// They leave this worker by the first.
    away: IdSet,
    /// They come to this worker by the first, and leave it by the second.
    through: IdSet,
}

fn of_class(users: &[ClassUsers], class: u32) -> Option<&IdSet> {
    users.iter().find(|users| users.class == class).map(|users| &users.ids)
}

//! What a worker does when: orders, users, the lease. Pure: `(now, event) -> actions`.
//!
//! A worker holds the last complete order of its master. It starts whom the order names and stops
//! everyone else. While the master is silent the worker's lease runs out before the master gives
//! its users away ([`LEASE`] < [`crate::cluster::SILENCE_MAX`]), so that no user runs twice; when
//! the master's process is gone the worker carries on for a while, for there is nobody who could
//! give its users away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::message::{ClassUsers, Order, WorkerState};

/// How often a worker gives a sign of life.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// After this long without an answer to a sign of life, the load stops.
pub const LEASE: Duration = Duration::from_millis(2500);

/// A user that moves or is ramped down may finish its task for this long, also when the stop
/// timeout of the test is shorter: a rebalance must not cut off requests.
pub const MOVE_GRACE: Duration = Duration::from_secs(2);

/// A user that comes from another worker starts this much later than it stops there, so that it
/// does not run twice although the two workers get their orders at different moments.
const HANDOVER_GAP: Duration = Duration::from_millis(150);

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

/// What the worker knows of its own state, for a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What it is doing.
    pub state: WorkerState,
    /// The last order, if all of it is done; 0 else.
    pub order_done: u64,
    /// Users alive by class.
    pub users: Vec<(u32, u32)>,
    /// Users of the order that ended by their own wish.
    pub finished: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Told to start.
    Starting,
    Alive,
    /// Told to stop.
    Stopping,
}

#[derive(Debug, Clone, Copy)]
struct User {
    class: u32,
    shard: usize,
    phase: Phase,
    /// The order names it again: it starts anew when it has stopped.
    wanted_again: bool,
    /// It goes to another worker, or is ramped down, then; and how long its task may take.
    leaves: Option<(Duration, Duration)>,
}

/// The link to the master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Registered; the last sign of life that was answered left at this time.
    Up { answered: Duration },
    /// Closed at this time; the worker carries on until the grace is over.
    Down { since: Duration },
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
    users: BTreeMap<u32, User>,
    /// Users per shard.
    shards: Vec<u32>,
    finished: BTreeSet<u32>,
}

impl Agent {
    /// A worker with `shards` load threads. It carries on for `master_grace` without a master.
    ///
    /// # Panics
    /// When `shards` is 0.
    pub fn new(shards: usize, master_grace: Duration) -> Self {
        assert!(shards > 0, "a worker has a load thread");
        Self {
            master_grace,
            link: Link::Idle,
            module_ready: false,
            order: None,
            begun: None,
            users: BTreeMap::new(),
            shards: vec![0; shards],
            finished: BTreeSet::new(),
        }
    }

    /// The master has accepted this worker. Its numbers of orders begin anew.
    pub fn registered(&mut self, now: Duration) {
        self.link = Link::Up { answered: now };
        if let Some(order) = &mut self.order {
            order.number = 0;
        }
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

    /// The connection was closed by the other end.
    pub fn closed(&mut self, now: Duration) -> Vec<Action> {
        let Link::Up { answered } = self.link else { return Vec::new() };
        if now.saturating_sub(answered) > LEASE {
            // As after a freeze: the master has given the users away before it closed.
            self.link = Link::Idle;
            return self.stop_all(Duration::ZERO);
        }
        self.link = Link::Down { since: now };
        Vec::new()
    }

    /// Looks at the clock: is the lease over, or the grace, and who leaves?
    pub fn tick(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = self.check_link(now);
        for (&id, user) in &mut self.users {
            if let Some((at, grace)) = user.leaves
                && at <= now
            {
                user.leaves = None;
                user.phase = Phase::Stopping;
                actions.push(Action::Stop { id, shard: user.shard, grace });
            }
        }
        actions
    }

    fn check_link(&mut self, now: Duration) -> Vec<Action> {
        match self.link {
            Link::Up { answered } if now.saturating_sub(answered) > LEASE => {
                self.link = Link::Idle;
                let mut actions = self.stop_all(Duration::ZERO);
                actions.push(Action::Redial);
                actions
            }
            Link::Down { since } if now.saturating_sub(since) > self.master_grace => {
                self.link = Link::Idle;
                let grace = self.stop_timeout();
                self.stop_all(grace)
            }
            Link::Up { .. } | Link::Down { .. } | Link::Idle => Vec::new(),
        }
    }

    /// Stops every user, as when the program ends.
    pub fn stop_all(&mut self, grace: Duration) -> Vec<Action> {
        self.order = None;
        self.stop_others(&BTreeMap::new(), grace)
    }

    /// Takes an order. One that is not newer than the last is ignored.
    pub fn order(&mut self, now: Duration, order: Order) -> Vec<Action> {
        let Link::Up { .. } = self.link else { return Vec::new() };
        let mut actions = Vec::new();
        match &self.order {
            Some(last) if order.number <= last.number => return actions,
            Some(last) if last.test == order.test => {}
            _ => {
                actions.extend(self.stop_others(&BTreeMap::new(), Duration::ZERO));
                self.finished.clear();
            }
        }
        if self.begun != Some(order.test) && !order.users.is_empty() {
            self.begun = Some(order.test);
            actions.push(Action::Begin(Box::new(order.clone())));
        }
        let wanted = by_id(&order.users);
        let stop_timeout = Duration::from_millis(order.stop_timeout());
        let grace = if wanted.is_empty() { stop_timeout } else { stop_timeout.max(MOVE_GRACE) };
        let spread = Duration::from_millis(order.spread_ms);
        self.order = Some(order);
        self.finished.retain(|id| wanted.contains_key(id));
        if wanted.is_empty() {
            actions.extend(self.stop_others(&wanted, grace));
        } else {
            actions.extend(self.let_go(now, &wanted, spread, grace));
            actions.extend(self.start_missing(now, &wanted, spread));
        }
        actions
    }

    /// Lets those go one after the other that this worker shall not run any more.
    fn let_go(
        &mut self,
        now: Duration,
        wanted: &BTreeMap<u32, u32>,
        spread: Duration,
        grace: Duration,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        for (&id, user) in &mut self.users {
            match user.phase {
                _ if wanted.get(&id) == Some(&user.class) => user.leaves = None,
                Phase::Starting => {
                    user.phase = Phase::Stopping;
                    actions.push(Action::Stop { id, shard: user.shard, grace });
                }
                Phase::Alive if user.leaves.is_none() => {
                    user.leaves = Some((now + turn(id, spread), grace));
                }
                Phase::Alive => {}
                Phase::Stopping => user.wanted_again = false,
            }
        }
        actions
    }

    /// Stops those that nobody wants, at once.
    fn stop_others(&mut self, wanted: &BTreeMap<u32, u32>, grace: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        for (&id, user) in &mut self.users {
            if wanted.get(&id) == Some(&user.class) {
                continue;
            }
            user.wanted_again = false;
            user.leaves = None;
            // One that is stopping already may have to hurry.
            user.phase = Phase::Stopping;
            actions.push(Action::Stop { id, shard: user.shard, grace });
        }
        actions
    }

    fn start_missing(
        &mut self,
        now: Duration,
        wanted: &BTreeMap<u32, u32>,
        spread: Duration,
    ) -> Vec<Action> {
        let mut missing = Vec::new();
        for (&id, &class) in wanted {
            match self.users.get_mut(&id) {
                Some(user) if user.phase == Phase::Stopping => user.wanted_again = true,
                Some(_) => {}
                None if self.finished.contains(&id) => {}
                None => missing.push((id, class)),
            }
        }
        let start = |(id, class)| self.start(id, class, now + HANDOVER_GAP + turn(id, spread));
        missing.into_iter().map(start).collect()
    }

    fn start(&mut self, id: u32, class: u32, due: Duration) -> Action {
        let least = (0..self.shards.len()).min_by_key(|&shard| self.shards[shard]);
        let shard = least.expect("a worker has a load thread");
        self.shards[shard] += 1;
        let user = User { class, shard, phase: Phase::Starting, wanted_again: false, leaves: None };
        self.users.insert(id, user);
        Action::Start(Start { id, class, shard, due })
    }

    /// A user has begun.
    pub fn user_started(&mut self, id: u32) {
        if let Some(user) = self.users.get_mut(&id)
            && user.phase == Phase::Starting
        {
            user.phase = Phase::Alive;
        }
    }

    /// A user has ended: told to, or by its own wish.
    pub fn user_ended(&mut self, now: Duration, id: u32, finished: bool) -> Option<Action> {
        let user = self.users.remove(&id)?;
        self.shards[user.shard] -= 1;
        let order = self.order.as_ref()?;
        let class = order.users.iter().find(|class| class.ids.binary_search(&id).is_ok())?.class;
        if finished {
            self.finished.insert(id);
            return None;
        }
        user.wanted_again.then(|| self.start(id, class, now))
    }

    /// What to tell the master. `flushed`: the master has every sample so far.
    pub fn status(&self, flushed: bool) -> Status {
        let mut users = BTreeMap::new();
        let (mut starting, mut stopping) = (false, false);
        for user in self.users.values() {
            stopping |= user.leaves.is_some();
            match user.phase {
                Phase::Starting => starting = true,
                Phase::Alive => *users.entry(user.class).or_insert(0) += 1,
                Phase::Stopping => {
                    stopping = true;
                    *users.entry(user.class).or_insert(0) += 1;
                }
            }
        }
        let idle = self.order.as_ref().is_none_or(|order| order.users.is_empty());
        let state = match (self.module_ready, idle) {
            (false, _) => WorkerState::Preparing,
            (true, true) if !self.users.is_empty() => WorkerState::Stopping,
            (true, true) => WorkerState::Ready,
            (true, false) if starting => WorkerState::Spawning,
            (true, false) => WorkerState::Running,
        };
        // A test has ended here when also its last samples have arrived.
        let done = !starting && !stopping && (!idle || flushed);
        let number = self.order.as_ref().map_or(0, |order| order.number);
        Status {
            state,
            order_done: if done { number } else { 0 },
            users: users.into_iter().collect(),
            finished: self.finished.iter().copied().collect(),
        }
    }

    /// Is an order being carried out? Then the master wants to hear of it often.
    pub fn is_changing(&self) -> bool {
        let settled = |user: &User| user.phase == Phase::Alive && user.leaves.is_none();
        !self.users.values().all(settled)
    }

    /// Users that are not gone yet.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    fn stop_timeout(&self) -> Duration {
        Duration::from_millis(self.order.as_ref().map_or(0, Order::stop_timeout))
    }
}

impl Order {
    fn stop_timeout(&self) -> u64 {
        self.settings.stop_timeout_ms
    }
}

/// When it is a user's turn within `spread`. All workers agree on it, so a user that moves stops
/// here when it is about to start there; and as multiples of the golden ratio fill an interval
/// evenly, so do the users of a ramp, whose ids follow each other, over all workers together.
fn turn(id: u32, spread: Duration) -> Duration {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    spread.mul_f64((f64::from(id) * GOLDEN).fract())
}

fn by_id(users: &[ClassUsers]) -> BTreeMap<u32, u32> {
    users.iter().flat_map(|class| class.ids.iter().map(|&id| (id, class.class))).collect()
}

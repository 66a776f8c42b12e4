//! One master, its workers and their network in virtual time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use swarm_core::agent::{Action as AgentAction, Agent, HEARTBEAT_INTERVAL};
use swarm_core::cluster::memory::{Memory, MemoryError, WorkerMemory};
use swarm_core::cluster::{Action, Cluster, Load};
use swarm_core::dispatch::ClassShare;
use swarm_core::message::{Heartbeat, Order, Refusal, Settings, WorkerInfo};
use swarm_core::plan::Population;

/// How long workers go on without a master.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Grain of the virtual time.
const STEP: Duration = Duration::from_millis(10);

/// How long a message is on its way.
pub(crate) const DELAY: Duration = Duration::from_millis(20);

/// How often workers tell of a change, at the same moments by the master's clock.
const CHANGE_INTERVAL_MS: u64 = 100;

/// What befalls a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its process is gone, and the other end knows.
    Killed,
    /// Nothing gets through, and nobody is told.
    Silent,
}

enum Message {
    ToMaster(Heartbeat, Duration),
    /// The answer to the heartbeat that was sent then.
    Answer(Duration),
    Order(Box<Order>),
}

pub(crate) struct Node {
    agent: Agent,
    stream: u64,
    connection: Option<u64>,
    pub(crate) fault: Option<Fault>,
    /// Orders that cannot be delivered to it, though it is there.
    pub(crate) is_undeliverable: fn(&Order) -> bool,
    /// When each user starts, until it has.
    due: BTreeMap<u32, Duration>,
    pub(crate) alive: BTreeSet<u32>,
    /// Those that finish their tasks before they end, and until when.
    last_tasks: BTreeMap<u32, Duration>,
    /// What this worker takes the master's clock to be ahead.
    clock_error_ms: i64,
    /// Its operator ends it.
    leaving: bool,
    next_beat: Duration,
    redial_at: Option<Duration>,
}

/// Fewest and most users over some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watched {
    /// That were alive.
    pub(crate) users: [usize; 2],
    /// That the master knew of.
    pub(crate) shown: [u32; 2],
}

impl Node {
    /// The master's clock, as well as this worker knows it.
    fn master_ms(&self, now: Duration) -> u64 {
        let now_ms = i64::try_from(now.as_millis()).expect("a short test");
        u64::try_from(now_ms + self.clock_error_ms).expect("the test began at 100 s")
    }
}

pub(crate) struct World {
    pub(crate) master: Cluster,
    /// What the master has kept, and at which revision.
    memory: Option<Memory>,
    kept: u64,
    /// Number of the last order.
    last_order: u64,
    master_alive: bool,
    pub(crate) now: Duration,
    pub(crate) nodes: BTreeMap<String, Node>,
    wire: VecDeque<(Duration, u64, Message)>,
    next_connection: u64,
    pub(crate) notices: Vec<String>,
    pub(crate) starts: Vec<Duration>,
    /// How long the task takes that a user is at when it is told to stop.
    pub(crate) task: Duration,
}

fn classes() -> Vec<ClassShare> {
    let class = |name: &str, weight| ClassShare {
        name: name.to_owned(),
        population: Population::Weight(weight),
    };
    vec![class("x", 3.0), class("y", 1.0)]
}

fn cluster(first_test: u32) -> Cluster {
    Cluster::new([7; 32], classes(), first_test)
}

/// A master that goes on with `memory`.
pub(crate) fn restore(memory: Memory) -> Result<Cluster, MemoryError> {
    Cluster::restore([7; 32], classes(), 1000, memory, Duration::from_secs(1000))
}

impl World {
    pub(crate) fn new(workers: &[&str]) -> Self {
        let mut world = Self {
            master: cluster(1),
            memory: None,
            kept: 0,
            last_order: 0,
            master_alive: true,
            now: Duration::from_secs(100),
            nodes: BTreeMap::new(),
            wire: VecDeque::new(),
            next_connection: 0,
            notices: Vec::new(),
            starts: Vec::new(),
            task: Duration::ZERO,
        };
        for id in workers {
            world.join(id);
        }
        world.run(Duration::from_secs(2));
        world
    }

    pub(crate) fn try_join(&mut self, id: &str) -> Result<u32, Refusal> {
        self.next_connection += 1;
        let stream = self.nodes.get(id).map_or(1, |node| node.stream) + 1;
        let info = WorkerInfo::new(id, stream);
        let (joined, actions) = self.master.join(self.now, self.next_connection, info);
        self.obey_master(actions);
        joined
    }

    pub(crate) fn join(&mut self, id: &str) {
        let node = Node {
            agent: Agent::new(2, GRACE),
            stream: self.next_connection,
            connection: None,
            fault: None,
            is_undeliverable: |_| false,
            due: BTreeMap::new(),
            alive: BTreeSet::new(),
            last_tasks: BTreeMap::new(),
            clock_error_ms: if self.nodes.len().is_multiple_of(2) { 5 } else { -5 },
            leaving: false,
            next_beat: self.now,
            redial_at: Some(self.now),
        };
        self.nodes.insert(id.to_owned(), node);
        self.redial(id);
    }

    fn redial(&mut self, id: &str) {
        let node = self.nodes.get_mut(id).expect("a worker");
        node.redial_at = Some(self.now + Duration::from_millis(300));
        if !self.master_alive && node.fault.is_none() {
            node.agent.refused(self.now);
        }
        if !self.master_alive || node.fault.is_some() {
            return;
        }
        self.next_connection += 1;
        let info = WorkerInfo::new(id, node.stream);
        let connection = self.next_connection;
        let (joined, actions) = self.master.join(self.now, connection, info);
        let node = self.nodes.get_mut(id).expect("a worker");
        if joined.is_ok() {
            node.connection = Some(connection);
            node.redial_at = None;
            let stops = node.agent.registered(self.now, self.now);
            node.agent.set_module_ready(true);
            node.next_beat = self.now;
            self.obey_agent(id, stops);
        }
        self.obey_master(actions);
    }

    pub(crate) fn start(&mut self, users: u32, spawn_rate: f64) {
        self.start_for(users, spawn_rate, None);
    }

    pub(crate) fn start_for(&mut self, users: u32, spawn_rate: f64, run_time: Option<Duration>) {
        let settings = Settings::default();
        let only_classes = Vec::new();
        let load = Load { users, spawn_rate, run_time, settings, only_classes };
        let actions = self.master.start(self.now, load).expect("a test can start");
        self.obey_master(actions);
    }

    pub(crate) fn stop(&mut self) {
        let actions = self.master.stop(self.now);
        self.obey_master(actions);
    }

    pub(crate) fn fault(&mut self, id: &str, fault: Fault) {
        let node = self.nodes.get_mut(id).expect("a worker");
        node.fault = Some(fault);
        if fault == Fault::Killed {
            node.alive.clear();
            node.due.clear();
            node.last_tasks.clear();
            if let Some(connection) = node.connection.take() {
                let actions = self.master.closed(self.now, connection, false);
                self.obey_master(actions);
            }
        }
    }

    pub(crate) fn leave(&mut self, id: &str) {
        let node = self.nodes.get_mut(id).expect("a worker");
        node.leaving = true;
        node.next_beat = self.now;
        let actions = node.agent.leave(self.now);
        self.obey_agent(id, actions);
    }

    /// The connection of a worker breaks, and the master does not notice.
    pub(crate) fn reconnect(&mut self, id: &str) {
        self.nodes.get_mut(id).expect("a worker").connection = None;
        self.redial(id);
    }

    pub(crate) fn heal(&mut self, id: &str) {
        self.nodes.get_mut(id).expect("a worker").fault = None;
    }

    pub(crate) fn kill_master(&mut self) {
        self.master_alive = false;
        self.wire.clear();
        for node in self.nodes.values_mut() {
            if node.connection.take().is_some() {
                assert_eq!(node.agent.closed(self.now), [], "the load goes on for a while");
                node.redial_at = Some(self.now);
            }
        }
    }

    pub(crate) fn new_master(&mut self) {
        self.master = cluster(1000);
        self.master_alive = true;
        self.last_order = 0;
    }

    /// A master that goes on with what the last one has kept.
    pub(crate) fn restart_master(&mut self) {
        let memory = self.memory.clone().expect("something has happened");
        let master = Cluster::restore([7; 32], classes(), 1000, memory, self.now);
        self.master = master.expect("the memory is sound");
        self.master_alive = true;
        self.memory = None;
        self.kept = 0;
        self.keep();
    }

    pub(crate) fn memory(&mut self) -> Memory {
        self.memory.clone().expect("something has happened")
    }

    /// Keeps what the master knows; checks that the changes alone make the same as all of it.
    fn keep(&mut self) {
        if self.master.revision() > self.kept {
            let news = self.master.memory(self.kept);
            let all = self.master.memory(0);
            match &mut self.memory {
                Some(memory) => memory.update(news),
                None => self.memory = Some(news),
            }
            let memory = self.memory.as_ref().expect("just set");
            for (kept, now) in memory.workers.values().zip(all.workers.values()) {
                // What is no change by itself may lag behind.
                let WorkerMemory { users_max, reported, .. } = *now;
                let (moving, unheard) = (now.moving.clone(), now.unheard.clone());
                assert!(moving.difference(&kept.moving).is_empty(), "who moves is kept");
                assert!(unheard.difference(&kept.unheard).is_empty(), "who leaves is kept");
                let kept = WorkerMemory { users_max, reported, moving, unheard, ..kept.clone() };
                assert_eq!(&kept, now);
            }
            self.kept = self.master.revision();
        }
    }

    pub(crate) fn finish(&mut self, id: u32) {
        for node in self.nodes.values_mut() {
            if node.alive.remove(&id) {
                assert_eq!(node.agent.user_ended(self.now, id, true), None);
            }
        }
    }

    /// Lets time pass; checks at each step what must always hold.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            if self.master_alive {
                let actions = self.master.tick(self.now);
                self.obey_master(actions);
            }
            self.deliver();
            let ids: Vec<_> = self.nodes.keys().cloned().collect();
            for id in ids {
                self.step(&id);
            }
            self.check();
        }
    }

    /// Lets time pass, and says the fewest and most users there were, and that the master saw.
    pub(crate) fn watch(&mut self, time: Duration) -> Watched {
        let (mut users, mut shown) = ([usize::MAX, 0], [u32::MAX, 0]);
        for _ in 0..time.as_millis() / STEP.as_millis() {
            self.run(STEP);
            let (alive, seen) = (self.alive(), self.master.users());
            users = [users[0].min(alive), users[1].max(alive)];
            shown = [shown[0].min(seen), shown[1].max(seen)];
        }
        Watched { users, shown }
    }

    fn check(&self) {
        let all: Vec<_> = self.nodes.values().flat_map(|node| &node.alive).collect();
        let different: BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), different.len(), "a user is alive twice at {:?}", self.now);
    }

    fn deliver(&mut self) {
        while self.wire.front().is_some_and(|(at, ..)| *at <= self.now) {
            let (_, connection, message) = self.wire.pop_front().expect("just seen");
            let node = self.nodes.iter_mut().find(|(_, node)| node.connection == Some(connection));
            let Some((id, node)) = node else { continue };
            let id = id.clone();
            if node.fault.is_some() {
                continue;
            }
            match message {
                Message::ToMaster(beat, sent) => {
                    let actions = self.master.heartbeat(self.now, connection, beat);
                    self.wire.push_back((self.now + DELAY, connection, Message::Answer(sent)));
                    self.obey_master(actions);
                }
                Message::Answer(sent) => node.agent.answered(sent),
                Message::Order(order) if (node.is_undeliverable)(&order) => {
                    let (now, number) = (self.now, order.number);
                    let actions = self.master.undeliverable(now, connection, number, "too long");
                    self.obey_master(actions);
                }
                Message::Order(order) => {
                    let master_ms = node.master_ms(self.now);
                    let actions = node.agent.order(self.now, master_ms, *order);
                    node.next_beat = self.now;
                    self.obey_agent(&id, actions);
                }
            }
        }
    }

    fn step(&mut self, id: &str) {
        let now = self.now;
        let node = self.nodes.get_mut(id).expect("a worker");
        if node.fault == Some(Fault::Killed) {
            return;
        }
        let started: Vec<_> =
            node.due.iter().filter(|&(_, &due)| due <= now).map(|(&id, _)| id).collect();
        for user in started {
            self.starts.push(node.due.remove(&user).expect("just seen"));
            node.alive.insert(user);
            node.agent.user_started(user);
        }
        let changes = node.agent.is_changing()
            && node.master_ms(now) / CHANGE_INTERVAL_MS
                != node.master_ms(now - STEP) / CHANGE_INTERVAL_MS;
        if (now >= node.next_beat || changes)
            && let Some(connection) = node.connection
        {
            node.next_beat = now + HEARTBEAT_INTERVAL;
            // A request of each user is on its way at any time.
            let in_flight = node.alive.len() as u64;
            let beat = Heartbeat { in_flight, ..node.agent.status(true) };
            self.wire.push_back((now + DELAY, connection, Message::ToMaster(beat, now)));
        }
        let over: Vec<_> =
            node.last_tasks.iter().filter(|&(_, &end)| end <= now).map(|(&id, _)| id).collect();
        let mut actions = node.agent.tick(now);
        for user in over {
            node.last_tasks.remove(&user);
            node.alive.remove(&user);
            actions.extend(node.agent.user_ended(now, user, false));
        }
        if node.leaving
            && node.agent.users() == 0
            && let Some(connection) = node.connection.take()
        {
            node.fault = Some(Fault::Killed);
            let actions = self.master.closed(now, connection, true);
            return self.obey_master(actions);
        }
        let redial = node.redial_at.is_some_and(|at| at <= now);
        self.obey_agent(id, actions);
        if redial {
            self.redial(id);
        }
    }

    fn obey_agent(&mut self, id: &str, actions: Vec<AgentAction>) {
        let (now, task) = (self.now, self.task);
        let node = self.nodes.get_mut(id).expect("a worker");
        let mut again = Vec::new();
        for action in actions {
            match action {
                AgentAction::Begin(_) => {}
                AgentAction::Start(start) => {
                    node.due.insert(start.id, start.due);
                }
                AgentAction::Stop { id, .. } => {
                    if !task.is_zero() && node.alive.contains(&id) {
                        node.last_tasks.entry(id).or_insert(now + task);
                    } else if node.due.remove(&id).is_some() | node.alive.remove(&id) {
                        again.extend(node.agent.user_ended(now, id, false));
                    }
                }
                AgentAction::Redial => {
                    node.connection = None;
                    node.redial_at = Some(now);
                }
            }
        }
        if !again.is_empty() {
            self.obey_agent(id, again);
        }
    }

    fn obey_master(&mut self, actions: Vec<Action>) {
        self.keep();
        for action in actions {
            match action {
                Action::Order { connection, order } => {
                    assert!(order.number > self.last_order, "the numbers of orders grow");
                    self.last_order = order.number;
                    self.wire.push_back((self.now + DELAY, connection, Message::Order(order)));
                }
                Action::Notice(text) => self.notices.push(text),
                Action::Close { connection, .. } => {
                    let there = |node: &&mut Node| {
                        node.connection == Some(connection) && node.fault.is_none()
                    };
                    if let Some(node) = self.nodes.values_mut().find(there) {
                        node.connection = None;
                        node.redial_at = Some(self.now);
                        let actions = node.agent.closed(self.now);
                        // Only the freeze that this world does not have stops anyone here.
                        assert_eq!(actions, []);
                    }
                }
                Action::Begun | Action::Ended => {}
            }
        }
    }
}

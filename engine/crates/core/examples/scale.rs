//! What users cost the master and the workers who only decide about them: a ramp to a million of
//! them on one worker and on ten, to 100,000 on a thousand, and workers that join.
//!
//!     cargo run --release -p swarm-core --example scale
#![expect(clippy::expect_used, reason = "a measurement that cannot go on ends")]

use std::time::{Duration, Instant};

use swarm_core::agent::{Action as AgentAction, Agent};
use swarm_core::cluster::{Action, Cluster, Load};
use swarm_core::dispatch::ClassShare;
use swarm_core::message::{Heartbeat, Order, Settings, WorkerInfo, WorkerState};
use swarm_core::plan::Population;

/// How often master and workers look at the clock.
const TICK: Duration = Duration::from_millis(20);
/// Classes of the scenario, of different weights.
const CLASSES: u32 = 5;

/// Mean and maximum of what something took.
#[derive(Default)]
struct Cost {
    sum: Duration,
    max: Duration,
    times: u32,
}

impl Cost {
    fn of<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = act();
        let took = start.elapsed();
        self.sum += took;
        self.max = self.max.max(took);
        self.times += 1;
        done
    }

    fn text(&self) -> String {
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        let mean = us(self.sum) / f64::from(self.times.max(1));
        format!("{mean:.0} us, at most {:.0} us", us(self.max))
    }
}

struct World {
    now: Duration,
    master: Cluster,
    /// None where only the master is measured.
    agents: Vec<Option<Agent>>,
    step: Cost,
    order: Cost,
    tick: Cost,
    status: Cost,
    /// Runs of ids in the largest order.
    runs: usize,
    orders: usize,
}

impl World {
    fn new() -> Self {
        let class = |class: u32| ClassShare {
            name: format!("class {class}"),
            population: Population::Weight(f64::from(1 + class)),
        };
        Self {
            now: Duration::from_secs(1),
            master: Cluster::new([0; 32], (0..CLASSES).map(class).collect(), 1),
            agents: Vec::new(),
            step: Cost::default(),
            order: Cost::default(),
            tick: Cost::default(),
            status: Cost::default(),
            runs: 0,
            orders: 0,
        }
    }

    fn join(&mut self, decides: bool) {
        let connection = self.agents.len() as u64;
        let info = WorkerInfo::new(format!("host{}_{connection}", connection / 4), connection + 1);
        self.master.join(self.now, connection, info).0.expect("the id is new");
        let mut agent = Agent::new(2, Duration::from_secs(30));
        agent.set_module_ready(true);
        agent.registered(self.now, self.now);
        self.agents.push(decides.then_some(agent));
        self.beat(connection);
    }

    fn beat(&mut self, connection: u64) {
        let agent = usize::try_from(connection).ok().and_then(|at| self.agents[at].as_mut());
        let beat = agent.map(|agent| {
            agent.answered(self.now);
            self.status.of(|| agent.status(true))
        });
        let beat = beat.unwrap_or_else(|| Heartbeat::new(WorkerState::Ready));
        let actions = self.master.heartbeat(self.now, connection, beat);
        self.obey(actions);
    }

    fn start(&mut self, users: u32, spawn_rate: f64) {
        let settings = Settings::default();
        let only_classes = Vec::new();
        let load = Load { users, spawn_rate, run_time: None, settings, only_classes };
        let now = self.now;
        let actions = self.step.of(|| self.master.start(now, load)).expect("a load");
        self.obey(actions);
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        let mut tick = 0_u32;
        while self.now < end {
            self.now += TICK;
            tick += 1;
            let start = Instant::now();
            let actions = self.master.tick(self.now);
            let took = start.elapsed();
            if !actions.is_empty() {
                self.step.sum += took;
                self.step.max = self.step.max.max(took);
                self.step.times += 1;
            }
            self.obey(actions);
            for agent in self.agents.iter_mut().flatten() {
                let now = self.now;
                let actions = self.tick.of(|| agent.tick(now));
                serve(agent, now, &actions);
            }
            if tick.is_multiple_of(50) {
                (0..self.agents.len() as u64).for_each(|connection| self.beat(connection));
            }
        }
    }

    fn obey(&mut self, actions: Vec<Action>) {
        for action in actions {
            let Action::Order { connection, order } = action else { continue };
            let runs: usize = order.users.iter().map(|class| class.ids.run_count()).sum();
            self.runs = self.runs.max(runs);
            self.orders += 1;
            self.deliver(connection, *order);
        }
    }

    fn deliver(&mut self, connection: u64, order: Order) {
        let at = usize::try_from(connection).expect("a small number");
        let now = self.now;
        let Some(agent) = &mut self.agents[at] else { return };
        let now_ms = u64::try_from(now.as_millis()).expect("a short run");
        let actions = self.order.of(|| agent.order(now, now_ms, order));
        serve(agent, now, &actions);
    }

    fn tell(&self, what: &str) {
        println!("{what}");
        println!("  master, a step with its orders   {}", self.step.text());
        println!("  orders, runs in the largest      {}, {}", self.orders, self.runs);
        if self.order.times > 0 {
            println!("  worker, an order                 {}", self.order.text());
            println!("  worker, a look at the clock      {}", self.tick.text());
            println!("  worker, what it is doing         {}", self.status.text());
        }
    }
}

/// The load threads: all users begin and end at once.
fn serve(agent: &mut Agent, now: Duration, actions: &[AgentAction]) {
    for action in actions {
        match action {
            AgentAction::Start(start) => agent.user_started(start.id),
            AgentAction::Stop { id, .. } => {
                agent.user_ended(now, *id, false);
            }
            AgentAction::Begin(_) | AgentAction::Redial => {}
        }
    }
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .map_or(0, |pages: usize| pages * 4096)
}

fn ramp(workers: usize, users: u32, rate: f64, decides: bool) -> World {
    let mut world = World::new();
    (0..workers).for_each(|_| world.join(decides));
    let before = resident_bytes();
    world.start(users, rate);
    world.run(Duration::from_secs_f64(f64::from(users) / rate + 2.0));
    world.tell(&format!("{users} users at {rate}/s on {workers} workers"));
    if decides {
        let alive: usize = world.agents.iter().flatten().map(Agent::users).sum();
        assert_eq!(alive, users as usize);
        let bytes = resident_bytes().saturating_sub(before);
        println!("  all together, a user             {} bytes", bytes / users as usize);
    }
    world
}

fn main() {
    ramp(1, 1_000_000, 20_000.0, true);
    let mut world = ramp(10, 1_000_000, 20_000.0, true);
    world.step = Cost::default();
    (world.orders, world.runs) = (0, 0);
    (0..10).for_each(|_| world.join(true));
    world.run(Duration::from_secs(3));
    world.tell("ten more join");
    world.step = Cost::default();
    let actions = world.step.of(|| world.master.stop(world.now));
    world.obey(actions);
    world.run(Duration::from_secs(3));
    world.tell("the end");
    let mut world = ramp(1000, 100_000, 5_000.0, false);
    world.step = Cost::default();
    (world.orders, world.runs) = (0, 0);
    world.join(false);
    world.run(TICK);
    world.tell("one more joins");
}

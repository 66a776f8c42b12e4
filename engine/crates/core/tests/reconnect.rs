//! A worker whose connection ends while both ends live, and that comes back.

use std::collections::BTreeSet;
use std::time::Duration;

use swarm_core::agent::{Action as AgentAction, Agent};
use swarm_core::cluster::{Action, Cluster, Load, State};
use swarm_core::dispatch::ClassShare;
use swarm_core::message::{Heartbeat, Order, Settings, WorkerInfo};
use swarm_core::plan::Population;

const SECOND: Duration = Duration::from_secs(1);

/// A master, and the workers of its connections, which take their orders at once.
struct Pair {
    master: Cluster,
    agents: Vec<(u64, Agent)>,
    running: Vec<BTreeSet<u32>>,
}

impl Pair {
    /// Two workers with five users each.
    fn new() -> Self {
        let class = ClassShare { name: "x".to_owned(), population: Population::Weight(1.0) };
        let agents = (0..2).map(|w| (w, Agent::new(1, 30 * SECOND)));
        let master = Cluster::new([0; 32], vec![class], 1);
        let running = vec![BTreeSet::new(); 2];
        let mut pair = Self { master, agents: agents.collect(), running };
        pair.join(Duration::ZERO, 0, 0);
        pair.join(Duration::ZERO, 1, 1);
        let settings = Settings { stop_timeout_ms: 1000, ..Settings::default() };
        let only_classes = Vec::new();
        let load = Load { users: 10, spawn_rate: 100.0, run_time: None, settings, only_classes };
        let actions = pair.master.start(Duration::ZERO, load).expect("a load");
        pair.obey(Duration::ZERO, actions);
        pair.pass(Duration::ZERO, SECOND);
        assert_eq!(pair.counts(), [5, 5]);
        pair
    }

    fn join(&mut self, now: Duration, w: usize, connection: u64) {
        let (joined, actions) = self.master.join(now, connection, info(w, 1));
        joined.expect("it may join");
        self.agents[w].0 = connection;
        self.agents[w].1.set_module_ready(true);
        self.agents[w].1.registered(now, now);
        self.obey(now, actions);
        self.beat(now, w);
    }

    fn beat(&mut self, now: Duration, w: usize) {
        let beat = self.sign_of_life(now, w);
        let actions = self.master.heartbeat(now, self.agents[w].0, beat);
        self.obey(now, actions);
    }

    fn sign_of_life(&mut self, now: Duration, w: usize) -> Heartbeat {
        let agent = &mut self.agents[w].1;
        agent.answered(now);
        agent.status(true)
    }

    fn obey(&mut self, now: Duration, actions: Vec<Action>) {
        for action in actions {
            let Action::Order { connection, order } = action else { continue };
            self.take(now, connection, *order);
        }
    }

    fn take(&mut self, now: Duration, connection: u64, order: Order) {
        let w = self.agents.iter().position(|agent| agent.0 == connection).expect("a worker");
        let now_ms = u64::try_from(now.as_millis()).expect("a short time");
        let actions = self.agents[w].1.order(now, now_ms, order);
        self.serve(now, w, actions);
        self.beat(now, w);
    }

    fn serve(&mut self, now: Duration, w: usize, actions: Vec<AgentAction>) {
        for action in actions {
            match action {
                AgentAction::Start(start) => {
                    self.running[w].insert(start.id);
                    self.agents[w].1.user_started(start.id);
                }
                AgentAction::Stop { id, .. } => {
                    self.running[w].remove(&id);
                    let again = self.agents[w].1.user_ended(now, id, false);
                    self.serve(now, w, again.into_iter().collect());
                }
                AgentAction::Begin(_) | AgentAction::Redial => {}
            }
        }
    }

    fn pass(&mut self, from: Duration, time: Duration) {
        let mut now = from;
        while now < from + time {
            now += Duration::from_millis(10);
            let actions = self.master.tick(now);
            self.obey(now, actions);
            for w in 0..2 {
                let actions = self.agents[w].1.tick(now);
                self.serve(now, w, actions);
                if now.as_millis().is_multiple_of(500) {
                    self.beat(now, w);
                }
            }
        }
    }

    fn counts(&self) -> Vec<usize> {
        self.running.iter().map(BTreeSet::len).collect()
    }

    fn doubles(&self) -> usize {
        self.running[0].intersection(&self.running[1]).count()
    }
}

fn info(w: usize, attempt: u32) -> WorkerInfo {
    WorkerInfo { attempt, ..WorkerInfo::new(format!("w{w}"), w as u64) }
}

/// The network may hold an attempt up until a later one has joined, with its end behind it: that
/// is no sign of the worker's.
#[test]
fn an_attempt_that_was_given_up_comes_too_late() {
    let mut pair = Pair::new();
    let (joined, actions) = pair.master.join(SECOND, 9, info(1, 0));
    assert_eq!((joined.is_err(), actions), (true, Vec::new()));
    let actions = pair.master.closed(SECOND, 9, false);
    pair.obey(SECOND, actions);
    pair.pass(SECOND, 2 * SECOND);
    assert_eq!((pair.counts(), pair.doubles()), (vec![5, 5], 0));
}

/// It has users and samples of the test until it confirms the order to stop on its new connection.
#[test]
fn a_test_is_not_over_before_a_worker_that_is_back_has_stopped() {
    let mut pair = Pair::new();
    let mut orders = pair.master.stop(SECOND);
    orders.retain(|action| matches!(action, Action::Order { connection: 0, .. }));
    pair.obey(SECOND, orders);
    pair.master.join(SECOND, 3, info(1, 2)).0.expect("it may join");
    pair.agents[1].0 = 3;
    pair.agents[1].1.registered(SECOND, SECOND);
    let beat = pair.sign_of_life(SECOND, 1);
    let actions = pair.master.heartbeat(SECOND, 3, beat);
    assert!(!actions.contains(&Action::Ended));
    assert_eq!((pair.master.state(), pair.counts()), (State::Stopping, vec![0, 5]));
    pair.obey(SECOND, actions);
    pair.pass(SECOND, 2 * SECOND);
    assert_eq!((pair.master.state(), pair.counts()), (State::Stopped, vec![0, 0]));
}

/// Its users run elsewhere by then. That they come back to it, one by one, is no reason to keep
/// them until their turns.
#[test]
fn who_runs_elsewhere_stops_at_once_although_it_comes_back() {
    let mut pair = Pair::new();
    // The master sees an end where the worker sees none, and gives its users away.
    let actions = pair.master.closed(SECOND, 1, false);
    pair.obey(SECOND, actions);
    pair.agents[1].0 = u64::MAX;
    pair.pass(SECOND, SECOND + SECOND / 2);
    assert_eq!((pair.counts(), pair.doubles()), (vec![10, 5], 5));
    let now = 2 * SECOND + SECOND / 2;
    pair.join(now, 1, 2);
    // The first order, and the one that follows when the other worker has taken its own.
    pair.pass(now, Duration::from_millis(20));
    assert_eq!(pair.doubles(), 0, "{:?}", pair.running);
    pair.pass(now + Duration::from_millis(20), 2 * SECOND);
    assert_eq!((pair.counts(), pair.doubles()), (vec![5, 5], 0));
}

//! What a master tells while a worker has not confirmed its orders.

use std::time::Duration;

use swarm_core::cluster::{Action, Cluster, Load, State};
use swarm_core::dispatch::ClassShare;
use swarm_core::ids::IdSet;
use swarm_core::message::{Heartbeat, Order, Settings, WorkerInfo, WorkerState};
use swarm_core::plan::Population;

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(20);

/// A master, and the orders that it has sent, by connection.
struct Master {
    cluster: Cluster,
    now: Duration,
    orders: Vec<(u64, Order)>,
}

impl Master {
    fn new() -> Self {
        let class = ClassShare { name: "x".to_owned(), population: Population::Weight(1.0) };
        Self { cluster: Cluster::new([7; 32], vec![class], 1), now: SECOND, orders: Vec::new() }
    }

    fn note(&mut self, actions: Vec<Action>) {
        for action in actions {
            if let Action::Order { connection, order } = action {
                self.orders.push((connection, *order));
            }
        }
    }

    fn tick(&mut self) {
        self.now += TICK;
        let actions = self.cluster.tick(self.now);
        self.note(actions);
    }

    /// A worker has connected and says nothing yet.
    fn connect(&mut self, connection: u64, worker: u64) {
        let attempt = u32::try_from(connection).expect("a small number");
        let info = WorkerInfo { attempt, ..WorkerInfo::new(format!("w{worker}"), worker) };
        let (joined, actions) = self.cluster.join(self.now, connection, info);
        joined.expect("it may join");
        self.note(actions);
        self.tick();
    }

    fn hear(&mut self, connection: u64, beat: Heartbeat) {
        let actions = self.cluster.heartbeat(self.now, connection, beat);
        self.note(actions);
        self.tick();
    }

    fn join(&mut self, connection: u64) {
        self.connect(connection, connection);
        self.hear(connection, Heartbeat::new(WorkerState::Ready));
    }

    fn last_order(&self, connection: u64) -> &Order {
        let orders = self.orders.iter().rev();
        orders
            .clone()
            .find(|(to, _)| *to == connection)
            .map(|(_, order)| order)
            .expect("it was told")
    }

    /// The worker of a connection has taken all that it was told, and is still about it.
    fn take(&mut self, connection: u64) {
        let order_taken = self.last_order(connection).number;
        self.hear(connection, Heartbeat { order_taken, ..Heartbeat::new(WorkerState::Running) });
    }

    /// The worker of a connection has done all that it was told.
    fn confirm(&mut self, connection: u64) {
        self.confirm_as(connection, WorkerState::Running);
    }

    fn confirm_as(&mut self, connection: u64, state: WorkerState) {
        let number = self.last_order(connection).number;
        let beat = Heartbeat { order_taken: number, order_done: number, ..Heartbeat::new(state) };
        self.hear(connection, beat);
    }

    fn load(&mut self, users: u32) {
        let settings = Settings::default();
        let load =
            Load { users, spawn_rate: 1000.0, run_time: None, settings, only_classes: Vec::new() };
        let actions = self.cluster.start(self.now, load).expect("it can start");
        self.note(actions);
        self.tick();
    }
}

fn users(order: &Order) -> IdSet {
    let mut ids = IdSet::new();
    order.users.iter().for_each(|class| ids.insert_all(&class.ids));
    ids
}

fn moves(order: &Order) -> IdSet {
    let mut ids = IdSet::new();
    order.moves.iter().for_each(|moves| ids.insert_all(&moves.ids));
    ids
}

/// Users that worker 2 was to take over are taken away and given to it again with a later turn, and
/// it has heard of none of that: it may start them at the first turn. So worker 1 must not be told
/// to keep them until the later one.
#[test]
fn nobody_keeps_a_user_for_a_worker_that_may_start_it_earlier() {
    let mut master = Master::new();
    master.join(1);
    master.load(20);
    master.confirm(1);
    master.join(2);
    master.confirm(1);
    let first = users(master.last_order(2));
    assert_eq!(first.len(), 10, "half of the users move");
    // From here on worker 2 confirms nothing.
    master.load(4);
    let taken_away = first.difference(&users(master.last_order(2)));
    master.load(20);
    let again = taken_away.intersection(&users(master.last_order(2)));
    assert!(!again.is_empty(), "some of those that were taken away come back");
    let start_ms = master.last_order(2).moves.iter().map(|moves| moves.start_ms).max();
    let later = |order: &Order| {
        let mut order = order.clone();
        order.moves.retain(|moves| Some(moves.start_ms) == start_ms);
        moves(&order).intersection(&again)
    };
    assert_eq!(later(master.last_order(1)), IdSet::new());
    // It is told as soon as worker 2 knows the later turn.
    master.confirm(2);
    assert_eq!(later(master.last_order(1)), again);
}

/// The load falls, and worker 2 knows whom it loses within a second. Before that is over the load
/// rises, and worker 3 is to take some of them over at turns of their own. Worker 2 may run them
/// past these until it has taken the order that names them.
#[test]
fn an_id_that_is_used_again_waits_until_the_worker_that_loses_it_knows_when() {
    let mut master = Master::new();
    master.join(1);
    master.join(2);
    master.load(20);
    master.confirm(1);
    master.confirm(2);
    let before = users(master.last_order(2));
    master.load(4);
    let lost = before.difference(&users(master.last_order(2)));
    master.take(1);
    master.take(2);
    master.join(3);
    (1..=3).for_each(|worker| master.take(worker));
    master.load(20);
    master.take(1);
    master.take(3);
    let given = |master: &Master| users(master.last_order(3)).intersection(&lost);
    assert_eq!(given(&master), IdSet::new());
    master.take(2);
    assert!(!given(&master).is_empty(), "{:?} of {lost:?}", master.last_order(3).users);
}

/// A worker that leaves has lost its connection, and joins again in the moment in which the others
/// have confirmed the end of the test. It may have samples that it could not report meanwhile.
#[test]
fn a_test_does_not_end_before_a_worker_that_leaves_and_is_back_has_said_that_it_is_done() {
    let mut master = Master::new();
    master.join(1);
    master.join(2);
    master.load(4);
    master.confirm(1);
    master.confirm(2);
    let number = master.last_order(1).number;
    let leaving = Heartbeat { order_taken: number, ..Heartbeat::new(WorkerState::Leaving) };
    master.hear(1, leaving);
    master.confirm(2);
    let actions = master.cluster.stop(master.now);
    master.note(actions);
    master.tick();
    master.connect(3, 1);
    master.confirm(2);
    assert_eq!(master.cluster.state(), State::Stopping, "nothing was heard of worker 1");
    master.hear(3, Heartbeat::new(WorkerState::Leaving));
    assert_eq!(master.cluster.state(), State::Stopping, "it has not been told yet");
    master.confirm_as(3, WorkerState::Leaving);
    assert_eq!(master.cluster.state(), State::Stopped);
}

//! A worker's decisions where a whole cluster in virtual time does not lead.

mod late_orders;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::btree_set;
use proptest::prelude::*;
use swarm_core::agent::{Action, Agent, FINISHED_RUNS_MAX, LEASE, REFUSAL_LEASE};
use swarm_core::cluster::AWAIT_MAX;
use swarm_core::ids::IdSet;
use swarm_core::message::{ClassUsers, Moves, Order, Settings, WorkerState};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(10);

fn ids(ids: impl IntoIterator<Item = u32>) -> IdSet {
    ids.into_iter().collect()
}

/// The users of class 0, over a second.
fn order(number: u64, users: &IdSet) -> Order {
    order_of_classes(number, [users.clone()])
}

/// The users of class 0, of class 1 and so on, over a second.
fn order_of_classes(number: u64, classes: impl IntoIterator<Item = IdSet>) -> Order {
    let classes = (0..).zip(classes).filter(|(_, ids)| !ids.is_empty());
    Order {
        number,
        test: 7,
        module: [0; 32],
        test_start_ms: 0,
        issued_ms: 0,
        spread_ms: 1000,
        users: classes.map(|(class, ids)| ClassUsers { class, ids }).collect(),
        moves: Vec::new(),
        settings: Settings::default(),
    }
}

fn agent(shards: usize) -> Agent {
    let mut agent = Agent::new(shards, 30 * SECOND);
    agent.set_module_ready(true);
    agent.registered(Duration::ZERO, Duration::ZERO);
    agent
}

/// Users, and when each has its turn.
type Turns = Vec<(u32, Duration)>;

/// When each user starts and stops, by looks at the clock until `end`. All that is told happens.
fn watch(agent: &mut Agent, mut actions: Vec<Action>, end: Duration) -> (Turns, Turns) {
    let (mut starts, mut stops, mut now) = (Vec::new(), Vec::new(), Duration::ZERO);
    while now < end {
        for action in std::mem::take(&mut actions) {
            match action {
                Action::Start(start) => {
                    agent.user_started(start.id);
                    starts.push((start.id, start.due));
                }
                Action::Stop { id, .. } => {
                    stops.push((id, now));
                    actions.extend(agent.user_ended(now, id, false));
                }
                Action::Begin(_) | Action::Redial => {}
            }
        }
        now += TICK;
        agent.answered(now);
        actions.extend(agent.tick(now));
    }
    (starts, stops)
}

/// A worker with one user, in the middle of a test.
fn busy() -> Agent {
    let mut agent = agent(1);
    agent.order(Duration::ZERO, 0, Order { spread_ms: 0, ..order(1, &ids([3])) });
    agent.user_started(3);
    agent.answered(SECOND);
    agent
}

fn stops(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::Stop { id: 3, .. }))
}

/// Whom the actions start.
fn started(actions: &[Action]) -> Vec<u32> {
    let start = |action: &Action| match action {
        Action::Start(start) => Some(start.id),
        _ => None,
    };
    actions.iter().filter_map(start).collect()
}

#[test]
fn a_connection_that_closes_leaves_the_load_until_the_grace_is_over() {
    let mut agent = busy();
    assert_eq!(agent.closed(2 * SECOND), []);
    // The master's process is gone: its machine says that nobody listens there.
    for second in 2..32 {
        agent.refused(second * SECOND);
        assert_eq!(agent.tick((second + 1) * SECOND), []);
    }
    assert_eq!(agent.tick(32 * SECOND), []);
    assert!(stops(&agent.tick(33 * SECOND)));
}

/// A living master that cannot be reached gives its users away.
#[test]
fn a_connection_that_closes_is_silence_unless_nobody_listens() {
    let mut agent = busy();
    assert_eq!(agent.closed(2 * SECOND), []);
    assert_eq!(agent.tick(SECOND + LEASE), []);
    assert!(stops(&agent.tick(SECOND + LEASE + TICK)));

    let mut agent = busy();
    assert_eq!(agent.closed(2 * SECOND), []);
    agent.refused(3 * SECOND);
    // A master may have started since, and waits no longer than this.
    assert!(REFUSAL_LEASE < AWAIT_MAX);
    assert_eq!(agent.tick(3 * SECOND + REFUSAL_LEASE), []);
    assert!(stops(&agent.tick(3 * SECOND + REFUSAL_LEASE + TICK)));
}

/// There is nobody who would take its users over.
#[test]
fn a_worker_that_leaves_ends_its_users_when_the_master_goes() {
    let mut agent = busy();
    assert_eq!(agent.leave(SECOND), []);
    assert!(stops(&agent.closed(2 * SECOND)));
    assert_eq!(agent.tick(3 * SECOND), []);
}

/// A heartbeat that is too long to be sent would be silence.
#[test]
fn a_heartbeat_names_finished_users_as_far_as_it_can() {
    let mut agent = agent(1);
    let users = u32::try_from(2 * FINISHED_RUNS_MAX + 2).unwrap();
    let order = Order { spread_ms: 0, ..order(1, &ids(0..users)) };
    agent.order(Duration::ZERO, 0, order);
    while agent.status(true).state == WorkerState::Spawning {
        (0..users).for_each(|id| agent.user_started(id));
        agent.tick(SECOND);
    }
    for id in (0..users).step_by(2) {
        assert_eq!(agent.user_ended(SECOND, id, true), None);
    }
    let finished = agent.status(true).finished;
    assert_eq!(finished.run_count(), FINISHED_RUNS_MAX);
    assert!(finished.contains(0));
}

#[test]
fn a_worker_that_stood_still_beyond_its_lease_stops_before_it_joins() {
    let mut agent = busy();
    agent.closed(2 * SECOND);
    assert!(stops(&agent.registered(10 * SECOND, 10 * SECOND)));
    assert_eq!(agent.status(true).order_taken, 0);
    let mut agent = busy();
    agent.closed(2 * SECOND);
    assert_eq!(agent.registered(3 * SECOND, 3 * SECOND), []);
}

/// The master took this worker in, and has given its users away while it stood still.
#[test]
fn a_worker_that_stood_still_while_it_joined_has_no_lease_any_more() {
    let joined = |now| {
        let mut agent = busy();
        agent.closed(2 * SECOND);
        agent.refused(3 * SECOND);
        assert_eq!(agent.registered(now, 3 * SECOND), []);
        agent
    };
    let late = 3 * SECOND + LEASE + TICK;
    let mut agent = joined(late);
    let actions = agent.order(late, 0, Order { spread_ms: 0, ..order(1, &ids([3, 4])) });
    assert!(stops(&actions) && actions.contains(&Action::Redial), "{actions:?}");
    assert!(!actions.iter().any(|action| matches!(action, Action::Start(_))), "{actions:?}");

    let mut agent = joined(late);
    let actions = agent.tick(late);
    assert!(stops(&actions) && actions.contains(&Action::Redial), "{actions:?}");
    let mut agent = joined(3 * SECOND + LEASE);
    assert_eq!(agent.tick(3 * SECOND + LEASE), []);
}

#[test]
fn a_connection_that_closes_after_the_lease_ends_the_load_at_once() {
    let mut agent = busy();
    // The process stood still, and sees the end of the connection before it looks at the clock.
    assert!(stops(&agent.closed(SECOND + LEASE + SECOND)));
    assert_eq!(agent.tick(20 * SECOND), [], "the load has ended, and the connection too");
}

#[test]
fn users_get_to_their_threads_evenly_and_shortly_before_they_are_due() {
    let mut agent = agent(4);
    let first = agent.order(Duration::ZERO, 0, order(1, &ids(0..20_000)));
    assert!((500..=1500).contains(&first.len()), "{} at once", first.len());
    let (mut shards, mut now) = ([0; 4], Duration::ZERO);
    let mut actions = first;
    while now < SECOND {
        for action in actions {
            let Action::Start(start) = action else { continue };
            assert!(start.due <= now + SECOND / 10, "{start:?} at {now:?}");
            shards[start.shard] += 1;
        }
        now += TICK;
        actions = agent.tick(now);
        assert!((150..=250).contains(&actions.len()) || now >= SECOND - SECOND / 10);
        assert!(shards.iter().max().unwrap() - shards.iter().min().unwrap() <= 1, "{shards:?}");
    }
    assert_eq!(shards, [5000; 4]);
    assert_eq!(agent.status(true).state, WorkerState::Spawning);
}

/// Two workers, one of which gives users to the other, know the master's clock by chance to the
/// millisecond, but their own began at different times.
#[test]
fn a_user_that_moves_stops_and_starts_by_the_masters_clock() {
    let (from_ms, to_ms) = (50_000, 70_000);
    let (mut from, mut to) = (agent(1), agent(1));
    let all = ids(0..100);
    let actions = from.order(Duration::ZERO, from_ms, Order { spread_ms: 0, ..order(1, &all) });
    watch(&mut from, actions, SECOND);
    let moves = |now_ms| vec![Moves { start_ms: now_ms + 100, spread_ms: 1000, ids: ids(50..100) }];
    let less = Order { moves: moves(from_ms), ..order(2, &ids(0..50)) };
    // Both get their orders at 1 s by the clock of the first, and then the first one's clock is at
    // 1 s and the other's at 0.
    let actions = from.order(Duration::ZERO, from_ms, less);
    let (_, stops) = watch(&mut from, actions, 2 * SECOND);
    let more = Order { moves: moves(to_ms), ..order(1, &ids(50..100)) };
    let actions = to.order(Duration::ZERO, to_ms, more);
    let (mut starts, _) = watch(&mut to, actions, 2 * SECOND);
    assert_eq!((starts.len(), stops.len()), (50, 50));
    let mut stops = stops;
    starts.sort_unstable();
    stops.sort_unstable();
    for ((id, stop), (same, start)) in stops.into_iter().zip(starts) {
        assert_eq!(id, same);
        let gap = start.saturating_sub(stop);
        let range = Duration::from_millis(10)..=Duration::from_millis(20);
        assert!(range.contains(&gap), "user {id} stops at {stop:?} and starts at {start:?}");
    }
}

/// Both stood still while they joined: the one takes the master's clock for 250 ms less than it
/// shows, the other for 250 ms more, and they know that it may be so.
#[test]
fn nobody_moves_too_early_by_a_clock_that_is_known_badly() {
    let (master_ms, wrong_ms, error) = (50_000, 250, Duration::from_millis(260));
    let (mut from, mut to) = (agent(1), agent(1));
    let all = ids(0..100);
    let actions = from.order(Duration::ZERO, master_ms, Order { spread_ms: 0, ..order(1, &all) });
    watch(&mut from, actions, SECOND);
    let moves = || vec![Moves { start_ms: master_ms + 500, spread_ms: 500, ids: ids(50..100) }];
    from.synchronised(error);
    let less = Order { moves: moves(), ..order(2, &ids(0..50)) };
    let actions = from.order(Duration::ZERO, master_ms - wrong_ms, less);
    let (_, mut stops) = watch(&mut from, actions, 2 * SECOND);
    to.synchronised(error);
    let more = Order { moves: moves(), ..order(1, &ids(50..100)) };
    let actions = to.order(Duration::ZERO, master_ms + wrong_ms, more);
    let (mut starts, _) = watch(&mut to, actions, 2 * SECOND);
    assert_eq!((starts.len(), stops.len()), (50, 50));
    starts.sort_unstable();
    stops.sort_unstable();
    for ((id, stop), (same, start)) in stops.into_iter().zip(starts) {
        assert_eq!(id, same);
        assert!(stop < start, "user {id} stops at {stop:?} and starts at {start:?}");
    }
}

#[test]
fn a_user_that_has_not_begun_is_not_heard_of_when_it_is_not_wanted_any_more() {
    let mut agent = agent(1);
    let mut actions = agent.order(Duration::ZERO, 0, order(1, &ids(0..1000)));
    let begun = actions.len() - 1;
    actions.extend(agent.order(Duration::ZERO, 0, order(2, &ids([]))));
    let (starts, stops) = watch(&mut agent, actions, SECOND * 2);
    assert_eq!((starts.len(), stops.len(), agent.users()), (begun, begun, 0));
    assert_eq!(agent.status(true).order_done, 2);
}

/// What is due at once for very many users must not keep the worker from its signs of life.
#[test]
fn many_stops_are_not_one_long_step() {
    let mut agent = agent(2);
    let many = ids(0..100_000);
    let mut actions = agent.order(Duration::ZERO, 0, Order { spread_ms: 0, ..order(1, &many) });
    let mut looks = 0;
    while agent.status(true).order_done == 0 {
        for action in std::mem::take(&mut actions) {
            let Action::Start(start) = action else { continue };
            agent.user_started(start.id);
        }
        actions = agent.tick(Duration::ZERO);
        assert!(actions.len() <= 10_000);
        looks += 1;
        assert!(looks < 20, "all have been started");
    }
    assert_eq!(agent.status(true).users, [(0, 100_000)]);
    let first = agent.order(Duration::ZERO, 0, order(2, &ids([])));
    let rest: usize = (0..10).map(|_| agent.tick(Duration::ZERO).len()).sum();
    assert_eq!((first.len(), first.len() + rest), (10_000, 100_000));
}

#[test]
fn a_user_that_ends_by_a_fault_of_the_worker_comes_back_with_the_next_order() {
    let mut agent = busy();
    assert_eq!(agent.user_ended(SECOND, 3, false), None);
    assert_eq!(agent.status(true).users, []);
    let actions = agent.order(SECOND, 0, Order { spread_ms: 0, ..order(2, &ids([3, 4])) });
    assert_eq!(started(&actions), [3, 4]);
}

/// What happens to a worker.
#[derive(Debug, Clone)]
enum Event {
    /// Users of two classes, none in both, over some milliseconds.
    Order { first: BTreeSet<u32>, second: BTreeSet<u32>, spread_ms: u64, moves: bool },
    /// Time passes.
    Pass { ms: u64 },
    /// The users that were told to stop have done so.
    Stopped,
}

fn event() -> impl Strategy<Value = Event> {
    let ids = || btree_set(0..30_u32, 0..20);
    prop_oneof![
        3 => (ids(), ids(), 0..500_u64, any::<bool>()).prop_map(|order| {
            let (first, second, spread_ms, moves) = order;
            let second = &second - &first;
            Event::Order { first, second, spread_ms, moves }
        }),
        3 => (1..300_u64).prop_map(|ms| Event::Pass { ms }),
        1 => Just(Event::Stopped),
    ]
}

/// The load threads of a worker.
#[derive(Debug, Default)]
struct Threads {
    now: Duration,
    running: BTreeMap<u32, u32>,
    stopping: BTreeSet<u32>,
}

impl Threads {
    fn obey(&mut self, agent: &mut Agent, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Start(start) => {
                    let before = self.running.insert(start.id, start.class);
                    assert_eq!(before, None, "user {} runs already", start.id);
                    agent.user_started(start.id);
                }
                Action::Stop { id, .. } => {
                    assert!(self.running.contains_key(&id), "user {id} does not run");
                    self.stopping.insert(id);
                }
                Action::Begin(_) | Action::Redial => {}
            }
        }
    }

    fn stopped(&mut self, agent: &mut Agent) {
        for id in std::mem::take(&mut self.stopping) {
            self.running.remove(&id);
            let again = agent.user_ended(self.now, id, false);
            self.obey(agent, again.into_iter().collect());
        }
    }

    fn pass(&mut self, agent: &mut Agent, ms: u64) {
        self.now += Duration::from_millis(ms);
        agent.answered(self.now);
        let actions = agent.tick(self.now);
        self.obey(agent, actions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    /// Whatever was ordered before: in the end exactly those run that the last order names.
    #[test]
    fn the_last_order_counts(events in prop::collection::vec(event(), 1..40)) {
        let (mut agent, mut threads) = (agent(2), Threads::default());
        let (mut number, mut wanted) = (0, BTreeMap::new());
        for event in events {
            match event {
                Event::Order { first, second, spread_ms, moves } => {
                    number += 1;
                    let classes = [ids(first), ids(second)];
                    wanted = (0..).zip(&classes).flat_map(|(class, ids)| {
                        ids.iter().map(move |id| (id, class))
                    }).collect();
                    let start_ms = 100 * number;
                    let all = Moves { start_ms, spread_ms: 300, ids: ids(0..30) };
                    let moves = if moves { vec![all] } else { Vec::new() };
                    let order = Order { spread_ms, moves, ..order_of_classes(number, classes) };
                    let actions = agent.order(threads.now, 300, order);
                    threads.obey(&mut agent, actions);
                }
                Event::Pass { ms } => threads.pass(&mut agent, ms),
                Event::Stopped => threads.stopped(&mut agent),
            }
            let alive: u32 = agent.status(true).users.iter().map(|(_, users)| users).sum();
            prop_assert_eq!(alive as usize, threads.running.len());
        }
        for _ in 0..100 {
            threads.pass(&mut agent, 100);
            threads.stopped(&mut agent);
        }
        prop_assert_eq!(threads.running, wanted);
        let status = agent.status(true);
        prop_assert_eq!((status.order_done, agent.is_changing()), (number, false));
    }
}

/// A user that was sent away and is at its last task comes back with a rebalance: another worker
/// runs it until its turn.
#[test]
fn a_user_that_comes_back_waits_for_its_turn() {
    let mut agent = busy();
    agent.order(SECOND, 1000, order(2, &ids([4])));
    agent.answered(2 * SECOND);
    assert!(stops(&agent.tick(2 * SECOND)));
    let back = Moves { start_ms: 5000, spread_ms: 0, ids: ids([3]) };
    agent.order(2 * SECOND, 2000, Order { moves: vec![back], ..order(3, &ids([3, 4])) });
    assert_eq!(agent.user_ended(3 * SECOND, 3, false), None);
    agent.answered(5 * SECOND);
    let starts = agent.tick(5 * SECOND);
    let due = |action: &Action| match action {
        Action::Start(start) if start.id == 3 => Some(start.due),
        _ => None,
    };
    assert_eq!(starts.iter().find_map(due), Some(5 * SECOND + SECOND / 50));
}

/// User 3 leaves this worker by one move, comes back by the next, and is then not wanted any more:
/// all of it is told before its first turn. The other worker has the user from the first turn on.
#[test]
fn a_user_that_does_not_come_back_after_all_still_leaves_at_its_first_turn() {
    let mut agent = busy();
    let moves = |start_ms| vec![Moves { start_ms, spread_ms: 0, ids: ids([3]) }];
    agent.order(SECOND, 1000, Order { moves: moves(1100), ..order(2, &ids([4])) });
    agent.order(SECOND, 1000, Order { moves: moves(1150), ..order(3, &ids([3, 4])) });
    agent.order(SECOND, 1000, Order { moves: moves(1150), ..order(4, &ids([4])) });
    let first_turn = SECOND + Duration::from_millis(100);
    agent.answered(first_turn);
    assert!(!stops(&agent.tick(first_turn - TICK)));
    assert!(stops(&agent.tick(first_turn)));
    assert_eq!(agent.user_ended(first_turn, 3, false), None, "it stays away");
}

/// The same with a third move: back on this worker it would stay until then.
#[test]
fn a_user_that_is_sent_on_once_more_still_leaves_at_its_first_turn() {
    let mut agent = busy();
    let moves = |start_ms| vec![Moves { start_ms, spread_ms: 0, ids: ids([3]) }];
    agent.order(SECOND, 1000, Order { moves: moves(1100), ..order(2, &ids([4])) });
    agent.order(SECOND, 1000, Order { moves: moves(1150), ..order(3, &ids([3, 4])) });
    agent.order(SECOND, 1000, Order { moves: moves(1200), ..order(4, &ids([4])) });
    let first_turn = SECOND + Duration::from_millis(100);
    assert!(stops(&agent.tick(first_turn)));
}

/// User 3 has come by a move, is ramped down and given to another worker before it has stopped: it
/// stops at its turn in that move. Its turn in the first one is long over, and says nothing.
#[test]
fn a_user_that_leaves_slowly_and_then_by_a_move_leaves_at_its_turn() {
    let mut agent = agent(1);
    let moves = |start_ms| vec![Moves { start_ms, spread_ms: 0, ids: ids([3]) }];
    agent.order(Duration::ZERO, 0, Order { moves: moves(100), ..order(1, &ids([3, 4])) });
    let mut now = SECOND;
    agent.answered(now);
    agent.tick(now);
    agent.user_started(3);
    agent.user_started(4);
    // Its turn within these 10 s comes after more than eight.
    agent.order(now, 1000, Order { spread_ms: 10_000, ..order(2, &ids([4])) });
    agent.order(now, 1000, Order { moves: moves(1100), ..order(3, &ids([4])) });
    now += Duration::from_millis(100);
    assert!(stops(&agent.tick(now)));
}

/// While it was cut off its users were given to others, and run there.
#[test]
fn whom_the_first_order_of_a_connection_leaves_out_stops_at_once() {
    let mut agent = busy();
    agent.closed(SECOND);
    agent.registered(SECOND, SECOND);
    assert!(stops(&agent.order(SECOND, 1000, order(1, &ids([4])))));
}

//! What the master knows and decides. One owner, no locks: all of it runs on the control thread.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use swarm_core::cluster::worker::Worker;
use swarm_core::cluster::{Action, Cluster};
use swarm_core::message::{Digest, Heartbeat, Order, Refusal, WorkerInfo};
use swarm_core::task_ratio::{TaskRatio, task_ratios};
use swarm_core::validate;
use swarm_guest::Clock;
use swarm_stats::Accept;
use swarm_stats::delta::Report;
use swarm_web::view::{Answer, View};
use swarm_wire::{Accepted, MasterHandler, ModuleInfo, WireError, WorkerHandle};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::begin::Beginning;
use super::late::{self, LateWatch};
use super::shipping::{Shipment, Sluice};
use super::{MasterConfig, Outcome, view};
use crate::journal::Scribe;
use crate::journal::kept::{NOTICES_MAX, Results};
use crate::journal::record::Record;

/// Up to so many workers each that gets ready is shown at once, so that a test starts the sooner.
/// Of more the view comes with the next tick: thousands that join together would each cost a view
/// of all of them, and none would be heard meanwhile.
const SHOWN_AT_ONCE_MAX: usize = 16;

/// Who logs the coming and going of workers.
const MEMBERS: &str = "swarm_node::master::members";

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    close: oneshot::Sender<()>,
    pub(super) worker: Option<WorkerHandle>,
    /// It has said goodbye.
    left: bool,
    /// A module that is on its way to it.
    pub(super) shipment: Option<Shipment>,
    /// It has ended, and not by the worker.
    broken: bool,
}

/// What the master knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) config: MasterConfig,
    pub(super) clock: Clock,
    /// Unix time of the clock's origin.
    pub(super) origin_unix_ms: u64,
    pub(super) cluster: Cluster,
    /// Changed by [`Self::record`] only, so that it can be written down.
    pub(super) results: Results,
    /// Whether the load that was asked for is made.
    pub(super) late: LateWatch,
    /// What was last said of users that the workers cannot carry: how many they can.
    pub(super) told_room: Option<u32>,
    /// Why nothing was answered in the last test, if so.
    pub(super) nothing_answered: Option<String>,
    /// The view lacks something that somebody may wait for: the next tick publishes it.
    pub(super) stale: bool,
    pub(super) connections: HashMap<u64, Connection>,
    /// What modules pass on their way to workers, when their bandwidth is limited.
    pub(super) sluice: Option<Rc<Sluice>>,
    pub(super) show: watch::Sender<Arc<View>>,
    /// Where everything is written down, with `--state-dir`.
    pub(super) scribe: Option<Scribe>,
    /// What has happened in this turn.
    pub(super) turn: Vec<Record>,
    /// Room in the scribe's queue for a report of this turn.
    pub(super) room: Option<OwnedSemaphorePermit>,
    /// Up to where the cluster's memory has been written down.
    pub(super) remembered: u64,
    /// When all of that memory was written down last.
    pub(super) remembered_at: Duration,
    /// What was decided in this turn, and what waits until it is safe, with its number.
    pub(super) decided: Vec<Decided>,
    pub(super) held: VecDeque<(u64, Decided)>,
    /// Why nothing can be written down at present.
    pub(super) failing: Option<Arc<str>>,
    /// How often the tasks of each class run, by the plan and the tags.
    pub(super) tasks: Arc<[Vec<TaskRatio>]>,
    /// The result has been given: workers that go now are not lost.
    pub(super) over: bool,
}

/// What others are told of a decision. Not before the decision is safe: whatever happens to this
/// process, nobody has been told what its successor does not know.
#[derive(Debug)]
pub(super) enum Decided {
    Order { connection: u64, order: Box<Order> },
    Answer { reply: oneshot::Sender<Answer>, answer: Answer },
}

impl State {
    pub(super) fn new(
        config: MasterConfig,
        beginning: Beginning,
        show: watch::Sender<Arc<View>>,
    ) -> Self {
        let Beginning { clock, origin_unix_ms, cluster, results, scribe, records } = beginning;
        let sluice = config.module_bandwidth.map(|limit| Rc::new(Sluice::new(limit)));
        let tasks = task_ratios_of(&config);
        let late = LateWatch::new(config.plan.sharing);
        let mut state = Self {
            config,
            clock,
            origin_unix_ms,
            cluster,
            results,
            late,
            told_room: None,
            nothing_answered: None,
            stale: false,
            connections: HashMap::new(),
            sluice,
            show,
            scribe,
            turn: Vec::new(),
            room: None,
            remembered: 0,
            remembered_at: Duration::ZERO,
            decided: Vec::new(),
            held: VecDeque::new(),
            failing: None,
            tasks,
            over: false,
        };
        records.into_iter().for_each(|record| state.record(record));
        state.turn_ends();
        state
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.clock.master_ms(self.clock.now())
    }

    /// A connection has been accepted; sending to `close` ends it.
    pub(super) fn opened(&mut self, connection: u64, close: oneshot::Sender<()>) {
        let state = Connection { close, worker: None, left: false, shipment: None, broken: false };
        self.connections.insert(connection, state);
    }

    pub(super) fn apply(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Order { connection, order } => {
                    self.decided.push(Decided::Order { connection, order });
                }
                Action::Close { connection, reason } => {
                    tracing::info!(
                        target: MEMBERS,
                        "closing the connection {connection} of a worker: {reason}"
                    );
                    if let Some(connection) = self.connections.remove(&connection) {
                        // It may have ended by itself just now.
                        let _ = connection.close.send(());
                    }
                }
                Action::Notice(text) => self.notice(text),
                Action::Begun => self.begun(),
                Action::Ended => self.test_ended(),
            }
        }
    }

    pub(super) fn notice(&mut self, text: String) {
        tracing::info!("{text}");
        self.record(Record::Notice { at_ms: self.now_ms(), text });
    }

    fn begun(&mut self) {
        self.nothing_answered = None;
        self.record(Record::Begun { at_ms: self.now_ms() });
        self.late.begin();
        tracing::info!("a test begins (--seed {})", self.results.settings.seed);
    }

    /// Looks at the clock.
    pub(super) fn tick(&mut self) {
        let before = self.cluster.state();
        let actions = self.cluster.tick(self.clock.now());
        self.apply(actions);
        if self.cluster.state() != before || self.stale {
            self.show();
        }
    }

    /// Publishes how things are.
    pub(super) fn show(&mut self) {
        self.stale = false;
        let now_ms = self.now_ms();
        let (users, in_flight) = (self.cluster.users(), self.cluster.in_flight());
        let users = Record::Users { at_ms: now_ms, users, in_flight };
        if self.cluster.is_busy() {
            self.record(users);
        } else {
            // Nobody needs to know later that nothing has happened.
            self.results.apply(&users);
        }
        self.tell_limits();
        let view = view::view(self, now_ms);
        if self.cluster.is_busy()
            && let Some(text) = self.late.look(now_ms, &view.stats)
            && !self.results.notices.iter().any(|notice| late::is_about(&notice.text))
        {
            // The next view has it.
            self.notice(text);
        }
        self.show.send_replace(Arc::new(view));
    }

    /// Tells, once a test each, which limits of the statistics it has passed.
    fn tell_limits(&mut self) {
        for text in self.results.totals.limits_passed() {
            let notices = &self.results.notices;
            // Of what does not fit any more nobody could tell that it has been said.
            if notices.len() < NOTICES_MAX && notices.iter().all(|notice| notice.text != text) {
                self.notice(text);
            }
        }
    }

    /// Says when the workers that are ready cannot carry the load, and again when they can carry
    /// more or less than it said.
    pub(super) fn tell_room(&mut self) {
        let Some(load) = self.cluster.load().filter(|_| self.cluster.is_busy()) else { return };
        if self.cluster.ready_workers() == 0 {
            return;
        }
        let (wanted, room) = (load.users, self.cluster.room());
        let short = room.filter(|&room| room < wanted);
        if short == std::mem::replace(&mut self.told_room, short) {
            return;
        }
        self.notice(match short {
            Some(room) => format!(
                "the workers can carry {room} users of {wanted}: add workers, or lift the limits \
                 that each of them names in its log"
            ),
            None => format!("the workers can carry all {wanted} users now"),
        });
    }

    fn register(
        &mut self,
        connection: u64,
        info: WorkerInfo,
        handle: WorkerHandle,
    ) -> Result<Accepted, Refusal> {
        let id = info.id.clone();
        let mut others = self.cluster.workers().iter().map(Worker::info);
        if others.any(|other| other.stream == info.stream && other.id != id) {
            // What it reported would count as the other's.
            let reason = format!("the stream of worker {id} is another worker's already");
            return Err(Refusal::lasting(reason));
        }
        let (joined, actions) = self.cluster.join(self.clock.now(), connection, info);
        self.apply(actions);
        let worker_index = joined?;
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.worker = Some(handle);
        }
        tracing::info!(target: MEMBERS, "worker {id} has joined");
        Ok(Accepted {
            master_time_ms: self.now_ms(),
            worker_index,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            module: Some(ModuleInfo {
                digest: self.config.digest,
                size: self.config.module.len() as u64,
            }),
            environment: self.config.environment.clone(),
        })
    }

    /// An order has not reached its worker, and never will.
    fn undeliverable(&mut self, connection: u64, order: u64, error: &WireError) {
        let (now, why) = (self.clock.now(), error.to_string());
        let actions = self.cluster.undeliverable(now, connection, order, &why);
        self.apply(actions);
        self.tell_room();
    }

    fn heartbeat(&mut self, connection: u64, beat: Heartbeat) -> u64 {
        let ready = self.cluster.ready_workers();
        let actions = self.cluster.heartbeat(self.clock.now(), connection, beat);
        self.apply(actions);
        if self.cluster.ready_workers() != ready {
            self.tell_room();
            // Somebody may be waiting for workers.
            if self.cluster.ready_workers() <= SHOWN_AT_ONCE_MAX {
                self.show();
            } else {
                self.stale = true;
            }
        }
        self.now_ms()
    }

    /// The number up to which the worker's reports count; 0 when it cannot be said.
    fn report(&mut self, connection: u64, report: Report) -> u64 {
        let Some(worker) = self.cluster.worker_of(connection) else {
            // Its connection is being closed; it sends the report again by the next one.
            return 0;
        };
        let (id, stream) = (worker.info().id.clone(), worker.info().stream);
        let sequence = report.sequence;
        if report.stream != stream {
            tracing::warn!("worker {id} reports for another stream than its own");
            return 0;
        }
        if Some(report.test) != self.cluster.test_number() {
            // Of an earlier test, whose result has been given already.
            self.record(Record::Heard { stream, sequence });
            return sequence;
        }
        let accept = self.results.ledger.take(stream, sequence);
        if let Accept::Gap(expected) = accept {
            self.notice(format!(
                "worker {id} sent report {sequence} where {expected} was due: the samples between \
                 are missing"
            ));
            self.record(Record::Incomplete);
        }
        if accept != Accept::Repeated {
            self.cluster.reported(self.clock.now(), connection);
            // That it is the last of its stream is part of it, also after a gap.
            self.record(Record::Report { worker: id, report: Box::new(report) });
        }
        self.results.ledger.applied(stream)
    }

    fn closed(&mut self, connection: u64) {
        let state = self.connections.remove(&connection);
        if self.over {
            return;
        }
        let left = state.as_ref().is_some_and(|connection| connection.left);
        if !left && state.is_some_and(|connection| connection.broken) {
            self.cluster.broke(connection);
        } else {
            let actions = self.cluster.closed(self.clock.now(), connection, left);
            self.apply(actions);
        }
        self.tell_room();
    }

    /// Asks all workers to quit.
    pub(super) fn quit_all(
        &self,
        reason: &str,
    ) -> Vec<impl Future<Output = Result<(), WireError>> + use<>> {
        let workers = self.connections.values().filter_map(|connection| connection.worker.as_ref());
        workers.map(|worker| worker.quit(reason)).collect()
    }

    /// The result.
    pub(super) fn outcome(&mut self) -> Outcome {
        let now_ms = self.now_ms();
        if self.cluster.is_busy() {
            self.record(Record::Ended { at_ms: now_ms });
            self.notice("the master ended before the test had stopped".to_owned());
            self.record(Record::Incomplete);
            self.judge();
        }
        self.tell_limits();
        self.turn_ends();
        let summary = view::summary(self, now_ms);
        let complete = !self.results.incomplete;
        self.over = true;
        Outcome { summary, complete, scribe: self.scribe.take() }
    }
}

/// The tasks that the tags leave. What they do not leave cannot run: the start has refused it.
fn task_ratios_of(config: &MasterConfig) -> Arc<[Vec<TaskRatio>]> {
    let MasterConfig { plan, settings, .. } = config;
    let selected = validate::select(plan, &settings.tags, &settings.exclude_tags);
    let classes = selected.map(|selected| selected.classes).unwrap_or_default();
    classes.iter().map(task_ratios).collect()
}

/// The state as the connections use it.
#[derive(Debug, Clone)]
pub(super) struct Handler(Rc<RefCell<State>>);

impl Handler {
    pub(super) fn new(state: State) -> Self {
        Self(Rc::new(RefCell::new(state)))
    }

    /// Nothing that is done here waits, so the state is never borrowed twice.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.borrow_mut();
        let result = f(&mut state);
        state.turn_ends();
        result
    }
}

impl MasterHandler for Handler {
    async fn register(
        &self,
        conn: u64,
        info: WorkerInfo,
        worker: WorkerHandle,
    ) -> Result<Accepted, Refusal> {
        self.with(|state| state.register(conn, info, worker))
    }

    fn undeliverable(&self, conn: u64, order: u64, error: &WireError) {
        self.with(|state| state.undeliverable(conn, order, error));
    }

    async fn heartbeat(&self, conn: u64, heartbeat: Heartbeat) -> u64 {
        self.with(|state| state.heartbeat(conn, heartbeat))
    }

    async fn report(&self, conn: u64, report: Report) -> u64 {
        let waiting = self.with(|state| state.room_for(&report));
        let room = match waiting {
            Some(room) => room.await,
            None => None,
        };
        let applied = self.with(|state| {
            state.room = room;
            state.report(conn, report)
        });
        // Not before it is safe. If the connection ends first, the report comes again.
        if let Some(safe) = self.with(|state| state.safe()) {
            safe.await;
        }
        applied
    }

    fn module(&self, _conn: u64, digest: &Digest) -> Option<Arc<[u8]>> {
        self.with(|state| {
            let wanted = *digest == state.config.digest;
            wanted.then(|| Arc::clone(&state.config.module))
        })
    }

    async fn module_part(&self, conn: u64, from: usize, bytes: usize) {
        if let Some(sluice) = self.with(|state| state.module_part(conn, from)) {
            sluice.pass(bytes).await;
        }
    }

    fn module_sent(&self, conn: u64) {
        self.with(|state| state.module_sent(conn));
    }

    fn leave(&self, conn: u64) {
        self.with(|state| {
            if let Some(connection) = state.connections.get_mut(&conn) {
                connection.left = true;
            }
        });
    }

    fn broke(&self, conn: u64) {
        self.with(|state| {
            if let Some(connection) = state.connections.get_mut(&conn) {
                connection.broken = true;
            }
        });
    }

    fn closed(&self, conn: u64, _reason: &str) {
        self.with(|state| state.closed(conn));
    }
}

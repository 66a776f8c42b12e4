//! What the master knows and decides. One owner, no locks: all of it runs on the control thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use swarm_core::cluster::{Action, Cluster, Load, State as TestState};
use swarm_core::dispatch::ClassShare;
use swarm_core::message::{Digest, Heartbeat, Settings, WorkerInfo};
use swarm_guest::{Clock, test};
use swarm_stats::delta::Report;
use swarm_stats::{Accept, Ledger, Limits, Totals};
use swarm_web::view::{Answer, Command, Notice, SwarmRequest, View};
use swarm_wire::{Accepted, MasterHandler, ModuleInfo, WireError, WorkerHandle};
use tokio::sync::{oneshot, watch};

use super::{MasterConfig, Outcome, view};

/// Notices kept for the reader of the result; the first ones, for they tell how it began.
const NOTICES_MAX: usize = 1000;

/// Up to so many workers each that gets ready is shown at once, so that a test starts the sooner.
/// Of more the view comes with the next tick: thousands that join together would each cost a view
/// of all of them, and none would be heard meanwhile.
const SHOWN_AT_ONCE_MAX: usize = 16;

/// Tests are numbered from the seconds since 1970, so that a restarted master's numbers are new.
fn first_test(origin: SystemTime) -> u32 {
    let seconds = origin.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    #[expect(clippy::cast_possible_truncation, reason = "only has to differ; good until 2106")]
    {
        seconds as u32
    }
}

/// One connection.
#[derive(Debug)]
struct Connection {
    close: oneshot::Sender<()>,
    worker: Option<WorkerHandle>,
    /// It has said goodbye.
    left: bool,
}

/// What the master knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) config: MasterConfig,
    pub(super) clock: Clock,
    /// Unix time of the clock's origin.
    pub(super) origin_unix_ms: u64,
    pub(super) cluster: Cluster,
    pub(super) totals: Totals,
    pub(super) notices: Vec<Notice>,
    /// Settings of the next test.
    pub(super) settings: Settings,
    /// Samples are missing that no lost worker accounts for.
    pub(super) incomplete: bool,
    /// What was last said of users that the workers cannot carry: how many they can.
    told_room: Option<u32>,
    /// The view lacks something that somebody may wait for: the next tick publishes it.
    stale: bool,
    ledger: Ledger,
    connections: HashMap<u64, Connection>,
    show: watch::Sender<Arc<View>>,
}

impl State {
    pub(super) fn new(config: MasterConfig, show: watch::Sender<Arc<View>>) -> Self {
        let origin = SystemTime::now();
        let unix = origin.duration_since(UNIX_EPOCH).unwrap_or_default();
        let classes = config.plan.classes.iter();
        let classes = classes
            .map(|class| ClassShare { name: class.name.clone(), population: class.population })
            .collect();
        let mut cluster = Cluster::new(config.digest, classes, first_test(origin));
        cluster.set_rebalancing(config.rebalance);
        Self {
            clock: Clock::new(),
            origin_unix_ms: u64::try_from(unix.as_millis()).unwrap_or(0),
            cluster,
            totals: Totals::new(Limits::default()),
            notices: Vec::new(),
            settings: config.settings.clone(),
            config,
            incomplete: false,
            told_room: None,
            stale: false,
            ledger: Ledger::new(),
            connections: HashMap::new(),
            show,
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.clock.master_ms(self.clock.now())
    }

    /// A connection has been accepted; sending to `close` ends it.
    pub(super) fn opened(&mut self, connection: u64, close: oneshot::Sender<()>) {
        let state = Connection { close, worker: None, left: false };
        self.connections.insert(connection, state);
    }

    fn apply(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Order { connection, order } => {
                    let worker = self.connections.get(&connection);
                    if let Some(worker) = worker.and_then(|c| c.worker.as_ref()) {
                        // It is on its way; what becomes of it shows in the heartbeats.
                        drop(worker.order(*order));
                    }
                }
                Action::Close { connection, reason } => {
                    tracing::info!(connection, "closing a worker's connection: {reason}");
                    if let Some(connection) = self.connections.remove(&connection) {
                        // It may have ended by itself just now.
                        let _ = connection.close.send(());
                    }
                }
                Action::Notice(text) => self.notice(text),
                Action::Begun => self.begun(),
                Action::Ended => {
                    self.totals.stop(self.now_ms());
                    tracing::info!("the test has ended");
                }
            }
        }
    }

    fn notice(&mut self, text: String) {
        tracing::info!("{text}");
        if self.notices.len() < NOTICES_MAX {
            let at_ms = self.now_ms();
            self.notices.push(Notice { at_ms, text });
        }
    }

    fn begun(&mut self) {
        self.totals.start(self.now_ms());
        self.notices.clear();
        self.incomplete = false;
        tracing::info!(seed = self.settings.seed, "a test begins");
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
        self.totals.set_users(now_ms, self.cluster.users());
        let view = view::view(self, now_ms);
        self.show.send_replace(Arc::new(view));
    }

    pub(super) fn command(&mut self, command: Command) {
        let (reply, answer) = match command {
            Command::Swarm(request, reply) => (reply, self.swarm(request)),
            Command::Stop(reply) => (reply, self.stop()),
            Command::Reset(reply) => (reply, self.reset()),
        };
        self.show();
        // Whoever asked may have gone.
        let _ = reply.send(answer);
    }

    fn swarm(&mut self, request: SwarmRequest) -> Answer {
        let mut settings = self.settings.clone();
        if let Some(host) = request.host.filter(|host| !host.is_empty()) {
            settings.host = Some(host);
        }
        let checked = test::check(&self.config.plan, &settings);
        checked.map_err(|error| error.to_string())?;
        if let Some(capacity) = &self.config.capacity {
            capacity.admit(request.user_count).map_err(|error| error.to_string())?;
        }
        let load = Load {
            users: request.user_count,
            spawn_rate: request.spawn_rate,
            run_time: request.run_time_s.map(Duration::from_secs),
            settings: settings.clone(),
        };
        let editing = self.cluster.is_busy();
        let actions = self.cluster.start(self.clock.now(), load)?;
        self.settings = settings;
        self.told_room = None;
        self.apply(actions);
        self.tell_room();
        Ok(if editing { "Swarming changed" } else { "Swarming started" }.to_owned())
    }

    /// Says when the workers that are ready cannot carry the load, and again when they can carry
    /// more or less than it said.
    fn tell_room(&mut self) {
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

    fn stop(&mut self) -> Answer {
        match self.cluster.state() {
            TestState::Spawning | TestState::Running => {
                let actions = self.cluster.stop(self.clock.now());
                self.apply(actions);
                Ok("Test stopped".to_owned())
            }
            TestState::Stopping => Ok("Test is stopping".to_owned()),
            TestState::Ready | TestState::Stopped => Ok("No test is running".to_owned()),
        }
    }

    fn reset(&mut self) -> Answer {
        self.totals.reset(self.now_ms());
        Ok("Statistics reset".to_owned())
    }

    fn register(
        &mut self,
        connection: u64,
        info: WorkerInfo,
        handle: WorkerHandle,
    ) -> Result<Accepted, String> {
        let id = info.id.clone();
        let (joined, actions) = self.cluster.join(self.clock.now(), connection, info);
        self.apply(actions);
        let worker_index = joined?;
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.worker = Some(handle);
        }
        tracing::info!("worker {id} has joined");
        Ok(Accepted {
            master_time_ms: self.now_ms(),
            worker_index,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            module: Some(ModuleInfo {
                digest: self.config.digest,
                size: self.config.module.len() as u64,
            }),
        })
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

    fn report(&mut self, connection: u64, report: &Report) -> u64 {
        let Some(worker) = self.cluster.worker_of(connection) else {
            // Its connection is being closed; it sends the report again by the next one.
            return 0;
        };
        let (id, stream) = (worker.info().id.clone(), worker.info().stream);
        if report.stream != stream {
            tracing::warn!("worker {id} reports for another stream than its own");
            return 0;
        }
        if Some(report.test) != self.cluster.test_number() {
            // Of an earlier test, whose result has been given already.
            self.ledger.resume(stream, report.sequence);
            return report.sequence;
        }
        let accept = self.ledger.take(stream, report.sequence);
        if let Accept::Gap(expected) = accept {
            let sequence = report.sequence;
            self.notice(format!(
                "worker {id} sent report {sequence} where {expected} was due: the samples \
                 between are missing"
            ));
            self.incomplete = true;
        }
        if accept != Accept::Repeated {
            self.totals.apply(&id, report);
            self.cluster.reported(self.clock.now(), connection);
        }
        self.ledger.applied(stream)
    }

    fn closed(&mut self, connection: u64) {
        let left = self.connections.remove(&connection).is_some_and(|connection| connection.left);
        let actions = self.cluster.closed(self.clock.now(), connection, left);
        self.apply(actions);
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
            self.totals.stop(now_ms);
            self.notice("the master ended before the test had stopped".to_owned());
            self.incomplete = true;
        }
        Outcome { summary: view::summary(self, now_ms), complete: !self.incomplete }
    }
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
        f(&mut self.0.borrow_mut())
    }
}

impl MasterHandler for Handler {
    async fn register(
        &self,
        conn: u64,
        info: WorkerInfo,
        worker: WorkerHandle,
    ) -> Result<Accepted, String> {
        self.with(|state| state.register(conn, info, worker))
    }

    async fn heartbeat(&self, conn: u64, heartbeat: Heartbeat) -> u64 {
        self.with(|state| state.heartbeat(conn, heartbeat))
    }

    async fn report(&self, conn: u64, report: Report) -> u64 {
        self.with(|state| state.report(conn, &report))
    }

    fn module(&self, conn: u64, digest: &Digest) -> Option<Arc<[u8]>> {
        self.with(|state| {
            let wanted = *digest == state.config.digest;
            if wanted && let Some(worker) = state.cluster.worker_of(conn) {
                let bytes = state.config.module.len();
                tracing::info!("sending the module ({bytes} bytes) to {}", worker.info().id);
            }
            wanted.then(|| Arc::clone(&state.config.module))
        })
    }

    fn leave(&self, conn: u64) {
        self.with(|state| {
            if let Some(connection) = state.connections.get_mut(&conn) {
                connection.left = true;
            }
        });
    }

    fn closed(&self, conn: u64, _reason: &str) {
        self.with(|state| state.closed(conn));
    }
}

//! The loop that owns a worker: the link to the master, the agent's state, the load threads, the
//! reports. All events pass through it, one after the other; whatever waits is a task of its own
//! that sends an event when it is done.
//!
//! # Layout
//! - this file: the loop, the link, orders, users, signs of life.
//! - `samples`: from the load threads into reports, and from there to the master.

mod samples;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use swarm_core::agent::{Action, Agent, HEARTBEAT_INTERVAL};
use swarm_core::message::{Digest, Heartbeat, Order, PROTOCOL_VERSION, WorkerInfo};
use swarm_guest::{Clock, Module, Test};
use swarm_stats::delta::Delta;
use swarm_wire::{ModuleInfo, Session, WireError};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::dial::{Backoff, DialError, FromMaster, Link, dial};
use super::prepare::{Prepared, prepare};
use super::{MasterAddress, WorkerConfig, WorkerEnd};
use crate::outbox::Outbox;
use crate::process::{CpuMeter, resident_bytes};
use crate::shard::{Event as UserEvent, LoadThread};
use crate::store::Store;

/// How often the agent looks at the clock.
const TICK: Duration = Duration::from_millis(20);

/// How often the master hears of a change that is being carried out. Shorter than the gap in which
/// a user that moves runs nowhere, so that it is not counted twice either.
const CHANGE_INTERVAL: Duration = Duration::from_millis(80);

/// How often samples are collected and reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// A worker that leaves waits this long for its last samples to arrive.
const LEAVE_MAX: Duration = Duration::from_secs(10);

/// Events of tasks that may wait for the loop. Each kind of task runs once at a time.
const EVENTS_MAX: usize = 64;

/// What the tasks tell the loop. `link` numbers the connection that it is about.
enum Event {
    Dialled(Result<Link, DialError>),
    Closed { link: u64, reason: String },
    Order { link: u64, order: Box<Order> },
    Quit { link: u64, reason: String },
    Prepared(Box<Result<Prepared, String>>),
    HeartbeatAnswered { link: u64, sent: Duration, master_ms: u64 },
    HeartbeatFailed { link: u64 },
    ReportAnswered { link: u64, result: Result<u64, WireError> },
    Collected { test: u32, from: Duration, to: Duration, deltas: Vec<Delta> },
}

struct Control {
    config: WorkerConfig,
    master: MasterAddress,
    store: Store,
    threads: Vec<LoadThread>,
    clock: Arc<Clock>,
    agent: Agent,
    events: mpsc::Sender<Event>,
    /// The connection, and its number.
    session: Option<(u64, Rc<Session>)>,
    links: u64,
    backoff: Backoff,
    /// Since when there is no master.
    alone_since: Option<Duration>,
    /// The module in use, and the one that is being prepared.
    prepared: Option<Prepared>,
    preparing: Option<Digest>,
    problem: Option<String>,
    outbox: Outbox,
    reporting: bool,
    /// A heartbeat is not answered yet.
    beating: bool,
    /// Something has changed since that heartbeat: the next follows at once.
    beat_again: bool,
    beat_at: Duration,
    /// An order was being carried out at the last tick.
    changing: bool,
    /// Number of the test whose samples the load threads record.
    test: u32,
    /// Collections under way.
    collecting: u32,
    collected_until: Duration,
    /// Users have run since the last collection began.
    uncollected: bool,
    cpu: CpuMeter,
    end: Option<WorkerEnd>,
    leaving_since: Option<Duration>,
}

/// Runs a worker until it ends.
pub(super) async fn run(
    config: WorkerConfig,
    master: MasterAddress,
    store: Store,
    clock: Arc<Clock>,
    threads: Vec<LoadThread>,
    mut users: mpsc::UnboundedReceiver<UserEvent>,
    mut leaving: mpsc::Receiver<()>,
) -> WorkerEnd {
    let (events, mut inbox) = mpsc::channel(EVENTS_MAX);
    let mut control = Control::new(config, master, store, clock, threads, events);
    control.dial(Duration::ZERO);
    let ticker = |period| {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    };
    let (mut ticks, mut beats) = (ticker(TICK), ticker(HEARTBEAT_INTERVAL));
    let mut reports = ticker(REPORT_INTERVAL);
    loop {
        tokio::select! {
            Some(event) = inbox.recv() => control.event(event),
            Some(event) = users.recv() => control.user(event),
            _ = ticks.tick() => control.tick(),
            _ = beats.tick() => control.beat(),
            _ = reports.tick() => control.collect(),
            told = leaving.recv(), if control.leaving_since.is_none() => match told {
                Some(()) => control.leave(),
                None => return WorkerEnd::Left,
            },
        }
        if let Some(end) = control.end.take() {
            control.goodbye().await;
            return end;
        }
    }
}

impl Control {
    fn new(
        config: WorkerConfig,
        master: MasterAddress,
        store: Store,
        clock: Arc<Clock>,
        threads: Vec<LoadThread>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            clock,
            agent: Agent::new(threads.len(), config.master_grace),
            outbox: Outbox::new(config.stream),
            config,
            master,
            store,
            threads,
            events,
            session: None,
            links: 0,
            backoff: Backoff::default(),
            alone_since: Some(Duration::ZERO),
            prepared: None,
            preparing: None,
            problem: None,
            reporting: false,
            beating: false,
            beat_again: false,
            beat_at: Duration::ZERO,
            changing: false,
            test: 0,
            collecting: 0,
            collected_until: Duration::ZERO,
            uncollected: false,
            cpu: CpuMeter::default(),
            end: None,
            leaving_since: None,
        }
    }

    /// Runs `task` beside the loop; what it gives comes back as an event.
    fn spawn(&self, task: impl Future<Output = Event> + 'static) {
        let events = self.events.clone();
        tokio::task::spawn_local(async move {
            // The loop has ended if nobody listens.
            let _ = events.send(task.await).await;
        });
    }

    fn event(&mut self, event: Event) {
        let now = self.clock.now();
        let current = self.session.as_ref().map(|(link, _)| *link);
        match event {
            Event::Dialled(Ok(link)) => self.registered(now, link),
            Event::Dialled(Err(DialError::Refused(reason))) => {
                self.end = Some(WorkerEnd::Refused(reason));
            }
            Event::Dialled(Err(DialError::Failed(reason))) => self.unreachable(now, &reason),
            Event::Closed { link, reason } if current == Some(link) => self.closed(now, &reason),
            // One that leaves starts nobody any more.
            Event::Order { link, order }
                if current == Some(link) && self.leaving_since.is_none() =>
            {
                let actions = self.agent.order(now, *order);
                self.apply(now, actions);
                // The master sees at once what has become of it.
                self.beat();
            }
            Event::Quit { link, reason } if current == Some(link) => {
                tracing::info!("the master says to quit: {reason}");
                self.end = Some(WorkerEnd::Quit);
            }
            Event::Prepared(result) => self.prepared(*result),
            Event::HeartbeatAnswered { link, sent, master_ms } if current == Some(link) => {
                self.agent.answered(sent);
                // The answer was made between the two; half way is the best guess.
                self.clock.synchronise(sent + now.saturating_sub(sent) / 2, master_ms);
                self.beaten();
            }
            Event::HeartbeatFailed { link } if current == Some(link) => self.beaten(),
            Event::ReportAnswered { link, result } if current == Some(link) => {
                self.report_answered(result);
            }
            Event::Collected { test, from, to, deltas } => self.collected(test, from, to, deltas),
            // Of a connection that is no longer of interest.
            _ => {}
        }
    }

    fn dial(&self, pause: Duration) {
        let master = self.master.clone();
        let info = WorkerInfo {
            id: self.config.id.clone(),
            stream: self.config.stream,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL_VERSION,
            cores: u32::try_from(self.threads.len()).unwrap_or(u32::MAX),
            users_max: self.config.users_max,
        };
        self.spawn(async move {
            tokio::time::sleep(pause).await;
            Event::Dialled(dial(&master, &info).await)
        });
    }

    fn unreachable(&mut self, now: Duration, reason: &str) {
        let since = *self.alone_since.get_or_insert(now);
        let waited = now.saturating_sub(since);
        let max = self.config.master_max_wait;
        let whom = match &self.master {
            MasterAddress::Tcp { host, port } => format!("the master at {host}:{port}"),
            MasterAddress::InProcess(_) => "the master".to_owned(),
        };
        if !max.is_zero() && waited >= max {
            let waited = waited.as_secs_f32();
            let text =
                format!("{whom} was not there for {waited:.1} s (--master-max-wait): {reason}");
            self.end = Some(WorkerEnd::Unreachable(text));
            return;
        }
        let pause = self.backoff.next();
        tracing::warn!("{whom} is not there: {reason}; trying again");
        self.dial(pause);
    }

    fn registered(&mut self, now: Duration, link: Link) {
        let Link { session, accepted, mut inbox } = link;
        self.links += 1;
        let number = self.links;
        tracing::info!(
            "joined the master (swarm {}) as its worker {}",
            accepted.version,
            accepted.worker_index
        );
        self.backoff.reset();
        self.alone_since = None;
        self.reporting = false;
        self.beating = false;
        self.clock.synchronise(now, accepted.master_time_ms);
        self.agent.registered(now);
        let events = self.events.clone();
        let watched = Rc::clone(&session);
        tokio::task::spawn_local(async move {
            let reason = loop {
                let event = tokio::select! {
                    reason = watched.closed() => break reason,
                    Some(from) = inbox.recv() => match from {
                        FromMaster::Order(order) => Event::Order { link: number, order },
                        FromMaster::Quit(reason) => Event::Quit { link: number, reason },
                    },
                };
                if events.send(event).await.is_err() {
                    return;
                }
            };
            let _ = events.send(Event::Closed { link: number, reason }).await;
        });
        self.session = Some((number, Rc::clone(&session)));
        if let Some(wanted) = accepted.module {
            self.want(wanted, session);
        }
        self.beat();
        self.introduce_stream(now);
        self.send_reports();
    }

    /// Makes sure that the master's module is there.
    fn want(&mut self, wanted: ModuleInfo, session: Rc<Session>) {
        let ready = self.prepared.as_ref().is_some_and(|have| have.digest == wanted.digest);
        self.agent.set_module_ready(ready);
        if ready || self.preparing == Some(wanted.digest) {
            return;
        }
        self.preparing = Some(wanted.digest);
        let at_hand = self.config.module.clone();
        let (runtime, store) = (self.config.runtime.clone(), self.store.clone());
        self.spawn(async move {
            Event::Prepared(Box::new(prepare(wanted, at_hand, runtime, store, session).await))
        });
    }

    fn prepared(&mut self, result: Result<Prepared, String>) {
        self.preparing = None;
        match result {
            Ok(prepared) => {
                self.problem = None;
                self.prepared = Some(prepared);
                self.agent.set_module_ready(true);
            }
            Err(problem) => {
                tracing::error!("{problem}");
                self.problem = Some(problem);
            }
        }
        self.beat();
    }

    fn closed(&mut self, now: Duration, reason: &str) {
        tracing::warn!("the connection to the master has ended: {reason}");
        let actions = self.agent.closed(now);
        self.apply(now, actions);
        self.disconnect(now);
    }

    fn disconnect(&mut self, now: Duration) {
        self.session = None;
        self.reporting = false;
        self.beating = false;
        self.alone_since = Some(now);
        if self.leaving_since.is_some() {
            self.end = Some(WorkerEnd::Left);
        } else {
            let pause = self.backoff.next();
            self.dial(pause);
        }
    }

    /// Does what the agent has decided.
    fn apply(&mut self, now: Duration, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Begin(order) => self.begin(&order),
                Action::Start(start) => {
                    self.uncollected = true;
                    self.threads[start.shard].start_user(start);
                }
                Action::Stop { id, shard, grace } => {
                    self.threads[shard]
                        .stop_user(id, Instant::from_std(self.clock.instant(now + grace)));
                }
                Action::Redial => {
                    tracing::warn!("the master is silent: the load has stopped");
                    self.disconnect(now);
                }
            }
        }
    }

    /// Prepares the load threads for a test. What they have recorded belongs to the one before.
    fn begin(&mut self, order: &Order) {
        self.collect_now();
        self.test = order.test;
        let result = match &self.prepared {
            Some(Prepared { module, plan, digest }) if *digest == order.module => {
                let (settings, start_ms) = (order.settings.clone(), order.test_start_ms);
                let clock = Arc::clone(&self.clock);
                Test::new(Module::clone(module), plan, settings, clock, start_ms)
                    .map_err(|error| error.to_string())
            }
            _ => Err("the order is for another module than the one announced".to_owned()),
        };
        match result {
            Ok(test) => {
                let test = Arc::new(test);
                self.threads.iter().for_each(|thread| thread.begin(Arc::clone(&test)));
            }
            Err(problem) => {
                tracing::error!("the test cannot run here: {problem}");
                self.problem = Some(problem);
            }
        }
    }

    fn user(&mut self, event: UserEvent) {
        match event {
            UserEvent::Started(id) => self.agent.user_started(id),
            UserEvent::Ended { id, finished } => {
                let now = self.clock.now();
                self.uncollected = true;
                let action = self.agent.user_ended(now, id, finished);
                self.apply(now, action.into_iter().collect());
            }
        }
        if self.agent.users() == 0 {
            // The last samples of the test are waited for.
            self.collect();
        }
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        let actions = self.agent.tick(now);
        self.apply(now, actions);
        let changing = self.agent.is_changing();
        let last_word = std::mem::replace(&mut self.changing, changing) && !changing;
        if last_word || changing && now.saturating_sub(self.beat_at) >= CHANGE_INTERVAL {
            self.beat();
        }
        if let Some(since) = self.leaving_since {
            let done = self.agent.users() == 0 && self.flushed();
            if done || now.saturating_sub(since) > LEAVE_MAX {
                self.end = Some(WorkerEnd::Left);
            }
        }
    }

    /// A heartbeat is over.
    fn beaten(&mut self) {
        self.beating = false;
        if std::mem::take(&mut self.beat_again) {
            self.beat();
        }
    }

    /// Gives a sign of life now, or as soon as the last is answered.
    fn beat(&mut self) {
        let Some((link, session)) = self.session.clone() else { return };
        if std::mem::replace(&mut self.beating, true) {
            self.beat_again = true;
            return;
        }
        let sent = self.clock.now();
        self.beat_at = sent;
        let status = self.agent.status(self.flushed());
        let beat = Heartbeat {
            state: status.state,
            order_done: status.order_done,
            users: status.users,
            finished: status.finished,
            cpu_percent: self.cpu.percent(sent),
            memory_bytes: resident_bytes(),
            problem: self.problem.clone(),
        };
        self.spawn(async move {
            match session.heartbeat(&beat).await {
                Ok(master_ms) => Event::HeartbeatAnswered { link, sent, master_ms },
                Err(error) => {
                    tracing::debug!("a heartbeat was not answered: {error}");
                    Event::HeartbeatFailed { link }
                }
            }
        });
    }

    /// Hands everything over and ends.
    fn leave(&mut self) {
        let now = self.clock.now();
        self.leaving_since = Some(now);
        let actions = self.agent.stop_all(swarm_core::agent::MOVE_GRACE);
        self.apply(now, actions);
        self.collect();
    }

    /// Says goodbye, so that the master knows that nothing is lost.
    async fn goodbye(&mut self) {
        if let Some((_, session)) = self.session.take()
            && self.flushed()
        {
            // The master may have ended already.
            let _ = tokio::time::timeout(Duration::from_secs(1), session.leave()).await;
        }
    }
}

//! The loop that owns a worker: the link to the master, the agent's state, the load threads, the
//! reports. All events pass through it, one after the other; whatever waits is a task of its own
//! that sends an event when it is done.
//!
//! # Layout
//! - this file: the loop.
//! - `link`: the connection to the master; `beats`: the clock and the signs of life.
//! - `load`: what the load threads are told and tell.
//! - `samples`: from the load threads into reports, and from there to the master.

mod beats;
mod link;
mod load;
mod samples;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use swarm_core::agent::{Agent, HEARTBEAT_INTERVAL};
use swarm_core::message::Order;
use swarm_guest::Clock;
use swarm_stats::Outbox;
use swarm_stats::delta::Delta;
use swarm_stats::parts::PartMax;
use swarm_wire::limits::MESSAGE_BYTES_MAX;
use swarm_wire::{Session, WireError};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::dial::{DialError, Link};
use super::joining::Joining;
use super::prepare::{Prepared, Wanted};
use super::{MasterAddress, WorkerConfig, WorkerEnd};
use crate::capacity::MemoryWatch;
use crate::process::CpuMeter;
use crate::shard::{Event as UserEvent, LoadThread};
use crate::store::Store;

/// How often samples are collected and reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// What one report holds.
const PART_MAX: PartMax = PartMax { rows: 2_000, bytes: MESSAGE_BYTES_MAX / 4 };

/// Events of tasks that may wait for the loop. Each kind of task runs once at a time.
const EVENTS_MAX: usize = 64;

/// News of users that are heard in one go. Whoever spawns many must not keep the loop from its
/// signs of life.
const USER_EVENTS_MAX: usize = 256;

/// Between two times that they are heard, unless there are more. It spares the load threads a
/// system call for each user that starts, which wakes this one: a fifth of what a start costs.
const USER_EVENTS_PAUSE: Duration = Duration::from_millis(1);

/// What the tasks tell the loop. `link` numbers the connection that it is about; an attempt to
/// connect says when it began.
enum Event {
    Dialled(Duration, Result<Link, DialError>),
    Closed { link: u64, reason: String },
    Order { link: u64, order: Box<Order> },
    Quit { link: u64, reason: String },
    Prepared { wanted: Wanted, result: Box<Result<Prepared, String>> },
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
    /// The same, for who fetches a module.
    sessions: watch::Sender<Option<Rc<Session>>>,
    links: u64,
    /// Which of the master's workers this is, since it has joined.
    index: u32,
    /// Attempts to join.
    attempts: u32,
    joining: Joining,
    /// The module in use, and the one that is being prepared.
    prepared: Option<Prepared>,
    preparing: Option<Wanted>,
    problem: Option<String>,
    outbox: Outbox,
    reporting: bool,
    /// A heartbeat is not answered yet.
    beating: bool,
    /// Something has changed since that heartbeat: the next follows at once.
    beat_again: bool,
    /// When the loop looks at the clock next.
    tick_at: Instant,
    /// In which period of the master's clock a change was told last.
    beat_period: u64,
    /// The shortest way of a heartbeat and its answer, of late.
    trip: Duration,
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
    memory: MemoryWatch,
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
    let (mut beats, mut reports) = (ticker(HEARTBEAT_INTERVAL), ticker(REPORT_INTERVAL));
    let mut news = Vec::with_capacity(USER_EVENTS_MAX);
    let mut listens_at = Instant::now();
    loop {
        let hear = async {
            sleep_until(listens_at).await;
            users.recv_many(&mut news, USER_EVENTS_MAX).await
        };
        tokio::select! {
            Some(event) = inbox.recv() => control.event(event),
            heard @ 1.. = hear => {
                control.heard(news.drain(..));
                if heard < USER_EVENTS_MAX {
                    listens_at = Instant::now() + USER_EVENTS_PAUSE;
                }
            }
            () = sleep_until(control.tick_at) => control.tick(),
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
            outbox: Outbox::new(config.stream, PART_MAX),
            joining: Joining::new(master.to_string(), config.master_max_wait, config.stream),
            config,
            master,
            store,
            threads,
            events,
            session: None,
            sessions: watch::Sender::new(None),
            links: 0,
            index: 0,
            attempts: 0,
            prepared: None,
            preparing: None,
            problem: None,
            reporting: false,
            beating: false,
            beat_again: false,
            tick_at: Instant::now(),
            beat_period: 0,
            trip: Duration::MAX,
            changing: false,
            test: 0,
            collecting: 0,
            collected_until: Duration::ZERO,
            uncollected: false,
            cpu: CpuMeter::default(),
            memory: MemoryWatch::default(),
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
            Event::Dialled(_, Ok(link)) => self.registered(now, link),
            Event::Dialled(began, Err(error)) => self.not_joined(now, began, error),
            Event::Closed { link, reason } if current == Some(link) => self.closed(now, &reason),
            Event::Order { link, order } if current == Some(link) => {
                let actions = self.agent.order(now, self.clock.master_ms(now), *order);
                self.apply(now, actions);
                self.schedule_tick();
                // The master sees at once what has become of it.
                self.beat();
            }
            Event::Quit { link, reason } if current == Some(link) => {
                tracing::info!("the master says to quit: {reason}");
                self.end = Some(WorkerEnd::Quit);
            }
            Event::Prepared { wanted, result } => self.prepared(wanted, *result),
            Event::HeartbeatAnswered { link, sent, master_ms } if current == Some(link) => {
                self.answered(now, sent, master_ms);
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

    /// Hands everything over and ends.
    fn leave(&mut self) {
        let now = self.clock.now();
        self.leaving_since = Some(now);
        let actions = self.agent.leave(now);
        self.apply(now, actions);
        self.beat();
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

//! A worker's process: the loop around [`Agent`], as `swarm-node` has it.

use std::collections::BTreeMap;
use std::time::Duration;

use swarm_core::agent::{Agent, HEARTBEAT_INTERVAL, LEAVE_ALONE_MAX, LEAVE_MAX};
use swarm_core::backoff::Backoff;
use swarm_core::cluster::NO_TEST;
use swarm_core::ids::IdSet;
use swarm_core::message::{Moves, Order, WorkerInfo};
use swarm_stats::delta::Delta;
use swarm_stats::parts::PartMax;
use swarm_stats::{ConnectionCounts, EntryId, Limits, Outbox, Recorder, Sample};

use crate::net::{Direction, Message};
use crate::reports::REPORT_INTERVAL_US;
use crate::world::{Event, World};

/// How long workers carry on without a master.
pub(crate) const MASTER_GRACE: Duration = Duration::from_secs(30);

const TICK_MS: u64 = 20;
const BUSY_TICK_MS: u64 = 5;
const CHANGE_INTERVAL_MS: u64 = 100;
const CONNECT_MAX_US: u64 = 5_000_000;
const PART_MAX: PartMax = PartMax { rows: 2_000, bytes: 8 << 20 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Due,
    Running,
    /// Told to stop, at its last task.
    Finishing,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    pub(crate) phase: Phase,
    pub(crate) test: u32,
    /// Events with another one are void.
    pub(crate) ticket: u64,
}

/// A machine, and what runs on it.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: String,
    pub(crate) users_max: Option<u32>,
    pub(crate) weight: u32,
    pub(crate) process: Option<Process>,
    /// Standing still; what would have happened since waits here.
    pub(crate) frozen: Option<Vec<Event>>,
    pub(crate) thawed_us: u64,
    /// When a master last let it in.
    pub(crate) joined_us: u64,
}

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) number: u64,
    pub(crate) agent: Agent,
    pub(crate) stream: u64,
    clock_offset_us: u64,
    clock_ppm: i64,
    /// What the master's clock is ahead of this one, as far as it knows.
    master_ahead_ms: i64,
    trip: Duration,
    pub(crate) session: Option<u64>,
    dialling: Option<u64>,
    /// When that began.
    dialled: Duration,
    backoff: Backoff,
    /// Since when there is no master.
    alone_since: Option<Duration>,
    beating: bool,
    beat_again: bool,
    pub(crate) reporting: bool,
    pub(crate) outbox: Outbox,
    pub(crate) recorder: Recorder,
    entry: EntryId,
    pub(crate) test: u32,
    pub(crate) uncollected: bool,
    pub(crate) collected_until_us: u64,
    pub(crate) users: BTreeMap<u32, User>,
    changing: bool,
    beat_period: u64,
    leaving_since: Option<Duration>,
    last_order: u64,
    tickets: u64,
    tick_ticket: u64,
    /// Samples taken, by test.
    pub(crate) recorded: BTreeMap<u32, u64>,
    /// Reports had to be dropped.
    pub(crate) dropped: bool,
}

impl Process {
    pub(crate) fn local_us(&self, now_us: u64) -> u64 {
        let drift = i64::try_from(now_us).expect("a short run") * self.clock_ppm / 1_000_000;
        (self.clock_offset_us + now_us).saturating_add_signed(drift)
    }

    pub(crate) fn local(&self, now_us: u64) -> Duration {
        Duration::from_micros(self.local_us(now_us))
    }

    /// When this clock shows `local`.
    pub(crate) fn global_us(&self, now_us: u64, local: Duration) -> u64 {
        let local_us = u64::try_from(local.as_micros()).expect("a short run");
        now_us + local_us.saturating_sub(self.local_us(now_us))
    }

    pub(crate) fn master_ms(&self, local_us: u64) -> u64 {
        (local_us / 1000).saturating_add_signed(self.master_ahead_ms)
    }

    /// The master's clock showed that at `at`, give or take `error`.
    fn synchronise(&mut self, at: Duration, master_ms: u64, error: Duration) {
        self.agent.synchronised(error);
        let ours = i64::try_from(at.as_millis()).expect("a short run");
        self.master_ahead_ms = i64::try_from(master_ms).expect("a short run") - ours;
    }

    fn flushed(&self) -> bool {
        !self.uncollected && self.outbox.is_empty()
    }

    pub(crate) fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    pub(crate) fn record(&mut self, now_us: u64) {
        let at_ms = self.master_ms(self.local_us(now_us));
        let connections = ConnectionCounts { reused: 1, ..ConnectionCounts::default() };
        let sample =
            Sample { response_time_us: 1000, bytes: 1, connections, at_ms, ..Sample::default() };
        self.recorder.record(self.entry, sample);
        *self.recorded.entry(self.test).or_default() += 1;
    }

    /// What may hold up its samples.
    pub(crate) fn waits(&self) -> String {
        let Self { session, reporting, uncollected, .. } = self;
        let waiting = !self.outbox.is_empty();
        format!("{session:?}, reports wait: {waiting}, {reporting}, {uncollected}")
    }

    /// Users that are not gone, of any test.
    pub(crate) fn users(&self) -> usize {
        self.users.values().filter(|user| user.phase != Phase::Due).count()
    }

    /// Ids of the users that run and were not told to stop.
    pub(crate) fn running(&self) -> Vec<u32> {
        let users = self.users.iter().filter(|(_, user)| user.phase == Phase::Running);
        users.map(|(&id, _)| id).collect()
    }
}

impl World {
    /// Starts a process on a machine.
    pub(crate) fn boot(&mut self, w: usize) {
        self.processes += 1;
        let mut recorder = Recorder::new(Limits::default());
        let entry = recorder.intern("GET", "/");
        let process = Process {
            number: self.processes,
            agent: Agent::new(1 + self.rng.usize(0..2), MASTER_GRACE),
            stream: self.rng.u64(1..),
            clock_offset_us: self.rng.u64(0..200_000_000_000),
            clock_ppm: self.rng.i64(-2000..=2000),
            master_ahead_ms: 0,
            trip: Duration::MAX,
            session: None,
            dialling: None,
            dialled: Duration::ZERO,
            backoff: Backoff::new(self.rng.u64(..)),
            alone_since: Some(Duration::ZERO),
            beating: false,
            beat_again: false,
            reporting: false,
            outbox: Outbox::new(0, PART_MAX),
            recorder,
            entry,
            test: NO_TEST,
            uncollected: false,
            collected_until_us: 0,
            users: BTreeMap::new(),
            changing: false,
            beat_period: 0,
            leaving_since: None,
            last_order: 0,
            tickets: 0,
            tick_ticket: 0,
            recorded: BTreeMap::new(),
            dropped: false,
        };
        let process = Process {
            outbox: Outbox::new(process.stream, PART_MAX),
            collected_until_us: process.local_us(self.now_us),
            ..process
        };
        let number = process.number;
        self.workers[w].process = Some(process);
        let (heartbeat, report) = (self.rng.u64(0..1_000_000), self.rng.u64(0..REPORT_INTERVAL_US));
        self.after(heartbeat, Event::Beat(w, number));
        self.after(report, Event::Collect(w, number));
        self.after(0, Event::Dial(w, number));
        self.schedule_tick(w);
    }

    pub(crate) fn process(&mut self, w: usize) -> &mut Process {
        self.workers[w].process.as_mut().expect("its events are void without a process")
    }

    pub(crate) fn send_up(&mut self, connection: u64, message: Message) {
        self.send(connection, Direction::ToMaster, message);
    }

    pub(crate) fn dial(&mut self, w: usize) {
        let link = self.net.links[w];
        let reachable = link.up && link.down && !self.master_host_down;
        let number = self.process(w).number;
        if reachable && self.master.is_none() {
            // The machine is there, and nobody listens.
            return self.after(2 * link.delay_us.1, Event::Refused(w, number, self.now_us));
        }
        let connection = self.net.connect(w, number);
        let now_us = self.now_us;
        let process = self.process(w);
        process.dialling = Some(connection);
        process.dialled = process.local(now_us);
        self.after(CONNECT_MAX_US, Event::DialTimeout(w, number, connection));
        if !reachable {
            self.net.forget(connection);
            return;
        }
        let worker = &self.workers[w];
        let stream = worker.process.as_ref().map_or(0, |process| process.stream);
        let info = WorkerInfo {
            users_max: worker.users_max,
            weight: worker.weight,
            attempt: u32::try_from(connection).expect("a short run"),
            ..WorkerInfo::new(&worker.id, stream)
        };
        self.send_up(connection, Message::Join(info));
    }

    fn dial_failed(&mut self, w: usize) {
        let process = self.process(w);
        process.dialling = None;
        let pause = process.backoff.pause();
        let number = process.number;
        let pause_us = u64::try_from(pause.as_micros()).expect("seconds");
        self.after(pause_us, Event::Dial(w, number));
    }

    pub(crate) fn dial_timed_out(&mut self, w: usize, connection: u64) {
        if self.process(w).dialling == Some(connection) {
            self.send_up(connection, Message::End { broken: false });
            self.dial_failed(w);
        }
    }

    /// The attempt of that time was refused.
    pub(crate) fn dial_refused(&mut self, w: usize, sent_us: u64) {
        let process = self.process(w);
        let sent = process.local(sent_us);
        process.agent.refused(sent);
        self.dial_failed(w);
    }

    fn registered(&mut self, w: usize, connection: u64, master_ms: u64) {
        self.note(&format!("worker {w} has joined by connection {connection}"));
        let now_us = self.now_us;
        let process = self.process(w);
        let now = process.local(now_us);
        process.dialling = None;
        process.session = Some(connection);
        process.alone_since = None;
        process.reporting = false;
        process.beating = false;
        process.last_order = 0;
        let trip = now.saturating_sub(process.dialled);
        process.synchronise(now, master_ms, trip);
        process.trip = 2 * trip;
        let actions = process.agent.registered(now, process.dialled);
        process.agent.set_module_ready(true);
        self.obey(w, actions);
        self.beat(w);
        let process = self.process(w);
        if process.outbox.is_empty() {
            let now_ms = process.master_ms(process.local_us(now_us));
            let _ = process.outbox.push(NO_TEST, now_ms, now_ms, Delta::default());
        }
        self.send_reports(w);
    }

    /// Something has come from the master.
    pub(crate) fn heard(&mut self, w: usize, connection: u64, message: Message) {
        let now_us = self.now_us;
        let process = self.process(w);
        let now = process.local(now_us);
        if process.dialling == Some(connection) {
            match message {
                Message::Accepted { master_ms } => self.registered(w, connection, master_ms),
                // The other end has not noticed yet that the old connection is gone.
                _ => self.dial_failed(w),
            }
            return;
        }
        if process.session != Some(connection) {
            return;
        }
        match message {
            Message::Order(order) => self.take_order(w, *order),
            Message::Answer { sent_us, master_ms } => {
                let sent = Duration::from_micros(sent_us);
                process.agent.answered(sent);
                process.backoff.reset();
                let trip = now.saturating_sub(sent);
                if trip <= process.trip {
                    process.trip = trip;
                    process.synchronise(sent + trip / 2, master_ms, trip / 2);
                } else {
                    process.trip += (trip - process.trip) / 16;
                }
                process.beating = false;
                if std::mem::take(&mut process.beat_again) {
                    self.beat(w);
                }
            }
            Message::Acknowledged(sequence) => {
                process.reporting = false;
                process.outbox.acknowledged(sequence);
                self.send_reports(w);
                let process = self.process(w);
                if process.agent.users() == 0 && process.flushed() {
                    self.beat(w);
                }
            }
            Message::End { .. } => {
                let actions = process.agent.closed(now);
                self.obey(w, actions);
                self.disconnected(w);
            }
            _ => {}
        }
    }

    fn take_order(&mut self, w: usize, order: Order) {
        let now_us = self.now_us;
        let process = self.process(w);
        if order.number <= process.last_order {
            return self.fail(format!("worker {w} is told {} twice", order.number));
        }
        process.last_order = order.number;
        let text = told(w, &order);
        self.note(&text);
        let process = self.process(w);
        let (now, master_ms) = (process.local(now_us), process.master_ms(process.local_us(now_us)));
        let actions = process.agent.order(now, master_ms, order);
        self.obey(w, actions);
        self.schedule_tick(w);
        self.beat(w);
    }

    /// Ends its connection.
    pub(crate) fn disconnect(&mut self, w: usize) {
        if let Some(connection) = self.process(w).session {
            self.send_up(connection, Message::End { broken: false });
        }
        self.disconnected(w);
    }

    fn disconnected(&mut self, w: usize) {
        let now_us = self.now_us;
        let process = self.process(w);
        process.session = None;
        process.reporting = false;
        process.beating = false;
        process.alone_since = Some(process.local(now_us));
        self.dial_failed(w);
    }

    /// The process ends by itself.
    fn gone(&mut self, w: usize) {
        self.note(&format!("worker {w} ends"));
        self.bury(w);
        self.workers[w].process = None;
    }

    pub(crate) fn tick_worker(&mut self, w: usize) {
        let now_us = self.now_us;
        let process = self.process(w);
        let now = process.local(now_us);
        let actions = process.agent.tick(now);
        self.obey(w, actions);
        if self.workers[w].process.is_none() {
            return;
        }
        let process = self.process(w);
        let changing = process.agent.is_changing();
        let period = process.master_ms(process.local_us(now_us)) / CHANGE_INTERVAL_MS;
        let told = std::mem::replace(&mut process.beat_period, period) == period;
        let last_word = std::mem::replace(&mut process.changing, changing) && !changing;
        if last_word || changing && !told {
            self.beat(w);
        }
        let process = self.process(w);
        if let Some(since) = process.leaving_since {
            let done = process.agent.users() == 0 && process.flushed();
            let leaving = now.saturating_sub(since);
            let alone = process.alone_since.map(|since| now.saturating_sub(since).min(leaving));
            let too_long =
                leaving > LEAVE_MAX || alone.is_some_and(|alone| alone > LEAVE_ALONE_MAX);
            if done || too_long {
                if let Some(connection) = process.session.take() {
                    if done {
                        self.send_up(connection, Message::Leave);
                    }
                    self.send_up(connection, Message::End { broken: false });
                }
                return self.gone(w);
            }
        }
        self.schedule_tick(w);
    }

    fn schedule_tick(&mut self, w: usize) {
        let now_us = self.now_us;
        let process = self.process(w);
        let every_ms = if process.agent.is_changing() { BUSY_TICK_MS } else { TICK_MS };
        let rest_ms = every_ms - process.master_ms(process.local_us(now_us)) % every_ms;
        process.tick_ticket += 1;
        let event = Event::Tick(w, process.number, process.tick_ticket);
        self.after(rest_ms * 1000, event);
    }

    pub(crate) fn is_tick_due(&mut self, w: usize, ticket: u64) -> bool {
        self.process(w).tick_ticket == ticket
    }

    pub(crate) fn beat_regularly(&mut self, w: usize) {
        let number = self.process(w).number;
        let interval = u64::try_from(HEARTBEAT_INTERVAL.as_micros()).expect("a second");
        self.after(interval, Event::Beat(w, number));
        self.beat(w);
    }

    pub(crate) fn beat(&mut self, w: usize) {
        let now_us = self.now_us;
        let process = self.process(w);
        let Some(connection) = process.session else { return };
        if std::mem::replace(&mut process.beating, true) {
            process.beat_again = true;
            return;
        }
        let beat = process.agent.status(process.flushed());
        let sent_us = process.local_us(now_us);
        self.send_up(connection, Message::Beat(beat, sent_us));
    }

    /// The operator ends the process in order.
    pub(crate) fn leave(&mut self, w: usize) {
        let now_us = self.now_us;
        let process = self.process(w);
        let now = process.local(now_us);
        if process.leaving_since.replace(now).is_none() {
            let actions = process.agent.leave(now);
            self.obey(w, actions);
            self.beat(w);
            self.collect(w);
        }
    }
}

/// Ids of a class or a move that the log names.
const TOLD_MAX: usize = 20;

/// What an order says, in short.
fn told(w: usize, order: &Order) -> String {
    let names = |ids: &IdSet| ids.iter().take(TOLD_MAX).collect::<Vec<_>>();
    let count: u64 = order.users.iter().map(|class| class.ids.len()).sum();
    let users: Vec<_> = order.users.iter().map(|users| (users.class, names(&users.ids))).collect();
    let moves: Vec<_> = order
        .moves
        .iter()
        .map(|Moves { ids, start_ms, .. }| {
            format!("{} users from {start_ms} ms: {:?}", ids.len(), names(ids))
        })
        .collect();
    format!(
        "worker {w} takes order {}: {count} users {users:?} over {} ms, moves {moves:?}",
        order.number, order.spread_ms
    )
}

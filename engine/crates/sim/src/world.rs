//! The clock, what happens next, and what each event does.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::time::Duration;

use swarm_core::cluster::State;
use swarm_core::message::WorkerState;

use crate::check::{BACK_AFTER_CLOSE_US, Check};
use crate::master::{Disk, Master};
use crate::net::{Direction, Link, Message, Net};
use crate::worker::{Process, Worker};
use crate::{Failure, Seen};

/// How often the rules are looked at, besides where they can be broken.
const CHECK_US: u64 = 10_000;

/// A process that has thawed may go on for so long before it looks at its clock.
const THAW_US: u64 = 25_000;

/// After so long the workers of an earlier master have joined a new one, or are cut off from it.
const NEW_MASTER_US: u64 = 10_000_000;

/// A test that was told to stop has stopped this long after its stop timeout: the lease of a worker
/// that is cut off or was refused by the machine of a dead master, its ticks, the way.
const STOP_MAX_US: u64 = 4_500_000;

/// What happens at some time. Workers' events name the process they are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Arrive(u64, Direction),
    MasterTick(u64),
    Tick(usize, u64, u64),
    Beat(usize, u64),
    Collect(usize, u64),
    Dial(usize, u64),
    DialTimeout(usize, u64, u64),
    Refused(usize, u64, u64),
    UserBegins(usize, u64, u32, u64),
    UserEnds(usize, u64, u32, u64),
    Check,
}

#[derive(Debug)]
struct Due(u64, u64, Event);

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// The cluster and all around it.
#[derive(Debug)]
pub struct World {
    seed: u64,
    pub(crate) rng: fastrand::Rng,
    pub(crate) now_us: u64,
    queue: BinaryHeap<Reverse<Due>>,
    queued: u64,
    pub(crate) net: Net,
    pub(crate) workers: Vec<Worker>,
    pub(crate) master: Option<Master>,
    pub(crate) disk: Disk,
    pub(crate) masters: u64,
    pub(crate) processes: u64,
    pub(crate) master_host_down: bool,
    pub(crate) master_ahead_us: u64,
    pub(crate) master_since_us: u64,
    /// Processes that have ended.
    pub(crate) dead: Vec<(String, Process)>,
    pub(crate) last_order: u64,
    /// Reports that were added since the last master without a memory, by stream.
    pub(crate) applied: BTreeMap<u64, BTreeMap<u64, swarm_stats::delta::Report>>,
    pub(crate) acknowledged: BTreeMap<u64, u64>,
    /// Ids of users of this test that have finished.
    pub(crate) finished: BTreeSet<u32>,
    /// It was said that last samples of this test may be missing.
    pub(crate) may_be_missing: bool,
    pub(crate) stopping_since_us: Option<u64>,
    pub(crate) check: Check,
    pub(crate) seen: Seen,
    log: VecDeque<String>,
    /// The most of them that are kept.
    log_lines: usize,
    failure: Option<Box<Failure>>,
}

impl World {
    pub(crate) fn new(seed: u64, log_lines: usize) -> Self {
        let mut world = Self {
            seed,
            rng: fastrand::Rng::with_seed(seed),
            now_us: 0,
            queue: BinaryHeap::new(),
            queued: 0,
            net: Net::default(),
            workers: Vec::new(),
            master: None,
            disk: Disk::default(),
            masters: 0,
            processes: 0,
            master_host_down: false,
            master_ahead_us: 0,
            master_since_us: 0,
            dead: Vec::new(),
            last_order: 0,
            applied: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            finished: BTreeSet::new(),
            may_be_missing: false,
            stopping_since_us: None,
            check: Check::default(),
            seen: Seen::default(),
            log: VecDeque::new(),
            log_lines,
            failure: None,
        };
        world.after(CHECK_US, Event::Check);
        world
    }

    /// What the run has seen.
    pub fn seen(&self) -> Seen {
        Seen { time: Duration::from_micros(self.now_us), ..self.seen }
    }

    /// Adds a machine, without a process.
    pub(crate) fn add_machine(&mut self, users_max: Option<u32>, weight: u32) -> usize {
        let w = self.workers.len();
        let low = self.rng.u64(100..5_000);
        let high = low + self.rng.u64(100..30_000);
        self.net.links.push(Link { up: true, down: true, delay_us: (low, high) });
        self.workers.push(Worker {
            id: format!("h{}_w{w}", w % 3),
            users_max,
            weight,
            process: None,
            frozen: None,
            thawed_us: 0,
            joined_us: 0,
        });
        w
    }

    pub(crate) fn after(&mut self, time_us: u64, event: Event) {
        self.at(self.now_us + time_us, event);
    }

    fn at(&mut self, at_us: u64, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse(Due(at_us, self.queued, event)));
    }

    pub(crate) fn send(&mut self, connection: u64, direction: Direction, message: Message) {
        let now_us = self.now_us;
        if let Some(at) = self.net.send(now_us, &mut self.rng, connection, direction, message) {
            self.at(at, Event::Arrive(connection, direction));
        }
    }

    /// A rule does not hold.
    pub(crate) fn fail(&mut self, what: String) {
        let (seed, at) = (self.seed, Duration::from_micros(self.now_us));
        let log = self.log.iter().cloned().collect();
        self.failure.get_or_insert(Box::new(Failure { seed, at, what, log }));
    }

    /// Something that whoever looks for a fault wants to know.
    pub(crate) fn note(&mut self, text: &str) {
        if self.log.len() >= self.log_lines.max(1) {
            self.log.pop_front();
        }
        self.log.push_back(format!("{:>8.3} s  {text}", self.now_us as f64 / 1e6));
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// When a rule does not hold.
    pub(crate) fn run(&mut self, time: Duration) -> Result<(), Box<Failure>> {
        let end_us = self.now_us + u64::try_from(time.as_micros()).expect("a short run");
        while self.failure.is_none()
            && let Some(Reverse(due)) = self.queue.peek()
            && due.0 <= end_us
        {
            let Some(Reverse(Due(at_us, _, event))) = self.queue.pop() else { break };
            self.now_us = at_us;
            self.seen.events += 1;
            self.happen(event);
        }
        self.now_us = end_us;
        self.failure.take().map_or(Ok(()), Err)
    }

    /// The worker that an event is for, if its process is still there.
    fn process_of(&self, event: &Event) -> Option<Option<usize>> {
        let (w, number) = match *event {
            Event::Tick(w, number, _)
            | Event::Beat(w, number)
            | Event::Collect(w, number)
            | Event::Dial(w, number)
            | Event::DialTimeout(w, number, _)
            | Event::Refused(w, number, _)
            | Event::UserBegins(w, number, ..)
            | Event::UserEnds(w, number, ..) => (w, number),
            Event::Arrive(connection, Direction::ToWorker) => {
                let end = self.net.connection(connection)?;
                (end.worker, end.process)
            }
            Event::Arrive(..) | Event::MasterTick(_) | Event::Check => return None,
        };
        let there =
            self.workers[w].process.as_ref().is_some_and(|process| process.number == number);
        Some(there.then_some(w))
    }

    fn happen(&mut self, event: Event) {
        match self.process_of(&event) {
            Some(None) => return self.refuse(&event),
            Some(Some(w)) => {
                if let Some(waiting) = &mut self.workers[w].frozen {
                    return waiting.push(event);
                }
            }
            None => {}
        }
        match event {
            Event::Arrive(connection, Direction::ToMaster) => {
                if self.master_host_down {
                    // Lost; the worker's machine sends it again until it gives up.
                    self.net.arrive(connection, Direction::ToMaster);
                } else if let Some(message) = self.net.arrive(connection, Direction::ToMaster) {
                    self.master_hears(connection, message);
                }
            }
            Event::Arrive(connection, Direction::ToWorker) => {
                let worker = self.net.connection(connection).map(|end| end.worker);
                if let Some(message) = self.net.arrive(connection, Direction::ToWorker)
                    && let Some(w) = worker
                {
                    self.heard(w, connection, message);
                }
            }
            Event::MasterTick(number) => {
                if self.master.as_ref().is_some_and(|master| master.number == number) {
                    self.tick_master();
                }
            }
            Event::Tick(w, _, ticket) => {
                if self.is_tick_due(w, ticket) {
                    self.tick_worker(w);
                }
            }
            Event::Beat(w, _) => self.beat_regularly(w),
            Event::Collect(w, _) => self.collect_regularly(w),
            Event::Dial(w, _) => self.dial(w),
            Event::DialTimeout(w, _, connection) => self.dial_timed_out(w, connection),
            Event::Refused(w, _, sent_us) => self.dial_refused(w, sent_us),
            Event::UserBegins(w, _, id, ticket) => self.user_begins(w, id, ticket),
            Event::UserEnds(w, _, id, ticket) => self.user_ends(w, id, ticket),
            Event::Check => {
                self.look();
                self.after(CHECK_US, Event::Check);
            }
        }
    }

    /// What comes for a process that is gone: its machine says so.
    fn refuse(&mut self, event: &Event) {
        if let Event::Arrive(connection, Direction::ToWorker) = *event
            && let Some(message) = self.net.arrive(connection, Direction::ToWorker)
            && !matches!(message, Message::End { .. })
        {
            self.send(connection, Direction::ToMaster, Message::End { broken: true });
        }
    }

    /// Workers whose users do not count: see [`crate::check`].
    fn exempt(&self) -> Vec<bool> {
        let exempt = |worker: &Worker| {
            worker.process.is_none()
                || worker.frozen.is_some()
                || self.now_us < worker.thawed_us + THAW_US
        };
        self.workers.iter().map(exempt).collect()
    }

    fn look(&mut self) {
        let exempt = self.exempt();
        let test = self.master.as_ref().and_then(|master| master.cluster.test_number());
        // Workers carry on without a master, and a new one has to be heard before they can stop.
        let known = self.now_us > self.master_since_us + NEW_MASTER_US;
        let counted = test.filter(|_| known);
        if let Err(what) = self.check.sweep(self.now_us, counted, &exempt) {
            return self.fail(what);
        }
        self.check_stopped(test, &exempt);
        self.check_back(&exempt);
    }

    /// Are all users there that can be?
    fn check_back(&mut self, exempt: &[bool]) {
        let live = |state| matches!(state, State::Spawning | State::Running);
        let master = self.master.as_ref().filter(|master| live(master.cluster.state()));
        let able =
            |master: &&Master| master.cluster.ready_workers() > 0 && !master.cluster.is_waiting();
        let Some(master) = master.filter(able) else {
            self.check.nobody_asks();
            return self.check.disturbed(self.now_us, BACK_AFTER_CLOSE_US);
        };
        let stays = |known: &&swarm_core::cluster::worker::Worker| {
            known.connection().is_some()
                && known.beat().is_some_and(|beat| beat.state != WorkerState::Leaving)
        };
        let rooms = master.cluster.workers().iter().filter(stays);
        let rooms = rooms.map(|known| known.info().users_max.unwrap_or(u32::MAX));
        let possible = master.cluster.users_wanted().min(rooms.fold(0, u32::saturating_add));
        // The master may not know yet who has finished: a worker tells when it has done its order.
        let finished = u32::try_from(self.finished.len()).expect("users are counted in u32");
        let possible = possible.saturating_sub(finished);
        let test = master.cluster.test_number().expect("a test is live");
        if let Err(what) = self.check.look_for(self.now_us, test, possible, exempt) {
            self.fail(what);
        }
    }

    /// Something has happened that may cost users; they are back `within_us`.
    pub(crate) fn disturb(&mut self, within_us: u64) {
        self.check.disturbed(self.now_us, within_us);
    }

    /// Has the test been stopping for longer than it may?
    pub(crate) fn is_stopping_late(&self, master: &Master) -> bool {
        let timeout_ms = master.cluster.load().map_or(0, |load| load.settings.stop_timeout_ms);
        let since = self.stopping_since_us.unwrap_or(self.now_us);
        self.now_us > since + timeout_ms * 1000 + STOP_MAX_US
    }

    /// A test that was told to stop has no users any more, but on workers that are cut off and do
    /// not know.
    fn check_stopped(&mut self, test: Option<u32>, exempt: &[bool]) {
        let Some(master) = &self.master else { return };
        let timeout_ms = master.cluster.load().map_or(0, |load| load.settings.stop_timeout_ms);
        if !matches!(master.cluster.state(), State::Stopping | State::Stopped) {
            self.stopping_since_us = None;
            return;
        }
        // A master that has just restarted has to be heard first.
        let since = *self.stopping_since_us.get_or_insert(self.now_us);
        let since = since.max(self.master_since_us);
        if self.now_us < since + timeout_ms * 1000 + STOP_MAX_US {
            return;
        }
        let Some(test) = test else { return };
        for (w, worker) in self.workers.iter().enumerate() {
            let since = since.max(worker.joined_us);
            let late = self.now_us > since + timeout_ms * 1000 + STOP_MAX_US;
            let users = self.check.on(test, w);
            if users > 0 && late && !exempt[w] {
                return self.fail(format!("{users} users of test {test} still run on worker {w}"));
            }
        }
    }
}

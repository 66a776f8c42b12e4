//! What the master does when: who is there, who gets which users, when a test begins and ends.
//! Pure: `(now, event) -> actions`.
//!
//! # Layout
//! - this file: the events, and the life of a test.
//! - `members`: who comes and goes, and how that is noticed.
//! - [`memory`]: what outlives the master's process; `awaiting`: the workers of the one before.
//! - `orders`: what workers are told; `motion`: who moves between them, and when.
//! - `look`: how things are, for those who only look.
//! - [`worker`]: what the master knows of one worker.

mod awaiting;
mod look;
mod members;
pub mod memory;
mod motion;
mod orders;
pub mod worker;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dispatch::{ClassShare, Dispatcher};
use crate::limits::USERS_MAX;
use crate::message::{Digest, Heartbeat, Order, Settings, WorkerState};
use crate::pace::Ramp;
pub use awaiting::AWAIT_MAX;
use motion::Motion;
use worker::Worker;

/// A worker that was silent for this long is lost: its users go to the others. Longer than
/// [`crate::agent::LEASE`].
pub const SILENCE_MAX: Duration = Duration::from_secs(3);

/// Users of a lost worker start on the others evenly over this time, so that a loss is no load
/// spike.
const LOSS_SPREAD: Duration = Duration::from_secs(1);

/// Workers need not repeat what their users have finished for longer than this.
const FORGET_INTERVAL: Duration = Duration::from_secs(1);

/// After the stop timeout workers have this long to end their users and send their last samples.
const STOP_SLACK: Duration = Duration::from_secs(10);

/// The number of no test.
pub const NO_TEST: u32 = 0;

/// Most workers of a master, lost ones included.
pub const WORKERS_MAX: usize = 100_000;

/// What the master has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send an order to the worker of this connection.
    Order {
        /// The connection.
        connection: u64,
        /// The order.
        order: Box<Order>,
    },
    /// Close the connection: its worker is lost or has been replaced.
    Close {
        /// The connection.
        connection: u64,
        /// For the log.
        reason: String,
    },
    /// Tell the reader of the result.
    Notice(String),
    /// A test has begun: forget the statistics of the last.
    Begun,
    /// All users have ended and all samples have arrived, or never will.
    Ended,
}

/// A load to put on the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Users in the whole test.
    pub users: u32,
    /// Users a second.
    pub spawn_rate: f64,
    /// Stop by itself after this long; from the start of the test.
    pub run_time: Option<Duration>,
    /// The settings of the test.
    pub settings: Settings,
    /// Indexes of the classes that get users; empty is all.
    pub only_classes: Vec<u32>,
}

impl Load {
    /// Does the class with this index get users?
    pub fn runs(&self, class: u32) -> bool {
        self.only().is_none_or(|only| only.contains(&class))
    }

    /// The classes that get users, as the dispatcher takes them; `None` is all.
    fn only(&self) -> Option<&[u32]> {
        (!self.only_classes.is_empty()).then_some(self.only_classes.as_slice())
    }
}

/// Where a test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No test yet.
    #[default]
    Ready,
    /// Users are being started or ended on the way to the target.
    Spawning,
    /// All users run.
    Running,
    /// Users end.
    Stopping,
    /// The test has ended.
    Stopped,
}

impl State {
    /// Its name, for people and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Spawning => "spawning",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// Is a test under way?
    pub fn is_busy(self) -> bool {
        matches!(self, Self::Spawning | Self::Running | Self::Stopping)
    }

    /// Do users run, or are they about to?
    pub fn is_live(self) -> bool {
        matches!(self, Self::Spawning | Self::Running)
    }
}

#[derive(Debug)]
struct Test {
    number: u32,
    start: Duration,
    load: Load,
    state: State,
    /// While users are still to be started or ended.
    ramp: Option<Ramp>,
    /// A change of the load took users away, of whom some may still be at their tasks.
    falls: bool,
    /// Since when it is stopping.
    stopping: Duration,
}

impl Test {
    /// Its users run, or are about to.
    fn is_live(&self) -> bool {
        self.state.is_live()
    }

    /// Nobody is being ended but to start elsewhere.
    fn only_grows(&self) -> bool {
        !self.falls && self.is_live()
    }
}

/// The master's state machine.
#[derive(Debug)]
pub struct Cluster {
    module: Digest,
    classes: Vec<ClassShare>,
    dispatcher: Dispatcher,
    /// By index; a worker keeps its index for the master's life.
    workers: Vec<Worker>,
    /// Index by id.
    by_id: BTreeMap<String, usize>,
    /// Index of the worker of each open connection.
    connections: BTreeMap<u64, usize>,
    /// Users alive, as all workers together tell.
    told: u64,
    motion: Motion,
    /// Workers have come or gone since the last orders.
    rebalance: bool,
    /// When workers are told not to repeat who has finished.
    forget_at: Option<Duration>,
    test: Option<Test>,
    /// Number of the next test.
    next_test: u32,
    last_order: u64,
    users_max: u32,
    /// Until when the workers of an earlier master are waited for.
    awaiting: Option<Duration>,
    /// What is still to be told of the restart.
    news: Vec<String>,
    /// Users move to even out the workers.
    rebalances: bool,
    /// Users that have begun to move and of whom nothing was said, and since when.
    moved: Option<(Duration, u64)>,
    /// Of the memory.
    revision: u64,
}

impl Cluster {
    /// A master of the scenario with these classes. `first_test` numbers its first test; it should
    /// grow from one master process to the next, so that samples of an earlier one are recognised.
    pub fn new(module: Digest, classes: Vec<ClassShare>, first_test: u32) -> Self {
        Self {
            module,
            dispatcher: Dispatcher::new(&classes),
            classes,
            workers: Vec::new(),
            by_id: BTreeMap::new(),
            connections: BTreeMap::new(),
            told: 0,
            motion: Motion::default(),
            rebalance: false,
            forget_at: None,
            test: None,
            next_test: first_test.max(NO_TEST + 1),
            last_order: 0,
            users_max: 0,
            awaiting: None,
            news: Vec::new(),
            rebalances: true,
            moved: None,
            revision: 0,
        }
    }

    /// A sign of life.
    pub fn heartbeat(&mut self, now: Duration, connection: u64, beat: Heartbeat) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(&index) = self.connections.get(&connection) else { return actions };
        let connections = self.connections_of_test();
        if self.workers[index].order_is_current(&beat) {
            self.has_all_samples(index, &mut actions);
        }
        let worker = &mut self.workers[index];
        if let Some(problem) = &beat.problem
            && worker.problem() != Some(problem.as_str())
        {
            let text = format!("worker {} cannot take part: {problem}", worker.info().id);
            actions.push(Action::Notice(text));
        }
        if let Some(warning) = &beat.warning
            && worker.warning() != Some(warning.as_str())
        {
            actions.push(Action::Notice(format!("worker {}: {warning}", worker.info().id)));
        }
        if worker.order_is_current(&beat) {
            let news = beat.finished.difference(&worker.retired);
            worker.retired.insert_all(&news);
            if !news.is_empty() {
                self.revision += 1;
                worker.revision = self.revision;
                news.iter().for_each(|id| self.dispatcher.retire(id));
                self.forget_at.get_or_insert(now + FORGET_INTERVAL);
            }
        }
        let able = beat.problem.is_none()
            && !worker.is_unreachable()
            && !matches!(beat.state, WorkerState::Preparing | WorkerState::Leaving);
        worker.leaving = beat.state == WorkerState::Leaving;
        let first = worker.beat().is_none();
        self.told -= u64::from(worker.users());
        self.rebalance |= worker.took(beat.order_taken.max(beat.order_done));
        worker.heard(now, beat);
        self.told += u64::from(worker.users());
        if able != std::mem::replace(&mut worker.placed, able) {
            if able {
                worker.seat(&mut self.dispatcher, connections);
            } else {
                self.dispatcher.remove_worker(&worker.info().id);
            }
            self.rebalance = true;
            self.touch(index);
        } else if first && able {
            // It kept its place over a restart of the master, and may have other limits now.
            worker.seat(&mut self.dispatcher, connections);
            self.rebalance = true;
            self.touch(index);
        } else if first && worker.leaving {
            // It has no place, and confirms what it is told all the same.
            self.rebalance = true;
        }
        self.users_max = self.users_max.max(self.users());
        self.settle(now, &mut actions);
        actions
    }

    /// A report of this connection's worker has been added to the result.
    pub fn reported(&mut self, now: Duration, connection: u64) {
        if let Some(&index) = self.connections.get(&connection) {
            self.workers[index].reported = Some(now);
        }
    }

    /// Starts a test, or changes the load of the running one.
    ///
    /// # Errors
    /// Why not, for the operator.
    pub fn start(&mut self, now: Duration, load: Load) -> Result<Vec<Action>, String> {
        let mut actions = Vec::new();
        let ramp = Ramp::new(now, load.spawn_rate).map_err(|error| error.to_string())?;
        load.settings.check().map_err(|error| error.to_string())?;
        if load.users > USERS_MAX {
            return Err(format!("{} users are asked for; {USERS_MAX} are the most", load.users));
        }
        match &mut self.test {
            Some(test) if test.state == State::Stopping => {
                return Err("the last test is still stopping; wait until it has stopped".to_owned());
            }
            Some(test) if test.is_live() => {
                if test.load.settings.host != load.settings.host {
                    return Err("the host cannot change during a test; stop it first".to_owned());
                }
                if test.load.only_classes != load.only_classes {
                    let text = "the user classes cannot change during a test; stop it first";
                    return Err(text.to_owned());
                }
                let settings = test.load.settings.clone();
                test.ramp = Some(ramp);
                test.falls |= load.users < test.load.users;
                test.load = Load { settings, ..load };
                test.state = State::Spawning;
                self.revision += 1;
            }
            _ => self.begin(now, load, ramp, &mut actions),
        }
        if let Some(Test { load, .. }) = &self.test {
            self.dispatcher.set_target(load.users, load.only());
        }
        actions.extend(self.tick(now));
        Ok(actions)
    }

    fn begin(&mut self, now: Duration, load: Load, ramp: Ramp, actions: &mut Vec<Action>) {
        // The users of a test are numbered from 0, and those that finished are back.
        self.dispatcher = Dispatcher::new(&self.classes);
        self.dispatcher.set_levels(self.rebalances);
        let connections = load.settings.connections;
        self.revision += 1;
        self.awaiting = None;
        for worker in &mut self.workers {
            worker.begin();
            worker.revision = self.revision;
            if worker.placed {
                worker.seat(&mut self.dispatcher, connections);
            }
        }
        self.test = Some(Test {
            number: self.next_test,
            start: now,
            load,
            state: State::Spawning,
            ramp: Some(ramp),
            falls: false,
            stopping: now,
        });
        self.next_test += 1;
        self.users_max = 0;
        self.motion.clear();
        // The ramp tells everyone.
        self.rebalance = false;
        self.forget_at = None;
        actions.push(Action::Begun);
        if self.dispatcher.workers().next().is_none() {
            let text = "no worker is ready: the users start when one is".to_owned();
            actions.push(Action::Notice(text));
        }
    }

    /// Stops the test: its users end within the stop timeout.
    pub fn stop(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some(test) = &mut self.test
            && test.is_live()
        {
            test.state = State::Stopping;
            test.stopping = now;
            test.ramp = None;
            self.revision += 1;
            self.send_orders(now, Duration::ZERO, &mut actions);
            self.settle(now, &mut actions);
        }
        actions
    }

    /// Looks at the clock: silent workers, changes of workers, due users, the end of the run time.
    /// To be called often; users are due at most one call late, and workers that come or go
    /// between two calls cause one rebalance.
    pub fn tick(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        self.drop_silent(now, &mut actions);
        self.look_for_awaited(now, &mut actions);
        self.tell_of_moves(now, &mut actions);
        if self.rebalance || self.forget_at.is_some_and(|at| at <= now) {
            self.send_orders(now, LOSS_SPREAD, &mut actions);
        }
        let over = self.test.as_ref().is_some_and(|test| {
            let time = test.load.run_time;
            test.is_live() && time.is_some_and(|time| now >= test.start + time)
        });
        if over {
            actions.extend(self.stop(now));
        } else {
            self.ramp(now, &mut actions);
        }
        self.settle(now, &mut actions);
        actions
    }

    /// Starts or ends the users that are due.
    fn ramp(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.holds_back() {
            return;
        }
        let has_workers = self.dispatcher.workers().next().is_some();
        let Some(test) = &mut self.test else { return };
        if test.ramp.is_none() && test.is_live() && !self.dispatcher.at_target() {
            // It had ended for want of room, and now there is some.
            test.ramp = Ramp::new(now, test.load.spawn_rate).ok();
            test.state = State::Spawning;
            self.revision += 1;
        }
        let Some(ramp) = &mut test.ramp else { return };
        // Without a worker the ramp waits, rather than to start everyone at once when one comes.
        let due = ramp.take_due(now);
        self.revision += u64::from(due > 0);
        if due == 0 || !has_workers {
            return;
        }
        let (before, step) = (self.dispatcher.users(), ramp.users_per_step());
        let there = self.dispatcher.step(step.saturating_mul(due));
        // At the rate also where a step is not a whole one; and the last user of a step is as far
        // from the first of the next as from its own neighbour.
        let moved = self.dispatcher.users().abs_diff(before).clamp(1, step);
        let interval = ramp.wait().mul_f64(f64::from(moved - 1) / f64::from(step));
        if there {
            test.ramp = None;
        }
        self.send_orders(now, interval, actions);
    }

    /// Moves the test on when what it waits for has happened.
    fn settle(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let before = self.state();
        self.settle_state(now, actions);
        self.revision += u64::from(self.state() != before);
    }

    fn settle_state(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let alive = self.users();
        let Some(test) = &mut self.test else { return };
        let done = || self.workers.iter().all(Worker::order_done);
        match test.state {
            State::Spawning if test.ramp.is_none() && done() => {
                // Who was taken away has ended: that is part of having done the order.
                test.falls = false;
                if alive >= self.dispatcher.users() {
                    test.state = State::Running;
                }
            }
            State::Running if test.load.users > 0 && self.dispatcher.all_retired() => {
                actions.push(Action::Notice("all users have finished".to_owned()));
                actions.extend(self.stop(now));
            }
            State::Stopping => {
                let timeout = Duration::from_millis(test.load.settings.stop_timeout_ms);
                let late = now > test.stopping + timeout + STOP_SLACK;
                let done = done();
                if late && !done {
                    let text = "not all workers have confirmed the end of the test: their last \
                                samples may be missing";
                    actions.push(Action::Notice(text.to_owned()));
                }
                if done || late {
                    test.state = State::Stopped;
                    actions.push(Action::Ended);
                }
            }
            State::Ready | State::Spawning | State::Running | State::Stopped => {}
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

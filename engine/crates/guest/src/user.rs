//! The life of one virtual user: start, tasks and rests, stop.
//!
//! The host owns the timers. While a user rests it holds its instance and its connections, and no
//! stack.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use swarm_client::Session;
use swarm_core::choice::{After, Cursor, user_seed};
use swarm_core::plan::Then;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::bindings::swarm::scenario::plan as wit;
use crate::clock::micros;
use crate::instance::Trap;
use crate::runtime::SLICE;
use crate::slot::{Slot, Slots};
use crate::test::{Record, Test};

/// A user that cannot start tries again after this, so that a broken target or guest is not
/// hammered.
const START_RETRY: Duration = Duration::from_secs(1);

/// What a guest's `stop` may take when there is no stop timeout.
const STOP_HOOK_MAX: Duration = Duration::from_secs(1);

/// Tells a user to stop: `Some(deadline)` ends it at its next rest, or in the middle of a task
/// when the deadline has passed. The deadline may be brought forward.
pub type Stop = watch::Receiver<Option<Instant>>;

/// How a user ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Told to stop.
    Stopped,
    /// Its own wish: it is not replaced.
    Finished,
}

/// What the users of one load thread have in common.
pub struct Shard {
    test: Arc<Test>,
    record: Record,
    slots: Slots,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard").field("test", &self.test).finish_non_exhaustive()
    }
}

impl Shard {
    /// The part of `test` that runs on this thread and records to `record`.
    pub fn new(test: Arc<Test>, record: Record) -> Self {
        Self { test, record, slots: Slots::default() }
    }
}

/// Lives the life of one user from `due` (when it should start) until it ends. Calls `started` when
/// it begins.
///
/// # Cancel safety
/// Dropping it interrupts the user: a request in flight is counted as interrupted.
pub async fn run(
    shard: Rc<Shard>,
    id: u32,
    class: u32,
    due: Duration,
    mut stop: Stop,
    started: impl FnOnce(),
) -> Ended {
    let starting = shard.test.clock.instant(due).into();
    let mut stop_early = stop.clone();
    tokio::select! {
        biased;
        () = told(&mut stop_early) => return Ended::Stopped,
        () = sleep_until(starting) => {}
    }
    started();
    let mut user = User::new(&shard, id, class, due);
    let life = user.live(&mut stop);
    match until_deadline(&mut stop_early, life).await {
        Some(Ended::Finished) => Ended::Finished,
        Some(Ended::Stopped) => {
            user.say_goodbye(&mut stop_early).await;
            Ended::Stopped
        }
        None => {
            user.discard_instance();
            Ended::Stopped
        }
    }
}

/// Resolves when the user is told to stop.
async fn told(stop: &mut Stop) {
    // A sender that is gone stops nobody any more: the owner drops the future instead.
    if stop.wait_for(Option::is_some).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Runs `work` to its end, or until the stop deadline: then `None`.
async fn until_deadline<T>(stop: &mut Stop, work: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(work);
    let mut deadline = None;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                return None;
            }
            changed = stop.changed() => match changed {
                Ok(()) => deadline = *stop.borrow_and_update(),
                Err(_) => return Some(work.await),
            },
        }
    }
}

struct User<'a> {
    shard: &'a Shard,
    slot: Rc<Slot>,
    /// Of the instance that knows this user; 0 for none.
    generation: u64,
    id: u32,
    class: u32,
    seed: u64,
    cursor: Cursor,
    /// In the middle of a call into the guest: an instance left like that can't go on.
    calling: bool,
    /// When its next step is due.
    due: Duration,
}

/// How one step of a user went.
enum Step {
    Task(Then),
    /// It could not be started; nothing was run.
    NotStarted,
}

impl<'a> User<'a> {
    fn new(shard: &'a Shard, id: u32, class: u32, due: Duration) -> Self {
        let test = &shard.test;
        let seed = user_seed(test.settings.seed, id);
        let slot = shard.slots.assign(test.sharing);
        let cursor = Cursor::new(seed);
        Self { shard, slot, generation: 0, id, class, seed, cursor, calling: false, due }
    }

    async fn live(&mut self, stop: &mut Stop) -> Ended {
        let shard = self.shard;
        let plan = &shard.test.classes[self.class as usize].plan;
        let clock = &shard.test.clock;
        let mut task = None;
        let mut turn_began = clock.now();
        loop {
            let next = match task.take().map_or_else(|| self.cursor.next_task(plan), Ok) {
                Ok(next) => next,
                Err(too_deep) => {
                    self.exception(&too_deep.to_string(), "");
                    return Ended::Finished;
                }
            };
            let step = self.step(next).await;
            let now = clock.now();
            self.due = match step {
                Step::NotStarted => {
                    task = Some(next);
                    now + START_RETRY
                }
                Step::Task(then) => match self.cursor.after(plan, then, self.due, now) {
                    After::Now => now,
                    After::RestUntil(due) => due,
                    After::Finish => return Ended::Finished,
                },
            };
            if stop.borrow().is_some() {
                return Ended::Stopped;
            }
            if self.due > now {
                tokio::select! {
                    biased;
                    () = told(stop) => return Ended::Stopped,
                    () = sleep_until(clock.instant(self.due).into()) => {}
                }
                turn_began = clock.now();
            } else if now.saturating_sub(turn_began) >= SLICE {
                // A user that never rests must not keep its neighbours from theirs.
                tokio::task::yield_now().await;
                turn_began = clock.now();
            } else {
                tokio::task::coop::consume_budget().await;
            }
        }
    }

    /// Runs one task in the user's instance, which is made and told of the user if need be.
    async fn step(&mut self, task: u32) -> Step {
        let result = self.step_in_turn(task).await;
        self.calling = false;
        result
    }

    async fn step_in_turn(&mut self, task: u32) -> Step {
        let shard = self.shard;
        let clock = &shard.test.clock;
        let slot = Rc::clone(&self.slot);
        let mut content = slot.turn().await;
        let known = content.instance.is_some() && content.generation == self.generation;
        self.calling = true;
        let late = clock.now().saturating_sub(self.due);
        shard.record.lock().lateness(micros(late));
        if !known {
            let instance = match content.ensure(&shard.test, &shard.record, self.seed).await {
                Ok(instance) => instance,
                Err(trap) => {
                    self.count(&trap, "cannot make an instance: ");
                    return Step::NotStarted;
                }
            };
            match instance.start(self.introduction(), self.session()).await {
                Ok(Ok(())) => self.generation = content.generation,
                Ok(Err(error)) => {
                    self.exception(&format!("start: {error}"), "");
                    return Step::NotStarted;
                }
                Err(trap) => {
                    content.instance = None;
                    self.count(&trap, "start: ");
                    return Step::NotStarted;
                }
            }
        }
        let instance = content.instance.as_mut().expect("it knows the user");
        match instance.run(self.id, task).await {
            Ok(Ok(then)) => Step::Task(then),
            Ok(Err(error)) => {
                self.exception(&error, "");
                Step::Task(Then::Rest)
            }
            Err(trap) => {
                content.instance = None;
                self.count(&trap, "");
                Step::Task(Then::Rest)
            }
        }
    }

    /// Lets the guest end its user. A trap in it changes nothing any more, and is counted.
    async fn say_goodbye(&mut self, stop: &mut Stop) {
        let hook_max = Instant::now() + STOP_HOOK_MAX;
        let deadline = (*stop.borrow()).map_or(hook_max, |deadline| deadline.max(hook_max));
        let slot = Rc::clone(&self.slot);
        let goodbye = async {
            let mut content = slot.turn().await;
            if content.generation != self.generation {
                return;
            }
            let Some(instance) = &mut content.instance else { return };
            self.calling = true;
            let result = instance.stop(self.id).await;
            self.calling = false;
            if let Err(trap) = result {
                content.instance = None;
                self.count(&trap, "stop: ");
            }
        };
        if tokio::time::timeout_at(deadline, goodbye).await.is_err() {
            self.exception("stop: took longer than the stop timeout", "");
            self.discard_instance();
        }
    }

    /// Drops the instance if this user was interrupted in the middle of a call into it.
    fn discard_instance(&self) {
        if self.calling {
            let content = self.slot.try_turn();
            content.expect("the turn ended with the call").instance = None;
        }
    }

    fn introduction(&self) -> wit::User {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half of a mixed seed")]
        wit::User { id: self.id, class: self.class, seed: self.seed as u32 }
    }

    fn session(&self) -> Arc<Session> {
        let test = &self.shard.test;
        let base = test.classes[self.class as usize].base.clone();
        Arc::new(Session::new(Arc::clone(&test.client), Some(base)))
    }

    fn count(&self, trap: &Trap, during: &str) {
        self.exception(&format!("{during}{}", trap.message), &trap.trace);
    }

    fn exception(&self, message: &str, trace: &str) {
        tracing::debug!(user = self.id, "{message}");
        self.shard.record.lock().exception(message, trace);
    }
}

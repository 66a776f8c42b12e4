//! The life of one virtual user: start, tasks and rests, stop.
//!
//! The host owns the timers. While a user rests it holds its instance and its connections, and no
//! stack.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use swarm_client::Session;
use swarm_core::choice::{After, Cursor, user_seed};
use swarm_core::plan::Then;
use tokio::task::coop;
use tokio::time::Instant;

use crate::backend::isolated::ThreadStack;
use crate::contract::bindings::swarm::scenario::plan as wit;
use crate::engine::runtime::SLICE;
use crate::host::caller::{Caller, GuestCall};
use crate::host::clock::micros;
use crate::host::environment::Environment;
use crate::host::samples::Record;
use crate::scenario::module::Module;
use crate::scenario::test::Test;
use crate::users::shared_instance::{Slot, Slots};
pub use crate::users::stop::{Stop, Stopper};

/// A user that cannot start tries again after this, so that a broken target or guest is not
/// hammered.
pub(crate) const START_RETRY: Duration = Duration::from_secs(1);

/// What a guest's `stop` may take when there is no stop timeout.
pub(crate) const STOP_HOOK_MAX: Duration = Duration::from_secs(1);

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
    module: Module,
    test: Arc<Environment>,
    record: Record,
    slots: Slots,
    stack: ThreadStack,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard").field("test", &self.test).finish_non_exhaustive()
    }
}

impl Shard {
    /// The part of `test` that runs on this thread and records to `record`.
    pub fn new(test: &Test, record: Record) -> Self {
        let (module, test) = (test.module.clone(), Arc::clone(&test.environment));
        Self { module, test, record, slots: Slots::default(), stack: ThreadStack::default() }
    }
}

/// Lives the life of one user from `due` (when it should start) until it ends. Calls `started` when
/// it begins.
///
/// # Cancel safety
/// Dropping it interrupts the user: a request in flight is counted as given up.
pub async fn run(
    shard: Rc<Shard>,
    id: u32,
    class: u32,
    due: Duration,
    stop: Stop,
    started: impl FnOnce(),
) -> Ended {
    stop.rest(shard.test.clock.instant(due).into()).await;
    if stop.deadline().is_some() {
        return Ended::Stopped;
    }
    started();
    let mut user = User::new(&shard, id, class, due);
    let ended = {
        let life = pin!(user.live(&stop));
        stop.until_deadline(life).await
    };
    match ended {
        Some(Ended::Finished) => Ended::Finished,
        Some(Ended::Stopped) => {
            Box::pin(user.say_goodbye(&stop)).await;
            Ended::Stopped
        }
        None => {
            user.discard_instance();
            Ended::Stopped
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

/// Waits for its turn. A task that is given up meanwhile was late by what it has waited until
/// then: of users that take turns it is the ones which never get theirs that matter most.
struct Waiting<'a> {
    shard: &'a Shard,
    /// When the task was due; `None` once it is its turn.
    due: Option<Duration>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(due) = self.due {
            let late = self.shard.test.clock.now().saturating_sub(due);
            self.shard.record.lock().lateness(micros(late));
        }
    }
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

    async fn live(&mut self, stop: &Stop) -> Ended {
        let shard = self.shard;
        let plan = &shard.test.classes[self.class as usize].plan;
        let clock = &shard.test.clock;
        let mut task = None;
        let mut now = clock.now();
        let mut turn_began = now;
        loop {
            let next = match task.take().map_or_else(|| self.cursor.next_task(plan), Ok) {
                Ok(next) => next,
                Err(too_deep) => {
                    // It names the class itself.
                    shard.record.lock().exception(&too_deep.to_string(), "");
                    return Ended::Finished;
                }
            };
            let step = self.step(next, now).await;
            now = clock.now();
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
            if stop.deadline().is_some() {
                return Ended::Stopped;
            }
            if self.due > now {
                stop.rest(clock.instant(self.due).into()).await;
                if stop.deadline().is_some() {
                    return Ended::Stopped;
                }
            } else if now.saturating_sub(turn_began) >= SLICE || !coop::has_budget_remaining() {
                // A user that never rests must not keep its neighbours from theirs.
                tokio::task::yield_now().await;
            } else {
                coop::consume_budget().await;
                continue;
            }
            now = clock.now();
            turn_began = now;
        }
    }

    /// Runs one task in the user's instance, which is made and told of the user if need be. `now`
    /// is when the user's turn began.
    async fn step(&mut self, task: u32, now: Duration) -> Step {
        let result = self.step_in_turn(task, now).await;
        self.calling = false;
        result
    }

    async fn step_in_turn(&mut self, task: u32, now: Duration) -> Step {
        let shard = self.shard;
        let clock = &shard.test.clock;
        let slot = Rc::clone(&self.slot);
        let (mut content, now) = match slot.try_turn() {
            Some(content) => (content, now),
            None => {
                let mut waiting = Waiting { shard, due: Some(self.due) };
                let content = slot.turn().await;
                waiting.due = None;
                (content, clock.now())
            }
        };
        let known = content.instance.is_some() && content.generation == self.generation;
        self.calling = true;
        shard.record.lock().lateness(micros(now.saturating_sub(self.due)));
        if !known {
            // Boxed, as what follows and is rare: a user's task has room for its largest moment.
            let pre = shard.module.isolated().expect("its world is one of these users");
            let made = content.ensure(pre, &shard.test, &shard.record, self.seed, &shard.stack);
            let instance = match Box::pin(made).await {
                Ok(instance) => instance,
                Err(trap) => {
                    let message = format!("cannot make an instance: {}", trap.message);
                    self.exception(GuestCall::Instance, &message, &trap.trace);
                    return Step::NotStarted;
                }
            };
            instance.called_by(self.caller(GuestCall::Start));
            match Box::pin(instance.start(self.introduction(), self.session())).await {
                Ok(Ok(())) => self.generation = content.generation,
                Ok(Err(error)) => {
                    self.exception(GuestCall::Start, &error, "");
                    return Step::NotStarted;
                }
                Err(trap) => {
                    content.instance = None;
                    self.exception(GuestCall::Start, &trap.message, &trap.trace);
                    return Step::NotStarted;
                }
            }
        }
        let instance = content.instance.as_mut().expect("it knows the user");
        instance.called_by(self.caller(GuestCall::Task(task)));
        match instance.run(self.id, task).await {
            Ok(Ok(then)) => Step::Task(then),
            Ok(Err(error)) => {
                self.exception(GuestCall::Task(task), &error, "");
                Step::Task(Then::Rest)
            }
            Err(trap) => {
                content.instance = None;
                self.exception(GuestCall::Task(task), &trap.message, &trap.trace);
                Step::Task(Then::Rest)
            }
        }
    }

    /// Lets the guest end its user. A trap in it changes nothing any more, and is counted.
    async fn say_goodbye(&mut self, stop: &Stop) {
        let hook_max = Instant::now() + STOP_HOOK_MAX;
        let deadline = stop.deadline().map_or(hook_max, |deadline| deadline.max(hook_max));
        let slot = Rc::clone(&self.slot);
        let goodbye = async {
            let mut content = slot.turn().await;
            if content.generation != self.generation {
                return;
            }
            let Some(instance) = &mut content.instance else { return };
            self.calling = true;
            instance.called_by(self.caller(GuestCall::Stop));
            let result = instance.stop(self.id).await;
            self.calling = false;
            if let Err(trap) = result {
                content.instance = None;
                self.exception(GuestCall::Stop, &trap.message, &trap.trace);
            }
        };
        if tokio::time::timeout_at(deadline, goodbye).await.is_err() {
            self.exception(GuestCall::Stop, "took longer than the stop timeout", "");
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

    fn caller(&self, call: GuestCall) -> Caller {
        Caller { class: self.class, call }
    }

    fn exception(&self, call: GuestCall, message: &str, trace: &str) {
        let text = self.shard.test.exception_text(self.caller(call), message);
        tracing::debug!(user = self.id, "{text}");
        self.shard.record.lock().exception(&text, trace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::ctx::Ctx;

    type Run<R> = fn(Rc<Shard>, u32, u32, Duration, Stop, fn()) -> R;

    /// The room for what it returns.
    fn returned_bytes<R>(_: Run<R>) -> usize {
        size_of::<R>()
    }

    #[test]
    fn the_host_state_of_a_user_is_small() {
        let task = returned_bytes(|shard, id, class, due, stop, started| {
            run(shard, id, class, due, stop, started)
        });
        let ctx = size_of::<Ctx>();
        assert!(task <= 2048, "the task of a user takes {task} bytes");
        assert!(ctx <= 256, "the context of an instance takes {ctx} bytes");
    }
}

//! The loop that owns the dense users of a load thread: who is called into the guest, and when.
//!
//! It is polled whenever the guest has given control back, so that the computing time of a guest
//! counts from there: between two waits it may compute as long as an isolated user's call may.

mod leaving;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use swarm_client::Session;
use swarm_core::choice::{After, Cursor, user_seed};
use swarm_core::plan::Then;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime::component::Accessor;

use super::{Command, Told};
use crate::backend::call::{Call, End, What};
use crate::backend::component::concurrent::{Guest, Instance, perform};
use crate::backend::core_abi::concurrent::{Machine, MachinePre};
use crate::contract::bindings::swarm::scenario::plan as wit;
use crate::engine::trap::Trap;
use crate::host::caller::{Caller, GuestCall};
use crate::host::clock::micros;
use crate::host::concurrent::State;
use crate::host::environment::Environment;
use crate::host::interrupts::Interrupts;
use crate::host::samples::Record;
use crate::host::sessions::Sessions;
use crate::host::user_key::Who;
use crate::scenario::module::Module;
use crate::users::isolated::{START_RETRY, STOP_HOOK_MAX};
use crate::users::multiplexed::table::{Phase, Users};
use crate::users::stop::TIMER_BIAS;

/// Calls of an instance at a time. A call that waits takes some 4 KiB; who is due beyond that waits
/// its turn, and is late.
const CALLS_MAX: usize = 50_000;

/// Commands that are taken between two looks at the calls.
const COMMANDS_MAX: usize = 1000;

/// Calls that are begun between two looks at what has been answered.
const BEGUN_MAX: usize = 256;

/// An interrupted call has this long to end before its user is given up.
const INTERRUPT_MAX: Duration = Duration::from_secs(1);

/// What a guest may do when its last user is gone, before that user counts as gone.
const LAST_HOOK_MAX: Duration = Duration::from_secs(10);

/// When there is nothing to wait for.
const FAR: Duration = Duration::from_secs(24 * 3600);

struct Driver<T> {
    module: Module,
    test: Arc<Environment>,
    record: Record,
    sessions: Sessions,
    tell: T,
    users: Users,
    /// Who waits for its turn to say goodbye.
    leaving: VecDeque<Who>,
    /// Number of the instance.
    generation: u32,
    /// Users that were given up in the middle of a call: the guest may still be at it.
    given_up: u32,
    /// There may be more commands.
    open: bool,
    /// The guest is a scripting language's runtime: it is told of more than others.
    is_script: bool,
    /// This instance has met a user, and is to be told of the last one.
    met: bool,
    /// The stays of users that are to end with their task, which the guest has not been told.
    stops: Vec<u32>,
}

/// Resolves when the guest wants something of its driver. Whoever waits for it is polled whenever
/// the guest has given control back, so nobody has to be woken.
async fn something_wanted(accessor: &Accessor<State>) {
    poll_fn(|_| match accessor.with(|mut access| access.get().script.wants()) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// Drives users until the sender of commands is gone and so is everybody.
pub(crate) async fn drive(
    module: Module,
    test: Arc<Environment>,
    record: Record,
    mut inbox: UnboundedReceiver<Command>,
    tell: impl FnMut(Told),
) {
    let sessions = Sessions::new(&test);
    let is_script = module.is_script();
    let mut driver = Driver {
        module,
        test,
        record,
        sessions,
        tell,
        users: Users::default(),
        leaving: VecDeque::new(),
        generation: 0,
        given_up: 0,
        open: true,
        is_script,
        met: false,
        stops: Vec::new(),
    };
    while driver.wait_for_somebody(&mut inbox).await {
        if let Err(trap) = driver.live(&mut inbox).await {
            driver.instance_lost(&trap);
        }
    }
}

impl<T: FnMut(Told)> Driver<T> {
    /// Waits until there is a user. False when there will be none.
    async fn wait_for_somebody(&mut self, inbox: &mut UnboundedReceiver<Command>) -> bool {
        while self.users.is_empty() {
            let Some(command) = inbox.recv().await else { return false };
            self.command(command);
        }
        true
    }

    /// The life of one instance: until a trap, or until nobody is left.
    async fn live(&mut self, inbox: &mut UnboundedReceiver<Command>) -> Result<(), Trap> {
        self.generation += 1;
        self.given_up = 0;
        self.met = false;
        let test = Arc::clone(&self.test);
        let (module, record) = (self.module.clone(), self.record.clone());
        let pre = module.concurrent().expect("its world is one of these users");
        if let Ok(pre) = &pre.core {
            return self.live_flat(pre, inbox).await;
        }
        let config = module.runtime().config();
        let memory = config.shared_memory_bytes_max;
        let seed = if self.is_script { self.instance_seed() } else { test.settings.seed };
        let variables = module.environment();
        let (pre, test) = (&pre.component, Some(test));
        let made = Instance::new(pre, config, variables, test, record, memory, seed);
        let Instance { mut store, guest, interrupts } = match made.await {
            Ok(instance) => instance,
            Err(trap) => return Err(self.not_made(trap, inbox).await),
        };
        let lived = store.run_concurrent(async |accessor| {
            let mut turns = pin!(self.turns(accessor, &guest, &interrupts, inbox));
            poll_fn(|cx| {
                accessor.with(|mut access| access.get().ctx.budget.renew_in_slice());
                turns.as_mut().poll(cx)
            })
            .await
        });
        let lived = lived.await.flatten();
        lived.map_err(|error| Trap::new(&error))
    }

    /// Instances have nothing in common: no other one has this one's first user, or it was another
    /// generation. So each draws numbers of its own, and the same ones when the test is repeated.
    fn instance_seed(&self) -> u64 {
        let first = self.users.all().map(|(_, user)| user.id).min().unwrap_or_default();
        user_seed(user_seed(self.test.settings.seed, first), self.generation)
    }

    /// There is no instance: the next attempt is made after a while.
    async fn not_made(&mut self, trap: Trap, inbox: &mut UnboundedReceiver<Command>) -> Trap {
        self.idle(inbox, START_RETRY).await;
        Trap { message: format!("cannot make an instance: {}", trap.message), ..trap }
    }

    /// As [`Self::live`], without the component layer.
    async fn live_flat(
        &mut self,
        pre: &MachinePre,
        inbox: &mut UnboundedReceiver<Command>,
    ) -> Result<(), Trap> {
        let (test, record) = (Arc::clone(&self.test), self.record.clone());
        let interrupts = Arc::<Interrupts>::default();
        let module = self.module.clone();
        let config = module.runtime().config();
        let made = Machine::new(pre, test, record, Arc::clone(&interrupts), config);
        match made {
            Ok(mut machine) => {
                let lived = self.turns_flat(&mut machine, &interrupts, inbox).await;
                lived.map_err(|error| self.trap_of(machine.caller(), &error))
            }
            Err(error) => Err(self.not_made(Trap::new(&error), inbox).await),
        }
    }

    /// A trap in a call on behalf of this user.
    fn trap_of(&self, caller: Option<Caller>, error: &wasmtime::Error) -> Trap {
        let trap = Trap::new(error);
        match caller {
            Some(caller) => {
                Trap { message: self.test.exception_text(caller, &trap.message), ..trap }
            }
            None => trap,
        }
    }

    /// As [`Self::turns`].
    async fn turns_flat(
        &mut self,
        machine: &mut Machine,
        interrupts: &Interrupts,
        inbox: &mut UnboundedReceiver<Command>,
    ) -> wasmtime::Result<()> {
        let clock = Arc::clone(&self.test.clock);
        let mut timer = pin!(sleep_until(Instant::now()));
        loop {
            let now = clock.now();
            self.take_commands(inbox);
            for who in self.overdue(now) {
                interrupts.interrupt(who.stay);
                machine.interrupt(who);
            }
            let mut begun = 0;
            while begun < BEGUN_MAX
                && machine.len() < CALLS_MAX
                && let Some(call) = self.next_call(now, interrupts)
            {
                begun += 1;
                if let Some((who, end)) = machine.begin(call)? {
                    self.ended(clock.now(), who, end, interrupts);
                }
            }
            if self.users.is_empty() && (!self.open || self.given_up > 0) {
                return Ok(());
            }
            let next = self.users.next(machine.len() >= CALLS_MAX);
            self.set_timer(timer.as_mut(), next.unwrap_or(now + FAR));
            tokio::select! {
                biased;
                happened = machine.next() => {
                    if let Some((who, end)) = machine.happened(happened)? {
                        self.ended(clock.now(), who, end, interrupts);
                    }
                }
                command = inbox.recv(), if self.open => match command {
                    Some(command) => self.command(command),
                    None => self.open = false,
                },
                () = timer.as_mut() => {}
            }
        }
    }

    fn set_timer(&self, timer: Pin<&mut Sleep>, due: Duration) {
        let due = Instant::from_std(self.test.clock.instant(due)) - TIMER_BIAS;
        if timer.deadline() != due {
            timer.reset(due);
        }
    }

    /// Listens to commands for some time, without a guest.
    async fn idle(&mut self, inbox: &mut UnboundedReceiver<Command>, time: Duration) {
        let mut over = pin!(tokio::time::sleep(time));
        loop {
            tokio::select! {
                biased;
                () = &mut over => return,
                command = inbox.recv(), if self.open => match command {
                    Some(command) => self.command(command),
                    None => self.open = false,
                },
            }
        }
    }

    /// Calls whoever is due, and deals with what comes of it.
    async fn turns(
        &mut self,
        accessor: &Accessor<State>,
        guest: &Guest,
        interrupts: &Interrupts,
        inbox: &mut UnboundedReceiver<Command>,
    ) -> wasmtime::Result<()> {
        let mut calls = FuturesUnordered::new();
        let clock = Arc::clone(&self.test.clock);
        let mut timer = pin!(sleep_until(Instant::now()));
        loop {
            let now = clock.now();
            self.take_commands(inbox);
            self.overdue(now).into_iter().for_each(|who| interrupts.interrupt(who.stay));
            let wanted = accessor.with(|mut access| access.get().script.take_wanted());
            for branch in wanted.branches {
                let what = What::Branch(branch);
                calls.push(perform(accessor, guest, Call::of_nobody(what)));
            }
            if let Some(reason) = wanted.finish {
                self.finish_all(&reason);
            }
            self.stops.drain(..).for_each(|stay| interrupts.stop(stay));
            while calls.len() < CALLS_MAX
                && let Some(call) = self.next_call(now, interrupts)
            {
                calls.push(perform(accessor, guest, call));
            }
            if self.users.is_empty() && (!self.open || self.given_up > 0) {
                return Ok(());
            }
            let next = self.users.next(calls.len() >= CALLS_MAX);
            self.set_timer(timer.as_mut(), next.unwrap_or(now + FAR));
            tokio::select! {
                biased;
                Some(ended) = calls.next(), if !calls.is_empty() => {
                    let (who, end) = ended?;
                    self.ended(clock.now(), who, end, interrupts);
                }
                () = something_wanted(accessor), if self.is_script => {}
                command = inbox.recv(), if self.open => match command {
                    Some(command) => self.command(command),
                    None => self.open = false,
                },
                () = timer.as_mut() => {}
            }
        }
    }

    /// Takes the commands that are there, up to a bound.
    fn take_commands(&mut self, inbox: &mut UnboundedReceiver<Command>) {
        for _ in 0..COMMANDS_MAX {
            let Ok(command) = inbox.try_recv() else { break };
            self.command(command);
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Start { id, class, due } => {
                let cursor = Cursor::new(user_seed(self.test.settings.seed, id));
                if !self.users.insert(id, class, due, cursor) {
                    tracing::error!("user {id} is here already: not started again");
                }
            }
            Command::Stop { id, deadline } => {
                if let Some(who) = self.users.find(id) {
                    self.stop(who, deadline);
                }
            }
        }
    }

    /// The next call that is due.
    fn next_call(&mut self, now: Duration, interrupts: &Interrupts) -> Option<Call> {
        while let Some(who) = self.leaving.pop_front() {
            let generation = self.generation;
            let Some(user) = self.users.get(who) else { continue };
            let (id, class, known) = (user.id, user.class, user.known_to == generation);
            if self.is_script {
                // A script says goodbye by requests of its own.
                user.interrupted = false;
                interrupts.forget(who.stay);
            }
            let timeout = Duration::from_millis(self.test.settings.stop_timeout_ms);
            let (what, limit) = match known {
                true if self.is_script => (What::Goodbye, STOP_HOOK_MAX.max(timeout)),
                true => (What::Goodbye, STOP_HOOK_MAX),
                false => (What::Last, LAST_HOOK_MAX),
            };
            self.users.limit(who, now + limit);
            return Some(Call { who, id, class, what });
        }
        while let Some(who) = self.users.pop_due(now + TIMER_BIAS) {
            if let Some(call) = self.step(who, now) {
                return Some(call);
            }
        }
        None
    }

    /// The next step of a user that is due.
    fn step(&mut self, who: Who, now: Duration) -> Option<Call> {
        let user = self.users.get(who)?;
        if user.phase == Phase::Waiting {
            (self.tell)(Told::Started(user.id));
        }
        user.phase = Phase::Calling;
        let plan = &self.test.classes[user.class as usize].plan;
        let task = user.task.take().map_or_else(|| user.cursor.next_task(plan), Ok);
        let (id, class, due) = (user.id, user.class, user.due);
        let stranger = user.known_to != self.generation;
        match task {
            Ok(task) => {
                self.record.lock().lateness(micros(now.saturating_sub(due)));
                let introduction = stranger.then(|| self.introduction(id, class));
                Some(Call { who, id, class, what: What::Step { introduction, task } })
            }
            Err(too_deep) => {
                user.finished = true;
                // It names the class itself.
                self.record.lock().exception(&too_deep.to_string(), "");
                self.leave(who);
                None
            }
        }
    }

    fn introduction(&self, id: u32, class: u32) -> (wit::User, Arc<Session>) {
        let seed = user_seed(self.test.settings.seed, id);
        #[expect(clippy::cast_possible_truncation, reason = "the lower half of a mixed seed")]
        let user = wit::User { id, class, seed: seed as u32 };
        (user, self.sessions.of(class))
    }

    /// A call has ended.
    fn ended(&mut self, now: Duration, who: Who, end: End, interrupts: &Interrupts) {
        let is_last = self.is_last();
        // One that was given up is nobody's any more.
        let Some(user) = self.users.get(who) else { return };
        match end {
            End::Forgotten if is_last => {
                // Not gone before the guest has heard of it: with the last one the test may end.
                user.known_to = 0;
                self.leaving.push_back(who);
            }
            End::Forgotten => {
                interrupts.forget(who.stay);
                self.gone(who);
            }
            End::Over => {
                self.met = false;
                interrupts.forget(who.stay);
                self.gone(who);
            }
            End::Branched => {}
            End::NotStarted { task, error } => {
                user.task = Some(task);
                let class = user.class;
                self.exception(class, GuestCall::Start, &error);
                self.go_on(who, Some(now + START_RETRY), now);
            }
            End::Ran { introduced, task, result, rest } => {
                if introduced {
                    user.known_to = self.generation;
                    self.met = true;
                }
                let (class, interrupted) = (user.class, user.interrupted);
                let then = result.unwrap_or_else(|error| {
                    // What a user says that was interrupted is of our own making.
                    if !interrupted {
                        self.exception(class, GuestCall::Task(task), &error);
                    }
                    Then::Rest
                });
                let next = match rest {
                    Some(rest) if then == Then::Rest => Some(now.saturating_add(rest)),
                    _ => self.after(who, then, now),
                };
                self.go_on(who, next, now);
            }
        }
    }

    /// When the user's next step is due; `None` if it is done for good.
    fn after(&mut self, who: Who, then: Then, now: Duration) -> Option<Duration> {
        let user = self.users.get(who)?;
        let plan = &self.test.classes[user.class as usize].plan;
        match user.cursor.after(plan, then, user.due, now) {
            After::Now => Some(now),
            After::RestUntil(due) => Some(due),
            After::Finish => None,
        }
    }

    /// After a call: the user rests until its next step, or leaves.
    fn go_on(&mut self, who: Who, next: Option<Duration>, now: Duration) {
        let Some(user) = self.users.get(who) else { return };
        match next {
            Some(due) if !user.stopping => self.users.rest(who, due.max(now)),
            Some(_) => self.leave(who),
            None => {
                user.finished = true;
                self.leave(who);
            }
        }
    }

    fn exception(&self, class: u32, call: GuestCall, message: &str) {
        let text = self.test.exception_text(Caller { class, call }, message);
        tracing::debug!("{text}");
        self.record.lock().exception(&text, "");
    }
}

//! A flat dense guest: one core instance, and whose turn it is in it.
//!
//! An export is called and says what its task waits for; when that has happened its callback is
//! called, and says the same again, until the task has ended. Nothing in a call ever waits, so
//! there is no stack to keep and nothing to switch. A guest that computes has its thread to itself
//! for that long: everyone whom it could hold up lives in it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use swarm_client::Session;
use swarm_core::message::Connections;
use wasmtime::{InstancePre, Linker, Store, TypedFunc, UpdateDeadline};

use super::state::{CoreState, Done, Work};
use crate::backend::Obstacle;
use crate::backend::call::{Call, End, What};
use crate::backend::core_abi::abi::{self, Abi, OUTCOME_BYTES};
use crate::backend::core_abi::tasks::Event;
use crate::backend::core_abi::{self, Exported, Structure};
use crate::contract::bindings::swarm::scenario::plan as wit;
use crate::engine::budget::CpuSpent;
use crate::engine::budget::Slice;
use crate::engine::code_cache::Compiler;
use crate::engine::limits::HANDLES_MAX;
use crate::engine::runtime::{RuntimeConfig, SLICE_EPOCHS};
use crate::host::caller::{Caller, GuestCall};
use crate::host::concurrent::{Client, Outcome, State};
use crate::host::ctx::Ctx;
use crate::host::environment::Environment;
use crate::host::interrupts::Interrupts;
use crate::host::samples::Record;
use crate::host::user_key::Who;

/// What an export or a callback says of its task.
const EXIT: u32 = 0;
const YIELD: u32 = 1;
const WAIT: u32 = 2;

/// A flat dense guest, compiled and linked.
pub(crate) struct MachinePre {
    pre: InstancePre<CoreState>,
    memory: String,
    realloc: Option<String>,
    /// Of `start`, `run`, `stop`: the function and its callback.
    entries: [(String, String); 3],
}

type Callback = TypedFunc<(u32, u32, u32), u32>;

/// An instance.
pub(crate) struct Machine {
    store: Store<CoreState>,
    abi: Abi,
    start: TypedFunc<(u32, u32, u32, u32), u32>,
    run: TypedFunc<(u32, u32), u32>,
    stop: TypedFunc<u32, u32>,
    callbacks: [Callback; 3],
    /// By the number of their task.
    calls: Vec<Option<Active>>,
    /// What has been begun.
    work: FuturesUnordered<Work>,
    /// Tasks that only let others have their turn.
    yielded: VecDeque<u32>,
}

/// A call of the driver, as far as it has come.
struct Active {
    who: Who,
    id: u32,
    class: u32,
    stage: Stage,
}

impl Active {
    /// For exceptions.
    fn caller(&self) -> Caller {
        let call = match self.stage {
            Stage::Introduction { .. } => GuestCall::Start,
            Stage::Task { task, .. } => GuestCall::Task(task),
            Stage::Goodbye => GuestCall::Stop,
        };
        Caller { class: self.class, call }
    }
}

#[derive(Clone, Copy)]
enum Stage {
    /// And then this task is to be run.
    Introduction {
        task: u32,
    },
    Task {
        introduced: bool,
        task: u32,
    },
    Goodbye,
}

/// Something that tasks have waited for.
#[expect(clippy::large_enum_variant, reason = "the large one is what nearly all are")]
pub(crate) enum Happened {
    Done(u32, Done),
    Yielded(u32),
}

/// How a call of the driver has ended, if it has.
type Ended = wasmtime::Result<Option<(Who, End)>>;

impl MachinePre {
    /// Compiles and links the component, if it is flat.
    ///
    /// # Errors
    /// What keeps it from being flat.
    pub(crate) fn new(compiler: &Compiler, component: &[u8]) -> Result<Self, Obstacle> {
        core_abi::prepare(compiler, component, true, super::nonblocking::link, Self::link)
    }

    fn link(
        compiler: &Compiler,
        linker: &Linker<CoreState>,
        structure: &Structure<'_>,
    ) -> Result<Self, Obstacle> {
        let entry = |name| {
            let exported = structure.exports.get(name);
            let entry = exported.and_then(|exported: &Exported| {
                Some((exported.name.clone(), exported.callback.clone()?))
            });
            entry.ok_or(Obstacle::Export(name))
        };
        let entries = [entry("start")?, entry("run")?, entry("stop")?];
        let module = compiler.module(structure.module).map_err(core_abi::refused)?;
        Ok(Self {
            pre: linker.instantiate_pre(&module).map_err(core_abi::refused)?,
            memory: structure.memory.clone(),
            realloc: structure.realloc.clone(),
            entries,
        })
    }
}

fn store(
    pre: &MachinePre,
    test: Arc<Environment>,
    record: Record,
    interrupts: Arc<Interrupts>,
    config: &RuntimeConfig,
) -> Store<CoreState> {
    let shared = test.settings.connections != Connections::PerUser;
    let (seed, call_cpu_max) = (test.settings.seed, config.call_cpu_max);
    let mut ctx = Ctx::new(Some(test), record, config.shared_memory_bytes_max, config, seed);
    ctx.table.set_max_capacity(HANDLES_MAX);
    let mut store =
        Store::new(pre.pre.module().engine(), CoreState::new(State::new(ctx, interrupts, shared)));
    store.limiter(|core| &mut core.state.ctx.limits);
    store.set_epoch_deadline(SLICE_EPOCHS);
    store.epoch_deadline_callback(move |mut store| {
        match store.data_mut().state.ctx.budget.slice_ended() {
            Slice::GoOn | Slice::Yield => Ok(UpdateDeadline::Continue(SLICE_EPOCHS)),
            Slice::Spent => Err(CpuSpent(call_cpu_max).into()),
        }
    });
    store
}

impl Machine {
    /// A fresh instance.
    pub(crate) fn new(
        pre: &MachinePre,
        test: Arc<Environment>,
        record: Record,
        interrupts: Arc<Interrupts>,
        config: &RuntimeConfig,
    ) -> wasmtime::Result<Self> {
        let mut store = store(pre, test, record, interrupts, config);
        store.data_mut().state.ctx.budget.renew();
        let instance = pre.pre.instantiate(&mut store)?;
        let memory = instance.get_memory(&mut store, &pre.memory);
        let memory = memory.expect("the component lifts its functions with this memory");
        let realloc = pre.realloc.as_ref();
        let realloc = realloc.and_then(|name| instance.get_func(&mut store, name));
        let abi = Abi::new(memory, realloc);
        store.data_mut().state.ctx.abi = Some(abi);
        let [(start, started), (run, ran), (stop, stopped)] = &pre.entries;
        let callbacks = [started, ran, stopped];
        let callbacks = callbacks.map(|name| instance.get_typed_func(&mut store, name));
        let [started, ran, stopped] = callbacks;
        Ok(Self {
            start: instance.get_typed_func(&mut store, start)?,
            run: instance.get_typed_func(&mut store, run)?,
            stop: instance.get_typed_func(&mut store, stop)?,
            callbacks: [started?, ran?, stopped?],
            store,
            abi,
            calls: Vec::new(),
            work: FuturesUnordered::new(),
            yielded: VecDeque::new(),
        })
    }

    /// Puts orders into the guest's memory.
    #[cfg(fuzzing)]
    pub(crate) fn give_orders(&mut self, orders: &[u8]) {
        let at = crate::backend::ORDERS - 4;
        self.abi.write(&mut self.store, at, orders).expect("it has room for them");
    }

    /// Calls under way.
    pub(crate) fn len(&self) -> usize {
        self.store.data().tasks.len()
    }

    /// On whose behalf the guest was called last.
    pub(crate) fn caller(&self) -> Option<Caller> {
        self.store.data().state.ctx.caller
    }

    /// The requests of this user are given up.
    pub(crate) fn interrupt(&mut self, who: Who) {
        self.store.data_mut().tasks.abort_of(who);
    }

    /// Waits until something has happened that a task waits for.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Happened {
        poll_fn(|cx| {
            if let Poll::Ready(Some((number, done))) = self.work.poll_next_unpin(cx) {
                return Poll::Ready(Happened::Done(number, done));
            }
            match self.yielded.pop_front() {
                Some(task) => Poll::Ready(Happened::Yielded(task)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Begins a call.
    pub(crate) fn begin(&mut self, call: Call) -> Ended {
        let Call { who, id, class, what } = call;
        match what {
            What::Step { introduction: Some((user, session)), task } => {
                let call = Active { who, id, class, stage: Stage::Introduction { task } };
                self.introduce(call, &user, session)
            }
            What::Step { introduction: None, task } => {
                let stage = Stage::Task { introduced: false, task };
                self.run_task(Active { who, id, class, stage }, task)
            }
            What::Last | What::Branch(_) => unreachable!("only runtimes of scripts have these"),
            What::Goodbye => {
                let number = self.enter(Active { who, id, class, stage: Stage::Goodbye });
                let said = self.stop.call(&mut self.store, id)?;
                self.go_on(number, said)
            }
        }
    }

    fn introduce(&mut self, call: Active, user: &wit::User, session: Arc<Session>) -> Ended {
        let client = Client { session, who: call.who };
        let client = self.store.data_mut().state.ctx.table.push(client)?;
        let number = self.enter(call);
        let parameters = (user.id, user.class, user.seed, abi::number(&client));
        let said = self.start.call(&mut self.store, parameters)?;
        self.go_on(number, said)
    }

    fn run_task(&mut self, call: Active, task: u32) -> Ended {
        let id = call.id;
        let number = self.enter(call);
        let said = self.run.call(&mut self.store, (id, task))?;
        self.go_on(number, said)
    }

    /// A task is about to begin.
    fn enter(&mut self, call: Active) -> u32 {
        let number = self.store.data_mut().tasks.begin();
        let at = number as usize;
        if self.calls.len() <= at {
            self.calls.resize_with(at + 1, || None);
        }
        self.store.data_mut().state.ctx.caller = Some(call.caller());
        self.calls[at] = Some(call);
        self.renew();
        number
    }

    fn renew(&mut self) {
        self.store.data_mut().state.ctx.budget.renew();
        self.store.set_epoch_deadline(SLICE_EPOCHS);
    }

    /// Something has happened: tells the task that waits for it.
    pub(crate) fn happened(&mut self, happened: Happened) -> Ended {
        let (task, event) = match happened {
            Happened::Yielded(task) => (task, Event { code: 0, subtask: 0, status: 0 }),
            Happened::Done(subtask, done) => {
                let Some(at) = self.store.data_mut().tasks.result_of(subtask) else {
                    return Ok(None);
                };
                self.hand_over(at, done)?;
                let Some(told) = self.store.data_mut().tasks.done(subtask) else {
                    return Ok(None);
                };
                told
            }
        };
        let said = self.tell(task, event)?;
        self.go_on(task, said)
    }

    /// Tells a task what has happened; it says what it waits for next.
    fn tell(&mut self, task: u32, event: Event) -> wasmtime::Result<u32> {
        let call = self.calls[task as usize].as_ref().expect("a task is there until it has ended");
        let callback = match call.stage {
            Stage::Introduction { .. } => 0,
            Stage::Task { .. } => 1,
            Stage::Goodbye => 2,
        };
        let caller = call.caller();
        self.store.data_mut().state.ctx.caller = Some(caller);
        self.store.data_mut().tasks.resume(task);
        self.renew();
        self.callbacks[callback].call(&mut self.store, (event.code, event.subtask, event.status))
    }

    /// Does what the guest says of its task, until that waits for something or has ended.
    fn go_on(&mut self, task: u32, mut said: u32) -> Ended {
        loop {
            self.work.extend(self.store.data_mut().begun.drain(..));
            let event = match said & 0xf {
                EXIT => return self.ended(task),
                YIELD => {
                    self.yielded.push_back(task);
                    return Ok(None);
                }
                WAIT => self.store.data_mut().tasks.wait(task, said >> 4)?,
                other => return Err(NoSuchCode(other).into()),
            };
            let Some(event) = event else { return Ok(None) };
            said = self.tell(task, event)?;
        }
    }

    /// A task has ended, and with it the call unless that was only its introduction.
    fn ended(&mut self, task: u32) -> Ended {
        let call = self.calls[task as usize].take();
        let Active { who, id, class, stage } = call.expect("a task ends once");
        let given = self.store.data_mut().tasks.end(task)?;
        self.store.data_mut().state.settle(who.stay)?;
        let end = match (stage, given) {
            (Stage::Introduction { task }, Ok(_)) => {
                let stage = Stage::Task { introduced: true, task };
                return self.run_task(Active { who, id, class, stage }, task);
            }
            (Stage::Introduction { task }, Err(error)) => End::NotStarted { task, error },
            (Stage::Task { introduced, task }, Ok(case)) => {
                End::Ran { introduced, task, result: Ok(core_abi::then(case)?), rest: None }
            }
            (Stage::Task { introduced, task }, Err(error)) => {
                End::Ran { introduced, task, result: Err(error), rest: None }
            }
            (Stage::Goodbye, _) => End::Forgotten,
        };
        Ok(Some((who, end)))
    }

    /// Puts a result into its place in the guest's memory.
    fn hand_over(&mut self, at: u32, done: Done) -> wasmtime::Result<()> {
        match done {
            Done::Slept => Ok(()),
            Done::Refused(error) => self.give_outcome(at, Err(error)),
            Done::Answer(stay, sent) => {
                let outcome = self.store.data_mut().state.outcome(stay, sent)?;
                self.give_outcome(at, outcome)
            }
            Done::AllRefused(outcomes) => self.give_outcomes(at, outcomes),
            Done::Answers(stay, sent) => {
                let state = &mut self.store.data_mut().state;
                let outcomes = sent.into_iter().map(|sent| state.outcome(stay, sent));
                let outcomes = outcomes.collect::<Result<_, _>>()?;
                self.give_outcomes(at, outcomes)
            }
        }
    }

    fn give_outcomes(&mut self, at: u32, outcomes: Vec<Outcome>) -> wasmtime::Result<()> {
        let count = u32::try_from(outcomes.len()).expect("as many as a guest has requests");
        let bytes = outcomes.len() * OUTCOME_BYTES as usize;
        let first = self.abi.room_now(&mut self.store, 4, bytes)?;
        for (at, outcome) in (first..).step_by(OUTCOME_BYTES as usize).zip(outcomes) {
            self.give_outcome(at, outcome)?;
        }
        self.abi.write_words(&mut self.store, at, [first, count])
    }

    fn give_outcome(&mut self, at: u32, outcome: Outcome) -> wasmtime::Result<()> {
        match outcome {
            Ok(response) => self.abi.write_words(&mut self.store, at, [0, abi::number(&response)]),
            Err(error) => {
                let message = error.message.as_bytes();
                let [text, len] = self.abi.hand_over_now(&mut self.store, message)?;
                self.abi.write_words(&mut self.store, at, [1, error.kind as u32, text, len])
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the guest says {0} of a task, which means nothing")]
struct NoSuchCode(u32);

//! One guest instance, and calls into it.

use std::cell::OnceCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use swarm_client::Session;
use swarm_core::plan::{self, Scenario};
use wasmtime::{Store, UpdateDeadline};

use crate::bindings;
use crate::bindings::swarm::scenario::plan as wit;
use crate::convert;
use crate::ctx::{Ctx, Slice};
use crate::host::http::Client;
use crate::module::Module;
use crate::off_stack;
use crate::runtime::CALL_STACK_BYTES;
use crate::stack::{OnStack, Seat, SharedStack};
use crate::test::{Record, Test};

/// A guest ended in the middle of a call. Its instance is of no more use.
#[derive(Debug)]
pub(crate) struct Trap {
    /// One line.
    pub(crate) message: String,
    /// Wasm backtrace, or empty.
    pub(crate) trace: String,
}

impl Trap {
    pub(crate) fn new(error: &wasmtime::Error) -> Self {
        let trace = error
            .downcast_ref::<wasmtime::WasmBacktrace>()
            .map(|trace| trace.to_string().trim_end().to_owned())
            .unwrap_or_default();
        let message = error.root_cause().to_string();
        Self { message: message.lines().next().unwrap_or_default().to_owned(), trace }
    }
}

/// The call has computed longer than a call may.
#[derive(Debug, thiserror::Error)]
#[error("computed for more than {} s without an end", .0.as_secs_f32())]
pub(crate) struct CpuSpent(pub(crate) std::time::Duration);

/// An instance, and the stack that it shares with the others of its thread.
pub(crate) struct Instance {
    store: Store<Ctx>,
    guest: bindings::Scenario,
    seat: Seat,
}

/// The stack of all guests of a thread, made when the first one needs it.
#[derive(Default)]
pub(crate) struct ThreadStack(OnceCell<Rc<SharedStack>>);

impl ThreadStack {
    fn get(&self) -> Result<&Rc<SharedStack>, Trap> {
        if let Some(stack) = self.0.get() {
            return Ok(stack);
        }
        let stack = SharedStack::new(CALL_STACK_BYTES).map_err(|error| Trap {
            message: format!("no memory for the guests' stack: {error}"),
            trace: String::new(),
        })?;
        Ok(self.0.get_or_init(|| stack))
    }
}

fn store(
    module: &Module,
    test: Option<Arc<Test>>,
    record: Record,
    memory_bytes_max: usize,
    seed: u64,
) -> Store<Ctx> {
    let config = module.runtime().config();
    let call_cpu_max = config.call_cpu_max;
    let ctx = Ctx::new(test, record, memory_bytes_max, config, seed);
    let mut store = Store::new(module.pre().engine(), ctx);
    store.limiter(|ctx| &mut ctx.limits);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut store| {
        match store.data_mut().budget.slice_ended() {
            Slice::GoOn => Ok(UpdateDeadline::Continue(1)),
            // Timers and sockets are looked at before this guest goes on.
            Slice::Yield => Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))),
            Slice::Spent => Err(CpuSpent(call_cpu_max).into()),
        }
    });
    store.data_mut().budget.renew();
    store
}

impl Instance {
    /// A fresh instance on the stack of its thread. `test` is `None` when the scenario is only
    /// asked for its plan.
    pub(crate) async fn new(
        module: &Module,
        test: Option<Arc<Test>>,
        record: Record,
        memory_bytes_max: usize,
        seed: u64,
        stack: &ThreadStack,
    ) -> Result<Self, Trap> {
        let mut store = store(module, test, record, memory_bytes_max, seed);
        let seat = Seat::new(stack.get()?);
        let guest = {
            let new = module.pre().instantiate_async(&mut store);
            off_stack::call(pin!(OnStack::new(&seat, new))).await
        };
        let guest = guest.map_err(|error| Trap::new(&error))?;
        Ok(Self { store, guest, seat })
    }

    fn renew(&mut self) {
        self.store.data_mut().budget.renew();
        self.store.set_epoch_deadline(1);
    }

    pub(crate) async fn describe(&mut self) -> Result<Result<Scenario, String>, Trap> {
        self.renew();
        let plan = {
            let describe = self.guest.call_describe(&mut self.store);
            off_stack::call(pin!(OnStack::new(&self.seat, describe))).await
        };
        let plan = plan.map_err(|error| Trap::new(&error))?;
        Ok(plan.map(convert::scenario))
    }

    /// Introduces a user to the guest, with its client.
    pub(crate) async fn start(
        &mut self,
        user: wit::User,
        session: Arc<Session>,
    ) -> Result<Result<(), String>, Trap> {
        self.renew();
        let client = self.store.data_mut().table.push(Client { session });
        let client = client.map_err(|error| Trap::new(&error.into()))?;
        let result = {
            let start = self.guest.call_start(&mut self.store, user, client);
            off_stack::call(pin!(OnStack::new(&self.seat, start))).await
        };
        self.store.data_mut().settle();
        result.map_err(|error| Trap::new(&error))
    }

    pub(crate) async fn run(
        &mut self,
        user: u32,
        task: u32,
    ) -> Result<Result<plan::Then, String>, Trap> {
        self.renew();
        let result = {
            let run = self.guest.call_run(&mut self.store, user, task);
            off_stack::call(pin!(OnStack::new(&self.seat, run))).await
        };
        self.store.data_mut().settle();
        result.map(|then| then.map(convert::then)).map_err(|error| Trap::new(&error))
    }

    pub(crate) async fn stop(&mut self, user: u32) -> Result<(), Trap> {
        self.renew();
        let result = {
            let stop = self.guest.call_stop(&mut self.store, user);
            off_stack::call(pin!(OnStack::new(&self.seat, stop))).await
        };
        self.store.data_mut().settle();
        result.map_err(|error| Trap::new(&error))
    }
}

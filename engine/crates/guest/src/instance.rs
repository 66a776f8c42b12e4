//! One guest instance, and calls into it.

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
    fn new(error: &wasmtime::Error) -> Self {
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
struct CpuSpent(std::time::Duration);

pub(crate) struct Instance {
    store: Store<Ctx>,
    guest: bindings::Scenario,
}

impl Instance {
    /// A fresh instance. `test` is `None` when the scenario is only asked for its plan.
    pub(crate) async fn new(
        module: &Module,
        test: Option<Arc<Test>>,
        record: Record,
        memory_bytes_max: usize,
        seed: u64,
    ) -> Result<Self, Trap> {
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
                Slice::Yield => {
                    Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
                }
                Slice::Spent => Err(CpuSpent(call_cpu_max).into()),
            }
        });
        store.data_mut().budget.renew();
        let guest = module.pre().instantiate_async(&mut store).await;
        let guest = guest.map_err(|error| Trap::new(&error))?;
        Ok(Self { store, guest })
    }

    fn renew(&mut self) {
        self.store.data_mut().budget.renew();
        self.store.set_epoch_deadline(1);
    }

    pub(crate) async fn describe(&mut self) -> Result<Result<Scenario, String>, Trap> {
        self.renew();
        let plan = self.guest.call_describe(&mut self.store).await;
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
        let result = self.guest.call_start(&mut self.store, user, client).await;
        self.store.data_mut().settle();
        result.map_err(|error| Trap::new(&error))
    }

    pub(crate) async fn run(
        &mut self,
        user: u32,
        task: u32,
    ) -> Result<Result<plan::Then, String>, Trap> {
        self.renew();
        let result = self.guest.call_run(&mut self.store, user, task).await;
        self.store.data_mut().settle();
        result.map(|then| then.map(convert::then)).map_err(|error| Trap::new(&error))
    }

    pub(crate) async fn stop(&mut self, user: u32) -> Result<(), Trap> {
        self.renew();
        let result = self.guest.call_stop(&mut self.store, user).await;
        self.store.data_mut().settle();
        result.map_err(|error| Trap::new(&error))
    }
}

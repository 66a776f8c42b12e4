//! The engine's settings for dense guests, what they are linked to, and one instance.

use std::sync::Arc;

use swarm_core::message::Connections;
use swarm_core::plan::Scenario;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine, Store, UpdateDeadline};

use super::bindings::ScenarioAsync;
use super::bindings::swarm::scenario::{clock_async, http_async};
use super::host::{Common, State};
use super::interrupts::Interrupts;
use crate::bindings::swarm::scenario::{args, http, log, metrics, plan};
use crate::convert;
use crate::ctx::{Ctx, Slice};
use crate::instance::{CpuSpent, Trap};
use crate::module::Module;
use crate::runtime::SLICE_EPOCHS;
use crate::test::{Record, Test};

/// Handles of an instance, in the guest's table and in the host's: one for each user's client,
/// and those of requests and responses under way.
pub(super) const HANDLES_MAX: usize = 16 << 20;

/// What such an engine does beyond the others.
pub(crate) fn settings(settings: &mut Config) {
    settings.concurrency_support(true);
    settings.wasm_component_model_async(true);
}

pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    type Own = HasSelf<State>;
    let mut linker = Linker::new(engine);
    plan::add_to_linker::<State, Common>(&mut linker, |state| &mut state.ctx)?;
    http::add_to_linker::<State, Common>(&mut linker, |state| &mut state.ctx)?;
    log::add_to_linker::<State, Common>(&mut linker, |state| &mut state.ctx)?;
    args::add_to_linker::<State, Common>(&mut linker, |state| &mut state.ctx)?;
    metrics::add_to_linker::<State, Common>(&mut linker, |state| &mut state.ctx)?;
    http_async::add_to_linker::<State, Own>(&mut linker, |state| state)?;
    clock_async::add_to_linker::<State, Own>(&mut linker, |state| state)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// One instance.
pub(super) struct Instance {
    pub(super) store: Store<State>,
    pub(super) guest: ScenarioAsync,
    pub(super) interrupts: Arc<Interrupts>,
}

impl Instance {
    /// A fresh instance. `test` is `None` when the scenario is only asked for its plan.
    pub(super) async fn new(
        module: &Module,
        test: Option<Arc<Test>>,
        record: Record,
        memory_bytes_max: usize,
        seed: u64,
    ) -> Result<Self, Trap> {
        let config = module.runtime().config();
        let call_cpu_max = config.call_cpu_max;
        let pre = module.dense().expect("only the world of dense users leads here");
        let shared =
            test.as_ref().is_some_and(|test| test.settings.connections != Connections::PerUser);
        let mut ctx = Ctx::new(test, record, memory_bytes_max, config, seed);
        ctx.table.set_max_capacity(HANDLES_MAX);
        let interrupts = Arc::<Interrupts>::default();
        let state = State::new(ctx, Arc::clone(&interrupts), shared);
        let mut store = Store::new(pre.engine(), state);
        store.set_max_component_handles(HANDLES_MAX);
        store.limiter(|state| &mut state.ctx.limits);
        store.set_epoch_deadline(SLICE_EPOCHS);
        store.epoch_deadline_callback(move |mut store| {
            match store.data_mut().ctx.budget.slice_ended() {
                Slice::GoOn => Ok(UpdateDeadline::Continue(SLICE_EPOCHS)),
                // Other timers and sockets of the thread are looked at before this guest goes on.
                Slice::Yield => Ok(UpdateDeadline::YieldCustom(
                    SLICE_EPOCHS,
                    Box::pin(tokio::task::yield_now()),
                )),
                Slice::Spent => Err(CpuSpent(call_cpu_max).into()),
            }
        });
        store.data_mut().ctx.budget.renew();
        let guest = pre.instantiate_async(&mut store).await;
        let guest = guest.map_err(|error| Trap::new(&error))?;
        Ok(Self { store, guest, interrupts })
    }
}

/// Asks for the plan, in an instance of its own.
pub(crate) async fn describe(
    module: &Module,
    record: Record,
    memory_bytes_max: usize,
) -> Result<Result<Scenario, String>, Trap> {
    let mut instance = Instance::new(module, None, record, memory_bytes_max, 0).await?;
    instance.store.data_mut().ctx.budget.renew();
    let plan = instance.guest.call_describe(&mut instance.store).await;
    let plan = plan.map_err(|error| Trap::new(&error))?;
    Ok(plan.map(convert::scenario))
}

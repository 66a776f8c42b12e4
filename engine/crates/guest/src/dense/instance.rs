//! The engine's settings for dense guests, what they are linked to, and one instance.

use std::sync::Arc;

use swarm_core::message::Connections;
use swarm_core::plan::Scenario;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine, Store, UpdateDeadline};

use super::bindings::ScenarioAsync;
use super::bindings::script::ScenarioScript;
use super::bindings::script::swarm::scenario::{exchange, test as test_interface, turns};
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

/// Wasm stack of a call in bytes. It takes memory as far as it has been used. An interpreter guards
/// its other stack, that in memory, against recursion without end, and some of its functions take
/// several times as much of this one.
const WASM_STACK_BYTES: usize = 1 << 20;

/// With the host functions on top of it.
const CALL_STACK_BYTES: usize = WASM_STACK_BYTES + (256 << 10);

/// What such an engine does beyond the others.
pub(crate) fn settings(settings: &mut Config) {
    settings.max_wasm_stack(WASM_STACK_BYTES);
    settings.async_stack_size(CALL_STACK_BYTES);
    settings.concurrency_support(true);
    settings.wasm_component_model_async(true);
    // Exports that are lifted without a callback: the calls of a language whose functions wait
    // where they stand, each on a stack of its own.
    settings.wasm_component_model_async_stackful(true);
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
    exchange::add_to_linker::<State, Own>(&mut linker, |state| state)?;
    turns::add_to_linker::<State, Own>(&mut linker, |state| state)?;
    test_interface::add_to_linker::<State, Own>(&mut linker, |state| state)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// One instance.
pub(super) struct Instance {
    pub(super) store: Store<State>,
    pub(super) guest: Guest,
    pub(super) interrupts: Arc<Interrupts>,
}

/// The functions of an instance.
pub(super) struct Guest {
    pub(super) scenario: ScenarioAsync,
    /// Of a scripting language's runtime.
    pub(super) script: Option<ScenarioScript>,
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
        if module.is_script() {
            ctx.limits.refuse_memory();
            ctx.mount(module.folders(), module.environment()).map_err(|error| Trap::new(&error))?;
        }
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
        let guest = Guest::new(&mut store, module).await;
        let guest = guest.map_err(|error| Trap::new(&error))?;
        Ok(Self { store, guest, interrupts })
    }
}

impl Guest {
    async fn new(store: &mut Store<State>, module: &Module) -> wasmtime::Result<Self> {
        let pre = module.dense().expect("only the world of dense users leads here");
        let instance = pre.instance_pre().instantiate_async(&mut *store).await?;
        let scenario = ScenarioAsync::new(&mut *store, &instance)?;
        let script = module.is_script().then(|| ScenarioScript::new(&mut *store, &instance));
        Ok(Self { scenario, script: script.transpose()? })
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
    let plan = instance.guest.scenario.call_describe(&mut instance.store).await;
    let plan = plan.map_err(|error| Trap::new(&error))?;
    Ok(plan.map(convert::scenario))
}

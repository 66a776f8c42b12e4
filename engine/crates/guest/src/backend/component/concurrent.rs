//! Instances that have many calls at a time, by the component layer, and one such call.

use std::sync::Arc;

use swarm_client::Session;
use swarm_core::message::Connections;
use swarm_core::plan::Scenario;
use wasmtime::component::{Accessor, Resource};
use wasmtime::{Store, UpdateDeadline};

use crate::backend::call::{Call, End, What};
use crate::contract::bindings::swarm::scenario::plan as wit;
use crate::contract::bindings_async::script::ScenarioScript;
use crate::contract::bindings_async::{ScenarioAsync, ScenarioAsyncPre};
use crate::contract::convert;
use crate::engine::budget::{CpuSpent, Slice};
use crate::engine::limits::HANDLES_MAX;
use crate::engine::runtime::{RuntimeConfig, SLICE_EPOCHS};
use crate::engine::trap::Trap;
use crate::host::concurrent::{Client, State};
use crate::host::ctx::Ctx;
use crate::host::environment::Environment;
use crate::host::interrupts::Interrupts;
use crate::host::samples::Record;
use crate::host::user_key::Who;
use crate::unpacked::Folder;

/// A scenario whose instances have many calls at a time, linked to what it imports.
pub(crate) struct Pre {
    pub(crate) component: ScenarioAsyncPre<State>,
    /// It is the runtime of a scripting language: `scenario-script`.
    pub(crate) is_script: bool,
    /// What its instances may read.
    pub(crate) folders: Vec<Folder>,
}

/// One instance.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    pub(crate) guest: Guest,
    pub(crate) interrupts: Arc<Interrupts>,
}

/// The functions of an instance.
pub(crate) struct Guest {
    pub(crate) scenario: ScenarioAsync,
    /// Of a scripting language's runtime.
    pub(crate) script: Option<ScenarioScript>,
}

impl Instance {
    /// A fresh instance, which finds `variables` in its environment if it is a script's. `test` is
    /// `None` when the scenario is only asked for its plan.
    pub(crate) async fn new(
        pre: &Pre,
        config: &RuntimeConfig,
        variables: &[(String, String)],
        test: Option<Arc<Environment>>,
        record: Record,
        memory_bytes_max: usize,
        seed: u64,
    ) -> Result<Self, Trap> {
        let call_cpu_max = config.call_cpu_max;
        let shared =
            test.as_ref().is_some_and(|test| test.settings.connections != Connections::PerUser);
        let mut ctx = Ctx::new(test, record, memory_bytes_max, config, seed);
        ctx.table.set_max_capacity(HANDLES_MAX);
        if pre.is_script {
            ctx.limits.refuse_memory();
            ctx.mount(&pre.folders, variables).map_err(|error| Trap::new(&error))?;
        }
        let interrupts = Arc::<Interrupts>::default();
        let state = State::new(ctx, Arc::clone(&interrupts), shared);
        let mut store = Store::new(pre.component.engine(), state);
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
        let guest = Guest::new(&mut store, pre).await;
        let guest = guest.map_err(|error| Trap::new(&error))?;
        Ok(Self { store, guest, interrupts })
    }
}

impl Guest {
    async fn new(store: &mut Store<State>, pre: &Pre) -> wasmtime::Result<Self> {
        let instance = pre.component.instance_pre().instantiate_async(&mut *store).await?;
        let scenario = ScenarioAsync::new(&mut *store, &instance)?;
        let script = pre.is_script.then(|| ScenarioScript::new(&mut *store, &instance));
        Ok(Self { scenario, script: script.transpose()? })
    }
}

/// Asks for the plan, in an instance of its own.
pub(crate) async fn describe(
    pre: &Pre,
    config: &RuntimeConfig,
    variables: &[(String, String)],
    record: Record,
    memory_bytes_max: usize,
) -> Result<Result<Scenario, String>, Trap> {
    let instance = Instance::new(pre, config, variables, None, record, memory_bytes_max, 0);
    let mut instance = instance.await?;
    instance.store.data_mut().ctx.budget.renew();
    let plan = instance.guest.scenario.call_describe(&mut instance.store).await;
    let plan = plan.map_err(|error| Trap::new(&error))?;
    Ok(plan.map(convert::scenario))
}

/// Does a call. An error is a trap: the instance is of no more use.
///
/// # Cancel safety
/// Dropping it does not end the guest's task. The driver drops it only with the whole instance.
pub(crate) async fn perform(
    accessor: &Accessor<State>,
    guest: &Guest,
    call: Call,
) -> wasmtime::Result<(Who, End)> {
    let Call { who, id, what, .. } = call;
    let end = match what {
        What::Step { introduction, task } => {
            let introduced = introduction.is_some();
            let started = match introduction {
                None => Ok(()),
                Some((user, session)) => start(accessor, guest, who, user, session).await?,
            };
            match started {
                Err(error) => End::NotStarted { task, error },
                Ok(()) => {
                    let result = guest.scenario.call_run(accessor, id, task).await?;
                    let rest = accessor.with(|mut access| access.get().script.take_rest(id));
                    End::Ran { introduced, task, result: result.map(convert::then), rest }
                }
            }
        }
        What::Goodbye => {
            guest.scenario.call_stop(accessor, id).await?;
            End::Forgotten
        }
        What::Last => {
            if let Some(script) = &guest.script {
                script.swarm_scenario_hooks().call_end(accessor).await?;
            }
            End::Over
        }
        What::Branch(branch) => {
            if let Some(script) = &guest.script {
                script.swarm_scenario_hooks().call_branch(accessor, branch).await?;
            }
            return Ok((who, End::Branched));
        }
    };
    settle(accessor, who)?;
    Ok((who, end))
}

async fn start(
    accessor: &Accessor<State>,
    guest: &Guest,
    who: Who,
    user: wit::User,
    session: Arc<Session>,
) -> wasmtime::Result<Result<(), String>> {
    let client = accessor.with(|mut access| {
        let client = Client { session, who };
        access.get().ctx.table.push(client)
    });
    let client: Resource<Client> = client?;
    let started = guest.scenario.call_start(accessor, user, client).await?;
    settle(accessor, who)?;
    Ok(started)
}

/// Records what the user's task has neither marked nor dropped.
fn settle(accessor: &Accessor<State>, who: Who) -> wasmtime::Result<()> {
    accessor.with(|mut access| access.get().settle(who.stay))
}

//! One guest instance, and calls into it.

use std::cell::OnceCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use swarm_client::Session;
use swarm_core::plan::{self, Scenario};
use wasmtime::{Store, UpdateDeadline};

use crate::backend::Obstacle;
use crate::backend::core_abi::{self, FlatGuest, FlatPre};
use crate::contract::bindings;
use crate::contract::bindings::ScenarioPre;
use crate::contract::bindings::swarm::scenario::plan as wit;
use crate::contract::convert;
use crate::engine::budget::CpuSpent;
use crate::engine::budget::Slice;
use crate::engine::runtime::Runtime;
use crate::engine::runtime::{CALL_STACK_BYTES, SLICE_EPOCHS};
use crate::engine::stack::{OnStack, Seat, SharedStack};
use crate::engine::trap::Trap;
use crate::host::caller::Caller;
use crate::host::ctx::Ctx;
use crate::host::environment::Environment;
use crate::host::http::Client;
use crate::host::pending;
use crate::host::samples::Record;

/// A scenario whose instances have one call at a time, linked to what it imports.
pub(crate) struct IsolatedPre {
    pub(crate) runtime: Runtime,
    /// By the component layer.
    pub(crate) component: ScenarioPre<Ctx>,
    /// Straight in its core module, if that is possible.
    pub(crate) core: Result<Arc<FlatPre>, Obstacle>,
}

/// An instance, and the stack that it shares with the others of its thread.
pub(crate) struct Instance {
    store: Store<Ctx>,
    guest: Guest,
    seat: Seat,
}

/// How its functions are called.
enum Guest {
    /// By the component layer.
    Component(bindings::Scenario),
    /// Without it.
    Core(Arc<FlatPre>, FlatGuest),
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
            no_memory: true,
        })?;
        Ok(self.0.get_or_init(|| stack))
    }
}

fn store(
    pre: &IsolatedPre,
    test: Option<Arc<Environment>>,
    record: Record,
    memory_bytes_max: usize,
    seed: u64,
) -> Store<Ctx> {
    let config = pre.runtime.config();
    let call_cpu_max = config.call_cpu_max;
    let ctx = Ctx::new(test, record, memory_bytes_max, config, seed);
    let mut store = Store::new(pre.component.engine(), ctx);
    store.limiter(|ctx| &mut ctx.limits);
    store.set_epoch_deadline(SLICE_EPOCHS);
    store.epoch_deadline_callback(move |mut store| {
        match store.data_mut().budget.slice_ended() {
            Slice::GoOn => Ok(UpdateDeadline::Continue(SLICE_EPOCHS)),
            // Timers and sockets are looked at before this guest goes on.
            Slice::Yield => {
                Ok(UpdateDeadline::YieldCustom(SLICE_EPOCHS, Box::pin(tokio::task::yield_now())))
            }
            Slice::Spent => Err(CpuSpent(call_cpu_max).into()),
        }
    });
    store.data_mut().budget.renew();
    store
}

impl Instance {
    /// A fresh instance on the stack of its thread.
    pub(crate) async fn new(
        pre: &IsolatedPre,
        test: Option<Arc<Environment>>,
        record: Record,
        memory_bytes_max: usize,
        seed: u64,
        stack: &ThreadStack,
    ) -> Result<Self, Trap> {
        let mut store = store(pre, test, record, memory_bytes_max, seed);
        let seat = Seat::new(stack.get()?);
        let guest = match &pre.core {
            Ok(pre) => {
                let new = FlatGuest::new(pre, &mut store);
                let guest = pending::call(pin!(OnStack::new(&seat, new))).await;
                guest.map(|guest| Guest::Core(Arc::clone(pre), guest))
            }
            Err(_) => {
                let new = pre.component.instantiate_async(&mut store);
                pending::call(pin!(OnStack::new(&seat, new))).await.map(Guest::Component)
            }
        };
        let guest = guest.map_err(|error| Trap::new(&error))?;
        Ok(Self { store, guest, seat })
    }

    /// Puts orders into the guest's memory.
    #[cfg(fuzzing)]
    pub(crate) fn give_orders(&mut self, orders: &[u8]) {
        let abi = self.store.data().abi.expect("the guest is a core module");
        abi.write(&mut self.store, crate::backend::ORDERS - 4, orders)
            .expect("it has room for them");
    }

    /// The next call is on behalf of this user.
    pub(crate) fn called_by(&mut self, caller: Caller) {
        self.store.data_mut().caller = Some(caller);
    }

    fn renew(&mut self) {
        self.store.data_mut().budget.renew();
        self.store.set_epoch_deadline(SLICE_EPOCHS);
    }

    /// Has the guest say what it consists of, for the sake of having been called.
    pub(crate) async fn probe(&mut self) -> Result<Result<(), String>, Trap> {
        self.renew();
        let Self { store, guest, seat } = self;
        let result = match guest {
            Guest::Component(guest) => {
                let describe = guest.call_describe(&mut *store);
                pending::call(pin!(OnStack::new(seat, describe))).await.map(|plan| plan.map(drop))
            }
            Guest::Core(pre, guest) => {
                let describe = guest.describe(pre, store);
                pending::call(pin!(OnStack::new(seat, describe))).await
            }
        };
        result.map_err(|error| Trap::new(&error))
    }

    /// Introduces a user to the guest, with its client.
    pub(crate) async fn start(
        &mut self,
        user: wit::User,
        session: Arc<Session>,
    ) -> Result<Result<(), String>, Trap> {
        self.renew();
        let Self { store, guest, seat } = self;
        let client = store.data_mut().table.push(Client { session });
        let client = client.map_err(|error| Trap::new(&error.into()))?;
        let result = match guest {
            Guest::Component(guest) => {
                let start = guest.call_start(&mut *store, user, client);
                pending::call(pin!(OnStack::new(seat, start))).await
            }
            Guest::Core(pre, guest) => {
                let wit::User { id, class, seed } = user;
                let start = guest.start(pre, store, [id, class, seed], core_abi::handle(&client));
                pending::call(pin!(OnStack::new(seat, start))).await
            }
        };
        store.data_mut().settle();
        result.map_err(|error| Trap::new(&error))
    }

    pub(crate) async fn run(
        &mut self,
        user: u32,
        task: u32,
    ) -> Result<Result<plan::Then, String>, Trap> {
        self.renew();
        let Self { store, guest, seat } = self;
        let result = match guest {
            Guest::Component(guest) => {
                let run = guest.call_run(&mut *store, user, task);
                let result = pending::call(pin!(OnStack::new(seat, run))).await;
                result.map(|then| then.map(convert::then))
            }
            Guest::Core(pre, guest) => {
                let run = guest.run(pre, store, user, task);
                pending::call(pin!(OnStack::new(seat, run))).await
            }
        };
        store.data_mut().settle();
        result.map_err(|error| Trap::new(&error))
    }

    pub(crate) async fn stop(&mut self, user: u32) -> Result<(), Trap> {
        self.renew();
        let Self { store, guest, seat } = self;
        let result = match guest {
            Guest::Component(guest) => {
                let stop = guest.call_stop(&mut *store, user);
                pending::call(pin!(OnStack::new(seat, stop))).await
            }
            Guest::Core(pre, guest) => {
                let stop = guest.stop(pre, store, user);
                pending::call(pin!(OnStack::new(seat, stop))).await
            }
        };
        store.data_mut().settle();
        result.map_err(|error| Trap::new(&error))
    }
}

/// Asks the scenario what it consists of, in an instance of its own that reaches nothing.
pub(crate) async fn describe(
    pre: &IsolatedPre,
    record: Record,
    memory_bytes_max: usize,
) -> Result<Result<Scenario, String>, Trap> {
    let stack = ThreadStack::default();
    let seat = Seat::new(stack.get()?);
    let mut store = store(pre, None, record, memory_bytes_max, 0);
    let described = async {
        let guest = pre.component.instantiate_async(&mut store).await?;
        guest.call_describe(&mut store).await
    };
    let plan = pending::call(pin!(OnStack::new(&seat, described))).await;
    let plan = plan.map_err(|error| Trap::new(&error))?;
    Ok(plan.map(convert::scenario))
}

//! One guest instance, and calls into it.

use std::cell::OnceCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use rustix::io::Errno;
use swarm_client::Session;
use swarm_core::plan::{self, Scenario};
use wasmtime::{Store, UpdateDeadline};

use crate::bindings;
use crate::bindings::swarm::scenario::plan as wit;
use crate::caller::Caller;
use crate::convert;
use crate::ctx::{Ctx, Slice};
use crate::flat::{self, FlatGuest};
use crate::host::http::Client;
use crate::module::Module;
use crate::off_stack;
use crate::runtime::{CALL_STACK_BYTES, SLICE_EPOCHS};
use crate::stack::{OnStack, Seat, SharedStack};
use crate::test::{Record, Test};

/// A guest ended in the middle of a call. Its instance is of no more use.
#[derive(Debug)]
pub(crate) struct Trap {
    /// One line.
    pub(crate) message: String,
    /// Wasm backtrace, or empty.
    pub(crate) trace: String,
    /// The system has given it no memory.
    pub(crate) no_memory: bool,
}

impl Trap {
    pub(crate) fn new(error: &wasmtime::Error) -> Self {
        let trace = error
            .downcast_ref::<wasmtime::WasmBacktrace>()
            .map(|trace| trace.to_string().trim_end().to_owned())
            .unwrap_or_default();
        let message = error.root_cause().to_string();
        let message = message.lines().next().unwrap_or_default().to_owned();
        let is_short = |cause: &(dyn std::error::Error + 'static)| {
            let of_system = cause.downcast_ref::<std::io::Error>();
            cause.downcast_ref() == Some(&Errno::NOMEM)
                || of_system.and_then(Errno::from_io_error) == Some(Errno::NOMEM)
        };
        let no_memory = error.chain().any(is_short);
        Self { message, trace, no_memory }
    }
}

/// The call has computed longer than a call may.
#[derive(Debug, thiserror::Error)]
#[error("computed for more than {} s without an end", .0.as_secs_f32())]
pub(crate) struct CpuSpent(pub(crate) std::time::Duration);

/// An instance, and the stack that it shares with the others of its thread.
pub(crate) struct Instance {
    store: Store<Ctx>,
    guest: Guest,
    seat: Seat,
}

/// How its functions are called.
enum Guest {
    /// By the component layer.
    Layered(bindings::Scenario),
    /// Without it.
    Flat(Module, FlatGuest),
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
        module: &Module,
        test: Option<Arc<Test>>,
        record: Record,
        memory_bytes_max: usize,
        seed: u64,
        stack: &ThreadStack,
    ) -> Result<Self, Trap> {
        let mut store = store(module, test, record, memory_bytes_max, seed);
        let seat = Seat::new(stack.get()?);
        let guest = match module.flat() {
            Some(pre) => {
                let new = FlatGuest::new(pre, &mut store);
                let guest = off_stack::call(pin!(OnStack::new(&seat, new))).await;
                guest.map(|guest| Guest::Flat(module.clone(), guest))
            }
            None => {
                let new = module.pre().instantiate_async(&mut store);
                off_stack::call(pin!(OnStack::new(&seat, new))).await.map(Guest::Layered)
            }
        };
        let guest = guest.map_err(|error| Trap::new(&error))?;
        Ok(Self { store, guest, seat })
    }

    /// Puts orders into the guest's memory.
    #[cfg(fuzzing)]
    pub(crate) fn give_orders(&mut self, orders: &[u8]) {
        let abi = self.store.data().abi.expect("the guest is a core module");
        abi.write(&mut self.store, crate::fuzz::ORDERS - 4, orders).expect("it has room for them");
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
    pub(crate) async fn rehearse(&mut self) -> Result<Result<(), String>, Trap> {
        self.renew();
        let Self { store, guest, seat } = self;
        let result = match guest {
            Guest::Layered(guest) => {
                let describe = guest.call_describe(&mut *store);
                off_stack::call(pin!(OnStack::new(seat, describe))).await.map(|plan| plan.map(drop))
            }
            Guest::Flat(module, guest) => {
                let pre = module.flat().expect("it was made of this");
                let describe = guest.describe(pre, store);
                off_stack::call(pin!(OnStack::new(seat, describe))).await
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
            Guest::Layered(guest) => {
                let start = guest.call_start(&mut *store, user, client);
                off_stack::call(pin!(OnStack::new(seat, start))).await
            }
            Guest::Flat(module, guest) => {
                let pre = module.flat().expect("it was made of this");
                let wit::User { id, class, seed } = user;
                let start = guest.start(pre, store, [id, class, seed], flat::handle(&client));
                off_stack::call(pin!(OnStack::new(seat, start))).await
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
            Guest::Layered(guest) => {
                let run = guest.call_run(&mut *store, user, task);
                let result = off_stack::call(pin!(OnStack::new(seat, run))).await;
                result.map(|then| then.map(convert::then))
            }
            Guest::Flat(module, guest) => {
                let pre = module.flat().expect("it was made of this");
                let run = guest.run(pre, store, user, task);
                off_stack::call(pin!(OnStack::new(seat, run))).await
            }
        };
        store.data_mut().settle();
        result.map_err(|error| Trap::new(&error))
    }

    pub(crate) async fn stop(&mut self, user: u32) -> Result<(), Trap> {
        self.renew();
        let Self { store, guest, seat } = self;
        let result = match guest {
            Guest::Layered(guest) => {
                let stop = guest.call_stop(&mut *store, user);
                off_stack::call(pin!(OnStack::new(seat, stop))).await
            }
            Guest::Flat(module, guest) => {
                let pre = module.flat().expect("it was made of this");
                let stop = guest.stop(pre, store, user);
                off_stack::call(pin!(OnStack::new(seat, stop))).await
            }
        };
        store.data_mut().settle();
        result.map_err(|error| Trap::new(&error))
    }
}

/// Asks the scenario what it consists of, in an instance of its own that reaches nothing.
pub(crate) async fn describe(
    module: &Module,
    record: Record,
    memory_bytes_max: usize,
) -> Result<Result<Scenario, String>, Trap> {
    let stack = ThreadStack::default();
    let seat = Seat::new(stack.get()?);
    let mut store = store(module, None, record, memory_bytes_max, 0);
    let described = async {
        let guest = module.pre().instantiate_async(&mut store).await?;
        guest.call_describe(&mut store).await
    };
    let plan = off_stack::call(pin!(OnStack::new(&seat, described))).await;
    let plan = plan.map_err(|error| Trap::new(&error))?;
    Ok(plan.map(convert::scenario))
}

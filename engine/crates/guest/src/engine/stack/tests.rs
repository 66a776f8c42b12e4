//! Calls that wait at every depth, interleaved on one stack that is out of reach in between.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;
use rustix::mm::MprotectFlags;
use wasmtime::{Caller, Config, Engine, Linker, Module, StackCreator, Store, TypedFunc};

use super::{CALLS_BETWEEN_TRIMS, OnStack, Seat, SharedStack, Stacks, WARM_MAX};

const STACK_BYTES: usize = 512 << 10;

impl SharedStack {
    /// A stack that any access between two turns ends the process for.
    fn sealed() -> Rc<Self> {
        let stack = Self::new(STACK_BYTES).expect("memory");
        let mut stack = Rc::into_inner(stack).expect("nobody else has it");
        stack.sealed = true;
        stack.seal();
        Rc::new(stack)
    }

    pub(super) fn seal(&self) {
        if self.sealed {
            if let Some(occupant) = self.occupant.borrow_mut().take() {
                self.put_aside(&occupant);
            }
            self.mapping.protect(MprotectFlags::empty()).expect("the mapping is there");
        }
    }

    pub(super) fn unseal(&self) {
        if self.sealed {
            let all = MprotectFlags::READ | MprotectFlags::WRITE;
            self.mapping.protect(all).expect("the mapping is there");
        }
    }
}

/// Sums what it waits for, going down to depth 0: each level needs its local after the wait.
const GUEST: &str = r#"(module
    (import "host" "wait" (func $wait (param i32) (result i64)))
    (func $sum (export "sum") (param $depth i32) (result i64)
        (local $here i64)
        (local.set $here (call $wait (local.get $depth)))
        (if (result i64) (i32.eqz (local.get $depth))
            (then (local.get $here))
            (else (i64.add
                (i64.mul (local.get $here) (i64.const 3))
                (i64.add
                    (call $sum (i32.sub (local.get $depth) (i32.const 1)))
                    (call $wait (local.get $depth))))))))"#;

fn wait<'a>(
    caller: Caller<'a, i64>,
    (depth,): (i32,),
) -> Box<dyn Future<Output = i64> + Send + 'a> {
    Box::new(async move {
        for _ in 0..=depth % 3 {
            tokio::task::yield_now().await;
        }
        caller.data() + i64::from(depth)
    })
}

struct Guest {
    store: Store<i64>,
    sum: TypedFunc<i32, i64>,
    seat: Seat,
}

impl Guest {
    async fn new(engine: &Engine, module: &Module, stack: &Rc<SharedStack>, id: i64) -> Self {
        let mut linker = Linker::new(engine);
        linker.func_wrap_async("host", "wait", wait).expect("a new name");
        let mut store = Store::new(engine, id);
        let seat = Seat::new(stack);
        let instance = OnStack::new(&seat, linker.instantiate_async(&mut store, module)).await;
        let instance = instance.expect("the import is there");
        let sum = instance.get_typed_func(&mut store, "sum").expect("the export is there");
        Self { store, sum, seat }
    }

    async fn sum(&mut self, depth: i32) -> i64 {
        let call = self.sum.call_async(&mut self.store, depth);
        OnStack::new(&self.seat, call).await.expect("nothing traps")
    }
}

fn expected(id: i64, depth: i32) -> i64 {
    let here = id + i64::from(depth);
    if depth == 0 { here } else { 4 * here + expected(id, depth - 1) }
}

fn engine() -> (Engine, Module) {
    let mut config = Config::new();
    config.concurrency_support(false);
    config.async_stack_size(STACK_BYTES).max_wasm_stack(STACK_BYTES / 2);
    config.with_host_stack(Arc::new(Stacks));
    let engine = Engine::new(&config).expect("settings that fit each other");
    let module = wat::parse_str(GUEST).expect("text");
    let module = Module::new(&engine, module).expect("a module");
    (engine, module)
}

#[tokio::test(flavor = "current_thread")]
async fn calls_interleave_on_one_stack() {
    let (engine, module) = engine();
    let stack = SharedStack::sealed();
    let lives = (0..40).map(async |id: i32| {
        let mut guest = Guest::new(&engine, &module, &stack, i64::from(id)).await;
        for round in 0..5 {
            let depth = (id * 7 + round * 3) % 60;
            assert_eq!(guest.sum(depth).await, expected(i64::from(id), depth));
        }
    });
    join_all(lives).await;
    assert!(stack.occupant.borrow().is_none(), "nothing is left on the stack");
}

#[tokio::test(flavor = "current_thread")]
async fn a_call_that_is_given_up_unwinds_in_its_place() {
    let (engine, module) = engine();
    let stack = SharedStack::sealed();
    let mut given_up = Guest::new(&engine, &module, &stack, 1).await;
    let mut other = Guest::new(&engine, &module, &stack, 2).await;
    {
        let mut call = Box::pin(given_up.sum(30));
        assert!((&mut call).now_or_never().is_none(), "it waits");
        let mut neighbour = Box::pin(other.sum(20));
        assert!((&mut neighbour).now_or_never().is_none(), "it waits");
        drop(call);
        assert_eq!(neighbour.await, expected(2, 20));
    }
    assert_eq!(other.sum(3).await, expected(2, 3));
}

#[tokio::test(flavor = "current_thread")]
async fn a_waiting_call_takes_little_room() {
    let (engine, module) = engine();
    let stack = SharedStack::new(STACK_BYTES).expect("memory");
    let mut one = Guest::new(&engine, &module, &stack, 1).await;
    let mut two = Guest::new(&engine, &module, &stack, 2).await;
    let mut first = Box::pin(OnStack::new(&one.seat, one.sum.call_async(&mut one.store, 0)));
    assert!((&mut first).now_or_never().is_none(), "it waits");
    let mut second = Box::pin(two.sum(0));
    assert!((&mut second).now_or_never().is_none(), "it waits");
    let aside = one.seat.frames.aside.take().expect("the second has the stack");
    assert!((64..4096).contains(&aside.len()), "{} bytes", aside.len());
    one.seat.frames.aside.set(Some(aside));
    assert_eq!(first.await.expect("nothing traps"), expected(1, 0));
    assert_eq!(second.await, expected(2, 0));
}

/// The first and the last byte of a stack, which nobody else uses.
fn ends(stack: &dyn wasmtime::StackMemory) -> [*mut u8; 2] {
    let bytes = stack.range().len();
    [stack.top().wrapping_byte_sub(bytes), stack.top().wrapping_byte_sub(1)]
}

fn fill(stack: &dyn wasmtime::StackMemory) {
    // SAFETY: both are inside of the stack, on which no call is.
    ends(stack).into_iter().for_each(|at| unsafe { at.write(1) });
}

fn held(stack: &dyn wasmtime::StackMemory) -> [u8; 2] {
    // SAFETY: as above.
    ends(stack).map(|at| unsafe { at.read() })
}

/// On a thread of its own: its stacks are that thread's.
fn on_a_thread(test: fn()) {
    std::thread::spawn(test).join().expect("the test passes");
}

#[test]
fn stacks_that_are_kept_beyond_the_warm_ones_keep_no_memory() {
    on_a_thread(|| {
        let new = || Stacks.new_stack(STACK_BYTES, false).expect("memory");
        let stacks: Vec<_> = (0..=WARM_MAX).map(|_| new()).collect();
        for stack in &stacks {
            fill(&**stack);
        }
        drop(stacks);
        let again: Vec<_> = (0..=WARM_MAX).map(|_| new()).collect();
        assert_eq!(held(&*again[0]), [0, 0], "the last that was given back");
        assert!(again[1..].iter().all(|stack| held(&**stack) == [1, 1]), "the others are warm");
    });
}

#[test]
fn a_stack_gives_back_now_and_then_what_most_calls_do_not_need() {
    on_a_thread(|| {
        for call in 1..=2 * CALLS_BETWEEN_TRIMS {
            let stack = Stacks.new_stack(STACK_BYTES, false).expect("memory");
            if call % CALLS_BETWEEN_TRIMS == 0 {
                fill(&*stack);
            } else if call % CALLS_BETWEEN_TRIMS == 1 && call > 1 {
                assert_eq!(held(&*stack), [0, 1], "before call {call}");
            }
        }
    });
}

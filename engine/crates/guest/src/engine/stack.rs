//! The stack that the guests of a load thread take turns on.
//!
//! A wasmtime store keeps the stack of its last call for the next one: pages and two memory maps
//! for each user, although nothing lies on it while its user rests. Here the stores of a
//! [`SharedStack`] have the same one. A call that has to wait leaves its frames where they are; if
//! another call wants the stack meanwhile, they are copied aside, and back to the same addresses
//! before their own call goes on. A waiting call has 1 to 3 KiB of frames, as what it waits for is
//! not polled on this stack (see `host::pending`).
//!
//! # Why this is sound
//! - While a call waits nothing reads or writes its frames: wasmtime keeps pointers to them (its
//!   activations, its way back into the fiber) but follows them only when it resumes the fiber,
//!   and that happens only when the call's future is polled or dropped. [`OnStack`] owns that
//!   future and has the frames in place whenever it does either. Futures of host functions lie on
//!   the heap, so no timer or socket knows an address on the stack. The tests hold wasmtime to
//!   this: they take away every right to the pages while no call runs.
//! - Only one call runs on a stack at a time: it belongs to one thread ([`Seat`] is not `Send`),
//!   and [`Seat::enter`] refuses to be entered again before it is left.
//! - A store gets the shared stack only inside of [`Seat::enter`]; any other gets its own. What has
//!   been called with one seat must be called with that seat only, which `Instance` does.
//!
//! # What it saves
//! See "A user" in `ARCHITECTURE.md` for the figures.
//!
//! Relies on the inside of wasmtime: see `engine/WASMTIME.md`.
#![expect(unsafe_code, reason = "stacks are raw memory; the reasons are above")]

use std::cell::{Cell, RefCell};
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap,
};
use wasmtime::{StackCreator, StackMemory};

/// Buffers for frames put aside that are kept for the next ones, and the largest that is kept.
const SPARES_MAX: usize = 64;
const SPARE_BYTES_MAX: usize = 16 << 10;

/// Stacks besides the shared one that a thread keeps. One serves all guests that do not compute for
/// longer than a slice while they are asked for room; calls that are lifted without a callback have
/// one each while they wait, and there may be thousands of those.
const OWN_MAX: usize = 4096;

/// So many of them keep their memory, for the next calls; the others keep only their addresses.
const WARM_MAX: usize = 256;

/// A call that went deep leaves memory behind that the next ones do not need. Each stack gives it
/// back once in so many calls: every time would cost a system call.
const CALLS_BETWEEN_TRIMS: u32 = 256;

/// What it keeps then, from its top: what most calls need.
const KEPT_BYTES: usize = 64 << 10;

/// Below a stack: whole pages on every Linux, whose pages have 64 KiB at most. They take addresses,
/// no memory. The page's own size would come from the auxiliary vector, which valgrind hides.
const GUARD_BYTES: usize = 64 << 10;

/// A fiber that does not run keeps the end of its frames in the second word from the top.
const LAST_SP_BYTES: usize = 2 * size_of::<usize>();

/// Memory for a stack, with pages below it that end the process when they are written to.
struct Mapping {
    base: *mut u8,
    guard_bytes: usize,
    stack_bytes: usize,
    /// Calls that have ended on it, of a stack that is not shared.
    calls: AtomicU32,
}

// SAFETY: it is an address range. Who may use the memory when is the matter of those who share it.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(stack_bytes: usize) -> io::Result<Self> {
        let guard_bytes = GUARD_BYTES;
        let stack_bytes = stack_bytes.next_multiple_of(guard_bytes);
        // SAFETY: a new mapping touches no other memory.
        let base = unsafe {
            let all_bytes = guard_bytes + stack_bytes;
            mmap_anonymous(ptr::null_mut(), all_bytes, ProtFlags::empty(), MapFlags::PRIVATE)?
        };
        let calls = AtomicU32::new(0);
        let mapping = Self { base: base.cast(), guard_bytes, stack_bytes, calls };
        mapping.protect(MprotectFlags::READ | MprotectFlags::WRITE)?;
        Ok(mapping)
    }

    fn protect(&self, rights: MprotectFlags) -> io::Result<()> {
        let stack = self.base.wrapping_byte_add(self.guard_bytes);
        // SAFETY: the range is this mapping's own, above its guard.
        Ok(unsafe { mprotect(stack.cast(), self.stack_bytes, rights) }?)
    }

    fn top(&self) -> *mut u8 {
        self.base.wrapping_byte_add(self.guard_bytes + self.stack_bytes)
    }

    /// Gives the memory back to the system, but for so many bytes below the top. What was there is
    /// gone: it is zeros when it is next read.
    ///
    /// # Safety
    /// No call is on this stack, or will go on there.
    unsafe fn trim(&self, kept_bytes: usize) {
        let bytes = self.stack_bytes.saturating_sub(kept_bytes);
        let stack = self.base.wrapping_byte_add(self.guard_bytes);
        // SAFETY: the range is this mapping's own, and nobody needs what is in it.
        let trimmed = unsafe { madvise(stack.cast(), bytes, Advice::LinuxDontNeed) };
        debug_assert!(trimmed.is_ok(), "the range is a mapping of its own");
    }

    /// How many bytes below the top the frames of the fiber that waits on it take.
    ///
    /// # Safety
    /// A fiber waits on it.
    unsafe fn depth(&self) -> usize {
        // SAFETY: the word is inside of the mapping, aligned, and written by every switch away.
        let last_sp = unsafe { self.top().byte_sub(LAST_SP_BYTES).cast::<usize>().read() };
        let top = self.top().addr();
        match top.checked_sub(last_sp) {
            Some(depth) if (LAST_SP_BYTES..=self.stack_bytes).contains(&depth) => depth,
            // Not what it should be: all of it is right in any case.
            _ => self.stack_bytes,
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: whoever holds the range has dropped it.
        let unmapped = unsafe { munmap(self.base.cast(), self.guard_bytes + self.stack_bytes) };
        debug_assert!(unmapped.is_ok(), "the range is a mapping of its own");
    }
}

/// A stack as a store holds it.
struct Lent {
    mapping: Arc<Mapping>,
    is_shared: bool,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.is_shared {
            return;
        }
        // At the end of a thread there is no supply any more; the mapping ends then.
        let _ = OWN.try_with(|own| {
            let mut own = own.borrow_mut();
            if own.len() >= OWN_MAX {
                return;
            }
            let calls = self.mapping.calls.fetch_add(1, Ordering::Relaxed);
            // SAFETY: the store drops a stack when nothing is on it any more.
            unsafe {
                if own.len() >= WARM_MAX {
                    self.mapping.trim(0);
                } else if calls % CALLS_BETWEEN_TRIMS == CALLS_BETWEEN_TRIMS - 1 {
                    self.mapping.trim(KEPT_BYTES);
                }
            }
            own.push(Arc::clone(&self.mapping));
        });
    }
}

// SAFETY: page-aligned memory with a guard page below it, mapped as long as the store has it.
unsafe impl StackMemory for Lent {
    fn top(&self) -> *mut u8 {
        self.mapping.top()
    }

    fn range(&self) -> Range<usize> {
        let top = self.mapping.top().addr();
        top - self.mapping.stack_bytes..top
    }

    fn guard_range(&self) -> Range<*mut u8> {
        self.mapping.base..self.mapping.base.wrapping_byte_add(self.mapping.guard_bytes)
    }
}

thread_local! {
    /// The stack for a store that asks for its first one now.
    static FOR_NEXT: Cell<Option<Arc<Mapping>>> = const { Cell::new(None) };
    /// Stacks that stores had for themselves, for the next that needs one.
    static OWN: RefCell<Vec<Arc<Mapping>>> = const { RefCell::new(Vec::new()) };
}

/// Gives each store its stack: the shared one inside of [`Seat::enter`], else one of its own. A
/// store needs one of its own beside the shared one for the moment in which a host function that a
/// guest has called calls the guest, as for room for a text.
pub(crate) struct Stacks;

// SAFETY: it gives out mappings as `StackMemory` wants them: aligned, with a guard page, zeroed by
// the system where that is wanted. That a shared one is never used by two calls at a time is
// explained at the top; any other has one owner, and the next after that has been dropped.
unsafe impl StackCreator for Stacks {
    fn new_stack(&self, size: usize, zeroed: bool) -> wasmtime::Result<Box<dyn StackMemory>> {
        let fits = |mapping: &Arc<Mapping>| mapping.stack_bytes >= size;
        if let Some(mapping) = FOR_NEXT.take().filter(fits) {
            return Ok(Box::new(Lent { mapping, is_shared: true }));
        }
        let used = if zeroed { None } else { OWN.with_borrow_mut(Vec::pop) };
        let mapping = match used.filter(fits) {
            Some(mapping) => mapping,
            None => Arc::new(Mapping::new(size)?),
        };
        Ok(Box::new(Lent { mapping, is_shared: false }))
    }
}

/// Frames that are not on their stack: the last bytes below its top.
type Aside = Vec<MaybeUninit<u8>>;

/// The frames of one store's calls.
#[derive(Default)]
struct Frames {
    aside: Cell<Option<Aside>>,
    /// Its store has the shared stack. It asks for a stack when it first needs one.
    has_stack: Cell<bool>,
}

/// A stack that stores of one thread share.
pub(crate) struct SharedStack {
    mapping: Arc<Mapping>,
    /// Whose frames lie on it, if anybody's.
    occupant: RefCell<Option<Rc<Frames>>>,
    /// A call is being run.
    entered: Cell<bool>,
    spares: RefCell<Vec<Aside>>,
    /// Nobody may touch it while no call runs.
    #[cfg(test)]
    sealed: bool,
}

impl SharedStack {
    /// A stack of so many bytes.
    ///
    /// # Errors
    /// When the system has no memory for it, or no memory map.
    pub(crate) fn new(stack_bytes: usize) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            mapping: Arc::new(Mapping::new(stack_bytes)?),
            occupant: RefCell::default(),
            entered: Cell::new(false),
            spares: RefCell::default(),
            #[cfg(test)]
            sealed: false,
        }))
    }

    /// Copies away what `frames` has on the stack.
    fn put_aside(&self, frames: &Frames) {
        let mut aside = self.spares.borrow_mut().pop().unwrap_or_default();
        aside.clear();
        // SAFETY: a fiber waits on the stack, or ended on it by a panic, when its word of the end
        // is still inside. `depth` is within the mapping, which no call is using now.
        unsafe {
            let depth = self.mapping.depth();
            aside.reserve_exact(depth);
            let from = self.mapping.top().byte_sub(depth);
            ptr::copy_nonoverlapping(from.cast(), aside.as_mut_ptr(), depth);
            aside.set_len(depth);
        }
        frames.aside.set(Some(aside));
    }

    /// Copies back what was put aside.
    fn put_back(&self, aside: Aside) {
        // SAFETY: it is what was taken from there, so it fits; no call is using the stack now.
        unsafe {
            let to = self.mapping.top().byte_sub(aside.len());
            ptr::copy_nonoverlapping(aside.as_ptr(), to.cast(), aside.len());
        }
        let mut spares = self.spares.borrow_mut();
        if spares.len() < SPARES_MAX && aside.capacity() <= SPARE_BYTES_MAX {
            spares.push(aside);
        }
    }
}

/// The right of one store to run on a [`SharedStack`].
pub(crate) struct Seat {
    stack: Rc<SharedStack>,
    frames: Rc<Frames>,
}

impl Seat {
    /// A seat for a store that has not been called yet.
    pub(crate) fn new(stack: &Rc<SharedStack>) -> Self {
        Self { stack: Rc::clone(stack), frames: Rc::default() }
    }

    /// Puts this seat's frames onto the stack.
    fn enter(&self) -> Turn<'_> {
        let stack = &*self.stack;
        assert!(!stack.entered.replace(true), "guests of a thread run one after the other");
        #[cfg(test)]
        stack.unseal();
        let mut occupant = stack.occupant.borrow_mut();
        if !occupant.as_ref().is_some_and(|other| Rc::ptr_eq(other, &self.frames)) {
            if let Some(other) = occupant.replace(Rc::clone(&self.frames)) {
                stack.put_aside(&other);
            }
            if let Some(aside) = self.frames.aside.take() {
                stack.put_back(aside);
            }
        }
        if !self.frames.has_stack.get() {
            FOR_NEXT.set(Some(Arc::clone(&stack.mapping)));
        }
        Turn(self)
    }
}

/// As long as it lives, a call may run.
struct Turn<'a>(&'a Seat);

impl Turn<'_> {
    /// The call has ended: nothing on the stack is needed any more.
    fn clear(&self) {
        *self.0.stack.occupant.borrow_mut() = None;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Seat { stack, frames } = self.0;
        if !frames.has_stack.get() {
            frames.has_stack.set(FOR_NEXT.take().is_none());
        }
        #[cfg(test)]
        stack.seal();
        stack.entered.set(false);
    }
}

pin_project! {
    /// A call into a store, with its frames on the stack whenever it is polled or dropped.
    pub(crate) struct OnStack<'a, F> {
        seat: &'a Seat,
        // `None` when it has ended.
        #[pin]
        call: Option<F>,
    }

    impl<F> PinnedDrop for OnStack<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.call.is_some() {
                // The guest is unwound here.
                let turn = this.seat.enter();
                this.call.set(None);
                turn.clear();
            }
        }
    }
}

impl<'a, F: Future> OnStack<'a, F> {
    /// `call` must be a call into the one store that this seat is for.
    pub(crate) fn new(seat: &'a Seat, call: F) -> Self {
        Self { seat, call: Some(call) }
    }
}

impl<F: Future> Future for OnStack<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let turn = this.seat.enter();
        let call = this.call.as_mut().as_pin_mut().expect("it is not polled after its end");
        let result = call.poll(cx);
        if result.is_ready() {
            this.call.set(None);
            turn.clear();
        }
        result
    }
}

#[cfg(test)]
mod tests;

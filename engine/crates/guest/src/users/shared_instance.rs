//! A place for a guest instance, and the users that take turns in it.
//!
//! A trap ends the instance, not its users: the next of them to get its turn makes a new one, and
//! each is introduced to it by `start` before its next task.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use swarm_core::plan::Sharing;
use tokio::sync::{Mutex, MutexGuard};

use crate::backend::isolated::{Instance, IsolatedPre, ThreadStack};
use crate::engine::trap::Trap;
use crate::host::environment::Environment;
use crate::host::samples::Record;

/// An instance, or room for one.
#[derive(Default)]
pub(crate) struct Content {
    pub(crate) instance: Option<Instance>,
    /// Counts instances: a user that was introduced to an earlier one is a stranger to this one.
    pub(crate) generation: u64,
}

impl Content {
    /// The instance, made anew if there is none.
    pub(crate) async fn ensure(
        &mut self,
        pre: &IsolatedPre,
        test: &Arc<Environment>,
        record: &Record,
        seed: u64,
        stack: &ThreadStack,
    ) -> Result<&mut Instance, Trap> {
        if self.instance.is_none() {
            let config = pre.runtime.config();
            let memory = match test.sharing {
                Sharing::PerUser => config.user_memory_bytes_max,
                Sharing::Shared(_) => config.shared_memory_bytes_max,
            };
            let record = record.clone();
            let test = Some(Arc::clone(test));
            let new = Instance::new(pre, test, record, memory, seed, stack).await?;
            self.generation += 1;
            self.instance = Some(new);
        }
        Ok(self.instance.as_mut().expect("it was just made"))
    }
}

/// A place for an instance.
#[derive(Default)]
pub(crate) struct Slot {
    content: Mutex<Content>,
}

impl Slot {
    /// The turn, if nobody has it.
    pub(crate) fn try_turn(&self) -> Option<MutexGuard<'_, Content>> {
        self.content.try_lock().ok()
    }

    /// Waits for the turn.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, Content> {
        self.content.lock().await
    }
}

/// Gives each user a slot: one of its own, or one with room.
#[derive(Default)]
pub(crate) struct Slots {
    /// The slot being filled. Those that are full are kept by their users alone.
    filling: RefCell<Weak<Slot>>,
}

impl Slots {
    pub(crate) fn assign(&self, sharing: Sharing) -> Rc<Slot> {
        let Sharing::Shared(users_max) = sharing else { return Rc::default() };
        let mut filling = self.filling.borrow_mut();
        if let Some(slot) = filling.upgrade()
            // This handle is one of the count.
            && Rc::strong_count(&slot) - 1 < users_max as usize
        {
            return slot;
        }
        let slot = Rc::default();
        *filling = Rc::downgrade(&slot);
        slot
    }
}

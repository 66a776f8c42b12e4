//! What the runtime of a scripting language wants of whoever drives it, and the events by which its
//! calls wait for one another.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;
use tokio::sync::Notify;

/// What a store keeps for such a guest.
#[derive(Default)]
pub(crate) struct Wishes {
    pub(crate) events: Arc<Events>,
    /// How long users want to rest after the call that they are in, by id.
    pub(crate) rests: HashMap<u32, Duration>,
    pub(crate) wanted: Wanted,
}

/// What the guest wants of whoever drives it.
#[derive(Default)]
pub(crate) struct Wanted {
    /// Its own functions that are to be called.
    pub(crate) branches: Vec<u32>,
    /// Why all users are to end, if they are.
    pub(crate) finish: Option<String>,
}

impl Wishes {
    /// How long this user rests now, if it has said so.
    pub(crate) fn take_rest(&mut self, user: u32) -> Option<Duration> {
        self.rests.remove(&user)
    }

    /// Is there anything to be taken?
    pub(crate) fn wants(&self) -> bool {
        !self.wanted.branches.is_empty() || self.wanted.finish.is_some()
    }

    pub(crate) fn take_wanted(&mut self) -> Wanted {
        std::mem::take(&mut self.wanted)
    }
}

/// Events that somebody waits for.
#[derive(Default)]
pub(crate) struct Events(Mutex<HashMap<u32, Arc<Notify>>>);

impl Events {
    /// Resolves with the next [`Self::wake`] of this event.
    ///
    /// # Cancel safety
    /// Dropped, it leaves at most the entry that others wait by.
    pub(crate) async fn of(&self, event: u32) {
        let notify = Arc::clone(self.lock().entry(event).or_default());
        notify.notified().await;
    }

    pub(crate) fn wake(&self, event: u32) {
        if let Some(notify) = self.lock().remove(&event) {
            notify.notify_waiters();
        }
    }

    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Users whose requests are given up: a guest's call cannot be ended from outside, but what it
//! waits for can.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::{HashMap, HashSet};
use tokio::sync::Notify;

/// The users of an instance whose requests are given up, and who waits for news of them.
#[derive(Debug, Default)]
pub(crate) struct Interrupts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The stays of those who are interrupted.
    interrupted: HashSet<u32>,
    /// Of those who are to end with the task that they are in.
    stopping: HashSet<u32>,
    /// By stay: an interrupt wakes those whom it is about, and nobody else.
    watched: HashMap<u32, Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    notify: Arc<Notify>,
    watchers: usize,
}

impl Interrupts {
    /// Interrupts a user: what it has begun, and what it will begin.
    pub(crate) fn interrupt(&self, stay: u32) {
        let mut state = self.state();
        state.interrupted.insert(stay);
        if let Some(watched) = state.watched.get(&stay) {
            watched.notify.notify_waiters();
        }
    }

    /// The user is gone, or is to say goodbye, which is not given up yet.
    pub(crate) fn forget(&self, stay: u32) {
        let mut state = self.state();
        state.interrupted.remove(&stay);
        state.stopping.remove(&stay);
    }

    /// The user is to end with the task that it is in.
    pub(crate) fn stop(&self, stay: u32) {
        self.state().stopping.insert(stay);
    }

    /// Is the user to end with the task that it is in?
    pub(crate) fn stops(&self, stay: u32) -> bool {
        let state = self.state();
        !state.stopping.is_empty() && state.stopping.contains(&stay)
    }

    /// Is this user interrupted?
    pub(crate) fn include(&self, stay: u32) -> bool {
        self.state().interrupted.contains(&stay)
    }

    /// Resolves when this user is interrupted.
    ///
    /// # Cancel safety
    /// Dropped, it leaves nothing behind.
    pub(crate) async fn of(&self, stay: u32) {
        let watch = self.watch(stay);
        let interrupted = watch.notify.notified();
        // Told of whatever happens from here on.
        if !self.include(stay) {
            interrupted.await;
        }
    }

    fn watch(&self, stay: u32) -> Watch<'_> {
        let mut state = self.state();
        let watched = state.watched.entry(stay).or_default();
        watched.watchers += 1;
        Watch { interrupts: self, stay, notify: Arc::clone(&watched.notify) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody waits for news of a user, as long as this lives.
struct Watch<'a> {
    interrupts: &'a Interrupts,
    stay: u32,
    notify: Arc<Notify>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut state = self.interrupts.state();
        if let Some(watched) = state.watched.get_mut(&self.stay) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                state.watched.remove(&self.stay);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each waiter is woken by its own interrupt alone: else stopping 50,000 users at once would
    /// wake 2,500,000,000 times.
    #[test]
    fn an_interrupt_wakes_those_whom_it_is_about() {
        const USERS: u32 = 300;
        let interrupts = Interrupts::default();
        let woken: Vec<_> = (0..2 * USERS).map(|_| Arc::new(Woken::default())).collect();
        let mut waits: Vec<_> =
            (0..2 * USERS).map(|n| Box::pin(interrupts.of(n % USERS))).collect();
        let mut poll_all = || {
            let each = waits.iter_mut().zip(&woken).map(|(wait, woken)| {
                let waker = Waker::from(Arc::clone(woken));
                wait.as_mut().poll(&mut Context::from_waker(&waker))
            });
            each.collect::<Vec<Poll<()>>>()
        };
        assert!(poll_all().iter().all(Poll::is_pending));
        for user in 0..USERS {
            interrupts.interrupt(user);
            let sum: usize = woken.iter().map(|woken| woken.0.load(Ordering::Relaxed)).sum();
            assert_eq!(sum, 2 * (user as usize + 1), "two wait for each user");
        }
        assert!(poll_all().iter().all(Poll::is_ready));
        drop(waits);
        assert!(interrupts.state().watched.is_empty(), "nothing is left of those who waited");
    }

    #[test]
    fn what_begins_after_the_interrupt_is_given_up_until_the_user_is_gone() {
        let interrupts = Interrupts::default();
        let mut context = Context::from_waker(Waker::noop());
        interrupts.interrupt(7);
        assert!(pin!(interrupts.of(7)).poll(&mut context).is_ready());
        assert!(pin!(interrupts.of(8)).poll(&mut context).is_pending());
        interrupts.forget(7);
        assert!(!interrupts.include(7));
    }
}

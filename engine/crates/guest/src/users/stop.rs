//! How a user learns that it shall stop.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The runtime's timers round up to a millisecond, and the wait for them in the kernel rounds up
/// again: 0.1 to 2.1 ms late. Aimed at so much earlier, they are late or early by no more than the
/// runtime's grain.
pub(crate) const TIMER_BIAS: Duration = Duration::from_micros(600);

/// Tells one user to stop. The user is on the same thread.
#[derive(Debug, Default)]
pub struct Stopper(Rc<Told>);

/// The user's end of a [`Stopper`].
#[derive(Debug, Default)]
pub struct Stop(Rc<Told>);

#[derive(Debug, Default)]
struct Told {
    deadline: Cell<Option<Instant>>,
    /// The task of the user, which is the only one that listens.
    listener: RefCell<Option<Waker>>,
}

impl Stopper {
    /// For one user.
    #[must_use]
    pub fn new() -> (Self, Stop) {
        let told = Rc::new(Told::default());
        (Self(Rc::clone(&told)), Stop(told))
    }

    /// Ends the user at its next rest, or in the middle of a task when `deadline` has passed. A
    /// deadline that was told before can only be brought forward.
    pub fn stop(&self, deadline: Instant) {
        if self.0.deadline.get().is_some_and(|told| told <= deadline) {
            return;
        }
        self.0.deadline.set(Some(deadline));
        if let Some(listener) = self.0.listener.take() {
            listener.wake();
        }
    }
}

impl Stop {
    /// When the user has to be gone, if it has been told to stop.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.deadline.get()
    }

    /// Rests until `until`; ends early when the user is told to stop.
    pub(crate) async fn rest(&self, until: Instant) {
        let mut rest = pin!(sleep_until(until - TIMER_BIAS));
        poll_fn(|cx| {
            if self.deadline().is_some() {
                return Poll::Ready(());
            }
            self.listen(cx);
            rest.as_mut().poll(cx)
        })
        .await;
    }

    /// Runs `work` to its end, or until the deadline: then `None`, and `work` is left as it is. It
    /// takes it pinned: taken by value it would have its room twice in the caller's future.
    pub(crate) async fn until_deadline<F: Future>(
        &self,
        mut work: Pin<&mut F>,
    ) -> Option<F::Output> {
        // Boxed: a user needs it once in its life.
        let mut timer = None;
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            self.listen(cx);
            let Some(deadline) = self.deadline() else { return Poll::Pending };
            let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            timer.as_mut().poll(cx).map(|()| None)
        })
        .await
    }

    fn listen(&self, cx: &Context<'_>) {
        let mut listener = self.0.listener.borrow_mut();
        match &mut *listener {
            Some(listener) => listener.clone_from(cx.waker()),
            None => *listener = Some(cx.waker().clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_rest_ends_in_time_or_when_told() {
        let (stopper, stop) = Stopper::new();
        let until = Instant::now() + Duration::from_millis(20);
        stop.rest(until).await;
        assert!(Instant::now() >= until - TIMER_BIAS && stop.deadline().is_none());
        let never = Instant::now() + NEVER;
        let telling = async {
            tokio::task::yield_now().await;
            stopper.stop(never);
        };
        tokio::join!(stop.rest(never), telling);
        assert_eq!(stop.deadline(), Some(never));
    }

    #[tokio::test]
    async fn work_ends_at_the_deadline_which_only_comes_nearer() {
        let (stopper, stop) = Stopper::new();
        let near = Instant::now() + Duration::from_millis(20);
        let telling = async {
            for deadline in [Instant::now() + NEVER, near, Instant::now() + NEVER] {
                tokio::task::yield_now().await;
                stopper.stop(deadline);
            }
        };
        let never = pin!(std::future::pending::<()>());
        let (done, ()) = tokio::join!(stop.until_deadline(never), telling);
        assert!(done.is_none() && Instant::now() >= near);
        assert_eq!(
            stop.until_deadline(pin!(async { 1 })).await,
            Some(1),
            "work that is done counts"
        );
    }
}

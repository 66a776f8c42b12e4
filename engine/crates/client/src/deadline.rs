//! Time limits of requests, with one timer a thread.
//!
//! A timer of the runtime for each request costs more than all else that a request does outside of
//! the kernel's network: 1,300 instructions for what hardly ever comes. Here a request under way
//! has an entry in a list; one task a thread sleeps until the earliest deadline that it has seen,
//! looks through the list, and sleeps again. With limits of a minute that is once a minute, and
//! still to the millisecond.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use tokio::time::{Instant, sleep_until};

thread_local! {
    static OF_THREAD: RefCell<Watch> = RefCell::default();
}

/// The deadlines of a thread's requests. It is shared with the task that watches them.
#[derive(Debug, Clone, Default)]
struct Watch(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    entries: Vec<Entry>,
    /// Places that are free.
    free: Vec<usize>,
    /// No deadline is earlier.
    next: Option<Instant>,
    /// Number of the task that watches, if one does.
    watched_by: Option<u64>,
    /// Tasks that have watched so far.
    tasks: u64,
    /// Wakes the watching task when a deadline comes that is earlier than it sleeps.
    watcher: Option<Waker>,
}

#[derive(Debug)]
struct Entry {
    deadline: Instant,
    /// `None`: the deadline has passed, or the place is free.
    waker: Option<Waker>,
}

/// A request's place in the list, which it leaves when dropped.
#[derive(Debug)]
struct Place {
    watch: Watch,
    index: usize,
}

impl Watch {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, deadline: Instant, waker: Waker) -> Place {
        let mut entries = self.entries();
        let entry = Entry { deadline, waker: Some(waker) };
        let index = if let Some(free) = entries.free.pop() {
            entries.entries[free] = entry;
            free
        } else {
            entries.entries.push(entry);
            entries.entries.len() - 1
        };
        if entries.next.is_none_or(|next| deadline < next) {
            entries.next = Some(deadline);
            entries.watcher.take().into_iter().for_each(Waker::wake);
        }
        if entries.watched_by.is_none() {
            entries.tasks += 1;
            entries.watched_by = Some(entries.tasks);
            let watching = Watching { watch: self.clone(), number: entries.tasks };
            drop(tokio::spawn(watching.watch()));
        }
        drop(entries);
        Place { watch: self.clone(), index }
    }
}

impl Place {
    /// Has the deadline passed? If not, `waker` is told when it does.
    fn has_passed(&self, waker: &Waker) -> bool {
        match &mut self.watch.entries().entries[self.index].waker {
            None => true,
            Some(known) => {
                known.clone_from(waker);
                false
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut entries = self.watch.entries();
        let waker = entries.entries[self.index].waker.take();
        entries.free.push(self.index);
        drop(entries);
        drop(waker);
    }
}

/// The task that watches. When it ends before its time, as with its runtime, the next request
/// starts another.
struct Watching {
    watch: Watch,
    number: u64,
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut entries = self.watch.entries();
        if entries.watched_by == Some(self.number) {
            entries.watched_by = None;
            entries.watcher = None;
        }
    }
}

impl Watching {
    async fn watch(self) {
        let mut next = self.watch.entries().next;
        while let Some(deadline) = next {
            let mut sleep = std::pin::pin!(sleep_until(deadline));
            std::future::poll_fn(|cx| {
                let mut entries = self.watch.entries();
                if entries.next.is_some_and(|earlier| earlier < deadline) {
                    return Poll::Ready(());
                }
                entries.watcher = Some(cx.waker().clone());
                drop(entries);
                sleep.as_mut().poll(cx)
            })
            .await;
            let mut entries = self.watch.entries();
            let passed = entries.look(Instant::now());
            next = entries.next;
            if next.is_none() {
                entries.watched_by = None;
                entries.watcher = None;
            }
            drop(entries);
            passed.into_iter().for_each(Waker::wake);
        }
    }
}

impl Entries {
    /// Who is over its time; finds the next deadline.
    fn look(&mut self, now: Instant) -> Vec<Waker> {
        let mut passed = Vec::new();
        self.next = None;
        for entry in &mut self.entries {
            let Some(waker) = entry.waker.take() else { continue };
            if entry.deadline <= now {
                passed.push(waker);
                continue;
            }
            entry.waker = Some(waker);
            self.next = Some(self.next.map_or(entry.deadline, |next| next.min(entry.deadline)));
        }
        passed
    }
}

pin_project! {
    /// Future of [`before`].
    pub(crate) struct Before<F> {
        deadline: Instant,
        place: Option<Place>,
        #[pin]
        work: F,
    }
}

/// Waits for `work` until `deadline`; `None` is too late. Wants a tokio runtime.
pub(crate) fn before<F: Future>(deadline: Instant, work: F) -> Before<F> {
    Before { deadline, place: None, work }
}

impl<F: Future> Future for Before<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(done) = this.work.poll(cx) {
            *this.place = None;
            return Poll::Ready(Some(done));
        }
        match this.place {
            Some(place) if place.has_passed(cx.waker()) => Poll::Ready(None),
            Some(_) => Poll::Pending,
            None => {
                let enter = |watch: &RefCell<Watch>| {
                    watch.borrow().enter(*this.deadline, cx.waker().clone())
                };
                *this.place = Some(OF_THREAD.with(enter));
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_ends_at_its_own_deadline_whatever_the_order() {
        let begun = Instant::now();
        let one = async |seconds: u32| {
            let deadline = begun + SECOND * seconds;
            assert_eq!(before(deadline, pending::<()>()).await, None);
            begun.elapsed()
        };
        let ended = tokio::join!(one(60), one(2), one(5), one(1));
        let seconds = |time: Duration| time.as_secs_f64().round();
        assert_eq!(
            [seconds(ended.0), seconds(ended.1), seconds(ended.2), seconds(ended.3)],
            [60.0, 2.0, 5.0, 1.0]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_in_time_leaves_its_place_to_the_next() {
        for _ in 0..1000 {
            let done = before(Instant::now() + SECOND, tokio::time::sleep(SECOND / 100)).await;
            assert_eq!(done, Some(()));
        }
        let places = OF_THREAD.with(|watch| watch.borrow().entries().entries.len());
        assert_eq!(places, 1);
        let late = before(Instant::now() + SECOND, tokio::time::sleep(2 * SECOND)).await;
        assert_eq!(late, None);
    }

    #[test]
    fn a_runtime_that_ends_takes_nobody_elses_deadlines_with_it() {
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
            let late =
                runtime.block_on(async { before(Instant::now() + SECOND, pending::<()>()).await });
            assert_eq!(late, None);
        }
    }
}

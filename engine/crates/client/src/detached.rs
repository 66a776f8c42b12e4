//! Work that blocks, on threads that nobody waits for.
//!
//! The runtime's own threads for such work hold the end of the process up until it is done: a
//! name server that does not answer would keep a program alive that was interrupted twice.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;

/// Most of these threads at a time in a process. They are short of work but for what hangs.
const THREADS_MAX: usize = 16;

static THREADS: Threads = Threads { running: AtomicUsize::new(0), most: THREADS_MAX };

/// How many run, and may.
#[derive(Debug)]
struct Threads {
    running: AtomicUsize,
    most: usize,
}

/// Why there is no result.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotRun {
    /// What was given to other threads before has not ended.
    #[error("{THREADS_MAX} earlier calls into the system have not come back")]
    TooMany,
    /// The system has no thread left.
    #[error("no thread can be started: raise `ulimit -u`")]
    NoThread,
    /// The work ended in a panic, which has been printed.
    #[error("a call into the system panicked")]
    Panicked,
}

/// One of them, until it is dropped.
struct Counted(&'static Threads);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs `work` on a thread of its own and waits for the result.
///
/// Cancel safe: the work goes on, and its result is dropped.
pub(crate) async fn run<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotRun> {
    THREADS.run(name, work).await
}

impl Threads {
    async fn run<T: Send + 'static>(
        &'static self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotRun> {
        let running = self.running.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(self);
        if running >= self.most {
            return Err(NotRun::TooMany);
        }
        let (sender, result) = oneshot::channel();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _counted = counted;
            // Nobody may be waiting any more.
            let _ = sender.send(work());
        });
        thread.map_err(|_no_thread| NotRun::NoThread)?;
        result.await.map_err(|_panicked| NotRun::Panicked)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_hangs_is_limited_and_leaves_room_when_it_ends() {
        static ONE: Threads = Threads { running: AtomicUsize::new(0), most: 1 };
        assert_eq!(ONE.run("test", || 7).await, Ok(7));
        // A thread is about to end when its result has been taken.
        let is_free = || ONE.running.load(Ordering::Relaxed) == 0;
        while !is_free() {
            tokio::task::yield_now().await;
        }
        let (end, ended) = mpsc::channel::<()>();
        // It ends when the other side is dropped.
        let hanging = tokio::spawn(ONE.run("test", move || ended.recv().is_err()));
        while is_free() {
            tokio::task::yield_now().await;
        }
        assert_eq!(ONE.run("test", || 7).await, Err(NotRun::TooMany));
        drop(end);
        assert_eq!(hanging.await.expect("no panic"), Ok(true));
        while !is_free() {
            tokio::task::yield_now().await;
        }
        assert_eq!(ONE.run("test", || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        static ONE: Threads = Threads { running: AtomicUsize::new(0), most: 1 };
        let outcome = ONE.run("test", || -> u8 { panic!("by the test") }).await;
        assert_eq!(outcome, Err(NotRun::Panicked));
    }
}

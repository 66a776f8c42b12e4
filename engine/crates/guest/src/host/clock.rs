//! The one place that reads the clock of a node.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Time since the node began, and what the master's clock says at the same moment.
#[derive(Debug)]
pub struct Clock {
    origin: Instant,
    /// What it showed when it was made.
    began: Duration,
    /// Master's milliseconds minus ours.
    offset_ms: AtomicI64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock that begins now and agrees with the master's until told otherwise.
    pub fn new() -> Self {
        Self::at(Duration::ZERO)
    }

    /// A clock that shows `now`: that of a master which goes on where another has ended.
    pub fn at(now: Duration) -> Self {
        Self { origin: Instant::now(), began: now, offset_ms: AtomicI64::new(0) }
    }

    /// Time since the node began.
    pub fn now(&self) -> Duration {
        self.began + self.origin.elapsed()
    }

    /// The moment `at` (time since the node began) for timers.
    pub fn instant(&self, at: Duration) -> Instant {
        self.origin + at.saturating_sub(self.began)
    }

    /// Learns that the master's clock showed `master_ms` at `at` here.
    pub fn synchronise(&self, at: Duration, master_ms: u64) {
        let offset = i128::from(master_ms) - i128::try_from(at.as_millis()).unwrap_or(i128::MAX);
        self.offset_ms.store(i64::try_from(offset).unwrap_or(0), Ordering::Relaxed);
    }

    /// The master's clock in milliseconds when ours shows `at`.
    pub fn master_ms(&self, at: Duration) -> u64 {
        let ours = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        u64::try_from(ours.saturating_add(self.offset_ms.load(Ordering::Relaxed))).unwrap_or(0)
    }
}

/// A time in whole microseconds, as statistics take it.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

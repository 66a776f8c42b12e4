//! When a test runs.

use serde::{Deserialize, Serialize};

use crate::series::SETTLE_MS;

/// When the test runs, in milliseconds of the master's clock.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Span {
    /// `None` until the test starts or the first report comes.
    pub(crate) start_ms: Option<u64>,
    /// Reports from before do not count; only after a reset.
    pub(crate) reset_ms: Option<u64>,
    /// Set when the test is over.
    pub(crate) stop_ms: Option<u64>,
    /// End of the latest interval reported.
    pub(crate) last_ms: u64,
}

impl Span {
    pub(crate) fn start_ms(&self) -> u64 {
        self.start_ms.unwrap_or(0)
    }

    pub(crate) fn since_start(&self, at_ms: u64) -> u64 {
        at_ms.saturating_sub(self.start_ms())
    }

    pub(crate) fn second_of(&self, at_ms: u64) -> u64 {
        self.since_start(at_ms) / 1000
    }

    /// Number of complete seconds at this time.
    pub(crate) fn complete(&self, now_ms: u64) -> u64 {
        self.second_of(now_ms.saturating_sub(SETTLE_MS))
    }

    /// Seconds of the whole test, the last one begun included; 0 while it runs.
    pub(crate) fn seconds_in_all(&self) -> u64 {
        self.stop_ms.map_or(0, |stop_ms| self.since_start(stop_ms).div_ceil(1000))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.stop_ms.is_some()
    }

    /// Length of what the totals hold, in milliseconds.
    pub(crate) fn length_ms(&self) -> u64 {
        self.since_start(self.last_ms.max(self.stop_ms.unwrap_or(0)))
    }
}

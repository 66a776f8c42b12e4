//! How much one call into a guest may compute, counted in slices.

use std::time::Duration;

use crate::engine::runtime::{RuntimeConfig, SLICE};

/// How much one call into the guest may compute.
///
/// The engines' epochs are the clock: none other is read for a guest that stays within its slice.
pub(crate) struct Budget {
    /// The guest went on just now: what has passed of the slice was not its own.
    fresh: bool,
    slices: u32,
    slices_max: u32,
}

impl Budget {
    pub(crate) fn new(config: &RuntimeConfig) -> Self {
        let slices = config.call_cpu_max.as_millis() / SLICE.as_millis();
        // The first slice may be a short one: it takes one more to be sure.
        let slices_max = u32::try_from(slices).unwrap_or(u32::MAX);
        Self { fresh: false, slices: 0, slices_max }
    }

    /// A new call begins, and with it a slice.
    pub(crate) fn renew(&mut self) {
        self.slices = 0;
        self.fresh = false;
    }

    /// A new stretch of computing begins somewhere in a slice that began earlier.
    pub(crate) fn renew_in_slice(&mut self) {
        self.slices = 0;
        self.fresh = true;
    }

    /// The guest goes on after a host function. If that `waited`, the time until now was not its
    /// own; if not, a guest that calls it for ever computes for ever.
    pub(crate) fn resume_after(&mut self, waited: bool) {
        self.fresh |= waited;
    }

    /// A slice ended.
    pub(crate) fn slice_ended(&mut self) -> Slice {
        if std::mem::take(&mut self.fresh) {
            return Slice::GoOn;
        }
        self.slices += 1;
        if self.slices > self.slices_max { Slice::Spent } else { Slice::Yield }
    }
}

/// What happens at the end of a slice.
pub(crate) enum Slice {
    GoOn,
    Yield,
    Spent,
}

/// The call has computed longer than a call may.
#[derive(Debug, thiserror::Error)]
#[error("computed for more than {} s without an end", .0.as_secs_f32())]
pub(crate) struct CpuSpent(pub(crate) Duration);

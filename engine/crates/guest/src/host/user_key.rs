//! The key of a user of an instance with many: what its requests, timers and results are told apart
//! by.

/// Names a user as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    pub(crate) place: u32,
    /// Counts users that came. It comes round after four billion, long after the timers of the
    /// one that had it before are gone.
    pub(crate) stay: u32,
}

impl Who {
    /// Nobody: the place is never taken.
    pub(crate) const NOBODY: Self = Self { place: u32::MAX, stay: u32::MAX };
}

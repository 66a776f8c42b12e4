//! What the caller decides about a target.

use std::num::NonZeroUsize;

/// Most threads a target runs on.
pub const THREADS_MAX: usize = 256;

/// Where a target listens and on how many threads it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetConfig {
    /// Name or address to listen on; of a name's addresses the first is taken.
    pub host: String,
    /// TCP port; 0 lets the system choose one, see [`Target::local_addr`](crate::Target).
    pub port: u16,
    /// Threads, each with a listener and a runtime of its own; at most [`THREADS_MAX`].
    pub threads: NonZeroUsize,
}

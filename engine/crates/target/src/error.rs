//! Why a target could not be started or stopped.

use std::io;
use std::net::SocketAddr;

use crate::config::THREADS_MAX;

/// Why a target could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The host is no address and no name that can be resolved.
    #[error("resolve the target's host {host:?}: give an address such as 127.0.0.1")]
    Host {
        /// As configured.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Another listener has the port, be it another target or other software.
    #[error("{address} is in use: stop what listens there or choose another port (0: any free)")]
    InUse {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The listener could not be opened for another reason.
    #[error("listen on {address}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// More threads than [`THREADS_MAX`].
    #[error("{threads} threads are too many for a target: at most {THREADS_MAX}")]
    Threads {
        /// As configured.
        threads: usize,
    },
    /// A serving thread could not be started.
    #[error("start serving thread {thread} of the target")]
    Start {
        /// Index of the thread.
        thread: usize,
        /// What the system said.
        source: io::Error,
    },
    /// A serving thread panicked: a bug.
    #[error("serving thread {thread} of the target panicked")]
    Panicked {
        /// Index of the thread.
        thread: usize,
    },
}

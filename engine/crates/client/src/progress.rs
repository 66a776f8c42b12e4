//! How far a request has come, and what it took of connections, for whoever counts.
//!
//! The caller owns it, so it can be read when the request is done and as well when its future was
//! dropped half-way. Only the request's own future writes: it loads and stores, and needs neither a
//! lock nor an atomic addition.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How far one request has come. Redirects are part of their request.
#[derive(Debug, Default)]
pub struct Progress {
    opened: AtomicU32,
    reused: AtomicU32,
    resent: AtomicU32,
    connecting: AtomicBool,
}

impl Progress {
    /// Of a request that has not been sent.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            opened: AtomicU32::new(0),
            reused: AtomicU32::new(0),
            resent: AtomicU32::new(0),
            connecting: AtomicBool::new(false),
        }
    }

    /// Connections that were made for the request, their TLS handshake included.
    #[must_use]
    pub fn opened(&self) -> u32 {
        self.opened.load(Ordering::Relaxed)
    }

    /// How often the request was given to a connection that had carried another one.
    #[must_use]
    pub fn reused(&self) -> u32 {
        self.reused.load(Ordering::Relaxed)
    }

    /// How often the request was sent again after its kept connection had ended without an answer.
    #[must_use]
    pub fn resent(&self) -> u32 {
        self.resent.load(Ordering::Relaxed)
    }

    /// Has an attempt to connect begun that has not led to a connection? When the request is over,
    /// that attempt has failed: an attempt that fails ends its request.
    #[must_use]
    pub fn is_connecting(&self) -> bool {
        self.connecting.load(Ordering::Relaxed)
    }

    /// Has a connection been given the request, or a part of it? Until then the target cannot know
    /// of it.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.opened() > 0 || self.reused() > 0
    }

    /// A kept connection is given the request.
    pub(crate) fn reuse(&self) {
        add(&self.reused, 1);
    }

    /// The kept connection had ended before it took a byte of the request.
    pub(crate) fn take_back_reuse(&self) {
        add(&self.reused, u32::MAX);
    }

    /// An attempt to connect begins.
    pub(crate) fn connect(&self) {
        self.connecting.store(true, Ordering::Relaxed);
    }

    /// That has led to a connection, which is given the request.
    pub(crate) fn connected(&self) {
        self.connecting.store(false, Ordering::Relaxed);
        add(&self.opened, 1);
    }

    /// The request that is given to a new connection has been given to another one before.
    pub(crate) fn resend(&self) {
        add(&self.resent, 1);
    }
}

/// Adds, as only one future writes. What overflows wraps: no request has so many redirects, but
/// those that nobody asks about share theirs.
fn add(cell: &AtomicU32, more: u32) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_sent_as_soon_as_a_connection_has_it() {
        let progress = Progress::new();
        progress.connect();
        assert!(progress.is_connecting() && !progress.is_sent());
        progress.connected();
        assert!(!progress.is_connecting() && progress.is_sent());
        let progress = Progress::new();
        progress.reuse();
        assert!(progress.is_sent());
        progress.take_back_reuse();
        assert!(!progress.is_sent(), "the connection took nothing of it");
    }
}

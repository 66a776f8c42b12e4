//! How far a request has come, and what it took of connections, for whoever counts.
//!
//! The caller owns it, so it can be read when the request is done and as well when its future was
//! dropped half-way. Only the request's own future writes: it loads and stores, and needs neither a
//! lock nor an atomic addition.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::address_uses::{AddressUses, Attempt, Notes};

/// How far one request has come. Redirects are part of their request.
#[derive(Debug, Default)]
pub struct Progress {
    opened: AtomicU32,
    reused: AtomicU32,
    resent: AtomicU32,
    connecting: AtomicBool,
    /// Where it is noted by address, if that is asked for.
    notes: Option<Box<Notes>>,
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
            notes: None,
        }
    }

    /// The same, and it is noted what came of each address.
    pub(crate) fn by_address() -> Self {
        Self { notes: Some(Box::default()), ..Self::new() }
    }

    /// What the request had to do with each address, if its session was to note that; see
    /// [`Session::progress`](crate::Session::progress).
    pub fn take_addresses(&mut self) -> Option<AddressUses> {
        self.notes.take().map(|notes| notes.into_uses())
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

    /// Another exchange begins, the first one or that of a redirect.
    pub(crate) fn exchange(&self) {
        if let Some(notes) = &self.notes {
            notes.given_to_none();
        }
    }

    /// A kept connection is given the request. `peer` is asked only if it matters.
    pub(crate) fn reuse(&self, peer: impl FnOnce() -> Option<SocketAddr>) {
        add(&self.reused, 1);
        if let Some(notes) = &self.notes
            && let Some(address) = peer()
        {
            notes.given_to(address);
        }
    }

    /// The kept connection had ended before it took a byte of the request.
    pub(crate) fn take_back_reuse(&self) {
        add(&self.reused, u32::MAX);
        if let Some(notes) = &self.notes {
            notes.given_to_none();
        }
    }

    /// An attempt to connect begins.
    pub(crate) fn connect(&self) {
        self.connecting.store(true, Ordering::Relaxed);
    }

    /// An attempt to connect to one of the addresses begins.
    pub(crate) fn attempt(&self, address: SocketAddr) -> Attempt<'_> {
        Attempt::begin(self.notes.as_deref(), address)
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
        progress.reuse(|| unreachable!("nobody asks for addresses"));
        assert!(progress.is_sent());
        progress.take_back_reuse();
        assert!(!progress.is_sent(), "the connection took nothing of it");
    }

    #[test]
    fn addresses_are_noted_if_they_are_asked_for() {
        let address = SocketAddr::from(([10, 0, 0, 1], 80));
        let mut progress = Progress::by_address();
        progress.exchange();
        progress.reuse(|| Some(address));
        progress.take_back_reuse();
        progress.attempt(address).succeeded();
        let uses = progress.take_addresses().expect("they are asked for");
        assert_eq!((uses.rows.len(), uses.rows[0].opened, uses.last), (1, 1, Some(0)));
        let mut progress = Progress::new();
        progress.attempt(address).succeeded();
        assert_eq!(progress.take_addresses(), None);
    }
}

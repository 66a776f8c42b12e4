//! What requests took of connections.

use serde::{Deserialize, Serialize};

/// What requests took of connections, those included that were cut off on their way.
///
/// A request was given to `opened + reused` connections: to more than one when it was redirected
/// or sent again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionCounts {
    /// Connections made, their TLS handshake included. Each carried a request at once.
    pub opened: u64,
    /// Times that a request was given to a connection that had carried another one.
    pub reused: u64,
    /// Attempts to connect that came to nothing: no address, refused, no answer in time, a TLS
    /// handshake that failed. A request makes one attempt, however many addresses its host has.
    pub failed: u64,
    /// Requests that were sent again, as their kept connection had ended without an answer at the
    /// moment when they were sent.
    pub resent: u64,
}

impl ConnectionCounts {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.opened = self.opened.saturating_add(other.opened);
        self.reused = self.reused.saturating_add(other.reused);
        self.failed = self.failed.saturating_add(other.failed);
        self.resent = self.resent.saturating_add(other.resent);
    }

    /// Is there nothing in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

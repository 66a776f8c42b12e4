//! Which DNS servers have been silent.
//!
//! The C library asks the servers of `/etc/resolv.conf` in their order each time. Where the first
//! one is dead, each lookup would wait for it anew, and with it all users that need a connection:
//! with records that hold a second, half of the time. So a server that was silent while another one
//! answered comes last from then on, until the others are silent.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most servers that are remembered. The file, which may be another one later, has three.
const REMEMBERED_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Silent(Mutex<Vec<SocketAddr>>);

impl Silent {
    /// In which order to ask the servers, which begin with the one at `first`.
    pub(super) fn order(&self, servers: &[SocketAddr], first: usize) -> Vec<SocketAddr> {
        let silent = self.lock();
        let mut order = servers.to_vec();
        order.rotate_left(first);
        // Stable: all else stays as it is.
        order.sort_by_key(|server| silent.contains(server));
        order
    }

    /// This server has answered, while these were asked before it and have not.
    pub(super) fn answered(
        &self,
        server: SocketAddr,
        without: impl IntoIterator<Item = SocketAddr>,
    ) {
        let mut silent = self.lock();
        silent.retain(|other| *other != server);
        for other in without {
            if !silent.contains(&other) {
                silent.push(other);
            }
        }
        let too_many = silent.len().saturating_sub(REMEMBERED_MAX);
        silent.drain(..too_many);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SocketAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(last: u8) -> SocketAddr {
        ([10, 0, 0, last], 53).into()
    }

    #[test]
    fn who_was_silent_comes_last_until_the_others_are() {
        let silent = Silent::default();
        let three = [1, 2, 3].map(server);
        assert_eq!(silent.order(&three, 0), three);
        assert_eq!(silent.order(&three, 2), [3, 1, 2].map(server));
        silent.answered(server(2), [server(1)]);
        assert_eq!(silent.order(&three, 0), [2, 3, 1].map(server));
        assert_eq!(silent.order(&three, 2), [3, 2, 1].map(server));
        silent.answered(server(1), [server(2), server(3)]);
        assert_eq!(silent.order(&three, 0), three);
    }

    #[test]
    fn the_number_is_limited() {
        let silent = Silent::default();
        silent.answered(server(0), (1..=100).map(server));
        assert_eq!(silent.lock().len(), REMEMBERED_MAX);
        assert_eq!(silent.order(&[100, 1].map(server), 0), [1, 100].map(server));
    }
}

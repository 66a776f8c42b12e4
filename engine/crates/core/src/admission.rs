//! Who may stand at a master's door: connections on which no worker has registered yet.
//!
//! A stranger can open connections and say nothing. So only so many may wait, and when there is
//! no room the one that has waited longest goes, of the address that has the most: workers
//! register within milliseconds, whoever waits longer is none. An address that brought wrong
//! secrets is kept out, see [`crate::attempts`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::attempts::{Attempts, network};

/// Connections without a registered worker.
pub const WAITING_MAX: usize = 1_000;

/// What is to be done with a connection that has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Serve it.
    Admitted,
    /// Serve it, and close the other, which has waited longest.
    InPlaceOf(u64),
    /// Close it: its address is kept out for so much longer.
    Blocked(Duration),
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    peer: IpAddr,
    since: Duration,
}

/// All connections that wait.
#[derive(Debug, Default)]
pub struct Admission {
    attempts: Attempts,
    waiting: HashMap<u64, Waiting>,
}

impl Admission {
    /// A connection has been accepted.
    pub fn arrived(&mut self, now: Duration, connection: u64, peer: IpAddr) -> Arrival {
        if let Some(left) = self.attempts.blocked(now, peer) {
            return Arrival::Blocked(left);
        }
        let evicted = if self.waiting.len() < WAITING_MAX { None } else { self.oldest_of_most() };
        if let Some(evicted) = evicted {
            self.waiting.remove(&evicted);
        }
        self.waiting.insert(connection, Waiting { peer: network(peer), since: now });
        evicted.map_or(Arrival::Admitted, Arrival::InPlaceOf)
    }

    fn oldest_of_most(&self) -> Option<u64> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for waiting in self.waiting.values() {
            *counts.entry(waiting.peer).or_default() += 1;
        }
        // The address decides a tie, so that the choice does not depend on the table's order.
        let (most, _) = counts.into_iter().max_by_key(|&(peer, count)| (count, peer))?;
        let of_most = self.waiting.iter().filter(|(_, waiting)| waiting.peer == most);
        of_most.min_by_key(|&(connection, waiting)| (waiting.since, *connection)).map(|(c, _)| *c)
    }

    /// A worker has registered on a connection.
    pub fn joined(&mut self, connection: u64) {
        self.waiting.remove(&connection);
    }

    /// Who is on a connection has shown a wrong secret or a wrong certificate. True says that its
    /// address is kept out from now on.
    pub fn failed(&mut self, now: Duration, connection: u64) -> bool {
        let Some(peer) = self.waiting.get(&connection).map(|waiting| waiting.peer) else {
            return false;
        };
        self.attempts.failed(now, peer)
    }

    /// The address of a connection that waits, IPv6 by its network.
    #[must_use]
    pub fn peer(&self, connection: u64) -> Option<IpAddr> {
        self.waiting.get(&connection).map(|waiting| waiting.peer)
    }

    /// A connection has ended.
    pub fn closed(&mut self, connection: u64) {
        self.waiting.remove(&connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempts::FAILURES_MAX;

    const SECOND: Duration = Duration::from_secs(1);

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn a_crowd_of_one_address_makes_room_for_others() {
        let mut door = Admission::default();
        assert_eq!(door.arrived(Duration::ZERO, 0, address(2)), Arrival::Admitted);
        for connection in 1..WAITING_MAX as u64 {
            assert_eq!(door.arrived(SECOND, connection, address(1)), Arrival::Admitted);
        }
        let next = WAITING_MAX as u64;
        assert_eq!(door.arrived(2 * SECOND, next, address(3)), Arrival::InPlaceOf(1));
        assert_eq!(door.arrived(2 * SECOND, next + 1, address(1)), Arrival::InPlaceOf(2));
        door.joined(3);
        assert_eq!(door.arrived(2 * SECOND, next + 2, address(3)), Arrival::Admitted);
        door.closed(4);
        assert_eq!(door.arrived(2 * SECOND, next + 3, address(3)), Arrival::Admitted);
        assert_eq!(door.waiting.len(), WAITING_MAX);
    }

    #[test]
    fn wrong_secrets_close_the_door_to_their_address() {
        let mut door = Admission::default();
        for n in 1..=u64::from(FAILURES_MAX) {
            assert_eq!(door.arrived(SECOND, n, address(1)), Arrival::Admitted);
            assert_eq!(door.failed(SECOND, n), n == u64::from(FAILURES_MAX));
            door.closed(n);
        }
        assert_eq!(door.arrived(2 * SECOND, 50, address(1)), Arrival::Blocked(59 * SECOND));
        assert_eq!(door.arrived(2 * SECOND, 51, address(2)), Arrival::Admitted);
        assert!(!door.failed(SECOND, 50), "it is not there");
    }
}

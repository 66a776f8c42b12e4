//! Who has tried to get in with a wrong secret, and how often: guessing is slowed down by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// So many failures of one address in [`WINDOW`] keep it out for the rest of it.
pub const FAILURES_MAX: u32 = 10;

/// How long failures of an address are remembered from the first on.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Addresses that are remembered; beyond them the oldest are forgotten.
const ADDRESSES_MAX: usize = 4_096;

#[derive(Debug, Clone, Copy)]
struct Failures {
    since: Duration,
    count: u32,
}

/// The failures of all addresses.
#[derive(Debug, Default)]
pub struct Attempts {
    failures: HashMap<IpAddr, Failures>,
}

impl Attempts {
    /// How long this address is still kept out, if it is.
    #[must_use]
    pub fn blocked(&self, now: Duration, peer: IpAddr) -> Option<Duration> {
        let failures = self.failures.get(&network(peer))?;
        let left = (failures.since + WINDOW).checked_sub(now).filter(|left| !left.is_zero())?;
        (failures.count >= FAILURES_MAX).then_some(left)
    }

    /// Counts a failure. True says that the address is kept out from now on: tell it once.
    pub fn failed(&mut self, now: Duration, peer: IpAddr) -> bool {
        let peer = network(peer);
        if !self.failures.contains_key(&peer) && self.failures.len() >= ADDRESSES_MAX {
            self.forget(now);
        }
        let failures = self.failures.entry(peer).or_insert(Failures { since: now, count: 0 });
        if now >= failures.since + WINDOW {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
        failures.count == FAILURES_MAX
    }

    /// Makes room: for those whose time is over, else for the oldest.
    fn forget(&mut self, now: Duration) {
        self.failures.retain(|_, failures| now < failures.since + WINDOW);
        if self.failures.len() >= ADDRESSES_MAX {
            let oldest = self.failures.iter().min_by_key(|(_, failures)| failures.since);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                self.failures.remove(&oldest);
            }
        }
    }
}

/// What one party commands: an IPv4 address, or the 64 bits before an IPv6 interface.
#[must_use]
pub fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_fails_often_is_kept_out_for_a_while_and_nobody_else() {
        let mut attempts = Attempts::default();
        let (guesser, other) = (address("10.0.0.1"), address("10.0.0.2"));
        for failure in 1..=FAILURES_MAX {
            assert_eq!(attempts.blocked(SECOND, guesser), None, "before failure {failure}");
            assert_eq!(attempts.failed(SECOND, guesser), failure == FAILURES_MAX);
        }
        assert_eq!(attempts.blocked(2 * SECOND, guesser), Some(WINDOW - SECOND));
        assert_eq!(attempts.blocked(2 * SECOND, address("::ffff:10.0.0.1")), Some(59 * SECOND));
        assert_eq!(attempts.blocked(2 * SECOND, other), None);
        assert!(!attempts.failed(2 * SECOND, guesser), "told once");
        assert_eq!(attempts.blocked(SECOND + WINDOW, guesser), None);
        assert!(!attempts.failed(SECOND + WINDOW, guesser), "counted anew");
    }

    #[test]
    fn an_ipv6_network_is_one_party() {
        let mut attempts = Attempts::default();
        for n in 0..FAILURES_MAX {
            attempts.failed(SECOND, address(&format!("2001:db8::{n:x}")));
        }
        assert!(attempts.blocked(SECOND, address("2001:db8::ffff")).is_some());
        assert!(attempts.blocked(SECOND, address("2001:db8:0:1::1")).is_none());
    }

    #[test]
    fn many_addresses_take_no_more_room_than_there_is() {
        let mut attempts = Attempts::default();
        for n in 0..3 * u32::try_from(ADDRESSES_MAX).unwrap() {
            attempts.failed(Duration::from_millis(n.into()), IpAddr::V4(n.into()));
        }
        assert_eq!(attempts.failures.len(), ADDRESSES_MAX);
    }
}

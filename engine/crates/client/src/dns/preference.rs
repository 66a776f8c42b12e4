//! Which addresses of a name this machine can use best: RFC 6724, section 6, as far as it matters
//! to a client with one route to each.
//!
//! The C library orders its answers so; names that are asked for here must come out the same. The
//! rules left out compare addresses that are about to change (home and deprecated ones) or prefer
//! the longest common prefix, which would undo the servers' own rotation.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

/// A name's addresses in order of preference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preferred {
    /// Not empty where it comes from a lookup.
    pub(crate) addresses: Box<[IpAddr]>,
    /// So many of them, from the first on, are as good as each other: connections are spread over
    /// them. The others are only there for when these fail.
    pub(crate) equal: usize,
}

/// Puts in order what a name has, the first of a kind first.
pub(super) fn prefer(found: impl IntoIterator<Item = IpAddr>, most: usize) -> Preferred {
    sort(found, most, source_towards)
}

fn sort(
    found: impl IntoIterator<Item = IpAddr>,
    most: usize,
    source: impl Fn(IpAddr) -> Option<IpAddr>,
) -> Preferred {
    let mut ranked: Vec<(bool, Reverse<u8>, IpAddr)> = Vec::new();
    for address in found {
        if ranked.len() < most && !ranked.iter().any(|(_, _, known)| *known == address) {
            let policy = policy(address);
            // Without a route, or from an address that is not meant for it, it hardly works.
            let from = source(address).map(self::policy);
            let usable = from.is_some_and(|from| from.label == policy.label);
            ranked.push((!usable, Reverse(policy.precedence), address));
        }
    }
    ranked.sort_by_key(|(unusable, precedence, _)| (*unusable, *precedence));
    let usable = ranked.iter().filter(|(unusable, _, _)| !unusable).count();
    let addresses = ranked.iter().map(|(_, _, address)| *address).collect();
    Preferred { addresses, equal: if usable > 0 { usable } else { ranked.len() } }
}

struct Policy {
    precedence: u8,
    label: u8,
}

/// The default table of RFC 6724, section 2.1, without what is deprecated.
fn policy(address: IpAddr) -> Policy {
    let (precedence, label) = match address {
        IpAddr::V4(_) => (35, 4),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => (50, 0),
        IpAddr::V6(address) => match address.segments() {
            [0, 0, 0, 0, 0, 0xffff, _, _] => (35, 4),
            [0x2002, ..] => (30, 2),
            [0x2001, 0, ..] => (5, 5),
            [first, ..] if first & 0xfe00 == 0xfc00 => (3, 13),
            _ => (40, 1),
        },
    };
    Policy { precedence, label }
}

/// From which address this machine would reach another; `None` if there is no route. A datagram
/// socket asks the routes when it connects, and sends nothing.
fn source_towards(address: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match address {
        IpAddr::V4(_) => [0; 4].into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(address, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn sorted(found: &[&str], source: impl Fn(IpAddr) -> Option<IpAddr>) -> (Vec<String>, usize) {
        let preferred = sort(found.iter().map(|text| ip(text)), 16, source);
        (preferred.addresses.iter().map(ToString::to_string).collect(), preferred.equal)
    }

    #[test]
    fn ipv6_comes_first_and_the_servers_order_stays() {
        let all = |address: IpAddr| {
            Some(if address.is_ipv4() { ip("10.0.0.9") } else { ip("2001:db8::9") })
        };
        let found = ["10.0.0.2", "2001:db8::2", "10.0.0.1", "2001:db8::1", "10.0.0.2"];
        let expected = ["2001:db8::2", "2001:db8::1", "10.0.0.2", "10.0.0.1"];
        assert_eq!(sorted(&found, all), (expected.map(str::to_owned).to_vec(), 4));
    }

    #[test]
    fn what_has_no_route_comes_last() {
        let v4_only = |address: IpAddr| address.is_ipv4().then(|| ip("10.0.0.9"));
        let found = ["2001:db8::1", "10.0.0.1", "10.0.0.2"];
        let expected = ["10.0.0.1", "10.0.0.2", "2001:db8::1"];
        assert_eq!(sorted(&found, v4_only), (expected.map(str::to_owned).to_vec(), 2));
        // If nothing has one, nothing is better than the rest.
        assert_eq!(sorted(&found, |_| None).1, 3);
    }

    #[test]
    fn a_private_source_is_not_for_public_ipv6() {
        // As in a container that has only a unique local address.
        let container =
            |address: IpAddr| Some(ip(if address.is_ipv4() { "172.17.0.2" } else { "fd00::2" }));
        let found = ["2001:db8::1", "10.0.0.1"];
        let expected = ["10.0.0.1", "2001:db8::1"];
        assert_eq!(sorted(&found, container), (expected.map(str::to_owned).to_vec(), 1));
        assert_eq!(sorted(&["fd00::1", "10.0.0.1"], container).1, 2, "the same network");
    }

    #[test]
    fn the_number_is_limited() {
        let many = (0..100).map(|n| IpAddr::from([10, 0, 0, n]));
        assert_eq!(sort(many, 16, |_| None).addresses.len(), 16);
    }

    #[test]
    fn this_machine_is_reached_from_itself() {
        assert_eq!(source_towards(ip("127.0.0.1")), Some(ip("127.0.0.1")));
    }
}

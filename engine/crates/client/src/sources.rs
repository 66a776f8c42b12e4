//! The addresses of this machine that connections are made from.
//!
//! The kernel tells connections apart by both ends' address and port, so one source address can
//! have as many connections to one target as there are ephemeral ports; more take more addresses.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpSocket;

use crate::config::ConfigError;
use crate::error::{ErrorKind, Fault};

/// The configured addresses by family, and whose turn it is.
#[derive(Debug)]
pub(crate) struct Sources {
    v4: Box<[IpAddr]>,
    v6: Box<[IpAddr]>,
    /// Counts connections; touched only if there are addresses to choose from.
    next: AtomicUsize,
}

impl Sources {
    /// Checks that each address can be used.
    pub(crate) fn new(addresses: &[IpAddr]) -> Result<Self, ConfigError> {
        for &address in addresses {
            check(address).map_err(|reason| ConfigError::SourceAddress { address, reason })?;
        }
        Ok(Self::checked(addresses))
    }

    fn checked(addresses: &[IpAddr]) -> Self {
        let (v4, v6) = addresses.iter().partition::<Vec<IpAddr>, _>(|address| address.is_ipv4());
        Self { v4: v4.into(), v6: v6.into(), next: AtomicUsize::new(0) }
    }

    /// Are there addresses of the family of `target`, or none to choose from at all?
    pub(crate) fn fit(&self, target: IpAddr) -> bool {
        let is_free = self.v4.is_empty() && self.v6.is_empty();
        is_free || !if target.is_ipv4() { &self.v4 } else { &self.v6 }.is_empty()
    }

    /// Where the next connection to `target` comes from; `None` leaves it to the kernel.
    pub(crate) fn towards(&self, target: IpAddr) -> Result<Option<IpAddr>, Fault> {
        if self.v4.is_empty() && self.v6.is_empty() {
            return Ok(None);
        }
        let (list, family) = match target {
            IpAddr::V4(_) => (&self.v4, "IPv4"),
            IpAddr::V6(_) => (&self.v6, "IPv6"),
        };
        if list.is_empty() {
            let message = format!(
                "no {family} source address for an {family} target: add `--source-address`"
            );
            return Err(Fault::new(ErrorKind::Connect, message));
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        Ok(Some(list[turn % list.len()]))
    }
}

fn check(address: IpAddr) -> Result<(), String> {
    if address.is_unspecified() || address.is_multicast() {
        return Err("it is not the address of one machine".to_owned());
    }
    let bound = UdpSocket::bind(SocketAddr::new(address, 0));
    bound.map(drop).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrNotAvailable => "this machine does not have it".to_owned(),
        _ => error.to_string(),
    })
}

/// Binds a socket that is going to connect. On Linux the port is chosen when it connects, when the
/// target is known: else each connection would need a port that no other one has.
pub(crate) fn bind(socket: &TcpSocket, source: IpAddr) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)?;
    socket.bind(SocketAddr::new(source, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_take_turns_within_their_family() {
        let [a, b, six] = ["127.0.0.1", "127.0.0.2", "::1"].map(|text| text.parse().expect("IP"));
        let sources = Sources::checked(&[a, six, b]);
        let from = |target: IpAddr| sources.towards(target).expect("source").expect("chosen");
        let chosen = [from(a), from(a), from(a)];
        assert!(chosen == [a, b, a] || chosen == [b, a, b], "{chosen:?}");
        assert_eq!(from(six), six);
        assert_eq!(Sources::checked(&[]).towards(a), Ok(None));
        let fault = Sources::checked(&[a]).towards(six).expect_err("other family");
        assert_eq!(fault.kind, ErrorKind::Connect);
        assert_eq!(
            fault.message,
            "no IPv6 source address for an IPv6 target: add `--source-address`",
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn no_port_is_taken_before_the_target_is_known() {
        let socket = TcpSocket::new_v4().expect("socket");
        bind(&socket, [127, 0, 0, 2].into()).expect("bound");
        let local = socket.local_addr().expect("address");
        assert_eq!(local, SocketAddr::from(([127, 0, 0, 2], 0)));
    }

    #[test]
    fn addresses_of_others_are_refused() {
        for (address, reason) in [
            // Set aside for documentation: nobody has it.
            ("192.0.2.1", "this machine does not have it"),
            ("0.0.0.0", "not the address of one machine"),
            ("::", "not the address of one machine"),
            ("ff02::1", "not the address of one machine"),
            ("224.0.0.1", "not the address of one machine"),
        ] {
            let error = Sources::new(&[address.parse().expect("IP")]).expect_err(address);
            let text = error.to_string();
            assert!(text.starts_with(&format!("source address {address}: ")), "{text}");
            assert!(text.contains(reason), "{text}");
        }
    }
}

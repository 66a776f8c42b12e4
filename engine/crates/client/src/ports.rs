//! Local ports of new connections, drawn at random.
//!
//! Left to itself Linux looks for a free port one after the other, every second one first. With
//! over half of the ephemeral ports taken towards a target, those of connections just closed
//! included, each `connect` goes through 14,000 of them: 0.3 ms of CPU, a user's whole share in a
//! rebalance of 10,000. A port drawn at random is free at the first or second attempt.

use std::fs;
use std::io::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use tokio::net::{TcpSocket, TcpStream};

/// After so many ports that were taken the kernel looks for one among all.
///
/// That has to be rare: the kernel only takes a port that nobody is bound to, from whatever address
/// and to whatever target, and 100,000 users from eight addresses leave hardly one of 28,000. Of
/// ports of which half are taken, one user in 256 would draw eight taken ones in a row.
const ATTEMPTS_MAX: usize = 64;

/// The ports that may be drawn.
#[derive(Debug)]
pub(crate) struct Ports(Option<RangeInclusive<u16>>);

impl Ports {
    /// The kernel's range. Without one, or where some ports of it are set aside, the kernel chooses
    /// each port itself.
    pub(crate) fn of_the_kernel() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok();
        let set_aside = read("ip_local_reserved_ports").unwrap_or_default();
        let range = read("ip_local_port_range").filter(|_| set_aside.trim().is_empty());
        Self(range.as_deref().and_then(parse))
    }

    /// Connects from `source`, or from where the kernel's routes say, by a port drawn at random.
    /// `None` if none of those drawn was free.
    pub(crate) async fn connect(
        &self,
        source: Option<IpAddr>,
        target: SocketAddr,
    ) -> Result<Option<TcpStream>, Error> {
        let Some(ports) = &self.0 else { return Ok(None) };
        let any: IpAddr = match target {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        for _ in 0..ATTEMPTS_MAX {
            let port = fastrand::u16(ports.clone());
            if port == target.port() {
                // On the same host it would connect to itself.
                continue;
            }
            let socket = match target {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            // A port may have connections to several targets: that none has both ends in common
            // with another is checked when it connects.
            socket.set_reuseaddr(true)?;
            if let Err(error) = socket.bind(SocketAddr::new(source.unwrap_or(any), port)) {
                match error.kind() {
                    ErrorKind::AddrInUse => continue,
                    _ => return Err(error),
                }
            }
            match socket.connect(target).await {
                Err(error) if is_taken(&error) => {}
                connected => return connected.map(Some),
            }
        }
        Ok(None)
    }
}

fn is_taken(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable)
}

fn parse(range: &str) -> Option<RangeInclusive<u16>> {
    let mut ports = range.split_whitespace().map(|port| port.parse().ok());
    let (low, high) = (ports.next()??, ports.next()??);
    (0 < low && low <= high).then_some(low..=high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_range_is_read() {
        assert_eq!(parse("32768\t60999\n"), Some(32768..=60999));
        for wrong in ["", "1", "0 5", "7 6", "a b", "1 70000"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn only_a_free_port_is_used() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let target = listener.local_addr().expect("it is bound");
        let first = TcpStream::connect(target).await.expect("connected");
        let port = first.local_addr().expect("it is connected").port();
        let only = Ports(Some(port..=port));
        let again = only.connect(None, target).await.expect("no other error");
        assert!(again.is_none(), "both ends are those of the first connection");
        drop(first);
        let none = Ports(Some(target.port()..=target.port()));
        assert!(none.connect(None, target).await.expect("no other error").is_none());
    }

    #[tokio::test]
    async fn a_port_serves_several_targets() {
        let listen = || std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (one, two) = (listen(), listen());
        let targets = [&one, &two].map(|listener| listener.local_addr().expect("it is bound"));
        // Outside of the kernel's range, so that no other test's connection has it.
        let ports = Ports(Some(20_000..=30_000));
        let first = ports.connect(None, targets[0]).await.expect("connected").expect("free");
        let port = first.local_addr().expect("it is connected").port();
        let same = Ports(Some(port..=port));
        let second = same.connect(None, targets[1]).await.expect("connected").expect("free");
        assert_eq!(second.local_addr().expect("it is connected").port(), port);
        let source: IpAddr = [127, 0, 0, 9].into();
        let third = same.connect(Some(source), targets[0]).await.expect("connected");
        let third = third.expect("free").local_addr().expect("it is connected");
        assert_eq!(third, SocketAddr::new(source, port));
    }
}

//! The listeners: one a thread, all on one port, and on a port that nobody else has.
//!
//! With `SO_REUSEPORT` on every listener a second target of the same user could join the port
//! and silently take half of the connections. So the first listener is opened without it, which
//! the system refuses if anyone listens there, atomically. Only then is the option set, and the
//! other listeners join the first, which stays open for as long as they do.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{THREADS_MAX, TargetConfig};
use crate::error::TargetError;

/// Connections the system holds for a thread that has not accepted them yet.
const BACKLOG: i32 = 4096;

/// Opens one listener a thread, listening and non-blocking, on the address returned.
pub(crate) fn listeners(
    config: &TargetConfig,
) -> Result<(Vec<TcpListener>, SocketAddr), TargetError> {
    let threads = config.threads.get();
    if threads > THREADS_MAX {
        return Err(TargetError::Threads { threads });
    }
    let asked = resolve(config)?;
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => TargetError::InUse { address: asked },
        _ => TargetError::Listen { address: asked, source },
    };
    let first = open(asked, false).map_err(refused)?;
    let chosen = first.local_addr().and_then(|address| {
        address.as_socket().ok_or_else(|| io::Error::other("the listener has no IP address"))
    });
    let chosen = chosen.map_err(refused)?;
    if threads > 1 {
        first.set_reuse_port(true).map_err(refused)?;
    }
    let mut all = vec![first.into()];
    for _ in 1..threads {
        all.push(open(chosen, true).map_err(refused)?.into());
    }
    Ok((all, chosen))
}

/// The first address of the configured host.
fn resolve(config: &TargetConfig) -> Result<SocketAddr, TargetError> {
    let failed = |source| TargetError::Host { host: config.host.clone(), source };
    let mut addresses = (config.host.as_str(), config.port).to_socket_addrs().map_err(failed)?;
    addresses.next().ok_or_else(|| failed(io::Error::other("the name has no address")))
}

fn open(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Lets a target start again while connections of the last one are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    // Accepted connections inherit it, which saves a system call for each.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::num::NonZeroUsize;

    use super::*;

    fn config(port: u16, threads: usize) -> TargetConfig {
        let threads = NonZeroUsize::new(threads).unwrap();
        TargetConfig { host: "127.0.0.1".to_owned(), port, threads }
    }

    #[test]
    fn every_thread_gets_connections_of_the_one_port() {
        let (listeners, address) = listeners(&config(0, 3)).unwrap();
        let streams: Vec<_> = (0..128).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut accepted = 0;
        for listener in &listeners {
            assert_eq!(listener.local_addr().unwrap(), address);
            let mut own = 0;
            while let Ok((stream, _)) = listener.accept() {
                assert!(stream.nodelay().unwrap(), "inherited from the listener");
                own += 1;
            }
            assert!(own > 0, "the system spreads connections over all listeners");
            accepted += own;
        }
        assert_eq!(accepted, streams.len());
    }

    #[test]
    fn a_second_target_on_the_port_is_refused_whatever_its_threads() {
        for first_threads in [1, 2, 3] {
            let (first, address) = listeners(&config(0, first_threads)).unwrap();
            let port = address.port();
            for threads in [1, 2] {
                let error = listeners(&config(port, threads)).unwrap_err();
                assert!(matches!(error, TargetError::InUse { .. }), "{error:?}");
                let text = error.to_string();
                assert!(text.contains(&format!("127.0.0.1:{port} is in use")), "{text}");
            }
            drop(first);
            listeners(&config(port, 2)).expect("free again once the first is gone");
        }
    }

    #[test]
    fn the_wildcard_address_clashes_with_a_single_one() {
        let (_first, address) = listeners(&config(0, 2)).unwrap();
        let port = address.port();
        let wildcard = TargetConfig { host: "0.0.0.0".to_owned(), ..config(port, 2) };
        let error = listeners(&wildcard).unwrap_err();
        assert!(matches!(error, TargetError::InUse { .. }), "{error:?}");
    }

    #[test]
    fn unknown_hosts_and_too_many_threads_are_refused_by_name() {
        let host = TargetConfig { host: "no such host".to_owned(), ..config(0, 1) };
        let error = listeners(&host).unwrap_err().to_string();
        assert!(error.contains("\"no such host\""), "{error}");
        let error = listeners(&config(0, THREADS_MAX + 1)).unwrap_err().to_string();
        assert!(error.contains("257 threads"), "{error}");
    }
}

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
    let asked = resolve(&config.host, config.port)?;
    let refused = |source: io::Error| refused(asked, source);
    let first = open(asked, false).map_err(refused)?;
    let chosen = address(&first).map_err(refused)?;
    if threads > 1 {
        first.set_reuse_port(true).map_err(refused)?;
    }
    first.listen(BACKLOG).map_err(refused)?;
    let mut all = vec![first.into()];
    for _ in 1..threads {
        all.push(listen(chosen).map_err(refused)?);
    }
    Ok((all, chosen))
}

/// A port that is held for the processes of one target, and for nobody else. It does not listen
/// itself: connections go to those that do.
#[derive(Debug)]
pub struct Hold {
    _socket: Socket,
    address: SocketAddr,
}

impl Hold {
    /// Takes the port; see [`TargetConfig`] for what `host` and `port` may be.
    ///
    /// # Errors
    /// The host cannot be resolved, or the port is in use or cannot be taken.
    pub fn bind(host: &str, port: u16) -> Result<Self, TargetError> {
        let asked = resolve(host, port)?;
        let refused = |source: io::Error| refused(asked, source);
        // One that listens is let in only if nobody else does. It hands the port on while it is
        // still there, for it would be given connections.
        let first = open(asked, false).map_err(refused)?;
        let address = address(&first).map_err(refused)?;
        first.listen(BACKLOG).and_then(|()| first.set_reuse_port(true)).map_err(refused)?;
        let socket = open(address, true).map_err(refused)?;
        // Two that do not listen and both have this option do not keep each other out.
        socket.set_reuse_address(false).map_err(refused)?;
        Ok(Self { _socket: socket, address })
    }

    /// What was taken, with the port that was chosen for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

/// Opens one listener a thread on an address that a [`Hold`] of another process holds.
pub(crate) fn join(address: SocketAddr, threads: usize) -> Result<Vec<TcpListener>, TargetError> {
    if threads > THREADS_MAX {
        return Err(TargetError::Threads { threads });
    }
    let listeners = (0..threads).map(|_| listen(address)).collect::<io::Result<_>>();
    listeners.map_err(|source| refused(address, source))
}

fn refused(address: SocketAddr, source: io::Error) -> TargetError {
    match source.kind() {
        io::ErrorKind::AddrInUse => TargetError::InUse { address },
        _ => TargetError::Listen { address, source },
    }
}

fn address(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?;
    address.as_socket().ok_or_else(|| io::Error::other("the listener has no IP address"))
}

/// The first address of the configured host.
fn resolve(host: &str, port: u16) -> Result<SocketAddr, TargetError> {
    let failed = |source| TargetError::Host { host: host.to_owned(), source };
    let mut addresses = (host, port).to_socket_addrs().map_err(failed)?;
    addresses.next().ok_or_else(|| failed(io::Error::other("the name has no address")))
}

/// A further listener on an address that is shared.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address, true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A socket that is bound and does not listen yet.
fn open(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Lets a target start again while connections of the last one are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    // Accepted connections inherit it, which saves a system call for each.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
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
    fn a_held_port_is_for_those_who_join() {
        let hold = Hold::bind("127.0.0.1", 0).unwrap();
        let address = hold.local_addr();
        let refuse_others = || {
            for threads in [1, 2] {
                let error = listeners(&config(address.port(), threads)).unwrap_err();
                assert!(matches!(error, TargetError::InUse { .. }), "{error:?}");
            }
            Hold::bind("127.0.0.1", address.port()).expect_err("held already");
        };
        refuse_others();
        TcpStream::connect(address).expect_err("nobody listens yet");
        let mut members = join(address, 1).unwrap();
        members.extend(join(address, 2).unwrap());
        refuse_others();
        let _streams: Vec<_> = (0..64).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut accepted = 0;
        for member in &members {
            accepted += std::iter::from_fn(|| member.accept().ok()).count();
        }
        assert_eq!(accepted, 64, "the holder takes none");
        drop(members);
        refuse_others();
        drop(hold);
        listeners(&config(address.port(), 1)).expect("free again");
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

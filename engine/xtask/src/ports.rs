//! Ports of loopback that nobody listens on.

use anyhow::{Context, Result};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Does nobody listen on this one?
pub(crate) fn is_free(port: u16) -> bool {
    listener(port).is_ok()
}

/// So many that are free, each another one.
pub(crate) fn free<const N: usize>() -> Result<[u16; N]> {
    // All listen at once: else it might be the same one each time.
    let listeners: Vec<_> = (0..N).map(|_| listener(0)).collect();
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(listeners) {
        let address = listener.and_then(|listener| listener.local_addr());
        *port = address.context("there is no free port")?.port();
    }
    Ok(ports)
}

fn listener(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_free() {
        let listener = listener(0).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
    }

    #[test]
    fn each_free_port_is_another() {
        let [a, b, c] = free().unwrap();
        assert!(a != b && b != c && a != c, "{a} {b} {c}");
    }
}

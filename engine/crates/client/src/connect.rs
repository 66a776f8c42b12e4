//! A new connection: name, TCP, TLS.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use tokio::net::TcpStream;
use tokio::time::timeout_at;

use crate::dns::Addresses;
use crate::error::{ErrorKind, Fault, duration_text};
use crate::message::{Phases, add};
use crate::shared::Shared;
use crate::stream::Stream;
use crate::tls;
use crate::url::{Origin, Scheme};

/// Connects to `origin`, which the caller has checked to be allowed, from `begun` on. Returns
/// when it was done, too: the clock is read once for the end of this and the begin of what follows.
pub(crate) async fn open(
    shared: &Shared,
    origin: &Origin,
    begun: Instant,
    phases: &mut Phases,
) -> Result<(Stream, Instant), Fault> {
    let deadline = begun + shared.config.connect_timeout;
    let connected = timeout_at(deadline.into(), establish(shared, origin, begun, phases)).await;
    connected.unwrap_or_else(|_elapsed| Err(timed_out(shared)))
}

fn timed_out(shared: &Shared) -> Fault {
    let limit = duration_text(shared.config.connect_timeout);
    Fault::new(ErrorKind::Timeout, format!("timed out after {limit} (connect timeout)"))
}

async fn establish(
    shared: &Shared,
    origin: &Origin,
    begun: Instant,
    phases: &mut Phases,
) -> Result<(Stream, Instant), Fault> {
    let addresses = shared.dns.addresses(&origin.host, begun).await?;
    let mut mark = begun;
    if addresses.looked_up {
        mark = Instant::now();
        add(&mut phases.dns, begun, mark);
    }
    let tcp = connect(shared, &addresses, origin.port, begun).await?;
    let connected = Instant::now();
    add(&mut phases.connect, mark, connected);
    if origin.scheme == Scheme::Http {
        return Ok((Stream::plain(tcp), connected));
    }
    let connector = shared.tls.connector().await?;
    let name = tls::server_name(&origin.host)?;
    let secured = connector.connect(name, tcp).await;
    let secured = secured.map_err(|error| tls::handshake_fault(&error))?;
    let done = Instant::now();
    add(&mut phases.tls, connected, done);
    Ok((Stream::tls(secured), done))
}

/// Tries one address after the other. Each gets its share of the time that is left, so that one
/// that swallows packets does not hide those behind it.
async fn connect(
    shared: &Shared,
    addresses: &Addresses,
    port: u16,
    begun: Instant,
) -> Result<TcpStream, Fault> {
    let deadline = begun + shared.config.connect_timeout;
    let mut last = Fault::new(ErrorKind::Dns, "host has no address");
    for (tried, &address) in addresses.list.iter().enumerate() {
        let now = Instant::now();
        let left = u32::try_from(addresses.list.len() - tried).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(now) / left;
        match timeout_at((now + share).into(), connect_one(address, port)).await {
            Ok(Ok(tcp)) => {
                addresses.worked(address);
                return Ok(tcp);
            }
            Ok(Err(error)) => last = Fault::io(&error),
            Err(_elapsed) => last = timed_out(shared),
        }
    }
    Err(last)
}

async fn connect_one(address: IpAddr, port: u16) -> std::io::Result<TcpStream> {
    let tcp = TcpStream::connect(SocketAddr::new(address, port)).await?;
    // A request is one write: nothing to gain from waiting for more bytes.
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

//! A new connection: name, source address, TCP, TLS.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout_at;

use crate::dns::Addresses;
use crate::error::{ErrorKind, Fault, duration_text};
use crate::message::{Phases, add};
use crate::ports::Ports;
use crate::shared::Shared;
use crate::stream::Stream;
use crate::url::{Origin, Scheme};
use crate::{sources, tls};

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
    let tcp = connect(shared, &addresses, origin, begun).await?;
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
    origin: &Origin,
    begun: Instant,
) -> Result<TcpStream, Fault> {
    let deadline = begun + shared.config.connect_timeout;
    let mut last = Fault::new(ErrorKind::Dns, "host has no address");
    let mut left = u32::try_from(addresses.list.len()).unwrap_or(u32::MAX);
    for &address in &addresses.list {
        let connecting = connect_one(shared, address, origin);
        // The caller watches over the whole time, which is the last address's.
        let connected = if left == 1 {
            connecting.await
        } else {
            let now = Instant::now();
            let share = deadline.saturating_duration_since(now) / left;
            let connected = timeout_at((now + share).into(), connecting).await;
            connected.unwrap_or_else(|_elapsed| Err(timed_out(shared)))
        };
        left -= 1;
        match connected {
            Ok(tcp) => {
                addresses.worked(address);
                return Ok(tcp);
            }
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

async fn connect_one(
    shared: &Shared,
    address: IpAddr,
    origin: &Origin,
) -> Result<TcpStream, Fault> {
    let source = shared.sources.towards(address)?;
    let target = SocketAddr::new(address, origin.port);
    let connected = connect_from(&shared.ports, source, target).await;
    connected.map_err(|error| Fault::connecting(&error, source, origin))
}

async fn connect_from(
    ports: &Ports,
    source: Option<IpAddr>,
    target: SocketAddr,
) -> std::io::Result<TcpStream> {
    let drawn = ports.connect(source, target).await?;
    let tcp = match (drawn, source) {
        (Some(tcp), _) => tcp,
        (None, None) => TcpStream::connect(target).await?,
        (None, Some(source)) => {
            let is_v4 = target.is_ipv4();
            let socket = if is_v4 { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            sources::bind(&socket, source)?;
            socket.connect(target).await?
        }
    };
    // A request is one write: nothing to gain from waiting for more bytes.
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

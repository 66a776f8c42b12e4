//! A new connection: name, source address, TCP, TLS.

use std::io::ErrorKind as IoErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{timeout, timeout_at};
use tokio_rustls::client::TlsStream;

use crate::address_uses::{Attempt, SILENCE_MIN};
use crate::addresses::{Addresses, Plan, of_families};
use crate::dns::{self, Name, Preferred, Resolved};
use crate::error::{ErrorKind, Fault};
use crate::message::add;
use crate::ports::Ports;
use crate::progress::Progress;
use crate::session::Watch;
use crate::shared::Shared;
use crate::stream::Stream;
use crate::url::{Origin, Scheme};
use crate::{race, sources, tls};

/// From the begin of an attempt at one address to that at the next (RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = SILENCE_MIN;

/// How long an address that has failed may take to show that it is back.
const PROBE_MAX: Duration = Duration::from_secs(1);

/// A new connection.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    /// How long the TCP handshake took, without what was tried before.
    pub(crate) handshake: Duration,
    /// When all was done: the clock is read once for that and the begin of what follows.
    pub(crate) done: Instant,
}

/// Connects to `origin`, which the caller has checked to be allowed, from `begun` on.
pub(crate) async fn open(
    shared: &Arc<Shared>,
    origin: &Origin,
    insecure: bool,
    begun: Instant,
    watch: &mut Watch<'_>,
) -> Result<Opened, Fault> {
    let limit = shared.config.connect_timeout;
    let deadline = (begun + limit).into();
    let resolved = timeout_at(deadline, shared.dns.resolve(&origin.host, begun)).await;
    let resolved = resolved.unwrap_or_else(|_| Err(dns::no_answer_within(&origin.host, limit)))?;
    let mut mark = begun;
    if matches!(resolved, Resolved::Name { looked_up: true, .. }) {
        mark = Instant::now();
        add(&mut watch.phases.dns, begun, mark);
    }
    let established = establish(shared, &resolved, origin, insecure, mark, watch);
    let connected = timeout_at(deadline, established).await;
    connected.unwrap_or_else(|_elapsed| Err(Fault::connect_timeout(limit, origin)))
}

async fn establish(
    shared: &Arc<Shared>,
    resolved: &Resolved,
    origin: &Origin,
    insecure: bool,
    mark: Instant,
    watch: &mut Watch<'_>,
) -> Result<Opened, Fault> {
    let progress = watch.progress;
    let ((tcp, attempt), begun) = match resolved {
        Resolved::Literal(ip) => (connect_only(shared, *ip, origin, progress).await?, mark),
        Resolved::Name { name, preferred, .. } => match &*preferred.addresses {
            [ip] => (connect_only(shared, *ip, origin, progress).await?, mark),
            _ => connect_any(shared, name, preferred, origin, progress).await?,
        },
    };
    let connected = Instant::now();
    add(&mut watch.phases.connect, mark, connected);
    let handshake = connected.saturating_duration_since(begun);
    if origin.scheme == Scheme::Http {
        attempt.succeeded();
        return Ok(Opened { stream: Stream::plain(tcp), handshake, done: connected });
    }
    let secured = match secure(shared, tcp, origin, insecure).await {
        Ok(secured) => secured,
        Err(fault) => {
            attempt.failed();
            return Err(fault);
        }
    };
    attempt.succeeded();
    let done = Instant::now();
    add(&mut watch.phases.tls, connected, done);
    Ok(Opened { stream: Stream::tls(secured), handshake, done })
}

async fn secure(
    shared: &Shared,
    tcp: TcpStream,
    origin: &Origin,
    insecure: bool,
) -> Result<TlsStream<TcpStream>, Fault> {
    let connector = shared.tls.connector(insecure).await?;
    let name = tls::server_name(&origin.host)?;
    connector.connect(name, tcp).await.map_err(|error| tls::handshake_fault(&error))
}

/// A connection whose TLS handshake is still to come, where there is one.
type Begun<'a> = (TcpStream, Attempt<'a>);

async fn connect_only<'a>(
    shared: &Shared,
    address: IpAddr,
    origin: &Origin,
    progress: &'a Progress,
) -> Result<Begun<'a>, Fault> {
    let target = SocketAddr::new(address, origin.port);
    attempt(shared, target, origin, progress).await.map_err(|failed| failed.fault)
}

/// Connects to one of several addresses: the one whose turn it is, and if it has no answer soon,
/// others beside it. The first that answers is taken; also tells when that attempt began.
async fn connect_any<'a>(
    shared: &Arc<Shared>,
    name: &Arc<Name>,
    preferred: &Preferred,
    origin: &Origin,
    progress: &'a Progress,
) -> Result<(Begun<'a>, Instant), Fault> {
    let fitting = of_families(preferred, |address| shared.sources.fit(address));
    let preferred = if fitting.addresses.is_empty() { preferred } else { &fitting };
    let (order, seed) = (shared.config.address_order, shared.config.seed);
    let Plan { order, probe } =
        known(name).plan(preferred, origin.port, order, seed, Instant::now());
    if let Some(address) = probe {
        let (shared, name, origin) = (Arc::clone(shared), Arc::clone(name), origin.clone());
        tokio::spawn(async move { probing(&shared, &name, address, &origin).await });
    }
    let raced = race::run(order.len(), ATTEMPT_DELAY, |index| {
        attempt(shared, order[index], origin, progress)
    });
    let race::Outcome { winner, failures, begun } = raced.await;
    let now = Instant::now();
    let mut addresses = known(name);
    for (index, failed) in &failures {
        if failed.by_other_side {
            addresses.failed(order[*index], begun[*index], now);
        }
    }
    let Some((winner, connected)) = winner else {
        drop(addresses);
        return Err(most_telling(failures));
    };
    addresses.answered(order[winner], now);
    for (index, begun) in begun.iter().enumerate() {
        let is_pending = index != winner && failures.iter().all(|(failed, _)| *failed != index);
        if is_pending && now.duration_since(*begun) >= ATTEMPT_DELAY {
            addresses.failed(order[index], *begun, now);
        }
    }
    Ok((connected, begun[winner]))
}

/// Looks whether an address that has failed is back. No request goes over that connection.
async fn probing(shared: &Shared, name: &Name, address: SocketAddr, origin: &Origin) {
    let (begun, no_request) = (Instant::now(), Progress::new());
    let connected = timeout(PROBE_MAX, attempt(shared, address, origin, &no_request)).await;
    let now = Instant::now();
    match connected {
        Ok(Ok(_connected)) => known(name).answered(address, now),
        Ok(Err(failed)) if !failed.by_other_side => {}
        _ => known(name).failed(address, begun, now),
    }
}

fn known(name: &Name) -> MutexGuard<'_, Addresses> {
    name.addresses.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same one of several, whichever address had the first turn: one that was reached and refused
/// comes before those that were not reached, as it happens, by the alphabet.
fn most_telling(failures: Vec<(usize, Failed)>) -> Fault {
    let faults = failures.into_iter().map(|(_, failed)| failed.fault);
    let first = faults.min_by(|one, other| one.message.cmp(&other.message));
    first.unwrap_or_else(|| Fault::new(ErrorKind::Dns, "host has no address"))
}

/// An attempt at one address.
struct Failed {
    fault: Fault,
    /// Not this machine, which has run out of something.
    by_other_side: bool,
}

async fn attempt<'a>(
    shared: &Shared,
    target: SocketAddr,
    origin: &Origin,
    progress: &'a Progress,
) -> Result<Begun<'a>, Failed> {
    let attempt = progress.attempt(target);
    match connect_to(shared, target, origin).await {
        Ok(tcp) => Ok((tcp, attempt)),
        Err(failed) => {
            attempt.failed();
            Err(failed)
        }
    }
}

async fn connect_to(
    shared: &Shared,
    target: SocketAddr,
    origin: &Origin,
) -> Result<TcpStream, Failed> {
    let source = shared.sources.towards(target.ip());
    let source = source.map_err(|fault| Failed { fault, by_other_side: false })?;
    connect_from(&shared.ports, source, target).await.map_err(|error| Failed {
        fault: Fault::connecting(&error, source, origin),
        by_other_side: matches!(
            error.kind(),
            IoErrorKind::ConnectionRefused
                | IoErrorKind::ConnectionReset
                | IoErrorKind::ConnectionAborted
                | IoErrorKind::TimedOut
                | IoErrorKind::HostUnreachable
                | IoErrorKind::NetworkUnreachable
                | IoErrorKind::NetworkDown
        ),
    })
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

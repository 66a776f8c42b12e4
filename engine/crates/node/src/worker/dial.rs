//! Reaching a master and registering.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::time::Duration;

use swarm_core::message::{Order, WorkerInfo};
use swarm_guest::Clock;
use swarm_wire::tls::{ClientTls, HandshakeError};
use swarm_wire::{
    Accepted, ConnectError, Secret, Session, WireError, WorkerHandler, auth, connect_guarded,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::prepare::on_another_thread;
use super::{MasterAddress, Trust};

/// How long one attempt to connect may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Capacity of a connection in memory, each way, in bytes.
const DUPLEX_BYTES: usize = 256 << 10;

/// What comes from the master.
#[derive(Debug)]
pub(super) enum FromMaster {
    Order(Box<Order>),
    Quit(String),
}

/// Hands over what comes from the master.
struct Inbox(mpsc::Sender<FromMaster>);

impl WorkerHandler for Inbox {
    async fn order(&self, order: Order) {
        // Waits while earlier orders are not taken: the master then keeps only the newest. An
        // error says that this connection is no longer of interest.
        let _ = self.0.send(FromMaster::Order(Box::new(order))).await;
    }

    fn quit(&self, reason: String) {
        let _ = self.0.try_send(FromMaster::Quit(reason));
    }
}

/// Orders that may wait for the control loop, and a quit.
const INBOX_MAX: usize = 4;

/// A connection to a master.
pub(super) struct Link {
    pub(super) session: Rc<Session>,
    pub(super) accepted: Accepted,
    /// When this worker asked to register, by its clock.
    pub(super) asked: Duration,
    pub(super) inbox: mpsc::Receiver<FromMaster>,
}

/// Why there is no link.
#[derive(Debug)]
pub(super) enum DialError {
    /// Trying again is of no use until somebody changes a setting.
    Refused(String),
    /// The master does not take this worker, and may do so in a while.
    RefusedForNow(String),
    /// Whoever answers is not our master, or there is something wrong with one's certificate.
    Untrusted(String),
    /// The machine is there, but no process that listens: the master is not there.
    NobodyListens(String),
    /// It may come back, or be there and out of reach.
    Failed(String),
}

/// Makes one attempt.
pub(super) async fn dial(
    address: &MasterAddress,
    trust: &Trust,
    info: &WorkerInfo,
    clock: &Clock,
) -> Result<Link, DialError> {
    let registration = Registration { info, clock };
    match address {
        MasterAddress::Tcp { host, port } => {
            let reaching = tokio::time::timeout(CONNECT_MAX, reach(host, *port)).await;
            let stream = reaching.map_err(|_| DialError::Failed("no answer".to_owned()))??;
            // Small messages that must not wait for each other.
            let _ = stream.set_nodelay(true);
            let secret = trust.secret().map_err(|error| DialError::Failed(error.to_string()))?;
            match &trust.tls {
                None => Ok(registration.ask(stream, secret.as_ref()).await?),
                Some(tls) => registration.ask_secured(stream, tls, secret.as_ref()).await,
            }
        }
        MasterAddress::InProcess(dial) => {
            let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
            if dial.send(theirs).await.is_err() {
                return Err(DialError::NobodyListens("the master has ended".to_owned()));
            }
            Ok(registration.ask(ours, None).await?)
        }
    }
}

/// Connects to the first address of the master that takes it. Only where each of them is refused
/// nobody listens.
async fn reach(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let failed = |error: std::io::Error| DialError::Failed(error.to_string());
    let mut failure = None;
    for address in addresses(host, port).await? {
        let error = match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        let refused = error.kind() == ErrorKind::ConnectionRefused;
        failure = Some(match failure {
            None | Some(DialError::NobodyListens(_)) if refused => {
                DialError::NobodyListens(error.to_string())
            }
            _ => failed(error),
        });
    }
    Err(failure.unwrap_or_else(|| DialError::Failed("it has no address".to_owned())))
}

/// The addresses of the master.
async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let host = host.to_owned();
    let found = on_another_thread(move || (host.as_str(), port).to_socket_addrs()).await;
    let found = found.map_err(DialError::Failed)?;
    found.map(Iterator::collect).map_err(|error| DialError::Failed(error.to_string()))
}

/// A worker that asks to register.
struct Registration<'a> {
    info: &'a WorkerInfo,
    clock: &'a Clock,
}

impl Registration<'_> {
    async fn ask<S>(self, stream: S, secret: Option<&Secret>) -> Result<Link, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (sender, inbox) = mpsc::channel(INBOX_MAX);
        let asked = self.clock.now();
        let connected = connect_guarded(stream, self.info, Rc::new(Inbox(sender)), secret);
        let (session, accepted) = connected.await?;
        Ok(Link { session: Rc::new(session), accepted, asked, inbox })
    }

    async fn ask_secured(
        self,
        stream: TcpStream,
        tls: &ClientTls,
        secret: Option<&Secret>,
    ) -> Result<Link, DialError> {
        let shaken = tokio::time::timeout(CONNECT_MAX, tls.connect(stream)).await;
        let stream = shaken.map_err(|_| DialError::Failed("no TLS handshake".to_owned()))??;
        let refusal = stream.refusal();
        let asked = self.ask(stream, secret).await;
        asked.map_err(|error| refusal.get().map_or_else(|| error.into(), Into::into))
    }
}

impl Trust {
    /// The token, and a nonce for one connection.
    fn secret(&self) -> std::io::Result<Option<Secret>> {
        let secret = |token| auth::nonce().map(|nonce| Secret::new(token, nonce));
        self.token.clone().map(secret).transpose()
    }
}

impl From<ConnectError> for DialError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Refused(reason) => Self::Refused(reason),
            ConnectError::RefusedForNow(reason) => Self::RefusedForNow(reason),
            ConnectError::Wire(WireError::Unsendable(error)) => {
                Self::Refused(format!("this worker cannot introduce itself: {error}"))
            }
            ConnectError::Untrusted(reason) => Self::Untrusted(reason),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<HandshakeError> for DialError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Unacceptable(reason) => Self::Untrusted(reason),
            HandshakeError::Failed(reason) => Self::Failed(reason),
        }
    }
}

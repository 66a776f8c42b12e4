//! The listener, its connections and its options.
//!
//! What is offered here drives a load generator, so who may call is narrow. On a loopback address
//! only the names of loopback are answered to, plus [`WebOptions::allowed_hosts`]: a name that
//! somebody pointed here (DNS rebinding) is refused. Requests that a browser marks as coming from
//! another origin are refused, and no CORS header is ever sent. On other addresses a login is the
//! caller's to demand, see [`WebOptions::login`], and TLS.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use crate::guard::Names;
use crate::history::HistoryFile;
use crate::live::Live;
use crate::login::{Gate, LoginToken, Peer, Place};
use crate::place::{BasePath, PublicName};
use crate::routes::{Parts, router};
use crate::view::Control;

/// Most connections at a time; further ones wait in the listener's queue.
const CONNECTIONS_MAX: usize = 512;

/// How long a client may take for the head of a request, idle time before it included.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);

/// How long the kernel keeps a connection whose other end takes nothing.
#[cfg(target_os = "linux")]
const STALL_TIME_MAX: Duration = Duration::from_secs(30);

/// Pause after a failed accept, which is mostly a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How long requests under way may take at the end.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// How long a TLS handshake may take.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// The first byte of a TLS connection: a record that is a handshake.
const TLS_HANDSHAKE: u8 = 22;

/// What a browser that does not speak TLS is told where it has to.
const USE_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Connection: close\r\nContent-Length: 31\r\n\r\nthis page speaks TLS: use https";

/// How the page is offered.
#[derive(Debug, Clone, Default)]
pub struct WebOptions {
    /// Path under which people reach the page. It is also answered to at the root, for proxies
    /// that take the path away.
    pub base_path: BasePath,
    /// Names under which the server may be called besides those of loopback, for example that of a
    /// proxy in front. On other than loopback addresses an empty list allows every name, and one
    /// that is not empty only those in it and loopback's.
    pub allowed_hosts: Vec<PublicName>,
    /// With a token, everything is behind a login.
    pub login: Option<LoginToken>,
    /// With a configuration, everything is served over TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// The CSV file of the statistics over time, when it has all names.
    pub full_history: Option<HistoryFile>,
}

/// Why the page cannot be offered.
#[derive(Debug, Error)]
pub enum WebError {
    /// The listener has no address.
    #[error("failed to read the address of the web listener")]
    Address(#[source] io::Error),
    /// The login lacks its keys.
    #[error("failed to set up the login")]
    Login(#[source] io::Error),
}

/// Serves until `shutdown` is ready, then lets requests under way end for two seconds.
///
/// Dropping the future closes the listener and all connections at once.
///
/// # Errors
/// When the listener has no address or the login no keys; nothing was served then.
pub async fn serve(
    listener: TcpListener,
    control: Control,
    options: WebOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), WebError> {
    let address = listener.local_addr().map_err(WebError::Address)?;
    let base = options.base_path.as_str();
    let names = Names {
        loopback: address.ip().is_loopback(),
        allowed: options.allowed_hosts.into(),
        own_port: address.port(),
    };
    let (close, closing) = watch::channel(false);
    let live = Live::new(control.view.clone(), closing.clone(), options.login.is_some());
    let gate = options.login.as_ref().map(|token| {
        let (port, secure) = (address.port(), options.tls.is_some());
        Gate::new(token, Place { base: base.to_owned(), port, secure }).map_err(WebError::Login)
    });
    let history = options.full_history;
    let parts = Parts { control, live, history, names, gate: gate.transpose()? };
    accept(listener, &router(base, &parts), options.tls, shutdown, close, closing).await;
    Ok(())
}

/// Serves a router until `shutdown` is ready, as [`serve`] does.
pub(crate) async fn accept(
    listener: TcpListener,
    router: &Router,
    tls: Option<Arc<ServerConfig>>,
    shutdown: impl Future<Output = ()>,
    close: watch::Sender<bool>,
    closing: watch::Receiver<bool>,
) {
    let tls = tls.map(TlsAcceptor::from);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let slot = slots.clone().acquire_owned().await.expect("never closed");
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let router = router.clone();
                let serving = open(stream, peer.ip(), tls.clone(), router, closing.clone());
                connections.spawn(async move {
                    serving.await;
                    drop(slot);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection to the web page");
                tokio::select! {
                    () = &mut shutdown => break,
                    () = sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }

    drop(listener);
    close.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    // Those that take longer are cut off when the set is dropped.
    let _ = timeout(DRAIN_TIME_MAX, drained).await;
}

/// Serves one connection, over TLS if there is an acceptor.
async fn open(
    stream: TcpStream,
    peer: IpAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    closing: watch::Receiver<bool>,
) {
    prepare(&stream);
    let Some(tls) = tls else { return serve_connection(stream, peer, router, closing).await };
    match timeout(HANDSHAKE_TIME_MAX, handshake(stream, &tls)).await {
        Ok(Ok(Some(stream))) => serve_connection(stream, peer, router, closing).await,
        Ok(Ok(None)) => tracing::debug!("{peer} does not speak TLS to the web page"),
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake for the web page failed"),
        Err(_) => tracing::debug!("a TLS handshake for the web page took too long"),
    }
}

/// `None` for one who speaks no TLS, and has been told.
async fn handshake(
    mut stream: TcpStream,
    tls: &TlsAcceptor,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0] != TLS_HANDSHAKE {
        // What it sends is read first, or the answer could be lost in a reset.
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await?;
        stream.write_all(USE_HTTPS).await?;
        stream.shutdown().await?;
        return Ok(None);
    }
    tls.accept(stream).await.map(Some)
}

pub(crate) async fn serve_connection<S>(
    stream: S,
    peer: IpAddr,
    router: Router,
    mut closing: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.call(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_MAX)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closed(&mut closing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the web page ended");
    }
}

/// Waits until the server stops.
pub(crate) async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error means that the server is gone altogether.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Small answers leave at once; a client that takes nothing is dropped, so that it cannot hold a
/// place for ever. Both are improvements that may fail without harm.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(STALL_TIME_MAX));
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

//! The listener, its connections and its options.
//!
//! What is offered here drives a load generator, so who may call is narrow. On a loopback address
//! only the names of loopback are answered to, plus [`WebOptions::allowed_hosts`]: a name that
//! somebody pointed here (DNS rebinding) is refused. Requests that a browser marks as coming from
//! another origin are refused, and no CORS header is ever sent.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::guard::Names;
use crate::live::Live;
use crate::routes::router;
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

/// How the page is offered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebOptions {
    /// Path under which everything lives, like `/swarm`; empty for the root.
    pub base_path: String,
    /// Names (without port) under which the server may be called besides those of loopback, for
    /// example that of a proxy in front. On other than loopback addresses an empty list allows
    /// every name, and one that is not empty only those in it and loopback's.
    pub allowed_hosts: Vec<String>,
}

/// Why the page cannot be offered.
#[derive(Debug, Error)]
pub enum WebError {
    /// [`WebOptions::base_path`] is no path.
    #[error(
        "web base path `{0}` is not usable: write it like /swarm, of letters, digits, `-`, `_`, `.`"
    )]
    BasePath(String),
    /// The listener has no address.
    #[error("failed to read the address of the web listener")]
    Address(#[source] io::Error),
}

/// Serves until `shutdown` is ready, then lets requests under way end for two seconds.
///
/// Dropping the future closes the listener and all connections at once.
///
/// # Errors
/// When an option is not usable or the listener has no address; nothing was served then.
pub async fn serve(
    listener: TcpListener,
    control: Control,
    options: WebOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), WebError> {
    let address = listener.local_addr().map_err(WebError::Address)?;
    let base = base_path(&options.base_path)?;
    let allowed = options.allowed_hosts.iter().map(|name| name.to_ascii_lowercase());
    let names = Names { loopback: address.ip().is_loopback(), allowed: allowed.collect() };
    let (close, closing) = watch::channel(false);
    let live = Live::new(control.view.clone(), closing.clone());
    let router = router(&base, &control, live, names);

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
            Ok((stream, _)) => {
                let serving = serve_connection(stream, router.clone(), closing.clone());
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
    Ok(())
}

async fn serve_connection(stream: TcpStream, router: Router, mut closing: watch::Receiver<bool>) {
    prepare(&stream);
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_MAX)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
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

/// Checks a base path and takes the final slash away.
fn base_path(path: &str) -> Result<String, WebError> {
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let segment = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(allowed);
    let usable = trimmed.is_empty()
        || trimmed.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment));
    if usable { Ok(trimmed.to_owned()) } else { Err(WebError::BasePath(path.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_paths_are_checked() {
        for (given, wanted) in [("", ""), ("/", ""), ("/swarm", "/swarm"), ("/a/b-1/", "/a/b-1")] {
            assert_eq!(base_path(given).unwrap(), wanted);
        }
        for given in ["swarm", "//", "/a//b", "/a b", "/{x}", "/..", "/a/./b", "/ä", "/a?b"] {
            assert!(base_path(given).is_err(), "{given}");
        }
    }
}

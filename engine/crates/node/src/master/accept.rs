//! Connections of workers: accepted, opened, served until they end.
//!
//! A connection from the network stands at the door until a worker has registered on it; who may,
//! and for how long, is decided by [`Admission`]. Whoever has no right to join gets no further.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use swarm_core::admission::{Admission, Arrival};
use swarm_core::attempts::FAILURES_MAX;
use swarm_core::message::{Digest, Heartbeat, Refusal, WorkerInfo};
use swarm_stats::delta::Report;
use swarm_wire::door::{Opened, open};
use swarm_wire::{Accepted, MasterHandler, Secret, WireError, WorkerHandle, auth, serve_guarded};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::state::Handler;
use super::{Entry, Workers};

/// Connections at a time, registered or not.
const CONNECTIONS_MAX: usize = 20_000;

/// Pause after a failed accept: most likely too few file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves each connection until it ends.
pub(super) async fn accept(handler: Handler, workers: Workers) {
    match workers {
        Workers::InProcess(mut dialled) => {
            let mut served = JoinSet::new();
            let mut connection = 0;
            while let Some(stream) = dialled.recv().await {
                connection += 1;
                let asked = Rc::new(handler.clone());
                served.spawn_local(handler.clone().serve(asked, stream, connection, None));
            }
            std::future::pending::<()>().await;
        }
        Workers::Tcp(listener, entry) => {
            let listener = listener.try_clone().and_then(tokio::net::TcpListener::from_std);
            match listener {
                Ok(listener) => Door::new(handler.clone(), entry).accept(&listener).await,
                Err(error) => {
                    handler.with(|state| state.notice(format!("no worker can connect: {error}")));
                }
            }
        }
    }
}

impl Handler {
    /// Serves a connection until it ends, or is closed by the state machine. `served` is who is
    /// asked; the state machine is behind it.
    async fn serve<S, H>(self, served: Rc<H>, stream: S, connection: u64, secret: Option<Secret>)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        H: MasterHandler,
    {
        let (close, closed) = oneshot::channel();
        self.with(|state| state.opened(connection, close));
        tokio::select! {
            () = serve_guarded(stream, served, connection, secret) => {}
            // The sender is dropped when the connection has ended by itself.
            Ok(()) = closed => {}
        }
    }
}

/// Between the network and the state machine.
struct Door {
    handler: Handler,
    entry: Entry,
    admission: RefCell<Admission>,
    /// Ends a connection that waits to make room for another.
    waiting: RefCell<HashMap<u64, oneshot::Sender<()>>>,
    connections: Cell<u64>,
    since: Instant,
}

impl Door {
    fn new(handler: Handler, entry: Entry) -> Rc<Self> {
        Rc::new(Self {
            handler,
            entry,
            admission: RefCell::default(),
            waiting: RefCell::default(),
            connections: Cell::new(0),
            since: Instant::now(),
        })
    }

    async fn accept(self: Rc<Self>, listener: &tokio::net::TcpListener) {
        let mut served = JoinSet::new();
        let mut failing = false;
        loop {
            let room = served.len() < CONNECTIONS_MAX;
            tokio::select! {
                Some(_) = served.join_next() => {}
                accepted = listener.accept(), if room => match accepted {
                    Ok((stream, peer)) => {
                        failing = false;
                        self.arrived(&mut served, stream, peer);
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut failing, true) {
                            let text = format!("a worker's connection was not accepted: {error}");
                            self.handler.with(|state| state.notice(text));
                        }
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }

    fn arrived(self: &Rc<Self>, served: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr) {
        let connection = self.connections.get() + 1;
        self.connections.set(connection);
        let now = self.since.elapsed();
        let arrival = self.admission.borrow_mut().arrived(now, connection, peer.ip());
        match arrival {
            Arrival::Admitted => {}
            // Told when it began; what it sends is not even looked at.
            Arrival::Blocked(_) => return,
            Arrival::InPlaceOf(other) => {
                if let Some(end) = self.waiting.borrow_mut().remove(&other) {
                    // It may have ended just now.
                    let _ = end.send(());
                }
            }
        }
        let (end, ended) = oneshot::channel();
        self.waiting.borrow_mut().insert(connection, end);
        // Small messages that must not wait for each other.
        let _ = stream.set_nodelay(true);
        let door = Rc::clone(self);
        served.spawn_local(async move {
            let here = Here { door, connection };
            tokio::select! {
                // The sender is dropped when a worker has registered.
                Ok(()) = ended => {
                    tracing::warn!("{peer} has not registered, and others wait: it was cut off");
                }
                () = here.door.serve(stream, peer, connection) => {}
            }
        });
    }

    /// Opens a connection and serves it.
    async fn serve(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr, connection: u64) {
        let opened = match open(stream, self.entry.tls.as_ref()).await {
            Ok(opened) => opened,
            Err(away) => {
                tracing::info!("{peer} was turned away: {}", away.reason);
                if away.unproven {
                    self.failed(connection);
                }
                return;
            }
        };
        let secret = match self.secret() {
            Ok(secret) => secret,
            Err(error) => return tracing::error!("{peer} was turned away: {error}"),
        };
        let (handler, asked) = (self.handler.clone(), Rc::clone(self));
        match opened {
            Opened::Plain(stream) => handler.serve(asked, stream, connection, secret).await,
            Opened::Secured(stream) => handler.serve(asked, *stream, connection, secret).await,
        }
    }

    fn secret(&self) -> std::io::Result<Option<Secret>> {
        let secret = |token| auth::nonce().map(|nonce| Secret::new(token, nonce));
        self.entry.token.clone().map(secret).transpose()
    }

    fn failed(&self, connection: u64) {
        let mut admission = self.admission.borrow_mut();
        let peer = admission.peer(connection);
        if admission.failed(self.since.elapsed(), connection)
            && let Some(peer) = peer
        {
            tracing::warn!(
                "{peer} has tried to join {FAILURES_MAX} times without the right secret: nobody \
                 from there is let in for a minute"
            );
        }
    }
}

/// A connection that is there, until dropped.
struct Here {
    door: Rc<Door>,
    connection: u64,
}

impl Drop for Here {
    fn drop(&mut self) {
        self.door.admission.borrow_mut().closed(self.connection);
        self.door.waiting.borrow_mut().remove(&self.connection);
    }
}

impl MasterHandler for Door {
    async fn register(
        &self,
        conn: u64,
        info: WorkerInfo,
        worker: WorkerHandle,
    ) -> Result<Accepted, Refusal> {
        let accepted = self.handler.register(conn, info, worker).await?;
        self.admission.borrow_mut().joined(conn);
        self.waiting.borrow_mut().remove(&conn);
        Ok(accepted)
    }

    fn unproven(&self, conn: u64) {
        self.failed(conn);
    }

    fn undeliverable(&self, conn: u64, order: u64, error: &WireError) {
        self.handler.undeliverable(conn, order, error);
    }

    fn heartbeat(&self, conn: u64, heartbeat: Heartbeat) -> impl Future<Output = u64> {
        self.handler.heartbeat(conn, heartbeat)
    }

    fn report(&self, conn: u64, report: Report) -> impl Future<Output = u64> {
        self.handler.report(conn, report)
    }

    fn module(&self, conn: u64, digest: &Digest) -> Option<Arc<[u8]>> {
        self.handler.module(conn, digest)
    }

    fn module_part(&self, conn: u64, from: usize, bytes: usize) -> impl Future<Output = ()> {
        self.handler.module_part(conn, from, bytes)
    }

    fn module_sent(&self, conn: u64) {
        self.handler.module_sent(conn);
    }

    fn leave(&self, conn: u64) {
        self.handler.leave(conn);
    }

    fn broke(&self, conn: u64) {
        self.handler.broke(conn);
    }

    fn closed(&self, conn: u64, reason: &str) {
        self.handler.closed(conn, reason);
    }
}

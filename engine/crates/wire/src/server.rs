//! The master's side: serves one connection, from registration to its end.

mod orders;
mod session;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use capnp_rpc::new_client;
use swarm_core::message::{Digest, Heartbeat, PROTOCOL_VERSION, WorkerInfo};
use swarm_stats::delta::Report;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

pub use orders::{Delivery, WorkerHandle};

use crate::Accepted;
use crate::codec::field::read_text;
use crate::codec::info::{read_worker, write_accepted, write_refused};
use crate::driver::Driver;
use crate::end::End;
use crate::generated::swarm_capnp::{master, registration, worker, worker_info};
use crate::limits::{REGISTER_TIMEOUT, VERSION_BYTES_MAX, WORKER_ID_BYTES_MAX};
use crate::network::Allowance;
use session::SessionServer;

/// What the master does with what workers say. `conn` is the number that the caller of
/// [`serve_connection`] gave to the connection.
///
/// A future that is still running when the connection ends is dropped; [`MasterHandler::closed`]
/// follows, so whatever a call has begun can be undone there.
pub trait MasterHandler: 'static {
    /// A worker of the right protocol wants to join. An error is the reason for refusing it.
    fn register(
        &self,
        conn: u64,
        info: WorkerInfo,
        worker: WorkerHandle,
    ) -> impl Future<Output = Result<Accepted, String>>;

    /// Takes a sign of life; the answer is the master's clock in milliseconds.
    fn heartbeat(&self, conn: u64, heartbeat: Heartbeat) -> impl Future<Output = u64>;

    /// Takes a report; the answer is the sequence number up to which all are applied.
    fn report(&self, conn: u64, report: Report) -> impl Future<Output = u64>;

    /// The bytes of a module, if the master has it.
    fn module(&self, conn: u64, digest: &Digest) -> Option<Arc<[u8]>>;

    /// The worker says goodbye; the end of the connection follows.
    fn leave(&self, conn: u64);

    /// The connection has ended, whether it was registered or not. Called exactly once.
    fn closed(&self, conn: u64, reason: &str);
}

/// Serves one connection until it ends: by the worker, by an error, by [`REGISTER_TIMEOUT`]
/// without a registration, or because the future is dropped, which closes it at once.
///
/// Wants a current-thread runtime. How many connections may be unregistered at a time is for the
/// caller to limit, as are options of the socket.
pub fn serve_connection<S, H>(stream: S, handler: Rc<H>, conn: u64) -> impl Future<Output = ()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: MasterHandler,
{
    let end = End::new();
    let closing = Closing { handler: Rc::clone(&handler), conn, end: end.clone() };
    let allowance = Allowance::unregistered();
    let (registered, registration) = oneshot::channel();
    let context = Rc::new(Context { handler, conn, end: end.clone() });
    let master: master::Client = new_client(MasterServer {
        context,
        allowance: Rc::clone(&allowance),
        asked: Cell::new(false),
        registered: Cell::new(Some(registered)),
    });
    let driver = Driver::server(stream, master.client, allowance, &end);
    async move {
        // Dropped last: when `closed` is called, the connection is closed.
        let _closing = closing;
        tokio::select! {
            biased;
            () = driver.run() => {}
            () = deliver_orders(registration, &end) => {}
        }
    }
}

/// Waits for the registration, then sends orders. Ends never: the driver decides.
async fn deliver_orders(registration: oneshot::Receiver<Registered>, end: &End) {
    match tokio::time::timeout(REGISTER_TIMEOUT, registration).await {
        Ok(Ok(Registered { worker, client })) => worker.deliver(&client).await,
        Ok(Err(_)) => {}
        Err(_) => {
            end.set(&format!("no worker has registered within {} s", REGISTER_TIMEOUT.as_secs()));
        }
    }
    std::future::pending::<()>().await;
}

/// What all that serves one connection needs.
struct Context<H> {
    handler: Rc<H>,
    conn: u64,
    end: End,
}

/// Tells the handler about the end, however it comes.
struct Closing<H: MasterHandler> {
    handler: Rc<H>,
    conn: u64,
    end: End,
}

impl<H: MasterHandler> Drop for Closing<H> {
    fn drop(&mut self) {
        self.end.set("closed by this side");
        let reason = self.end.reason().expect("just set");
        tracing::info!(conn = self.conn, %reason, "connection closed");
        self.handler.closed(self.conn, &reason);
    }
}

struct Registered {
    worker: WorkerHandle,
    client: worker::Client,
}

struct MasterServer<H> {
    context: Rc<Context<H>>,
    allowance: Rc<Allowance>,
    /// Whether a worker has asked to register: a connection is one worker's.
    asked: Cell<bool>,
    /// Stays here when a worker is refused, so that the time limit holds on.
    registered: Cell<Option<oneshot::Sender<Registered>>>,
}

impl<H: MasterHandler> master::Server for MasterServer<H> {
    async fn register(
        self: Rc<Self>,
        params: master::RegisterParams,
        mut results: master::RegisterResults,
    ) -> Result<(), capnp::Error> {
        let params = params.get()?;
        let mut answer = results.get().init_registration();
        let accepted = self.accept(params.get_info()?, params.get_worker(), answer.reborrow());
        if let Err(reason) = accepted.await {
            tracing::warn!(conn = self.context.conn, %reason, "worker refused");
            write_refused(&reason, answer);
        }
        Ok(())
    }
}

impl<H: MasterHandler> MasterServer<H> {
    /// Registers a worker and writes the answer. An error is the reason for refusing it.
    async fn accept(
        &self,
        info: worker_info::Reader<'_>,
        client: capnp::Result<worker::Client>,
        answer: registration::Builder<'_>,
    ) -> Result<(), String> {
        check_protocol(info)?;
        let info = read_worker(info).map_err(|error| format!("info.{error}"))?;
        let client = client.map_err(|error| format!("worker is malformed: {error}"))?;
        if self.asked.replace(true) {
            return Err("this connection has asked to register before".to_owned());
        }
        let Context { handler, conn, end } = &*self.context;
        let worker = WorkerHandle::new(end.clone());
        let accepted = handler.register(*conn, info, worker.clone()).await?;
        let session = new_client(SessionServer::new(Rc::clone(&self.context)));
        write_accepted(&accepted, session, answer).map_err(|error| format!("answer.{error}"))?;
        self.allowance.raise();
        if let Some(registered) = self.registered.take() {
            let _ = registered.send(Registered { worker, client });
        }
        Ok(())
    }
}

/// Comes before everything else: of another protocol nothing is known but where the number is.
fn check_protocol(info: worker_info::Reader<'_>) -> Result<(), String> {
    let protocol = info.get_protocol();
    if protocol == PROTOCOL_VERSION {
        return Ok(());
    }
    // Both are only words for the operator.
    let id = read_text("id", info.get_id(), WORKER_ID_BYTES_MAX).unwrap_or_default();
    let version = read_text("version", info.get_version(), VERSION_BYTES_MAX).unwrap_or_default();
    Err(format!(
        "worker {id:?} (swarm {version:?}) speaks protocol {protocol}, this master (swarm {:?}) \
         speaks protocol {PROTOCOL_VERSION}: run the same version on both",
        env!("CARGO_PKG_VERSION")
    ))
}

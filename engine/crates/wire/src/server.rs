//! The master's side: serves one connection, from registration to its end.

mod orders;
mod session;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use capnp_rpc::new_client;
use ring::hmac;
use swarm_core::message::{Digest, Heartbeat, Refusal, WorkerInfo};
use swarm_stats::delta::Report;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

pub use orders::{Delivery, WorkerHandle};

use crate::Accepted;
use crate::auth::{Nonce, Secret};
use crate::codec::info::{Reply, read_proof, read_worker, write_accepted, write_refused};
use crate::driver::Driver;
use crate::end::End;
use crate::error::WireError;
use crate::generated::swarm_capnp::{master, registration, worker, worker_info};
use crate::limits::REGISTER_TIMEOUT;
use crate::network::Allowance;
use crate::version;
use session::SessionServer;

/// What the master does with what workers say. `conn` is the number that the caller of
/// [`serve_connection`] gave to the connection.
///
/// A future that is still running when the connection ends is dropped; [`MasterHandler::closed`]
/// follows, so whatever a call has begun can be undone there.
pub trait MasterHandler: 'static {
    /// A worker of the right protocol wants to join.
    ///
    /// # Errors
    /// Why it may not.
    fn register(
        &self,
        conn: u64,
        info: WorkerInfo,
        worker: WorkerHandle,
    ) -> impl Future<Output = Result<Accepted, Refusal>>;

    /// An order cannot be sent to the worker, or the worker cannot take it: the same users in
    /// another order would fare no better.
    fn undeliverable(&self, conn: u64, order: u64, error: &WireError) {
        tracing::warn!(conn, order, %error, "an order cannot be delivered");
    }

    /// Who is on this connection has not proved that it knows the token; it is refused.
    fn unproven(&self, conn: u64) {
        let _ = conn;
    }

    /// Takes a sign of life; the answer is the master's clock in milliseconds.
    fn heartbeat(&self, conn: u64, heartbeat: Heartbeat) -> impl Future<Output = u64>;

    /// Takes a report; the answer is the sequence number up to which all are applied.
    fn report(&self, conn: u64, report: Report) -> impl Future<Output = u64>;

    /// The bytes of a module, if the master has it.
    fn module(&self, conn: u64, digest: &Digest) -> Option<Arc<[u8]>>;

    /// The next `bytes` of a module, those from `from` on, are to be sent to the worker, which has
    /// taken all before them but for a few chunks. They go when this resolves; it is dropped when
    /// the worker wants no more.
    fn module_part(&self, conn: u64, from: usize, bytes: usize) -> impl Future<Output = ()>;

    /// The worker has taken the last byte of a module.
    fn module_sent(&self, conn: u64);

    /// The worker says goodbye; the end of the connection follows.
    fn leave(&self, conn: u64);

    /// The connection ends, and not because the worker's process has closed it (as the kernel does
    /// when that dies): something on the way has broken it, or this side does. The worker may live.
    /// [`Self::closed`] follows.
    fn broke(&self, _conn: u64) {}

    /// The connection has ended, whether it was registered or not. Called exactly once.
    fn closed(&self, conn: u64, reason: &str);
}

/// Serves one connection until it ends: by the worker, by an error, by [`REGISTER_TIMEOUT`]
/// without a registration, or because the future is dropped, which closes it at once. Every
/// worker may join.
///
/// Wants a current-thread runtime. How many connections may be unregistered at a time is for the
/// caller to limit, as are options of the socket.
pub fn serve_connection<S, H>(stream: S, handler: Rc<H>, conn: u64) -> impl Future<Output = ()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: MasterHandler,
{
    serve_guarded(stream, handler, conn, None)
}

/// As [`serve_connection`], for workers that know the secret, if there is one. Nobody else gets a
/// session.
pub fn serve_guarded<S, H>(
    stream: S,
    handler: Rc<H>,
    conn: u64,
    secret: Option<Secret>,
) -> impl Future<Output = ()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: MasterHandler,
{
    let end = End::new();
    let closing = Closing { handler: Rc::clone(&handler), conn, end: end.clone() };
    let allowance = Allowance::unregistered();
    let (registered, registration) = oneshot::channel();
    let context = Rc::new(Context { handler, conn, end });
    let master: master::Client = new_client(MasterServer {
        context: Rc::clone(&context),
        allowance: Rc::clone(&allowance),
        secret,
        challenged: RefCell::new(None),
        asked: Cell::new(false),
        registered: Cell::new(Some(registered)),
    });
    let driver = Driver::server(stream, master.client, allowance, &context.end);
    async move {
        // Dropped last: when `closed` is called, the connection is closed.
        let _closing = closing;
        tokio::select! {
            biased;
            () = driver.run() => {}
            () = deliver_orders(registration, &context) => {}
        }
    }
}

/// Waits for the registration, then sends orders. Ends never: the driver decides.
async fn deliver_orders<H: MasterHandler>(
    registration: oneshot::Receiver<Registered>,
    context: &Context<H>,
) {
    let Context { handler, conn, end } = context;
    let failed = |order, error: &WireError| handler.undeliverable(*conn, order, error);
    match tokio::time::timeout(REGISTER_TIMEOUT, registration).await {
        Ok(Ok(Registered { worker, client })) => worker.deliver(&client, failed).await,
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
        if !self.end.is_by_peer() {
            self.handler.broke(self.conn);
        }
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
    secret: Option<Secret>,
    /// The nonce that a proof must cover, once it has been asked for; good for one registration.
    challenged: RefCell<Option<Nonce>>,
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
        if let Err(refusal) = accepted.await {
            let Refusal { reason, temporary } = &refusal;
            if *temporary {
                tracing::info!(conn = self.context.conn, %reason, "worker refused for now");
            } else {
                tracing::warn!(conn = self.context.conn, %reason, "worker refused");
            }
            write_refused(&refusal, answer);
        }
        Ok(())
    }

    async fn challenge(
        self: Rc<Self>,
        _params: master::ChallengeParams,
        mut results: master::ChallengeResults,
    ) -> Result<(), capnp::Error> {
        if let Some(secret) = &self.secret {
            results.get().set_nonce(&secret.nonce);
            self.challenged.replace(Some(secret.nonce));
        }
        Ok(())
    }
}

impl<H: MasterHandler> MasterServer<H> {
    /// Registers a worker and writes the answer.
    async fn accept(
        &self,
        info: worker_info::Reader<'_>,
        client: capnp::Result<worker::Client>,
        answer: registration::Builder<'_>,
    ) -> Result<(), Refusal> {
        let protocol = version::common(info)?;
        let proof = self.check_secret(info)?;
        let info = read_worker(info).map_err(|error| format!("info.{error}"))?;
        let client = client.map_err(|error| format!("worker is malformed: {error}"))?;
        if self.asked.replace(true) {
            return Err(Refusal::lasting("this connection has asked to register before"));
        }
        let Context { handler, conn, end } = &*self.context;
        let worker = WorkerHandle::new(end.clone());
        let accepted = handler.register(*conn, info, worker.clone()).await?;
        let session = new_client(SessionServer::new(Rc::clone(&self.context)));
        let reply = Reply { accepted: &accepted, protocol, proof: proof.as_ref() };
        write_accepted(&reply, session, answer).map_err(|error| format!("answer.{error}"))?;
        self.allowance.raise();
        if let Some(registered) = self.registered.take() {
            let _ = registered.send(Registered { worker, client });
        }
        Ok(())
    }

    /// Checks that the worker knows the secret; gives the proof that we know it too. Without a
    /// secret everybody may join.
    fn check_secret(&self, info: worker_info::Reader<'_>) -> Result<Option<hmac::Tag>, String> {
        let Some(secret) = &self.secret else { return Ok(None) };
        let proof = read_proof(info).map_err(|error| format!("info.{error}"))?;
        let challenged = self.challenged.take();
        let join = proof.join(challenged.as_ref());
        if join.is_workers(&secret.token, proof.proof) {
            return Ok(Some(join.master_proof(&secret.token)));
        }
        self.context.handler.unproven(self.context.conn);
        let told = match proof.proof {
            [] => "this master takes only workers with its join token, and this one has none",
            _ => "the join token of this worker is not the master's",
        };
        Err(format!(
            "{told}: give the worker the file that the master has as --token-file (or its text in \
             SWARM_TOKEN)"
        ))
    }
}

/// Answers a worker that speaks the protocol but cannot be let in, until the worker is gone or
/// [`REGISTER_TIMEOUT`] is over: its registration is refused with `reason`.
pub(crate) async fn refuse_connection<S>(stream: S, reason: String)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let end = End::new();
    let master: master::Client = new_client(Refusing(reason));
    let driver = Driver::server(stream, master.client, Allowance::unregistered(), &end);
    // Either way it is over.
    let _ = tokio::time::timeout(REGISTER_TIMEOUT, driver.run()).await;
}

struct Refusing(String);

impl master::Server for Refusing {
    async fn register(
        self: Rc<Self>,
        _params: master::RegisterParams,
        mut results: master::RegisterResults,
    ) -> Result<(), capnp::Error> {
        let refusal = Refusal::lasting(self.0.as_str());
        write_refused(&refusal, results.get().init_registration());
        Ok(())
    }
}

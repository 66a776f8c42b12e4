//! The worker's side: registers with a master and keeps the session.

mod sink;

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::rc::Rc;

use capnp_rpc::new_client;
use swarm_core::message::{Digest, Heartbeat, Order, Refusal, WorkerInfo};
use swarm_stats::delta::Report;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::Accepted;
use crate::auth::Secret;
use crate::codec::field::read_text;
use crate::codec::info::{self, Registration, write_proof, write_worker};
use crate::codec::{heartbeat, order, report};
use crate::driver::Driver;
use crate::end::End;
use crate::error::{ConnectError, FieldError, WireError};
use crate::generated::swarm_capnp::{master, session, worker};
use crate::limits::{REASON_BYTES_MAX, REGISTER_TIMEOUT};

/// What the worker does with what the master says.
pub trait WorkerHandler: 'static {
    /// Takes an order. The master sends the next when this one is taken, and never sooner.
    fn order(&self, order: Order) -> impl Future<Output = ()>;

    /// The worker shall end.
    fn quit(&self, reason: String);
}

/// Registers on a fresh connection and starts serving it. No order is handed over before this
/// returns.
///
/// # Errors
/// [`ConnectError::Refused`] or [`ConnectError::RefusedForNow`] with the master's reason;
/// [`ConnectError::Wire`] when the connection
/// ends, the other side is no master, or does not answer within [`REGISTER_TIMEOUT`]. Dropping
/// the future closes the connection.
///
/// # Panics
/// Outside a tokio `LocalSet`.
pub async fn connect<S, H>(
    stream: S,
    info: &WorkerInfo,
    handler: Rc<H>,
) -> Result<(Session, Accepted), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: WorkerHandler,
{
    connect_guarded(stream, info, handler, None).await
}

/// As [`connect`], with a secret that the worker and its master share, if there is one: the worker
/// proves that it knows it, and takes no order from a master that does not.
///
/// # Errors
/// As [`connect`]; [`ConnectError::Untrusted`] when the master does not know the secret.
///
/// # Panics
/// Outside a tokio `LocalSet`.
pub async fn connect_guarded<S, H>(
    stream: S,
    info: &WorkerInfo,
    handler: Rc<H>,
    secret: Option<&Secret>,
) -> Result<(Session, Accepted), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: WorkerHandler,
{
    let end = End::new();
    let closing = Closing(end.clone());
    let (driver, master) = Driver::client::<master::Client>(stream, &end);
    tokio::task::spawn_local(driver.run());
    let (accepted, gate) = watch::channel(false);
    let worker = new_client(WorkerServer { handler, gate });
    let answer = register(&master, &end, info, worker, secret);
    let answer = tokio::time::timeout(REGISTER_TIMEOUT, answer).await.map_err(|_| {
        let limit = REGISTER_TIMEOUT.as_secs();
        WireError::Closed(format!("no answer to the registration within {limit} s"))
    })??;
    let (client, answer) = answer;
    let _ = accepted.send(true);
    let fetching = Cell::new(false);
    Ok((Session { client, end, fetching, _accepted: accepted, _closing: closing }, answer))
}

/// Asks to be taken, and checks who answers.
async fn register(
    master: &master::Client,
    end: &End,
    info: &WorkerInfo,
    worker: worker::Client,
    secret: Option<&Secret>,
) -> Result<(session::Client, Accepted), ConnectError> {
    let master_nonce = match secret {
        Some(_) => challenge(master, end).await?,
        None => Vec::new(),
    };
    let mut request = master.register_request();
    write_worker(info, request.get().init_info())
        .map_err(|error| WireError::Unsendable(error.within("info")))?;
    if let Some(secret) = secret {
        let to = request.get().get_info();
        write_proof(info, secret, &master_nonce, to.map_err(unreadable)?);
    }
    request.get().set_worker(worker);
    let answer = end.call(request.send().promise).await?;
    let registration = malformed(malformed(answer.get())?.get_registration())?;
    match info::read_registration(registration).map_err(WireError::Answer)? {
        Registration::Refused(Refusal { reason, temporary: false }) => {
            Err(ConnectError::Refused(reason))
        }
        Registration::Refused(Refusal { reason, temporary: true }) => {
            Err(ConnectError::RefusedForNow(reason))
        }
        Registration::Accepted(client, accepted, proof) => {
            let known = |secret: &Secret| {
                info::join(info, secret, &master_nonce).is_masters(&secret.token, &proof)
            };
            if secret.is_none_or(known) {
                return Ok((client, accepted));
            }
            Err(ConnectError::Untrusted(format!("its join token is another; {TOKEN_FIX}")))
        }
    }
}

/// Asks for the master's nonce.
async fn challenge(master: &master::Client, end: &End) -> Result<Vec<u8>, ConnectError> {
    let answer = end.call(master.challenge_request().send().promise).await;
    let answer = match answer {
        // A master that does not know the question.
        Err(WireError::Remote(_)) => return Err(no_token()),
        answer => answer?,
    };
    match malformed(malformed(answer.get())?.get_nonce())? {
        [] => Err(no_token()),
        nonce => Ok(nonce.to_vec()),
    }
}

const TOKEN_FIX: &str = "give both the same --token-file (or SWARM_TOKEN)";

fn no_token() -> ConnectError {
    ConnectError::Untrusted(format!("it has no join token, and this worker has; {TOKEN_FIX}"))
}

fn unreadable(error: capnp::Error) -> WireError {
    WireError::Unsendable(FieldError::new("info", error))
}

fn malformed<T>(answer: capnp::Result<T>) -> Result<T, WireError> {
    answer.map_err(|error| WireError::Answer(FieldError::new("answer", error)))
}

/// A worker's session with its master. Dropping it closes the connection.
pub struct Session {
    client: session::Client,
    end: End,
    fetching: Cell<bool>,
    /// Keeps the gate open that orders pass.
    _accepted: watch::Sender<bool>,
    _closing: Closing,
}

impl Session {
    /// Gives a sign of life. The answer is the master's clock in milliseconds.
    ///
    /// # Errors
    /// As [`Session::report`].
    pub async fn heartbeat(&self, beat: &Heartbeat) -> Result<u64, WireError> {
        let mut request = self.client.heartbeat_request();
        heartbeat::write(beat, request.get().init_heartbeat())
            .map_err(|error| WireError::Unsendable(error.within("heartbeat")))?;
        let answer = self.end.call(request.send().promise).await?;
        Ok(malformed(answer.get())?.get_master_time_ms())
    }

    /// Sends a report. The answer is the sequence number up to which the master has applied all
    /// reports of the stream. When the future is dropped, the master may have it or not.
    ///
    /// # Errors
    /// [`WireError::Unsendable`] when it breaks a limit or contradicts itself: it would not be
    /// accepted later either. [`WireError::Remote`] when the master could not take it,
    /// [`WireError::Closed`] when the connection has ended.
    pub async fn report(&self, report: &Report) -> Result<u64, WireError> {
        let mut request = self.client.report_request();
        report::write(report, request.get().init_report())
            .map_err(|error| WireError::Unsendable(error.within("report")))?;
        let answer = self.end.call(request.send().promise).await?;
        Ok(malformed(answer.get())?.get_acked_sequence())
    }

    /// Fetches a module from `offset` on; `sink` gets its bytes in order. The answer is the size
    /// of the whole module in bytes. Whether they are the right bytes only their digest tells: it
    /// is the caller's to check. When the future is dropped, the master stops sending.
    ///
    /// # Errors
    /// [`WireError::Module`] when the sink fails, when another fetch is under way, or when the
    /// bytes are fewer or more than the master says; otherwise as [`Session::report`].
    pub async fn fetch_module(
        &self,
        digest: &Digest,
        offset: u64,
        sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<u64, WireError> {
        if self.fetching.replace(true) {
            return Err(WireError::Module("another fetch is under way".to_owned()));
        }
        let _fetching = Fetching(&self.fetching);
        let (chunks, taking) = sink::channel(offset, sink);
        let mut request = self.client.fetch_module_request();
        request.get().set_digest(digest);
        request.get().set_offset(offset);
        request.get().set_sink(chunks);
        let answer = self.end.call(request.send().promise);
        taking.until(answer).await
    }

    /// Says goodbye. Drop the session afterwards.
    ///
    /// # Errors
    /// As [`Session::report`].
    pub async fn leave(&self) -> Result<(), WireError> {
        self.end.call(self.client.leave_request().send().promise).await.map(drop)
    }

    /// Waits until the connection has ended; says why. Cancel safe.
    pub async fn closed(&self) -> String {
        self.end.wait().await.to_string()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("ended", &self.end.reason()).finish_non_exhaustive()
    }
}

/// Ends the connection when dropped.
struct Closing(End);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.set("closed by this side");
    }
}

/// Marks a fetch as under way until dropped.
struct Fetching<'a>(&'a Cell<bool>);

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

struct WorkerServer<H> {
    handler: Rc<H>,
    /// True once the caller of [`connect`] has its session.
    gate: watch::Receiver<bool>,
}

impl<H: WorkerHandler> worker::Server for WorkerServer<H> {
    async fn order(
        self: Rc<Self>,
        params: worker::OrderParams,
        _results: worker::OrderResults,
    ) -> Result<(), capnp::Error> {
        let order = order::read(params.get()?.get_order()?)
            .map_err(|error| unusable(&error.within("order")))?;
        self.trusted().await?;
        self.handler.order(order).await;
        Ok(())
    }

    async fn quit(
        self: Rc<Self>,
        params: worker::QuitParams,
        _results: worker::QuitResults,
    ) -> Result<(), capnp::Error> {
        let reason = read_text("reason", params.get()?.get_reason(), REASON_BYTES_MAX)
            .map_err(|error| unusable(&error))?;
        self.trusted().await?;
        self.handler.quit(reason);
        Ok(())
    }
}

impl<H> WorkerServer<H> {
    /// Waits until the master is known to be the one. An error when it is not: then it has nobody
    /// to order about.
    async fn trusted(&self) -> Result<(), capnp::Error> {
        let mut gate = self.gate.clone();
        let open = gate.wait_for(|open| *open).await.map(drop);
        open.map_err(|_| capnp::Error::failed("this worker is not yours".to_owned()))
    }
}

fn unusable(error: &FieldError) -> capnp::Error {
    tracing::warn!(%error, "unusable message from the master");
    capnp::Error::failed(error.to_string())
}

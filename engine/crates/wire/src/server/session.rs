//! What a registered worker may call.

use std::cell::Cell;
use std::rc::Rc;

use super::{Context, MasterHandler};
use crate::codec::field::read_digest;
use crate::codec::{heartbeat, report};
use crate::error::FieldError;
use crate::generated::swarm_capnp::{byte_sink, session};
use crate::limits::{CALLS_IN_FLIGHT_MAX, MODULE_CHUNK_BYTES};

pub(super) struct SessionServer<H> {
    context: Rc<Context<H>>,
    /// Heartbeats and reports that are being answered.
    calls: Rc<Cell<usize>>,
    /// Modules that are being sent.
    fetches: Rc<Cell<usize>>,
}

impl<H> SessionServer<H> {
    pub(super) fn new(context: Rc<Context<H>>) -> SessionServer<H> {
        SessionServer { context, calls: Rc::default(), fetches: Rc::default() }
    }

    /// Tells the operator what a worker said that cannot be, and the worker too.
    fn unusable(&self, error: &FieldError) -> capnp::Error {
        tracing::warn!(conn = self.context.conn, %error, "unusable message from worker");
        capnp::Error::failed(error.to_string())
    }
}

impl<H: MasterHandler> session::Server for SessionServer<H> {
    async fn heartbeat(
        self: Rc<Self>,
        params: session::HeartbeatParams,
        mut results: session::HeartbeatResults,
    ) -> Result<(), capnp::Error> {
        let _call = InFlight::enter(&self.calls, CALLS_IN_FLIGHT_MAX, "calls")?;
        let beat = heartbeat::read(params.get()?.get_heartbeat()?)
            .map_err(|error| self.unusable(&error.within("heartbeat")))?;
        let Context { handler, conn, .. } = &*self.context;
        results.get().set_master_time_ms(handler.heartbeat(*conn, beat).await);
        Ok(())
    }

    async fn report(
        self: Rc<Self>,
        params: session::ReportParams,
        mut results: session::ReportResults,
    ) -> Result<(), capnp::Error> {
        let _call = InFlight::enter(&self.calls, CALLS_IN_FLIGHT_MAX, "calls")?;
        let report = report::read(params.get()?.get_report()?)
            .map_err(|error| self.unusable(&error.within("report")))?;
        // The message is as large as what was read from it.
        drop(params);
        let Context { handler, conn, .. } = &*self.context;
        results.get().set_acked_sequence(handler.report(*conn, report).await);
        Ok(())
    }

    async fn fetch_module(
        self: Rc<Self>,
        params: session::FetchModuleParams,
        mut results: session::FetchModuleResults,
    ) -> Result<(), capnp::Error> {
        let _fetch = InFlight::enter(&self.fetches, 1, "fetches of a module")?;
        let params = params.get()?;
        let digest =
            read_digest("digest", params.get_digest()).map_err(|error| self.unusable(&error))?;
        let Context { handler, conn, .. } = &*self.context;
        let module = handler
            .module(*conn, &digest)
            .ok_or_else(|| capnp::Error::failed("the master does not have this module".into()))?;
        let rest = usize::try_from(params.get_offset()).ok().and_then(|at| module.get(at..));
        let rest = rest.ok_or_else(|| {
            capnp::Error::failed(format!("offset lies beyond the module's {} bytes", module.len()))
        })?;
        send(rest, &params.get_sink()?).await?;
        results.get().set_size(module.len() as u64);
        Ok(())
    }

    async fn leave(
        self: Rc<Self>,
        _params: session::LeaveParams,
        _results: session::LeaveResults,
    ) -> Result<(), capnp::Error> {
        self.context.handler.leave(self.context.conn);
        Ok(())
    }
}

/// Sends bytes no faster than the sink takes them: flow control keeps about two chunks on their
/// way, so nothing else on this connection waits behind more than these.
async fn send(bytes: &[u8], sink: &byte_sink::Client) -> Result<(), capnp::Error> {
    for chunk in bytes.chunks(MODULE_CHUNK_BYTES) {
        let mut request = sink.write_request();
        request.get().set_bytes(chunk);
        request.send().await?;
    }
    sink.done_request().send().promise.await.map(drop)
}

/// One of a limited number of calls.
struct InFlight(Rc<Cell<usize>>);

impl InFlight {
    fn enter(count: &Rc<Cell<usize>>, max: usize, what: &str) -> Result<InFlight, capnp::Error> {
        if count.get() >= max {
            return Err(capnp::Error::overloaded(format!("more than {max} {what} at a time")));
        }
        count.set(count.get() + 1);
        Ok(InFlight(Rc::clone(count)))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

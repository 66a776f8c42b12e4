//! What a registered worker may call.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use swarm_core::bucket::Bucket;
use tokio::time::Instant;

use super::{Context, MasterHandler};
use crate::codec::field::read_digest;
use crate::codec::{heartbeat, report};
use crate::error::FieldError;
use crate::generated::swarm_capnp::{byte_sink, session};
use crate::limits::{
    CALLS_IN_FLIGHT_MAX, FETCH_INTERVAL_MIN, FETCHES_BURST, HEARTBEAT_INTERVAL_MIN,
    HEARTBEATS_BURST, MODULE_CHUNK_BYTES, REPORT_INTERVAL_MIN, REPORTS_BURST,
};

pub(super) struct SessionServer<H> {
    context: Rc<Context<H>>,
    /// Heartbeats and reports that are being answered.
    calls: Rc<Cell<usize>>,
    /// Modules that are being sent.
    fetches: Rc<Cell<usize>>,
    /// How much of each kind of call the worker still has.
    rates: RefCell<Rates>,
    /// When the rates began.
    since: Instant,
}

struct Rates {
    heartbeats: Bucket,
    reports: Bucket,
    fetches: Bucket,
}

impl<H> SessionServer<H> {
    pub(super) fn new(context: Rc<Context<H>>) -> SessionServer<H> {
        let rates = RefCell::new(Rates {
            heartbeats: Bucket::new(HEARTBEAT_INTERVAL_MIN, HEARTBEATS_BURST),
            reports: Bucket::new(REPORT_INTERVAL_MIN, REPORTS_BURST),
            fetches: Bucket::new(FETCH_INTERVAL_MIN, FETCHES_BURST),
        });
        let since = Instant::now();
        SessionServer { context, calls: Rc::default(), fetches: Rc::default(), rates, since }
    }

    /// Counts a call. A worker that calls more often than it can have a reason to is cut off.
    fn spend(
        &self,
        what: &str,
        bucket: impl FnOnce(&mut Rates) -> &mut Bucket,
    ) -> Result<(), capnp::Error> {
        if bucket(&mut self.rates.borrow_mut()).take(self.since.elapsed()) {
            return Ok(());
        }
        let reason = format!("the worker sends more {what} than it may");
        self.context.end.set(&reason);
        Err(capnp::Error::overloaded(reason))
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
        self.spend("heartbeats", |rates| &mut rates.heartbeats)?;
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
        self.spend("reports", |rates| &mut rates.reports)?;
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
        self.spend("fetches of a module", |rates| &mut rates.fetches)?;
        let _fetch = InFlight::enter(&self.fetches, 1, "fetches of a module")?;
        let params = params.get()?;
        let digest =
            read_digest("digest", params.get_digest()).map_err(|error| self.unusable(&error))?;
        let Context { handler, conn, .. } = &*self.context;
        let module = handler
            .module(*conn, &digest)
            .ok_or_else(|| capnp::Error::failed("the master does not have this module".into()))?;
        let from = usize::try_from(params.get_offset()).ok().filter(|&at| at <= module.len());
        let from = from.ok_or_else(|| {
            capnp::Error::failed(format!("offset lies beyond the module's {} bytes", module.len()))
        })?;
        self.send(&module, from, &params.get_sink()?).await?;
        results.get().set_size(module.len() as u64);
        Ok(())
    }

    async fn leave(
        self: Rc<Self>,
        _params: session::LeaveParams,
        _results: session::LeaveResults,
    ) -> Result<(), capnp::Error> {
        self.spend("goodbyes", |rates| &mut rates.heartbeats)?;
        self.context.handler.leave(self.context.conn);
        Ok(())
    }
}

impl<H: MasterHandler> SessionServer<H> {
    /// Sends bytes no faster than the handler allows and the sink takes them: flow control keeps
    /// about two chunks on their way, so nothing else on this connection waits behind more than
    /// these.
    async fn send(
        &self,
        module: &[u8],
        from: usize,
        sink: &byte_sink::Client,
    ) -> Result<(), capnp::Error> {
        let Context { handler, conn, .. } = &*self.context;
        let places = (from..).step_by(MODULE_CHUNK_BYTES);
        for (at, chunk) in places.zip(module[from..].chunks(MODULE_CHUNK_BYTES)) {
            handler.module_part(*conn, at, chunk.len()).await;
            let mut request = sink.write_request();
            request.get().set_bytes(chunk);
            request.send().await?;
        }
        sink.done_request().send().promise.await?;
        handler.module_sent(*conn);
        Ok(())
    }
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

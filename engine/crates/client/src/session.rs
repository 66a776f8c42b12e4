//! One virtual user's client: where connections, cookies, headers and redirects come together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::{HeaderValue, SET_COOKIE};
use tokio::time::timeout_at;

use crate::connect;
use crate::cookies::Jar;
use crate::error::{Error, ErrorKind, Fault, duration_text};
use crate::h1::{Answer, Connection};
use crate::headers::{self, Call, HEADERS_MAX};
use crate::message::{Phases, Request, Response, add};
use crate::name::sample_name;
use crate::pool::{Pool, Slot};
use crate::redirect;
use crate::shared::Shared;
use crate::target::Target;
use crate::url::BaseUrl;

/// Longest timeout of a request; a longer one means this.
const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// One virtual user's HTTP client. Dropping it closes its connections.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    base: Option<BaseUrl>,
    pool: Pool,
    state: Mutex<State>,
}

/// Boxed where most sessions have none: there may be a hundred thousand of them.
#[derive(Debug, Default)]
struct State {
    headers: Option<Box<HeaderMap>>,
    cookies: Option<Box<Jar>>,
}

/// Clock and phases of one request.
struct Watch {
    /// The end of what was measured last.
    mark: Instant,
    phases: Phases,
}

impl Session {
    /// A client without connections and cookies. Relative URLs are below `base`; without one,
    /// only absolute URLs can be sent. `base` has to be allowed like any other host.
    #[must_use]
    pub fn new(shared: Arc<Shared>, base: Option<BaseUrl>) -> Self {
        let pool = Pool::new(shared.config.connections_per_host_max);
        Self { shared, base, pool, state: Mutex::default() }
    }

    /// Sets a header of every request from now on. The last value of a name wins.
    ///
    /// # Errors
    /// [`ErrorKind::Other`] if the name is no token, the value holds a line break, the header is
    /// the client's own (`content-length`, `transfer-encoding`), or there are too many.
    pub fn header(&self, name: &str, value: &str) -> Result<(), Error> {
        let parsed = headers::parse_default(name, value);
        let (name, value) = parsed.map_err(|fault| fault.after(Duration::ZERO))?;
        let mut state = self.state();
        let map = state.headers.get_or_insert_default();
        if map.len() >= HEADERS_MAX && !map.contains_key(&name) {
            let fault = Fault::other(format!("session with more than {HEADERS_MAX} headers"));
            return Err(fault.after(Duration::ZERO));
        }
        map.insert(name, value);
        Ok(())
    }

    /// Where relative URLs lead.
    #[must_use]
    pub fn base(&self) -> Option<&BaseUrl> {
        self.base.as_ref()
    }

    /// Sends a request, follows its redirects, reads the final response to its end.
    ///
    /// A kept connection that the server closed before it sent a byte of the answer is stale: the
    /// request is sent once more, on a new connection, whatever its method. That is not for
    /// errors on a new connection, and not once a byte has arrived.
    ///
    /// Cancel safe: dropping the future closes the connection in use.
    ///
    /// # Errors
    /// See [`ErrorKind`]. Any status is a response, not an error.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let start = Instant::now();
        let timeout = request.timeout.unwrap_or(self.shared.config.request_timeout);
        let deadline = start + timeout.min(TIMEOUT_MAX);
        let outcome = match timeout_at(deadline.into(), self.follow(request, start)).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => {
                let limit = duration_text(timeout);
                let message = format!("timed out after {limit} (request timeout)");
                Err(Fault::new(ErrorKind::Timeout, message))
            }
        };
        outcome.map_err(|fault| fault.after(Instant::now() - start))
    }

    async fn follow(&self, request: Request, start: Instant) -> Result<Response, Fault> {
        let mut target = Target::resolve(self.base.as_ref(), &request.url)?;
        let mut call = Call::new(&request)?;
        let limit = request.redirects.unwrap_or(self.shared.config.redirects_max);
        let mut watch = Watch { mark: start, phases: Phases::default() };
        let mut followed = 0;
        loop {
            self.shared.allowed.check(&target.origin)?;
            let answer = self.exchange(&call, &target, &mut watch).await?;
            self.keep_cookies(&answer.headers, &target)?;
            if limit > 0
                && let Some(next) =
                    redirect::next(answer.status, &answer.headers, &target, &mut call)?
            {
                if followed == limit {
                    return Err(Fault::other(format!("more than {limit} redirects")));
                }
                followed += 1;
                target = next;
                continue;
            }
            return Ok(Response {
                status: answer.status.as_u16(),
                headers: answer.headers,
                body_bytes: answer.body.len() as u64,
                body: answer.body,
                elapsed: answer.done_at - start,
                phases: watch.phases,
                path: sample_name(&request.url, self.base.as_ref()),
            });
        }
    }

    /// One request and its response, on a kept connection or a new one.
    async fn exchange(
        &self,
        call: &Call,
        target: &Target,
        watch: &mut Watch,
    ) -> Result<Answer, Fault> {
        let slot = self.slot(target, watch).await?;
        while let Some(mut connection) = self.pool.take_idle(&slot) {
            if !connection.ready().await {
                continue;
            }
            let request = self.build(call, target)?;
            match connection.exchange(request, &self.shared.h1).await {
                Ok(answer) => return Ok(self.finish(slot, connection, answer, watch)),
                Err(failure) if failure.unanswered => break,
                Err(failure) => return Err(failure.fault),
            }
        }
        // Boxed: few requests need a new connection, and its future is large.
        let mut connection = Box::pin(self.connect(target, watch)).await?;
        let request = self.build(call, target)?;
        let answer = connection.exchange(request, &self.shared.h1).await;
        let answer = answer.map_err(|failure| failure.fault)?;
        Ok(self.finish(slot, connection, answer, watch))
    }

    async fn slot(&self, target: &Target, watch: &mut Watch) -> Result<Slot, Fault> {
        if let Some(slot) = self.pool.try_slot(&target.origin)? {
            return Ok(slot);
        }
        let slot = self.pool.slot(&target.origin).await?;
        let now = Instant::now();
        add(&mut watch.phases.blocked, watch.mark, now);
        watch.mark = now;
        Ok(slot)
    }

    async fn connect(&self, target: &Target, watch: &mut Watch) -> Result<Connection, Fault> {
        let begun = Instant::now();
        let opened = connect::open(&self.shared, &target.origin, begun, &mut watch.phases).await;
        let (stream, done) = opened?;
        watch.mark = done;
        Connection::open(stream, &self.shared.h1).await
    }

    fn build(&self, call: &Call, target: &Target) -> Result<http::Request<bytes::Bytes>, Fault> {
        let state = self.state();
        let session = state.headers.as_deref();
        let cookie = match &state.cookies {
            Some(jar) if !call.has_cookie(session) => jar.header(&target.url()?),
            _ => None,
        };
        Ok(call.build(target, session, &self.shared.automatic, cookie))
    }

    fn finish(
        &self,
        slot: Slot,
        connection: Connection,
        answer: Answer,
        watch: &mut Watch,
    ) -> Answer {
        self.pool.put(slot, connection);
        add(&mut watch.phases.first_byte, watch.mark, answer.head_at);
        add(&mut watch.phases.receive, answer.head_at, answer.done_at);
        watch.mark = answer.done_at;
        answer
    }

    fn keep_cookies(&self, headers: &HeaderMap<HeaderValue>, target: &Target) -> Result<(), Fault> {
        if !headers.contains_key(SET_COOKIE) {
            return Ok(());
        }
        let url = target.url()?;
        let mut state = self.state();
        let jar = state.cookies.get_or_insert_default();
        jar.keep(headers.get_all(SET_COOKIE).iter(), &url);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

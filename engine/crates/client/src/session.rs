//! One virtual user's client: where connections, cookies, headers and redirects come together.
//!
//! # The common request
//! A relative URL without anything to encode, no headers of the request, no cookies, a kept
//! connection, no redirect: nothing of it is parsed, looked up by name or allocated here. The head
//! is copied together from pieces that are ready (`headers`, `call`) into memory of the thread,
//! two uncontended locks are taken (for the connection, and to give it back), and the clock is
//! read once here and once or twice by the connection. What is rare is in futures of its own on
//! the heap: waiting for a slot, connecting, redirects.
//!
//! # Sending again
//! A server may close an idle connection at the moment when a request is sent on it: nobody is at
//! fault, and the server has not acted on the request. That race is over within a round trip. So
//! what a kept connection has ended without a byte of an answer is sent again on a new one if the
//! end came within the time of the connection's TCP handshake (at most [`HANDSHAKE_MAX`]) and
//! `ClientConfig::resend_within`, and if the method is idempotent, for from here nobody can know
//! that the server did not act on it after all (RFC 9110, 9.2.2). It is sent again once, and
//! counted ([`Progress::resent`]). All else is a failure.
//!
//! An end that has arrived before a request is sent is no race: the connection is left alone. What
//! the runtime has not been told yet is asked of the kernel where the request would fail by it and
//! the connection has been idle for a while.
//!
//! # Cost
//! Measured on one core with 64 connections, nginx on the other, all in the same minutes: 3.9 µs
//! of CPU a request, 0.8 of them outside the kernel; wrk takes 4.3 and 0.5, a session over hyper
//! took 6.1 and 2.6 (`examples/throughput.rs`). One allocation, the header lines of the answer; a
//! second one for a body that is kept (`tests/allocations.rs`).
//!
//! # Memory
//! A session at rest has 128 bytes, its one kept connection included, and the runtime's
//! registration of that: together 511 bytes measured (`examples/idle_memory.rs`). A request under
//! way is a future of 960 bytes and a buffer for its head.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::call::{Call, HeadBuffer};
use crate::connect::{self, Opened};
use crate::cookies::Jar;
use crate::deadline::before;
use crate::dns;
use crate::error::{Error, ErrorKind, Fault, duration_text};
use crate::h1::{Answer, Connection, Failure, Outgoing, Stage};
use crate::head::Headers;
use crate::headers::Template;
use crate::message::{Phases, Request, Response, add};
use crate::method::Method;
use crate::pool::{Care, Pool, Slot, Taken};
use crate::progress::Progress;
use crate::redirect;
use crate::shared::Shared;
use crate::target::Target;
use crate::url::BaseUrl;

/// Longest timeout of a request; a longer one means this.
const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// The most that a TCP handshake says about the round trip: one that lost a packet takes a second.
const HANDSHAKE_MAX: Duration = Duration::from_millis(500);

/// One virtual user's HTTP client. Dropping it closes its connections.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    base: Option<BaseUrl>,
    /// Asked once: most requests go to the base URL.
    base_allowed: bool,
    pool: Pool,
    /// Made when there is something to keep: there may be a million sessions without.
    own: OnceLock<Box<Mutex<Own>>>,
}

/// What a session has that others have not.
#[derive(Debug, Default)]
struct Own {
    template: Option<Template>,
    cookies: Option<Jar>,
}

/// What is noted of one request on its way.
pub(crate) struct Watch<'a> {
    pub(crate) progress: &'a Progress,
    /// The end of what was measured last.
    mark: Instant,
    pub(crate) phases: Phases,
}

impl Session {
    /// A client without connections and cookies. Relative URLs are below `base`; without one,
    /// only absolute URLs can be sent. `base` has to be allowed like any other host.
    #[must_use]
    pub fn new(shared: Arc<Shared>, base: Option<BaseUrl>) -> Self {
        let base_allowed = base.as_ref().is_some_and(|base| shared.allowed.permits(base));
        Self { shared, base, base_allowed, pool: Pool::default(), own: OnceLock::new() }
    }

    /// Sets a header of every request from now on. The last value of a name wins.
    ///
    /// # Errors
    /// [`ErrorKind::Other`] if the name is no token, the value holds a line break, the header is
    /// the client's own (`content-length`, `transfer-encoding`), or there are too many.
    pub fn header(&self, name: &str, value: &str) -> Result<(), Error> {
        let mut own = lock(self.own.get_or_init(Box::default));
        let template = own.template.get_or_insert_with(|| self.shared.template.clone());
        template.set(name, value).map_err(|fault| fault.after(Duration::ZERO))
    }

    /// Where relative URLs lead.
    #[must_use]
    pub fn base(&self) -> Option<&BaseUrl> {
        self.base.as_ref()
    }

    /// For [`Self::send_noted`]. It notes addresses as well if the session's
    /// [`ClientConfig::notes_addresses`](crate::ClientConfig) says so.
    #[must_use]
    pub fn progress(&self) -> Progress {
        match self.shared.config.notes_addresses {
            true => Progress::by_address(),
            false => Progress::new(),
        }
    }

    /// Sends a request, follows its redirects, reads the final response to its end.
    ///
    /// A request of an idempotent method that meets the server closing a kept connection is sent
    /// once more, on a new one; see [`ClientConfig::resend_within`](crate::ClientConfig). Errors on
    /// a new connection, later ends, and those after a byte of the answer are failures.
    ///
    /// Cancel safe: dropping the future closes the connection in use.
    ///
    /// # Errors
    /// See [`ErrorKind`]. Any status is a response, not an error.
    pub fn send(&self, request: Request) -> impl Future<Output = Result<Response, Error>> + Send {
        self.send_asked(request, None)
    }

    /// As [`Self::send`], and `progress` tells how far the request has come, also when the future
    /// is dropped.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_noted<'a>(
        &'a self,
        request: Request,
        progress: &'a Progress,
    ) -> impl Future<Output = Result<Response, Error>> + Send + 'a {
        self.send_asked(request, Some(progress))
    }

    /// `progress` is where the caller asks for it.
    #[expect(clippy::manual_async_fn, reason = "an `async fn` holds its arguments twice")]
    fn send_asked<'a>(
        &'a self,
        request: Request,
        progress: Option<&'a Progress>,
    ) -> impl Future<Output = Result<Response, Error>> + Send + 'a {
        async move {
            let unasked = Progress::new();
            let progress = progress.unwrap_or(&unasked);
            let start = Instant::now();
            let deadline = start + self.timeout(&request).min(TIMEOUT_MAX);
            let run = self.run(&request, start, progress);
            let outcome = match before(deadline.into(), run).await {
                Some(outcome) => outcome,
                None => Err(self.timed_out(&request, progress)),
            };
            outcome.map_err(|fault| fault.after(Instant::now() - start))
        }
    }

    fn timeout(&self, request: &Request) -> Duration {
        request.timeout.unwrap_or(self.shared.config.request_timeout)
    }

    /// What there was no time for. Of a redirect's connection the host is not known here.
    #[cold]
    fn timed_out(&self, request: &Request, progress: &Progress) -> Fault {
        let timeout = self.timeout(request);
        let limit = duration_text(timeout);
        let message = format!("timed out after {limit} (request timeout)");
        match Target::resolve(self.base.as_ref(), &request.url) {
            Ok(target) if progress.is_connecting() && !progress.is_sent() => {
                if self.shared.dns.is_asking_for(&target.origin.host) {
                    return dns::no_answer_within(&target.origin.host, timeout);
                }
                Fault::new(ErrorKind::Timeout, target.origin.not_reached(&message))
            }
            _ => Fault::new(ErrorKind::Timeout, message),
        }
    }

    async fn run(
        &self,
        request: &Request,
        start: Instant,
        progress: &Progress,
    ) -> Result<Response, Fault> {
        let target = match request.raw {
            None => Target::resolve(self.base.as_ref(), &request.url)?,
            Some(_) => Target::verbatim(self.base.as_ref(), &request.url)?,
        };
        let mut call = Call::new(request)?;
        let mut watch = Watch { progress, mark: start, phases: Phases::default() };
        let mut answer = self.exchange(&call, &target, &mut watch).await?;
        let limit = request.redirects.unwrap_or(self.shared.config.redirects_max);
        if limit > 0
            && request.raw.is_none()
            && let Some(next) = redirect::next(answer.status, &answer.headers, &target, &mut call)?
        {
            answer = Box::pin(self.follow(call, next, limit, &mut watch)).await?;
        }
        Ok(Response {
            status: answer.status,
            reason: answer.reason,
            headers: answer.headers,
            body: answer.body,
            body_bytes: answer.body_bytes,
            elapsed: answer.done_at - start,
            phases: watch.phases,
        })
    }

    /// What follows a first redirect, up to the final answer.
    async fn follow(
        &self,
        mut call: Call<'_>,
        mut target: Target<'static>,
        limit: u32,
        watch: &mut Watch<'_>,
    ) -> Result<Answer, Fault> {
        for _followed in 0..limit {
            let answer = self.exchange(&call, &target, watch).await?;
            match redirect::next(answer.status, &answer.headers, &target, &mut call)? {
                Some(next) => target = next,
                None => return Ok(answer),
            }
        }
        Err(Fault::other(format!("more than {limit} redirects")))
    }

    /// One request and its response, on a kept connection or a new one, if the host is allowed.
    async fn exchange(
        &self,
        call: &Call<'_>,
        target: &Target<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Answer, Fault> {
        watch.progress.exchange();
        // Only the base URL's origin is borrowed.
        if !(self.base_allowed && matches!(target.origin, Cow::Borrowed(_))) {
            self.shared.allowed.check(&target.origin)?;
        }
        let slots_max = self.shared.config.connections_per_host_max;
        let care = if self.may_resend(call) {
            Care::Usual
        } else {
            Care::High { now_ms: self.shared.wrapping_ms(watch.mark) }
        };
        let (slot, connection) = match self.pool.take(&target.origin, slots_max, care)? {
            Some(taken) => taken,
            None => Box::pin(self.wait(target, care, watch)).await?,
        };
        // What was connected to on trust is no good for those who want to know.
        let connection = connection.filter(|kept| call.insecure() || !kept.is_insecure());
        let mut head = HeadBuffer::take();
        let closes = self.write(call, target, &mut head.0)?;
        let mut exchange = Exchange { session: self, call, target, connection, slot, head, closes };
        let mut first = None;
        if let Some(connection) = &mut exchange.connection {
            let outgoing = outgoing(call, &exchange.head);
            watch.progress.reuse(|| connection.peer());
            match connection.exchange(outgoing, &self.shared.h1).await {
                Ok(answer) => return exchange.finish(answer, watch),
                Err(failure) => first = exchange.give_up(failure, watch)?,
            }
        }
        Box::pin(exchange.on_new_connection(first, watch)).await
    }

    /// Can a connection with such a handshake, which ended so long after it was given a request,
    /// have met the server closing it?
    fn is_race(&self, ended_after: Duration, handshake: Duration) -> bool {
        let within = self.shared.config.resend_within;
        within.is_some_and(|within| ended_after <= within + handshake.min(HANDSHAKE_MAX))
    }

    /// May this request be sent a second time, when it meets the end of its connection?
    fn may_resend(&self, call: &Call<'_>) -> bool {
        self.shared.config.resend_within.is_some() && call.method().is_idempotent()
    }

    /// Waits until one of the session's connections to the host may be used.
    async fn wait<'a>(
        &'a self,
        target: &'a Target<'_>,
        care: Care,
        watch: &mut Watch<'_>,
    ) -> Result<Taken<'a>, Fault> {
        let slots_max = self.shared.config.connections_per_host_max;
        let taken = self.pool.wait(&target.origin, slots_max, care).await?;
        let now = Instant::now();
        add(&mut watch.phases.blocked, watch.mark, now);
        watch.mark = now;
        Ok(taken)
    }

    /// Writes the head of a request. Does the scenario want the connection closed after it?
    fn write(
        &self,
        call: &Call<'_>,
        target: &Target<'_>,
        head: &mut Vec<u8>,
    ) -> Result<bool, Fault> {
        let Some(own) = self.own.get().filter(|_| call.raw().is_none()) else {
            let template = &self.shared.template;
            call.write(head, target, template, None);
            return Ok(call.closes(template));
        };
        let own = lock(own);
        let template = own.template.as_ref().unwrap_or(&self.shared.template);
        let cookie = match &own.cookies {
            Some(jar) if !call.has_cookie(template) => jar.header(&target.url()?),
            _ => None,
        };
        call.write(head, target, template, cookie.as_deref());
        Ok(call.closes(template))
    }

    #[cold]
    fn keep_cookies(&self, headers: &Headers, target: &Target<'_>) -> Result<(), Fault> {
        let url = target.url()?;
        let mut own = lock(self.own.get_or_init(Box::default));
        own.cookies.get_or_insert_default().keep(headers.get_all(SET_COOKIE), &url);
        Ok(())
    }
}

const SET_COOKIE: &str = "set-cookie";

/// One exchange that has a slot.
struct Exchange<'a, 'r> {
    session: &'a Session,
    call: &'a Call<'r>,
    target: &'a Target<'a>,
    /// The one in use, if there is one already. Before the slot: it is closed before that is free.
    connection: Option<Connection>,
    slot: Slot<'a>,
    head: HeadBuffer,
    /// Must the connection not be used again?
    closes: bool,
}

impl Exchange<'_, '_> {
    /// The kept connection has failed. What a second attempt on a new one is to say if it comes to
    /// nothing: why the first one failed, or nothing if the first one does not count.
    #[cold]
    fn give_up(&mut self, failure: Failure, watch: &mut Watch<'_>) -> Result<Option<Fault>, Fault> {
        let connection = self.connection.take();
        let handshake = connection.map_or(Duration::ZERO, |connection| connection.handshake());
        match failure.stage {
            Stage::Unsent => {
                watch.progress.take_back_reuse();
                Ok(None)
            }
            Stage::Unanswered
                if self.session.may_resend(self.call)
                    && self.session.is_race(Instant::now() - watch.mark, handshake) =>
            {
                Ok(Some(failure.fault))
            }
            Stage::Unanswered | Stage::Answered => Err(failure.fault),
        }
    }

    /// Sends the request on a new connection. It may have been sent before, and have failed so.
    async fn on_new_connection(
        mut self,
        first: Option<Fault>,
        watch: &mut Watch<'_>,
    ) -> Result<Answer, Fault> {
        let (shared, begun) = (&self.session.shared, Instant::now());
        watch.progress.connect();
        let (origin, insecure) = (&self.target.origin, self.call.insecure());
        let opened = connect::open(shared, origin, insecure, begun, watch).await;
        let is_resent = first.is_some();
        // Who crashed and is not back has closed the connection; that it refuses another says less.
        let Opened { stream, handshake, done } = opened.map_err(|fault| first.unwrap_or(fault))?;
        watch.mark = done;
        watch.progress.connected();
        if is_resent {
            watch.progress.resend();
        }
        let connection = self.connection.insert(Connection::new(stream, handshake, insecure));
        let answer = connection.exchange(outgoing(self.call, &self.head), &shared.h1).await;
        self.finish(answer.map_err(|failure| failure.fault)?, watch)
    }

    /// Gives the connection back, and takes from the answer what the session keeps.
    fn finish(self, answer: Answer, watch: &mut Watch<'_>) -> Result<Answer, Fault> {
        let Self { session, call, target, slot, connection, closes, .. } = self;
        if let Some(mut connection) = connection
            && !closes
        {
            connection.rest(session.shared.wrapping_ms(answer.done_at));
            slot.put(connection);
        }
        add(&mut watch.phases.first_byte, watch.mark, answer.head_at);
        add(&mut watch.phases.receive, answer.head_at, answer.done_at);
        watch.mark = answer.done_at;
        let keeps = session.shared.config.cookies && call.raw().is_none();
        if keeps && answer.headers.contains(SET_COOKIE) {
            session.keep_cookies(&answer.headers, target)?;
        }
        Ok(answer)
    }
}

fn outgoing<'a>(call: &'a Call<'_>, head: &'a HeadBuffer) -> Outgoing<'a> {
    Outgoing {
        head: &head.0,
        body: call.body(),
        head_only: *call.method() == Method::Head,
        keep_body: call.keep_body(),
    }
}

fn lock(own: &Mutex<Own>) -> MutexGuard<'_, Own> {
    own.lock().unwrap_or_else(PoisonError::into_inner)
}

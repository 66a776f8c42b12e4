//! What runtimes of scripting languages import beyond other dense guests: requests whose samples
//! they judge themselves, waits for one another, and what they want to know of their test.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use swarm_client::{ErrorKind, Method, Raw, Session};
use swarm_stats::recorder::Sample;
use wasmtime::component::{Accessor, HasSelf, Resource};

use crate::contract::bindings_async::script::swarm::scenario::exchange::{
    Failure, FailureKind, Manner, Received,
};
use crate::contract::bindings_async::script::swarm::scenario::{exchange, test, turns};
use crate::host::clock::micros;
use crate::host::concurrent::{Client, State};
use crate::host::content;
use crate::host::exchange::exchange as exchanged;
use crate::host::interrupts::Interrupts;
use crate::host::samples::Record;
use crate::host::script_wishes::Events;
use crate::host::user_key::Who;

type Trappable<T> = wasmtime::Result<T>;

/// The stay of what is no user's.
const NO_STAY: u32 = Who::NOBODY.stay;

/// What the host keeps of an answer beside its body, in bytes, roughly.
const ANSWER_BYTES: usize = 512;

/// Functions of a guest's own that it may begin between two looks at them.
const BRANCHES_MAX: usize = 100_000;

/// Header lines that requests have in common.
#[expect(unreachable_pub, reason = "named by the generated bindings")]
pub struct HeaderLines(Arc<swarm_client::HeaderLines>);

/// An answer that the guest may ask about.
#[expect(unreachable_pub, reason = "named by the generated bindings")]
pub struct Answer {
    response: swarm_client::Response,
    /// Decoded.
    body: Bytes,
    held_bytes: usize,
}

/// Resolves when the time of this user is over.
async fn stopped(interrupts: &Interrupts, stay: u32) {
    if stay == NO_STAY {
        std::future::pending::<()>().await;
    } else {
        interrupts.of(stay).await;
    }
}

/// A request that has left the store.
struct Fetch {
    session: Arc<Session>,
    record: Record,
    interrupts: Arc<Interrupts>,
    stay: u32,
    request: swarm_client::Request,
    name: Option<String>,
    /// Largest body, decoded.
    body_bytes_max: usize,
}

impl Fetch {
    async fn run(self) -> Result<(Answer, Received), Failure> {
        let is_over = || failure(FailureKind::Stopped, "the user is stopped", Duration::ZERO);
        if self.interrupts.include(self.stay) {
            return Err(is_over());
        }
        let method = self.request.method.clone();
        let (response, taken) = tokio::select! {
            biased;
            exchanged = exchanged(&self.session, &self.record, self.request) => exchanged,
            () = stopped(&self.interrupts, self.stay) => return Err(is_over()),
        };
        let response = match response {
            Ok(response) => response,
            Err(error) => {
                taken.record(&mut self.record.lock(), true);
                return Err(failure(kind_of(error.kind), error.message, error.elapsed));
            }
        };
        let elapsed = response.elapsed;
        let body = match decoded(&response, self.body_bytes_max) {
            Ok(body) => body,
            Err(error) => {
                taken.record(&mut self.record.lock(), true);
                return Err(failure(kind_of_content(&error), error.to_string(), elapsed));
            }
        };
        let recorded = match self.name {
            Some(name) if matches!(response.status, 200..=208 | 226) => {
                let (response_time_us, bytes) = (micros(elapsed), body.len() as u64);
                let connections = taken.connections;
                let sample = Sample { response_time_us, bytes, connections, ..Sample::default() };
                let mut recorder = self.record.lock();
                let entry = recorder.intern(method.as_str(), &name);
                recorder.record(entry, sample);
                taken.record_addresses(&mut recorder, Some(false));
                true
            }
            _ => {
                taken.record(&mut self.record.lock(), response.status >= 400);
                false
            }
        };
        let received = Received {
            // The handle is made when the store is at hand again.
            answer: Resource::new_own(0),
            status: response.status,
            recorded,
            sets_cookies: response.headers.contains("set-cookie"),
            stopping: self.interrupts.stops(self.stay),
            length: body.len() as u64,
            elapsed: millis(elapsed),
            head_elapsed: millis(elapsed - response.phases.receive.unwrap_or_default()),
        };
        let held_bytes = ANSWER_BYTES + body.len();
        Ok((Answer { response, body, held_bytes }, received))
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn decoded(
    response: &swarm_client::Response,
    bytes_max: usize,
) -> Result<Bytes, content::ContentError> {
    match response.header("content-encoding") {
        None => Ok(response.body.clone()),
        Some(encoding) => content::decode(response.body.clone(), &encoding, bytes_max),
    }
}

fn failure(kind: FailureKind, message: impl Into<String>, elapsed: Duration) -> Failure {
    Failure { kind, message: message.into(), elapsed: millis(elapsed) }
}

fn kind_of_content(error: &content::ContentError) -> FailureKind {
    match error {
        content::ContentError::TooLarge(_) => FailureKind::TooLarge,
        content::ContentError::Invalid(_) | content::ContentError::TooMany => FailureKind::Protocol,
    }
}

fn kind_of(kind: ErrorKind) -> FailureKind {
    match kind {
        ErrorKind::Timeout => FailureKind::Timeout,
        ErrorKind::Connect => FailureKind::Connect,
        ErrorKind::Dns => FailureKind::Dns,
        ErrorKind::Tls => FailureKind::Tls,
        ErrorKind::Protocol => FailureKind::Protocol,
        ErrorKind::TooLarge => FailureKind::TooLarge,
        ErrorKind::Denied => FailureKind::Denied,
        ErrorKind::Other => FailureKind::Other,
    }
}

impl exchange::Host for State {
    fn open(&mut self) -> Trappable<Option<Resource<Client>>> {
        let Some(test) = &self.ctx.test else { return Ok(None) };
        let session = Arc::new(Session::new(Arc::clone(&test.client), None));
        let client = self.ctx.table.push(Client { session, who: Who::NOBODY })?;
        Ok(Some(client))
    }

    fn unanswered(
        &mut self,
        kind: String,
        name: String,
        elapsed: f64,
        error: String,
    ) -> Trappable<()> {
        let record = &self.ctx.record;
        let sample = Sample {
            response_time_us: micros(duration(elapsed)),
            error: Some(&error),
            unanswered: true,
            at_ms: record.master_ms(),
            ..Sample::default()
        };
        let mut recorder = record.lock();
        let entry = recorder.intern(&kind, &name);
        recorder.record(entry, sample);
        Ok(())
    }
}

impl exchange::HostHeaderLines for State {
    fn make(&mut self, lines: Vec<u8>) -> Trappable<Result<Resource<HeaderLines>, String>> {
        match swarm_client::HeaderLines::new(lines) {
            Ok(lines) => Ok(Ok(self.ctx.table.push(HeaderLines(Arc::new(lines)))?)),
            Err(error) => Ok(Err(error.message)),
        }
    }

    fn drop(&mut self, lines: Resource<HeaderLines>) -> Trappable<()> {
        self.ctx.table.delete(lines)?;
        Ok(())
    }
}

impl exchange::HostAnswer for State {
    fn reason(&mut self, answer: Resource<Answer>) -> Trappable<String> {
        Ok(self.ctx.table.get(&answer)?.response.phrase().to_owned())
    }

    fn lines(&mut self, answer: Resource<Answer>) -> Trappable<Vec<u8>> {
        let headers = &self.ctx.table.get(&answer)?.response.headers;
        let mut lines = Vec::new();
        for (name, value) in headers.iter() {
            for part in [name, b": ", value, b"\r\n"] {
                lines.extend_from_slice(part);
            }
        }
        Ok(lines)
    }

    fn body(&mut self, answer: Resource<Answer>) -> Trappable<Vec<u8>> {
        Ok(self.ctx.table.get(&answer)?.body.to_vec())
    }

    fn drop(&mut self, answer: Resource<Answer>) -> Trappable<()> {
        let answer = self.ctx.table.delete(answer)?;
        self.ctx.limits.release(answer.held_bytes);
        Ok(())
    }
}

/// What is asked for by one `fetch`.
struct Asked {
    method: String,
    url: String,
    name: Option<String>,
    further: Vec<u8>,
    body: Vec<u8>,
    timeout: u32,
    manner: Manner,
}

impl State {
    /// Takes a request out of the store.
    fn prepare(
        &mut self,
        client: &Resource<Client>,
        common: &Resource<HeaderLines>,
        asked: Asked,
    ) -> Trappable<Result<Fetch, Failure>> {
        let Asked { method, url, name, further, body, timeout, manner } = asked;
        let other = |message: String| failure(FailureKind::Other, message, Duration::ZERO);
        if let Err(error) = self.ctx.limits.check_held() {
            return Ok(Err(other(format!("not sent: {error}"))));
        }
        let own = match swarm_client::HeaderLines::new(further) {
            Ok(own) => own,
            Err(error) => return Ok(Err(other(error.message))),
        };
        let raw = Raw {
            common: Arc::clone(&self.ctx.table.get(common)?.0),
            own,
            insecure: manner.contains(Manner::INSECURE),
            says_length: manner.contains(Manner::SAYS_LENGTH),
        };
        let request = swarm_client::Request {
            body: body.into(),
            timeout: (timeout > 0).then(|| Duration::from_millis(timeout.into())),
            raw: Some(Box::new(raw)),
            ..swarm_client::Request::new(Method::from(method), url)
        };
        let client = self.ctx.table.get(client)?;
        let limit = self.ctx.test.as_ref().map(|test| test.client.config().body_bytes_max);
        Ok(Ok(Fetch {
            session: Arc::clone(&client.session),
            record: self.ctx.record.clone(),
            interrupts: Arc::clone(&self.interrupts),
            stay: client.who.stay,
            request,
            name,
            body_bytes_max: limit.unwrap_or_default(),
        }))
    }

    /// What somebody needs who waits for an event, or for the end of this client's user.
    fn waiter(
        &self,
        client: Option<&Resource<Client>>,
    ) -> Trappable<(Arc<Interrupts>, Arc<Events>, u32)> {
        let stay = match client {
            Some(client) => self.ctx.table.get(client)?.who.stay,
            None => NO_STAY,
        };
        Ok((Arc::clone(&self.interrupts), Arc::clone(&self.script.events), stay))
    }

    /// Hands an answer to the guest.
    fn admit(&mut self, answer: Answer, mut received: Received) -> Trappable<Received> {
        self.ctx.limits.hold(answer.held_bytes);
        received.answer = self.ctx.table.push(answer)?;
        Ok(received)
    }
}

impl<U: Send + 'static> exchange::HostWithStore<U> for HasSelf<State> {
    async fn fetch(
        accessor: &Accessor<U, Self>,
        client: Resource<Client>,
        method: String,
        url: String,
        name: Option<String>,
        common: Resource<HeaderLines>,
        further: Vec<u8>,
        body: Vec<u8>,
        timeout: u32,
        manner: Manner,
    ) -> Trappable<Result<Received, Failure>> {
        let asked = Asked { method, url, name, further, body, timeout, manner };
        let prepared = accessor.with(|mut access| access.get().prepare(&client, &common, asked));
        let fetch = match prepared? {
            Ok(fetch) => fetch,
            Err(failure) => return Ok(Err(failure)),
        };
        match fetch.run().await {
            Ok((answer, received)) => {
                accessor.with(|mut access| access.get().admit(answer, received)).map(Ok)
            }
            Err(failure) => Ok(Err(failure)),
        }
    }
}

impl turns::Host for State {
    fn rest(&mut self, user: u32, ms: f64) -> Trappable<()> {
        self.script.rests.insert(user, duration(ms));
        Ok(())
    }

    fn wake(&mut self, event: u32) -> Trappable<()> {
        self.script.events.wake(event);
        Ok(())
    }

    fn branch(&mut self, branch: u32) -> Trappable<()> {
        let branches = &mut self.script.wanted.branches;
        if branches.len() >= BRANCHES_MAX {
            return Err(wasmtime::Error::msg(format!("began more than {BRANCHES_MAX} branches")));
        }
        branches.push(branch);
        Ok(())
    }
}

/// Of milliseconds; what is no time is none, and what is too long is a year.
fn duration(ms: f64) -> Duration {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
    let negative = ms.is_nan() || ms <= 0.0;
    let longest = if negative { Duration::ZERO } else { LONGEST };
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or(longest).min(LONGEST)
}

impl<U: Send + 'static> turns::HostWithStore<U> for HasSelf<State> {
    async fn until(
        accessor: &Accessor<U, Self>,
        client: Option<Resource<Client>>,
        event: u32,
        ms: Option<f64>,
    ) -> Trappable<turns::End> {
        let waiter = accessor.with(|mut access| access.get().waiter(client.as_ref()));
        let (interrupts, events, stay) = waiter?;
        let time = async {
            match ms {
                Some(ms) => tokio::time::sleep(duration(ms)).await,
                None => std::future::pending().await,
            }
        };
        Ok(tokio::select! {
            biased;
            () = stopped(&interrupts, stay) => turns::End::Stopped,
            () = events.of(event) => turns::End::Event,
            () = time => turns::End::Time,
        })
    }
}

impl test::Host for State {
    fn begun(&mut self) -> Trappable<bool> {
        Ok(self.ctx.test.is_some())
    }

    fn host(&mut self) -> Trappable<Option<String>> {
        Ok(self.ctx.test.as_ref().and_then(|test| test.settings.host.clone()))
    }

    fn tags(&mut self) -> Trappable<Vec<String>> {
        Ok(self.ctx.test.as_ref().map_or_else(Vec::new, |test| test.settings.tags.clone()))
    }

    fn exclude_tags(&mut self) -> Trappable<Vec<String>> {
        Ok(self.ctx.test.as_ref().map_or_else(Vec::new, |test| test.settings.exclude_tags.clone()))
    }

    fn args(&mut self) -> Trappable<Vec<(String, String)>> {
        Ok(self.ctx.test.as_ref().map_or_else(Vec::new, |test| test.settings.args.clone()))
    }

    fn stop_timeout(&mut self) -> Trappable<f64> {
        let timeout = self.ctx.test.as_ref().map_or(0, |test| test.settings.stop_timeout_ms);
        Ok(Duration::from_millis(timeout).as_secs_f64())
    }

    fn exception(&mut self, message: String, trace: String) -> Trappable<()> {
        self.ctx.record.lock().exception(&message, &trace);
        Ok(())
    }

    fn finish(&mut self, reason: String) -> Trappable<()> {
        self.script.wanted.finish = Some(reason);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

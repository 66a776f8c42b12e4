//! A request and its answer, as every back end and every world has them: who sends it, what is
//! counted, and what of it is handed to the guest. Nothing here knows how a guest is called.

use swarm_client::{Error, Session};
use swarm_stats::recorder::{EntryId, Sample};

use crate::host::clock::micros;
use crate::host::in_flight::{InFlight, Taken};
use crate::host::samples::Record;

/// A request being put together.
#[expect(unreachable_pub, reason = "named by the generated bindings")]
pub struct Request {
    pub(crate) request: swarm_client::Request,
    pub(crate) name: Option<String>,
    /// Bytes of it that count as held by the guest, until it is sent or dropped.
    pub(crate) held_bytes: usize,
}

/// An answer, and its sample as long as the guest may judge it.
#[expect(unreachable_pub, reason = "named by the generated bindings")]
pub struct Response {
    pub(crate) response: swarm_client::Response,
    /// `None` once recorded.
    pub(crate) sample: Option<Pending>,
}

pub(crate) struct Pending {
    entry: EntryId,
    /// Why it counts as a failure.
    pub(crate) error: Option<String>,
    taken: Taken,
}

impl Response {
    /// Records the sample, if that has not been done.
    pub(crate) fn settle(&mut self, record: &Record) {
        let Some(pending) = self.sample.take() else { return };
        let Pending { entry, error, taken } = pending;
        let sample = Sample {
            response_time_us: micros(self.response.elapsed),
            bytes: self.response.body_bytes,
            error: error.as_deref(),
            unanswered: false,
            connections: taken.connections,
            // Only failures are dated.
            at_ms: if error.is_some() { record.master_ms() } else { 0 },
        };
        let mut recorder = record.lock();
        recorder.record(entry, sample);
        taken.record_addresses(&mut recorder, Some(error.is_some()));
    }
}

/// What came of a request, on its way to the guest. An answer is counted also when the guest never
/// has it, as when its user is stopped while the rest of a batch is waited for.
pub(crate) struct Sent {
    /// `None` if it was given up.
    result: Option<Result<Response, Error>>,
    record: Record,
}

impl Sent {
    pub(crate) fn given_up(record: Record) -> Self {
        Self { result: None, record }
    }

    pub(crate) fn take(mut self) -> Option<Result<Response, Error>> {
        self.result.take()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(Ok(response)) = &mut self.result {
            response.settle(&self.record);
        }
    }
}

/// Sends a request.
///
/// # Cancel safety
/// As [`exchange`].
pub(crate) async fn send(session: &Session, record: Record, request: Request) -> Sent {
    let entry = entry_of(&record, session, &request);
    let (answer, taken) = exchange(session, &record, request.request).await;
    Sent { result: Some(answered(&record, entry, answer, taken)), record }
}

/// Sends a request whose sample is the caller's matter, with what it took of connections.
///
/// # Cancel safety
/// Dropped before the answer has come, it counts the request as given up.
pub(crate) async fn exchange(
    session: &Session,
    record: &Record,
    request: swarm_client::Request,
) -> (Result<swarm_client::Response, Error>, Taken) {
    let in_flight = InFlight::begin(record, session);
    let answer = session.send_noted(request, &in_flight.progress).await;
    let taken = in_flight.over(answer.is_err());
    (answer, taken)
}

/// Where the sample of a request will count.
fn entry_of(record: &Record, session: &Session, request: &Request) -> EntryId {
    let Request { request, name, .. } = request;
    let name = name.as_deref();
    let name = name.unwrap_or_else(|| swarm_client::sample_name(&request.url, session.base()));
    record.lock().intern(request.method.as_str(), name)
}

/// Prepares the sample of an answer, or records that there was none.
fn answered(
    record: &Record,
    entry: EntryId,
    answer: Result<swarm_client::Response, Error>,
    taken: Taken,
) -> Result<Response, Error> {
    match answer {
        Ok(response) => {
            let error = (response.status >= 400).then(|| status_text(response.status));
            Ok(Response { response, sample: Some(Pending { entry, error, taken }) })
        }
        Err(error) => {
            let sample = Sample {
                response_time_us: micros(error.elapsed),
                bytes: 0,
                error: Some(&error.message),
                unanswered: true,
                connections: taken.connections,
                at_ms: record.master_ms(),
            };
            let mut recorder = record.lock();
            recorder.record(entry, sample);
            taken.record_addresses(&mut recorder, Some(true));
            Err(error)
        }
    }
}

fn status_text(status: u16) -> String {
    let known = http::StatusCode::from_u16(status).ok();
    match known.and_then(|status| status.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => format!("status {status}"),
    }
}

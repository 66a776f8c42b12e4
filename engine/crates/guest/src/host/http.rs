//! `http`: requests on behalf of a user, and the samples that they leave.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use swarm_client::{Error, ErrorKind, Method, Session};
use wasmtime::component::Resource;

use crate::contract::bindings::swarm::scenario::http as wit;
use crate::host::ctx::Ctx;
use crate::host::exchange::{Request, Response, Sent, send};
use crate::host::pending::{Brought, Errand, wait_for};

/// Requests of one batch.
pub(crate) const BATCH_MAX: usize = 1000;

/// Responses that the users of one instance may hold at a time.
const RESPONSES_OPEN_MAX: usize = 10_000;

type Trappable<T> = wasmtime::Result<T>;
pub(crate) type Outcome = Result<Resource<Response>, wit::Error>;

/// A user's client.
#[expect(unreachable_pub, reason = "named by the generated bindings")]
pub struct Client {
    pub(crate) session: Arc<Session>,
}

impl Ctx {
    /// A request with nothing but this.
    pub(crate) fn request(&self, method: impl Into<Method>, url: String) -> Request {
        let mut request = swarm_client::Request::new(method, url);
        request.keep_body = self.reads_bodies;
        Request { request, name: None, held_bytes: 0 }
    }

    fn admit(&mut self, response: Response) -> Trappable<Resource<Response>> {
        self.responses_open += 1;
        self.limits.hold(response.response.body.len());
        let handle = self.table.push(response)?;
        self.unmarked.push(handle.rep());
        Ok(handle)
    }

    pub(crate) fn room_for(&self, responses: usize) -> Result<(), wit::Error> {
        let message = if self.responses_open + responses > RESPONSES_OPEN_MAX {
            format!("not sent: {RESPONSES_OPEN_MAX} responses are open; drop those that are read")
        } else if let Err(error) = self.limits.check_held() {
            format!("not sent: {error}")
        } else {
            return Ok(());
        };
        self.complain(&message);
        Err(wit::Error { kind: wit::ErrorKind::Other, message })
    }

    /// A request grows by so many bytes. More than the guest may hold ends its call.
    fn grow(&mut self, handle: &Resource<Request>, bytes: usize) -> Trappable<&mut Request> {
        let request = self.table.get_mut(handle)?;
        request.held_bytes += bytes;
        self.limits.hold(bytes);
        self.limits.check_held()?;
        Ok(request)
    }

    /// Replaces a request's body.
    fn set_body(&mut self, handle: &Resource<Request>, body: Bytes) -> Trappable<()> {
        let request = self.table.get_mut(handle)?;
        let replaced = std::mem::take(&mut request.request.body).len();
        request.held_bytes -= replaced;
        self.limits.release(replaced);
        let request = self.grow(handle, body.len())?;
        request.request.body = body;
        Ok(())
    }

    /// Takes a request from the guest.
    pub(crate) fn take(&mut self, handle: Resource<Request>) -> Trappable<Request> {
        let request = self.table.delete(handle)?;
        self.limits.release(request.held_bytes);
        Ok(request)
    }

    async fn send_one(&mut self, session: Arc<Session>, request: Request) -> Trappable<Outcome> {
        if let Err(error) = self.room_for(1) {
            return Ok(Err(error));
        }
        let record = self.record.clone();
        let send = Box::pin(async move { send(&session, record, request).await });
        let done = wait_for(Errand::Send(send)).await;
        let Brought::Answer(sent) = done.brought else { unreachable!("a request was sent") };
        self.budget.resume_after(done.waited);
        self.outcome(sent)
    }

    /// Hands over to the guest what came of a request.
    pub(crate) fn outcome(&mut self, sent: Sent) -> Trappable<Outcome> {
        match sent.take() {
            Some(Ok(response)) => Ok(Ok(self.admit(response)?)),
            Some(Err(Error { kind, message, .. })) => {
                Ok(Err(wit::Error { kind: kind_of(kind), message }))
            }
            None => {
                let message = "given up: the user is stopped".to_owned();
                Ok(Err(wit::Error { kind: wit::ErrorKind::Other, message }))
            }
        }
    }

    /// The sample of this response is recorded, or about to be.
    fn forget(&mut self, response: u32) {
        // Most guests are done with the latest response first.
        if let Some(at) = self.unmarked.iter().rposition(|&other| other == response) {
            self.unmarked.swap_remove(at);
        }
    }

    fn judge(&mut self, handle: &Resource<Response>, error: Option<String>) -> Trappable<()> {
        let response = self.table.get_mut(handle)?;
        if let Some(pending) = &mut response.sample {
            pending.error = error;
            response.settle(&self.record);
            self.forget(handle.rep());
        }
        Ok(())
    }
}

fn kind_of(kind: ErrorKind) -> wit::ErrorKind {
    match kind {
        ErrorKind::Timeout => wit::ErrorKind::Timeout,
        ErrorKind::Connect => wit::ErrorKind::Connect,
        ErrorKind::Dns => wit::ErrorKind::Dns,
        ErrorKind::Tls => wit::ErrorKind::Tls,
        ErrorKind::Protocol => wit::ErrorKind::Protocol,
        ErrorKind::TooLarge => wit::ErrorKind::TooLarge,
        ErrorKind::Denied => wit::ErrorKind::Denied,
        ErrorKind::Other => wit::ErrorKind::Other,
    }
}

impl wit::Host for Ctx {}

impl wit::HostClient for Ctx {
    fn header(&mut self, client: Resource<Client>, name: String, value: String) -> Trappable<()> {
        let set = self.table.get(&client)?.session.header(&name, &value);
        if let Err(error) = set {
            self.complain(&format!("client.header: {}", error.message));
        }
        Ok(())
    }

    async fn get(&mut self, client: Resource<Client>, url: String) -> Trappable<Outcome> {
        let session = Arc::clone(&self.table.get(&client)?.session);
        self.send_one(session, self.request(Method::Get, url)).await
    }

    async fn send(
        &mut self,
        client: Resource<Client>,
        request: Resource<Request>,
    ) -> Trappable<Outcome> {
        let request = self.take(request)?;
        let session = Arc::clone(&self.table.get(&client)?.session);
        self.send_one(session, request).await
    }

    async fn batch(
        &mut self,
        client: Resource<Client>,
        requests: Vec<Resource<Request>>,
    ) -> Trappable<Vec<Outcome>> {
        let session = Arc::clone(&self.table.get(&client)?.session);
        let mut batch = Vec::with_capacity(requests.len());
        for request in requests {
            batch.push(self.take(request)?);
        }
        if batch.len() > BATCH_MAX {
            let message =
                format!("not sent: a batch of {} requests; {BATCH_MAX} is the most", batch.len());
            self.complain(&message);
            let error = wit::Error { kind: wit::ErrorKind::Other, message };
            return Ok(batch.iter().map(|_| Err(error.clone())).collect());
        }
        if let Err(error) = self.room_for(batch.len()) {
            return Ok(batch.iter().map(|_| Err(error.clone())).collect());
        }
        let record = self.record.clone();
        let send = Box::pin(async move {
            let sent = batch.into_iter().map(|request| send(&session, record.clone(), request));
            join_all(sent).await
        });
        let done = wait_for(Errand::Batch(send)).await;
        let Brought::Answers(sent) = done.brought else { unreachable!("a batch was sent") };
        self.budget.resume_after(done.waited);
        sent.into_iter().map(|sent| self.outcome(sent)).collect()
    }

    fn drop(&mut self, client: Resource<Client>) -> Trappable<()> {
        self.table.delete(client)?;
        Ok(())
    }
}

impl wit::HostRequest for Ctx {
    fn new(&mut self, method: String, url: String) -> Trappable<Resource<Request>> {
        let held_bytes = method.len() + url.len();
        self.limits.hold(held_bytes);
        self.limits.check_held()?;
        let request = Request { held_bytes, ..self.request(method, url) };
        Ok(self.table.push(request)?)
    }

    fn header(&mut self, request: Resource<Request>, name: String, value: String) -> Trappable<()> {
        let bytes = name.len() + value.len();
        self.grow(&request, bytes)?.request.headers.push((name, value));
        Ok(())
    }

    fn body(&mut self, request: Resource<Request>, bytes: Vec<u8>) -> Trappable<()> {
        self.set_body(&request, Bytes::from(bytes))
    }

    fn text(&mut self, request: Resource<Request>, body: String) -> Trappable<()> {
        self.set_body(&request, Bytes::from(body))
    }

    fn name(&mut self, request: Resource<Request>, name: String) -> Trappable<()> {
        let request = self.grow(&request, name.len())?;
        request.name = Some(name);
        Ok(())
    }

    fn timeout(&mut self, request: Resource<Request>, ms: u32) -> Trappable<()> {
        self.table.get_mut(&request)?.request.timeout = Some(Duration::from_millis(ms.into()));
        Ok(())
    }

    fn redirects(&mut self, request: Resource<Request>, limit: u32) -> Trappable<()> {
        self.table.get_mut(&request)?.request.redirects = Some(limit);
        Ok(())
    }

    fn drop(&mut self, request: Resource<Request>) -> Trappable<()> {
        self.take(request).map(drop)
    }
}

impl wit::HostResponse for Ctx {
    fn status(&mut self, response: Resource<Response>) -> Trappable<u16> {
        Ok(self.table.get(&response)?.response.status)
    }

    fn header(&mut self, response: Resource<Response>, name: String) -> Trappable<Option<String>> {
        let response = self.table.get(&response)?;
        Ok(response.response.header(&name).map(Cow::into_owned))
    }

    fn body(&mut self, response: Resource<Response>) -> Trappable<Vec<u8>> {
        Ok(self.table.get(&response)?.response.body.to_vec())
    }

    fn text(&mut self, response: Resource<Response>) -> Trappable<String> {
        let body = &self.table.get(&response)?.response.body;
        Ok(String::from_utf8_lossy(body).into_owned())
    }

    fn elapsed(&mut self, response: Resource<Response>) -> Trappable<f64> {
        Ok(self.table.get(&response)?.response.elapsed.as_secs_f64() * 1000.0)
    }

    fn fail(&mut self, response: Resource<Response>, reason: String) -> Trappable<()> {
        self.judge(&response, Some(reason))
    }

    fn succeed(&mut self, response: Resource<Response>) -> Trappable<()> {
        self.judge(&response, None)
    }

    fn drop(&mut self, handle: Resource<Response>) -> Trappable<()> {
        let number = handle.rep();
        // First of all: a handle that the guest does not have is no response less.
        let mut response = self.table.delete(handle)?;
        self.forget(number);
        self.responses_open -= 1;
        self.limits.release(response.response.body.len());
        response.settle(&self.record);
        Ok(())
    }
}

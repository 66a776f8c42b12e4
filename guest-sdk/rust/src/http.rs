//! Requests on behalf of one user, and their answers.

use crate::bindings::swarm::scenario::http as wit;
use crate::runtime::{FromSeat, Seat};
use crate::{Error, form};
use std::rc::Rc;
use std::time::Duration;

/// From this status on an answer counts as failed, unless the scenario says otherwise.
const STATUS_FAILED: u16 = 400;

/// A user's HTTP client: its connections, its cookies, its statistics.
///
/// Declare a field of this type in the user class. A clone is the same client.
#[derive(Debug, Clone)]
pub struct Http {
    client: Rc<wit::Client>,
}

impl FromSeat for Http {
    fn from_seat(seat: &Seat) -> Self {
        seat.http.clone().expect("the host starts every user with a client")
    }
}

impl Http {
    pub(crate) fn new(client: wit::Client) -> Self {
        Self { client: Rc::new(client) }
    }

    /// Sends a GET. `url` is a path on the test's host, or a whole URL.
    ///
    /// The sample's name in the statistics is the path; [`Http::request`] can give another one.
    ///
    /// # Errors
    /// No answer: timeout, no connection, not HTTP. An answer with an error status is an answer.
    pub fn get(&self, url: &str) -> Result<Response, Error> {
        answer(self.client.get(url))
    }

    /// A POST to add to and send.
    pub fn post(&self, url: &str) -> Request {
        self.request("POST", url)
    }

    /// A PUT to add to and send.
    pub fn put(&self, url: &str) -> Request {
        self.request("PUT", url)
    }

    /// A PATCH to add to and send.
    pub fn patch(&self, url: &str) -> Request {
        self.request("PATCH", url)
    }

    /// A DELETE to add to and send.
    pub fn delete(&self, url: &str) -> Request {
        self.request("DELETE", url)
    }

    /// A HEAD to add to and send.
    pub fn head(&self, url: &str) -> Request {
        self.request("HEAD", url)
    }

    /// A request of any method, to add to and send. For a GET with headers, a name or a timeout.
    pub fn request(&self, method: &str, url: &str) -> Request {
        Request { client: Rc::clone(&self.client), inner: wit::Request::new(method, url) }
    }

    /// Sends requests in parallel; the answers come in the order of the requests.
    ///
    /// ```no_run
    /// # use swarm_sdk::prelude::*;
    /// # fn assets(http: &Http) -> TaskResult {
    /// let assets = ["/app.js", "/app.css"].map(|url| http.request("GET", url));
    /// for answer in http.batch(assets) {
    ///     answer?.expect_status(200)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch(
        &self,
        requests: impl IntoIterator<Item = Request>,
    ) -> impl Iterator<Item = Result<Response, Error>> {
        let requests = requests.into_iter().map(|request| request.inner).collect();
        self.client.batch(requests).into_iter().map(answer)
    }

    /// Sets a header of every request from now on; the last value of a name wins.
    pub fn header(&self, name: &str, value: &str) {
        self.client.header(name, value);
    }
}

fn answer(result: Result<wit::Response, wit::Error>) -> Result<Response, Error> {
    match result {
        Ok(inner) => Ok(Response { inner, expected: false }),
        Err(error) => Err(error.into()),
    }
}

/// A request before it is sent.
#[derive(Debug)]
#[must_use = "a request goes out with `.send()` or `http.batch(..)`"]
pub struct Request {
    client: Rc<wit::Client>,
    inner: wit::Request,
}

impl Request {
    /// Adds a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.inner.header(name, value);
        self
    }

    /// Sets the body.
    pub fn body(self, bytes: &[u8]) -> Self {
        self.inner.body(bytes);
        self
    }

    /// Sets the body, without a content type.
    pub fn text(self, body: &str) -> Self {
        self.inner.text(body);
        self
    }

    /// Sets the body and `content-type: application/json`. The text is sent as it is.
    pub fn json(self, body: &str) -> Self {
        self.header("content-type", "application/json").text(body)
    }

    /// Sets the body to these fields, percent-encoded, with the content type of a form.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        self.header("content-type", "application/x-www-form-urlencoded").text(&form::encode(fields))
    }

    /// Names the request in the statistics, in place of its path: `"/item/[id]"`.
    pub fn name(self, name: &str) -> Self {
        self.inner.name(name);
        self
    }

    /// Gives up after this time, rounded up to whole milliseconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.inner.timeout(crate::clock::milliseconds(timeout));
        self
    }

    /// Follows at most this many redirects; with 0 the redirect itself is the answer.
    pub fn redirects(self, limit: u32) -> Self {
        self.inner.redirects(limit);
        self
    }

    /// Sends it and waits for the answer.
    ///
    /// # Errors
    /// No answer: timeout, no connection, not HTTP. An answer with an error status is an answer.
    pub fn send(self) -> Result<Response, Error> {
        answer(self.client.send(self.inner))
    }
}

/// The answer to a request.
///
/// It counts as failed with a status of 400 or more, unless [`Response::fail`],
/// [`Response::succeed`] or an expectation decides otherwise. The first decision stands; without
/// one, the request is counted when this is dropped or the task ends.
#[derive(Debug)]
pub struct Response {
    inner: wit::Response,
    /// An error status that the scenario expects: a success, unless something else is wrong.
    expected: bool,
}

impl Drop for Response {
    fn drop(&mut self) {
        if self.expected {
            self.inner.succeed();
        }
    }
}

impl Response {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.inner.status()
    }

    /// Is the status below 400?
    #[must_use]
    pub fn ok(&self) -> bool {
        self.status() < STATUS_FAILED
    }

    /// The first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.inner.header(name)
    }

    /// The body, decoded.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.inner.body()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        self.inner.text()
    }

    /// From when the request was due to its last byte.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        crate::clock::duration(self.inner.elapsed())
    }

    /// Counts the request as failed, for this reason.
    pub fn fail(&self, reason: &str) {
        self.inner.fail(reason);
    }

    /// Counts the request as succeeded, whatever its status.
    pub fn succeed(&self) {
        self.inner.succeed();
    }

    /// Insists on a status: with any other the request fails. An error status that is expected is
    /// a success once the response is dropped, unless a later expectation fails.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`](crate::ErrorKind::Rejected) with another status. The request is
    /// counted as failed; `?` ends the task.
    pub fn expect_status(mut self, expected: u16) -> Result<Self, Error> {
        let status = self.status();
        if status == expected {
            self.expected = status >= STATUS_FAILED;
            return Ok(self);
        }
        let mut reason = String::from("status ");
        reason.push_str(&status.to_string());
        reason.push_str(", expected ");
        reason.push_str(&expected.to_string());
        Err(self.reject(reason))
    }

    /// Insists that the body contains a text.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`](crate::ErrorKind::Rejected) without it. The request is counted as
    /// failed; `?` ends the task.
    pub fn expect_text(self, expected: &str) -> Result<Self, Error> {
        if self.text().contains(expected) {
            return Ok(self);
        }
        let mut reason = String::from("no `");
        reason.push_str(expected);
        reason.push_str("` in the body");
        Err(self.reject(reason))
    }

    fn reject(self, reason: String) -> Error {
        self.fail(&reason);
        Error::rejected(reason)
    }
}

//! What came back.

use crate::Error;
use crate::bindings::swarm::scenario::http as wit;
use std::time::Duration;

/// From this status on an answer counts as failed, unless the scenario says otherwise.
const STATUS_FAILED: u16 = 400;

/// What the host gave for a request.
pub(crate) fn answer(result: Result<wit::Response, wit::Error>) -> Result<Response, Error> {
    match result {
        Ok(inner) => Ok(Response { inner, expected: false }),
        Err(error) => Err(error.into()),
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

    /// The value of this header, whatever its case. When the answer has several lines of the name,
    /// their values are joined with `, `.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.inner.header(name)
    }

    /// The body as it was sent: a content coding such as gzip is not taken off. An answer has none
    /// unless the request asked for it with `accept-encoding`.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.inner.body()
    }

    /// The body as text: what is not UTF-8 is replaced by U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        self.inner.text()
    }

    /// From the call to the last byte of the answer: waiting for a connection, name lookup,
    /// handshakes and redirects included.
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

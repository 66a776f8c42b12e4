//! For `async` tasks: the same source runs in either world.
//!
//! In the world `scenario` every user has an instance, and what is awaited here is ready at once:
//! the call into the host waited. With the feature `dense` the scenario is built for the world
//! `scenario-async`: the users of a load thread share an instance, each goes on while others wait,
//! and one that rests costs a hundred bytes. There a panic costs them all: they start anew.
//!
//! ```
//! use swarm_sdk::asynchronous::prelude::*;
//!
//! #[user(wait = between(60, 120))]
//! struct WebsiteUser {
//!     http: Http,
//! }
//!
//! #[tasks]
//! impl WebsiteUser {
//!     #[task]
//!     async fn index(&mut self) -> TaskResult {
//!         self.http.get("/").await?;
//!         Ok(())
//!     }
//! }
//!
//! swarm_sdk::scenario!(WebsiteUser);
//! ```

use crate::bindings::Client;
use crate::bindings::swarm::scenario::http as wit;
use crate::response::{Response, answer};
use crate::runtime::{FromSeat, Seat};
use crate::{Error, form};
use std::rc::Rc;
use std::time::Duration;

/// What a scenario with `async` tasks needs: `use swarm_sdk::asynchronous::prelude::*;`.
pub mod prelude {
    pub use super::{Http, Request, sleep};
    pub use crate::{Error, ErrorKind, Random, Response, TaskResult, Then, User};
    pub use crate::{args, log, metrics};
    pub use crate::{on_start, on_stop, task, tasks, user};
    pub use std::time::Duration;
}

/// A call of the host: waits in it, or until it is done.
#[cfg(not(feature = "dense"))]
macro_rules! host {
    ($call:expr) => {
        $call
    };
}
#[cfg(feature = "dense")]
macro_rules! host {
    ($call:expr) => {
        $call.await
    };
}

/// Waits inside a task, rounded up to whole milliseconds. Between tasks, the class's `wait` does.
pub async fn sleep(time: Duration) {
    host!(crate::clock::wit::sleep(crate::clock::milliseconds(time)));
}

/// A user's HTTP client: its connections, its cookies, its statistics.
///
/// Declare a field of this type in the user class. A clone is the same client.
#[derive(Debug, Clone)]
pub struct Http {
    client: Rc<Client>,
}

impl FromSeat for Http {
    fn from_seat(seat: &Seat) -> Self {
        Self { client: seat.client() }
    }
}

impl Http {
    /// Sends a GET. `url` is a path on the test's host, or a whole URL.
    ///
    /// The sample's name in the statistics is the path; [`Http::request`] can give another one.
    ///
    /// # Errors
    /// No answer: timeout, no connection, not HTTP. An answer with an error status is an answer.
    pub async fn get(&self, url: &str) -> Result<Response, Error> {
        // An asynchronous call takes what it is given with it.
        #[cfg(feature = "dense")]
        let url = url.to_owned();
        answer(host!(self.client.get(url)))
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
    pub async fn batch(
        &self,
        requests: impl IntoIterator<Item = Request>,
    ) -> impl Iterator<Item = Result<Response, Error>> {
        let requests = requests.into_iter().map(|request| request.inner).collect();
        host!(self.client.batch(requests)).into_iter().map(answer)
    }

    /// Sets a header of every request from now on; the last value of a name wins.
    pub fn header(&self, name: &str, value: &str) {
        self.client.header(name, value);
    }
}

/// A request before it is sent.
#[derive(Debug)]
#[must_use = "a request goes out with `.send().await` or `http.batch(..).await`"]
pub struct Request {
    client: Rc<Client>,
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
    pub async fn send(self) -> Result<Response, Error> {
        answer(host!(self.client.send(self.inner)))
    }
}

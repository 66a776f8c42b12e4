//! What a scenario asks and what it gets.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::head::Headers;
use crate::method::Method;
use crate::raw::Raw;

/// One request as a scenario wrote it. Checked when it is sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// Any token but `CONNECT`.
    pub method: Method,
    /// Path below the base URL, or a whole URL.
    pub url: String,
    /// All are sent, a repeated name in repeated lines. They replace the session's headers and
    /// the automatic ones of the same name.
    pub headers: Vec<(String, String)>,
    /// Sent with its `content-length`.
    pub body: Bytes,
    /// In place of the configured timeout. More than a year means a year.
    pub timeout: Option<Duration>,
    /// In place of the configured number of redirects.
    pub redirects: Option<u32>,
    /// Hand over the body of the response? Default yes; if not, it is read, checked and counted,
    /// and [`Response::body`] stays empty.
    pub keep_body: bool,
    /// The caller has made URL and headers by itself; [`Self::headers`] and [`Self::redirects`]
    /// have no meaning then. Boxed: most requests are not of this kind.
    pub raw: Option<Box<Raw>>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: Method::Get,
            url: String::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            timeout: None,
            redirects: None,
            keep_body: true,
            raw: None,
        }
    }
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: impl Into<Method>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), ..Self::default() }
    }

    /// `GET url`.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }
}

/// The final response to a request.
#[derive(Debug, Clone)]
pub struct Response {
    /// 100 to 999, as sent.
    pub status: u16,
    /// What the server said beside the status, if that is not the usual phrase.
    pub reason: Option<Box<str>>,
    /// As sent; the body is what they describe (`content-encoding` included).
    pub headers: Headers,
    /// As sent, without the chunks' frames. Empty if the request did not want it.
    pub body: Bytes,
    /// Length of the body as received, in bytes, kept or not.
    pub body_bytes: u64,
    /// From the call to the last byte.
    pub elapsed: Duration,
    /// Where the time went.
    pub phases: Phases,
}

impl Response {
    /// Value of a header whatever its case. Lines of the same name are joined with `, `.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self.headers.get_all(name);
        let first = String::from_utf8_lossy(values.next()?);
        Some(values.fold(first, |joined, value| {
            Cow::Owned(format!("{joined}, {}", String::from_utf8_lossy(value)))
        }))
    }

    /// What the server said beside the status: its own words, or the usual phrase. Empty for a
    /// status that has none.
    #[must_use]
    pub fn phrase(&self) -> &str {
        self.reason.as_deref().unwrap_or_else(|| usual_phrase(self.status))
    }
}

/// The phrase that goes with a status, or nothing.
pub(crate) fn usual_phrase(status: u16) -> &'static str {
    let usual = http::StatusCode::from_u16(status).ok();
    usual.and_then(|status| status.canonical_reason()).unwrap_or_default()
}

/// Where the time of a request went, each summed over all its exchanges (redirects, and those that
/// were sent again). `None` is a phase that was not needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// Waiting for one of the session's connections to the host.
    pub blocked: Option<Duration>,
    /// Looking up the name. Addresses and names in the cache need none.
    pub dns: Option<Duration>,
    /// TCP handshake, addresses that failed included.
    pub connect: Option<Duration>,
    /// TLS handshake.
    pub tls: Option<Duration>,
    /// From the hand-over to the connection to the complete head of the response.
    pub first_byte: Option<Duration>,
    /// From there to the last byte of the body.
    pub receive: Option<Duration>,
}

/// Adds the time from `since` to `until` to a phase.
pub(crate) fn add(phase: &mut Option<Duration>, since: Instant, until: Instant) {
    *phase.get_or_insert_default() += until.saturating_duration_since(since);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_in_any_case_and_joined() {
        let headers = Headers::from_pairs([("x-a", "1"), ("x-a", "2")]).expect("headers");
        let response = Response {
            status: 200,
            reason: None,
            headers,
            body: Bytes::new(),
            body_bytes: 0,
            elapsed: Duration::ZERO,
            phases: Phases::default(),
        };
        assert_eq!(response.header("X-A").as_deref(), Some("1, 2"));
        assert_eq!(response.header("x-b"), None);
        assert_eq!(response.header("not a name"), None);
    }
}

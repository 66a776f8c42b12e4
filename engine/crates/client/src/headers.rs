//! From what a scenario wrote to the headers that are sent.
//!
//! Precedence: the request's own, then the session's, then the automatic ones (`host`,
//! `user-agent`, `accept`, `content-length`). No `accept-encoding` is sent unless a scenario asks
//! for it: bodies arrive as sent and are not decoded.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};

use crate::error::Fault;
use crate::message::Request;
use crate::target::Target;

/// Most header lines of a session, and of a request.
pub(crate) const HEADERS_MAX: usize = 256;

/// What must not follow a redirect to another origin.
const PRIVATE: [HeaderName; 4] =
    [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION, header::HOST];

/// What describes a body, gone when a redirect drops it.
const CONTENT: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
];

/// Checks one header of a session or a request.
pub(crate) fn parse(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Fault> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_invalid| Fault::other(format!("header name {name:?} is not a token")))?;
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_invalid| {
        Fault::other(format!("header `{parsed}` holds a line break or another control character"))
    })?;
    if parsed == header::TRANSFER_ENCODING {
        return Err(Fault::other("header `transfer-encoding` is the client's own: leave it out"));
    }
    Ok((parsed, value))
}

/// Checks a header that every request of a session will have.
pub(crate) fn parse_default(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Fault> {
    let (name, value) = parse(name, value)?;
    if name == header::CONTENT_LENGTH {
        return Err(Fault::other("header `content-length` depends on the body: leave it out"));
    }
    Ok((name, value))
}

/// A checked request, as it changes from redirect to redirect.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    /// Was it ever redirected to another origin?
    foreign: bool,
}

impl Call {
    pub(crate) fn new(request: &Request) -> Result<Self, Fault> {
        let method = match request.method.as_str() {
            "" => Method::GET,
            "CONNECT" => return Err(Fault::other("method CONNECT is not supported")),
            name => Method::from_bytes(name.as_bytes())
                .map_err(|_invalid| Fault::other(format!("method {name:?} is not a token")))?,
        };
        if request.headers.len() > HEADERS_MAX {
            return Err(Fault::other(format!("request with more than {HEADERS_MAX} headers")));
        }
        let mut headers = Vec::with_capacity(request.headers.len());
        for (name, value) in &request.headers {
            let (name, value) = parse(name, value)?;
            if name == header::CONTENT_LENGTH {
                // The client counts for itself; a wrong count would be another request.
                if value.as_bytes() != request.body.len().to_string().as_bytes() {
                    return Err(Fault::other(
                        "header `content-length` is not the length of the body: leave it out",
                    ));
                }
                continue;
            }
            headers.push((name, value));
        }
        Ok(Self { method, headers, body: request.body.clone(), foreign: false })
    }

    /// For a redirect that is followed with GET.
    pub(crate) fn become_get(&mut self) {
        if self.method != Method::HEAD {
            self.method = Method::GET;
        }
        self.body = Bytes::new();
        self.headers.retain(|(name, _)| !CONTENT.contains(name));
    }

    /// For a redirect to another origin: from now on without what was meant for the first.
    pub(crate) fn become_foreign(&mut self) {
        self.foreign = true;
        self.headers.retain(|(name, _)| !PRIVATE.contains(name));
    }

    /// Did the scenario write a `cookie` header itself? Then the jar stays closed.
    pub(crate) fn has_cookie(&self, session: Option<&HeaderMap>) -> bool {
        self.headers.iter().any(|(name, _)| name == header::COOKIE)
            || (!self.foreign && session.is_some_and(|map| map.contains_key(header::COOKIE)))
    }

    /// The request for one exchange.
    pub(crate) fn build(
        &self,
        target: &Target,
        session: Option<&HeaderMap>,
        automatic: &Automatic,
        cookie: Option<HeaderValue>,
    ) -> http::Request<Bytes> {
        let mut map = HeaderMap::with_capacity(self.headers.len() + 8);
        map.insert(header::HOST, target.origin.authority.clone());
        map.insert(header::USER_AGENT, automatic.user_agent.clone());
        map.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        for (name, value) in session.into_iter().flatten() {
            if !(self.foreign && PRIVATE.contains(name)) {
                map.insert(name, value.clone());
            }
        }
        for (index, (name, value)) in self.headers.iter().enumerate() {
            if self.headers[..index].iter().any(|(earlier, _)| earlier == name) {
                map.append(name, value.clone());
            } else {
                map.insert(name, value.clone());
            }
        }
        if let Some(cookie) = cookie {
            map.insert(header::COOKIE, cookie);
        }
        if self.body.is_empty() && is_sending(&self.method) {
            map.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let mut request = http::Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::from(target.path.clone());
        *request.headers_mut() = map;
        request
    }
}

/// Methods whose request says that it has no body.
fn is_sending(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PUT || *method == Method::PATCH
}

/// Values of automatic headers that are the same for every request.
#[derive(Debug)]
pub(crate) struct Automatic {
    pub(crate) user_agent: HeaderValue,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn automatic() -> Automatic {
        Automatic { user_agent: HeaderValue::from_static("agent") }
    }

    fn target() -> Target {
        Target::resolve(None, "http://a.test/x").expect("URL")
    }

    fn with_headers(method: &str, headers: &[(&str, &str)], body: &'static str) -> Request {
        Request {
            headers: headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect(),
            body: Bytes::from_static(body.as_bytes()),
            ..Request::new(method, "/x")
        }
    }

    #[test]
    fn precedence_is_request_session_automatic() {
        let mut session = HeaderMap::new();
        session.insert("accept", HeaderValue::from_static("session"));
        session.insert("x-s", HeaderValue::from_static("session"));
        let request = with_headers("GET", &[("X-S", "request"), ("x-s", "again")], "");
        let call = Call::new(&request).expect("call");
        let built = call.build(&target(), Some(&session), &automatic(), None);
        let values: Vec<_> = built.headers().get_all("x-s").iter().collect();
        assert_eq!(values, ["request", "again"]);
        assert_eq!(built.headers()["accept"], "session");
        assert_eq!(built.headers()["user-agent"], "agent");
        assert_eq!(built.headers()["host"], "a.test");
        assert!(!built.headers().contains_key("accept-encoding"));
        assert!(!built.headers().contains_key("content-length"));
    }

    #[test]
    fn wrong_requests_are_refused() {
        let wrong = [
            (with_headers("GE T", &[], ""), "not a token"),
            (with_headers("CONNECT", &[], ""), "CONNECT"),
            (with_headers("GET", &[("a b", "c")], ""), "not a token"),
            (with_headers("GET", &[("", "c")], ""), "not a token"),
            (with_headers("GET", &[("a", "b\r\nc: d")], ""), "line break"),
            (with_headers("GET", &[("transfer-encoding", "chunked")], ""), "leave it out"),
            (with_headers("POST", &[("content-length", "3")], "four"), "leave it out"),
            (with_headers("GET", &[("a", "b"); HEADERS_MAX + 1], ""), "more than"),
        ];
        for (request, part) in wrong {
            let fault = Call::new(&request).expect_err(part);
            assert!(fault.message.contains(part), "{}", fault.message);
        }
        Call::new(&with_headers("POST", &[("content-length", "4")], "four")).expect("right");
        assert!(parse_default("content-length", "4").is_err());
    }

    #[test]
    fn secrets_do_not_follow_to_another_origin() {
        let mut session = HeaderMap::new();
        session.insert("authorization", HeaderValue::from_static("secret"));
        session.insert("x-s", HeaderValue::from_static("kept"));
        let secrets = [("cookie", "secret"), ("host", "mine"), ("x-r", "kept")];
        let mut call = Call::new(&with_headers("GET", &secrets, "")).expect("call");
        assert!(call.has_cookie(None));
        call.become_foreign();
        assert!(!call.has_cookie(None));
        let built = call.build(&target(), Some(&session), &automatic(), None);
        for name in ["authorization", "cookie"] {
            assert!(!built.headers().contains_key(name), "{name}");
        }
        assert_eq!(built.headers()["host"], "a.test");
        assert_eq!(built.headers()["x-s"], "kept");
        assert_eq!(built.headers()["x-r"], "kept");
    }

    #[test]
    fn a_redirected_post_loses_its_body() {
        let request = with_headers("POST", &[("content-type", "a/b"), ("x", "y")], "four");
        let mut call = Call::new(&request).expect("call");
        call.become_get();
        let built = call.build(&target(), None, &automatic(), None);
        assert_eq!(built.method(), Method::GET);
        assert!(built.body().is_empty());
        assert!(!built.headers().contains_key("content-type"));
        assert_eq!(built.headers()["x"], "y");
    }
}

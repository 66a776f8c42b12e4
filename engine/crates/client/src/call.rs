//! A request as it goes from redirect to redirect, and the bytes of its head.
//!
//! Precedence: the request's own headers, then the session's, then the automatic ones (`host`,
//! `user-agent`, `accept`, `content-length`).

use std::cell::RefCell;
use std::io::Write as _;

use bytes::Bytes;

use crate::error::Fault;
use crate::headers::{self, HEADERS_MAX, Template};
use crate::message::Request;
use crate::method::Method;
use crate::raw::Raw;
use crate::target::Target;

/// What must not follow a redirect to another origin.
const PRIVATE: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "host"];

/// What describes a body, gone when a redirect drops it.
const CONTENT: [&str; 4] =
    ["content-type", "content-encoding", "content-language", "content-location"];

static NO_BODY: Bytes = Bytes::new();

/// A checked request, and what redirects have made of it.
#[derive(Debug)]
pub(crate) struct Call<'r> {
    request: &'r Request,
    /// Did a redirect turn it into a GET without a body?
    became_get: bool,
    /// Was it ever redirected to another origin?
    foreign: bool,
}

impl<'r> Call<'r> {
    pub(crate) fn new(request: &'r Request) -> Result<Self, Fault> {
        if let Method::Other(name) = &request.method {
            if **name == *"CONNECT" {
                return Err(Fault::other("method CONNECT is not supported"));
            }
            if !headers::is_token(name) {
                return Err(Fault::other(format!("method {name:?} is not a token")));
            }
        }
        if request.headers.len() > HEADERS_MAX {
            return Err(Fault::other(format!("request with more than {HEADERS_MAX} headers")));
        }
        for (name, value) in &request.headers {
            headers::check(name, value)?;
            // The client counts for itself; a wrong count would be another request.
            if name.eq_ignore_ascii_case("content-length")
                && *value != request.body.len().to_string()
            {
                return Err(Fault::other(
                    "header `content-length` is not the length of the body: leave it out",
                ));
            }
        }
        Ok(Self { request, became_get: false, foreign: false })
    }

    pub(crate) fn method(&self) -> &Method {
        match &self.request.method {
            Method::Head => &Method::Head,
            _ if self.became_get => &Method::Get,
            method => method,
        }
    }

    pub(crate) fn body(&self) -> &Bytes {
        if self.became_get { &NO_BODY } else { &self.request.body }
    }

    pub(crate) fn keep_body(&self) -> bool {
        self.request.keep_body
    }

    /// How it is sent if its sender has put it together.
    pub(crate) fn raw(&self) -> Option<&'r Raw> {
        self.request.raw.as_deref()
    }

    /// Is any certificate good enough for it?
    pub(crate) fn insecure(&self) -> bool {
        self.raw().is_some_and(|raw| raw.insecure)
    }

    /// For a redirect that is followed with GET (HEAD stays HEAD).
    pub(crate) fn become_get(&mut self) {
        self.became_get = true;
    }

    /// For a redirect to another origin: from now on without what was meant for the first.
    pub(crate) fn become_foreign(&mut self) {
        self.foreign = true;
    }

    /// Did the scenario write a `cookie` header itself? Then the jar stays closed.
    pub(crate) fn has_cookie(&self, template: &Template) -> bool {
        self.own("cookie").next().is_some() || (!self.foreign && template.has_cookie)
    }

    /// Did the scenario ask for the end of the connection after this exchange?
    pub(crate) fn closes(&self, template: &Template) -> bool {
        if let Some(raw) = self.raw() {
            return raw.closes();
        }
        let mut own = self.own("connection").peekable();
        if own.peek().is_none() { template.closes } else { own.any(headers::says_close) }
    }

    /// The request's own headers that are still sent.
    fn headers(&self) -> impl Iterator<Item = (&'r str, &'r str)> {
        let (foreign, became_get) = (self.foreign, self.became_get);
        let headers = self.request.headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_str())).filter(move |(name, _)| {
            !(name.eq_ignore_ascii_case("content-length")
                || (foreign && is_one_of(name.as_bytes(), &PRIVATE))
                || (became_get && is_one_of(name.as_bytes(), &CONTENT)))
        })
    }

    /// Values of the request's own headers of this name.
    fn own(&self, name: &str) -> impl Iterator<Item = &'r str> {
        self.headers()
            .filter_map(move |(own, value)| own.eq_ignore_ascii_case(name).then_some(value))
    }

    /// Writes the complete head, blank line included.
    pub(crate) fn write(
        &self,
        head: &mut Vec<u8>,
        target: &Target<'_>,
        template: &Template,
        cookie: Option<&str>,
    ) {
        if let Some(raw) = self.raw() {
            return self.write_raw(head, target, raw);
        }
        let (method, origin) = (self.method(), &target.origin);
        let pieces = [
            method.as_str().as_bytes(),
            b" ",
            target.base_path.as_bytes(),
            target.path.as_bytes(),
            origin.version_and_host.as_bytes(),
            template.as_bytes(),
        ];
        // With room for the blank line and the length of a body.
        head.reserve(pieces.iter().map(|piece| piece.len()).sum::<usize>() + LENGTH_LINE_BYTES);
        let (request_line, lines) = pieces.split_at(4);
        request_line.iter().for_each(|piece| head.extend_from_slice(piece));
        if self.request.headers.is_empty() && !self.foreign && !template.has_host {
            lines.iter().for_each(|piece| head.extend_from_slice(piece));
        } else {
            self.write_merged(head, target, template);
        }
        if let Some(cookie) = cookie {
            headers::write_line(head, "cookie", cookie);
        }
        let body = self.body();
        if !body.is_empty() || method.is_sending() {
            // Writing to memory does not fail.
            let _ = write!(head, "content-length: {}\r\n", body.len());
        }
        head.extend_from_slice(b"\r\n");
    }

    /// A head whose lines the sender has made.
    fn write_raw(&self, head: &mut Vec<u8>, target: &Target<'_>, raw: &Raw) {
        let origin = &target.origin;
        let version = if raw.has_host() { " HTTP/1.1\r\n" } else { &*origin.version_and_host };
        for piece in [self.method().as_str(), " ", target.base_path, &*target.path, version] {
            head.extend_from_slice(piece.as_bytes());
        }
        raw.write(head);
        let body = self.body();
        if !body.is_empty() || raw.says_length {
            // Writing to memory does not fail.
            let _ = write!(head, "Content-Length: {}\r\n", body.len());
        }
        head.extend_from_slice(b"\r\n");
    }

    /// Version and header lines where the request's own may replace others.
    fn write_merged(&self, head: &mut Vec<u8>, target: &Target<'_>, template: &Template) {
        let own_host = self.own("host").next();
        let session_host = template.has_host && !self.foreign;
        match own_host {
            Some(host) => {
                head.extend_from_slice(b" HTTP/1.1\r\n");
                headers::write_line(head, "host", host);
            }
            // The template begins with it.
            None if session_host => head.extend_from_slice(b" HTTP/1.1\r\n"),
            None => head.extend_from_slice(target.origin.version_and_host.as_bytes()),
        }
        for (name, line) in template.lines() {
            let replaced = self.headers().any(|(own, _)| own.as_bytes().eq_ignore_ascii_case(name));
            if !(replaced || (self.foreign && is_one_of(name, &PRIVATE))) {
                head.extend_from_slice(line);
            }
        }
        for (name, value) in self.headers() {
            if !name.eq_ignore_ascii_case("host") {
                headers::write_line(head, name, value);
            }
        }
    }
}

/// `content-length: `, the digits of any length, the line's end and the blank line.
const LENGTH_LINE_BYTES: usize = 16 + 20 + 4;

fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    names.iter().any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
}

/// Most buffers that a thread keeps for the next request.
const BUFFERS_MAX: usize = 64;

/// Largest buffer that is kept.
const BUFFER_BYTES_MAX: usize = 4 << 10;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Memory for one request's head, from the thread's supply and given back when dropped: a session
/// has one only while its request is under way.
#[derive(Debug)]
pub(crate) struct HeadBuffer(pub(crate) Vec<u8>);

impl HeadBuffer {
    pub(crate) fn take() -> Self {
        Self(BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default())
    }
}

impl Drop for HeadBuffer {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        buffer.clear();
        if buffer.capacity() > BUFFER_BYTES_MAX {
            return;
        }
        // At the end of a thread there is no supply any more; the buffer is freed then.
        let _ = BUFFERS.try_with(|buffers| {
            let mut buffers = buffers.borrow_mut();
            if buffers.len() < BUFFERS_MAX {
                buffers.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_headers(method: &str, headers: &[(&str, &str)], body: &'static str) -> Request {
        Request {
            headers: headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect(),
            body: Bytes::from_static(body.as_bytes()),
            ..Request::new(method, "/x")
        }
    }

    fn template(headers: &[(&str, &str)]) -> Template {
        let mut template = Template::automatic("agent");
        for (name, value) in headers {
            template.set(name, value).expect("header");
        }
        template
    }

    fn written(call: &Call<'_>, template: &Template, cookie: Option<&str>) -> String {
        let target = Target::resolve(None, "http://a.test/x").expect("URL");
        let mut head = HeadBuffer::take();
        call.write(&mut head.0, &target, template, cookie);
        String::from_utf8(head.0.clone()).expect("text")
    }

    #[test]
    fn nothing_but_the_automatic_headers() {
        let request = Request::get("/x");
        let call = Call::new(&request).expect("call");
        assert_eq!(
            written(&call, &template(&[]), Some("a=b")),
            "GET /x HTTP/1.1\r\nhost: a.test\r\nuser-agent: agent\r\naccept: */*\r\n\
             cookie: a=b\r\n\r\n",
        );
    }

    #[test]
    fn precedence_is_request_session_automatic() {
        let request = with_headers("GET", &[("X-S", "request"), ("x-s", "again")], "");
        let call = Call::new(&request).expect("call");
        let session = template(&[("accept", "session"), ("x-s", "session"), ("x-t", "session")]);
        assert_eq!(
            written(&call, &session, None),
            "GET /x HTTP/1.1\r\nhost: a.test\r\nuser-agent: agent\r\naccept: session\r\n\
             x-t: session\r\nx-s: request\r\nx-s: again\r\n\r\n",
        );
    }

    #[test]
    fn whoever_says_it_the_host_stands_first_and_once() {
        let (plain, own) = (Request::get("/x"), with_headers("GET", &[("HOST", "mine")], ""));
        let session = template(&[("x-s", "1"), ("host", "session")]);
        let second = |request, template: &Template| {
            let call = Call::new(request).expect("call");
            let text = written(&call, template, None);
            assert_eq!(text.matches("host: ").count(), 1, "{text}");
            text.lines().nth(1).expect("line").to_owned()
        };
        assert_eq!(second(&plain, &template(&[])), "host: a.test");
        assert_eq!(second(&plain, &session), "host: session");
        assert_eq!(second(&own, &template(&[])), "host: mine");
        assert_eq!(second(&own, &session), "host: mine");
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
        let request = with_headers("POST", &[("content-length", "4")], "four");
        let call = Call::new(&request).expect("right");
        let text = written(&call, &template(&[]), None);
        assert_eq!(text.matches("content-length: 4\r\n").count(), 1, "{text}");
    }

    #[test]
    fn secrets_do_not_follow_to_another_origin() {
        let session = template(&[("authorization", "secret"), ("host", "mine"), ("x-s", "kept")]);
        let secrets = [("cookie", "secret"), ("host", "mine"), ("x-r", "kept")];
        let request = with_headers("GET", &secrets, "");
        let mut call = Call::new(&request).expect("call");
        assert!(call.has_cookie(&session));
        call.become_foreign();
        assert!(!call.has_cookie(&template(&[("cookie", "secret")])));
        assert_eq!(
            written(&call, &session, None),
            "GET /x HTTP/1.1\r\nhost: a.test\r\nuser-agent: agent\r\naccept: */*\r\n\
             x-s: kept\r\nx-r: kept\r\n\r\n",
        );
    }

    #[test]
    fn a_redirected_post_loses_its_body() {
        let request = with_headers("POST", &[("content-type", "a/b"), ("x", "y")], "four");
        let mut call = Call::new(&request).expect("call");
        assert!(written(&call, &template(&[]), None).ends_with("content-length: 4\r\n\r\n"));
        call.become_get();
        assert!(call.body().is_empty());
        assert_eq!(
            written(&call, &template(&[]), None),
            "GET /x HTTP/1.1\r\nhost: a.test\r\nuser-agent: agent\r\naccept: */*\r\nx: y\r\n\r\n",
        );
    }

    #[test]
    fn who_ends_the_connection() {
        let plain = Request::get("/");
        let closing = with_headers("GET", &[("Connection", "a, CLOSE")], "");
        let keeping = with_headers("GET", &[("Connection", "keep-alive")], "");
        let session = template(&[("connection", "close")]);
        let silent = template(&[]);
        let closes = |request, template| Call::new(request).expect("call").closes(template);
        assert!(!closes(&plain, &silent));
        assert!(closes(&plain, &session));
        assert!(closes(&closing, &silent));
        assert!(!closes(&keeping, &session));
    }

    #[test]
    fn buffers_come_back_unless_they_are_large() {
        let mut small = HeadBuffer::take();
        small.0.reserve(100);
        let at = small.0.as_ptr();
        drop(small);
        assert_eq!(HeadBuffer::take().0.as_ptr(), at);
        let mut large = HeadBuffer::take();
        large.0.reserve(BUFFER_BYTES_MAX + 1);
        drop(large);
        assert!(HeadBuffer::take().0.capacity() <= BUFFER_BYTES_MAX);
    }
}

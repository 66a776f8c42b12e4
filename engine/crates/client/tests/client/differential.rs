//! The client against hyper's: the same bytes, the same response or the same kind of error.
//!
//! hyper reads a response in one piece from memory, the client reads it from a socket that delivers
//! it in several. Where the two differ on purpose, `differences` holds both to it, with the reason.

use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use swarm_client::{ErrorKind, Request, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::Server;

/// What a client makes of a response. Headers are sorted by name; those of one name are in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Response { status: u16, headers: Vec<(String, Vec<u8>)>, body: Vec<u8> },
    Error(ErrorKind),
}

/// hyper's opinion on `bytes`, after which the server closes the connection.
pub(crate) async fn hyper_outcome(method: &str, bytes: &[u8]) -> Outcome {
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let bytes = bytes.to_vec();
    tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(far.read_u8().await.expect("a request"));
        }
        let _ = far.write_all(&bytes).await;
    });
    let mut builder = Builder::new();
    builder.max_buf_size(64 << 10).max_header_size(64 << 10);
    let (mut sender, connection) = builder.handshake(TokioIo::new(near)).await.expect("handshake");
    tokio::spawn(connection);
    let request = http::Request::builder().method(method).uri("/").header("host", "a.test");
    let request = request.body(Full::<bytes::Bytes>::default()).expect("request");
    match sender.send_request(request).await {
        Ok(response) => {
            let (head, body) = response.into_parts();
            match body.collect().await {
                Ok(body) => Outcome::Response {
                    status: head.status.as_u16(),
                    headers: sorted(head.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes()))),
                    body: body.to_bytes().to_vec(),
                },
                Err(error) => Outcome::Error(kind(&error)),
            }
        }
        Err(error) => Outcome::Error(kind(&error)),
    }
}

fn sorted<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<(String, Vec<u8>)> {
    let mut headers: Vec<_> = headers.map(|(n, v)| (n.to_lowercase(), v.to_vec())).collect();
    headers.sort_by(|a, b| a.0.cmp(&b.0));
    headers
}

fn kind(error: &hyper::Error) -> ErrorKind {
    let cause = std::iter::successors(std::error::Error::source(error), |cause| cause.source())
        .find_map(|cause| cause.downcast_ref::<std::io::Error>());
    match cause.map(std::io::Error::kind) {
        _ if error.is_parse_too_large() => ErrorKind::TooLarge,
        Some(std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData) => {
            ErrorKind::Protocol
        }
        Some(_) => ErrorKind::Connect,
        None if error.is_parse() => ErrorKind::Protocol,
        None => ErrorKind::Connect,
    }
}

/// A server that sends what it is told, in pieces, and then closes the connection.
pub(crate) struct Scripted {
    _server: Server,
    session: Session,
    script: Arc<Mutex<VecDeque<Vec<Vec<u8>>>>>,
}

impl Scripted {
    pub(crate) async fn start() -> Self {
        let script = Arc::new(Mutex::new(VecDeque::<Vec<Vec<u8>>>::new()));
        let lines = Arc::clone(&script);
        let server = Server::start(move |mut peer| {
            let pieces = lines.lock().expect("script").pop_front().unwrap_or_default();
            async move {
                peer.request().await;
                for (index, piece) in pieces.iter().enumerate() {
                    if index > 0 {
                        // The client is given time to take the piece before.
                        tokio::time::sleep(Duration::from_micros(100)).await;
                    }
                    peer.send(piece).await;
                }
            }
        })
        .await;
        Self { session: server.session(), _server: server, script }
    }

    /// The client's opinion on `bytes` cut into pieces at `cuts`.
    pub(crate) async fn outcome(&self, method: &str, bytes: &[u8], cuts: &[usize]) -> Outcome {
        let mut ends: Vec<_> = cuts.iter().map(|&cut| cut.min(bytes.len())).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let mut begin = 0;
        let pieces = ends.iter().map(|&end| bytes[std::mem::replace(&mut begin, end)..end].into());
        self.script.lock().expect("script").push_back(pieces.collect());
        // Closed after each answer, but the session may learn that only from the next request.
        let request = Request {
            headers: vec![("connection".into(), "close".into())],
            redirects: Some(0),
            ..Request::new(method, "/")
        };
        match self.session.send(request).await {
            Ok(response) => {
                assert_eq!(response.body_bytes, response.body.len() as u64);
                Outcome::Response {
                    status: response.status,
                    headers: sorted(
                        response.headers.iter().map(|(name, value)| {
                            (std::str::from_utf8(name).expect("a token"), value)
                        }),
                    ),
                    body: response.body.to_vec(),
                }
            }
            Err(error) => Outcome::Error(error.kind),
        }
    }
}

const INTERIM: [&str; 3] = [
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\ncontent-length: 3\r\n\r\n",
    "HTTP/1.0 102 Processing\n\n",
];

const STATUS_LINES: [&str; 22] = [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\n",
    "HTTP/1.1 200 \r\n",
    "HTTP/1.1 200\r\n",
    "HTTP/1.1 200 Sp\u{e4}t\r\n",
    "\r\nHTTP/1.1 201 Created\r\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/1.0 404 Not Found\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 205 Reset Content\r\n",
    "HTTP/1.1 304 Not Modified\r\n",
    "HTTP/1.1 500 Oh\tno\r\n",
    "HTTP/1.1 999 Far Out\r\n",
    "HTTP/1.1 099 Low\r\n",
    "HTTP/1.1 2000 Long\r\n",
    "HTTP/1.1  200 OK\r\n",
    "HTTP/1.2 200 OK\r\n",
    "HTTP/2 200\r\n",
    "http/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\r\n",
];

const FIELDS: [&str; 24] = [
    "server: x",
    "Date: Thu, 01 Jan 1970 00:00:00 GMT",
    "X-Same: 1",
    "x-same: 2",
    "x-empty:",
    "x-spaces: \t  a b \t ",
    "x-tight:v",
    "x-text: \u{fc}\u{20ac}",
    "x-colons: a:b:c",
    "set-cookie: a=b; path=/",
    "Set-Cookie: c=d",
    "connection: keep-alive",
    "Connection: foo, Close",
    "trailer: x-sum",
    "x-quote: \"a,b\"",
    "!#$%&'*+-.^_`|~09: token",
    "location: /elsewhere",
    "bad name: x",
    "bad : x",
    "no colon",
    ": nameless",
    " folded",
    "x-control: a\u{1}b",
    "x-del: a\u{7f}b",
];

/// Header lines that frame a body, and the body in its frame.
const FRAMES: [(&str, &str); 35] = [
    ("content-length: 5\r\n", "hello"),
    ("Content-Length: 5\r\n", "hello"),
    ("content-length:5\n", "hello"),
    ("content-length: 0\r\n", ""),
    ("content-length: 005\r\n", "hello"),
    ("content-length: 5, 5\r\n", "hello"),
    ("content-length: 5\r\ncontent-length: 5\r\n", "hello"),
    ("content-length: 5\r\ncontent-length: 6\r\n", "hello"),
    ("content-length: 5,6\r\n", "hello"),
    ("content-length: 5,\r\n", "hello"),
    ("content-length: +5\r\n", "hello"),
    ("content-length: -5\r\n", "hello"),
    ("content-length: 0x5\r\n", "hello"),
    ("content-length:\r\n", "hello"),
    ("content-length: 18446744073709551615\r\n", "hello"),
    ("content-length: 18446744073709551616\r\n", "hello"),
    ("content-length: 6\r\n", "hello"),
    ("content-length: 4\r\n", "hello"),
    ("", "hello"),
    ("", ""),
    ("transfer-encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ("Transfer-Encoding: Chunked\r\n", "3\r\nhel\r\n002\r\nlo\r\n0\r\n\r\n"),
    ("transfer-encoding: gzip, chunked\r\n", "A;x=\"y\"\r\nhellohello\r\n000;z\r\n\r\n"),
    ("transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n", "1 \t\r\nh\r\n0\r\nx: y\r\n\r\n"),
    ("transfer-encoding: chunked, gzip\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ("transfer-encoding: gzip\r\n", "hello"),
    ("transfer-encoding:\r\n", "hello"),
    ("transfer-encoding: chunked\r\ncontent-length: 3\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    (
        "content-length: x\r\ntransfer-encoding: chunked\r\n",
        "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
    ),
    ("transfer-encoding: chunked\r\n", "5\nhello\n0\n\n"),
    ("transfer-encoding: chunked\r\n", " 5\r\nhello\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "5\r\nhello!\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "5\r\nhello\r\n0\r\nx: y\nz: w\r\n\r\n"),
    ("transfer-encoding: chunked\r\n", "5;a\nb\r\nhello\r\n0\r\nx: y\r\nz: \r\n\r\n"),
];

#[derive(Debug, Clone)]
struct Case {
    method: &'static str,
    bytes: Vec<u8>,
    cuts: Vec<usize>,
}

fn cases() -> impl Strategy<Value = Case> {
    use prop::sample::select;
    let interim = prop::collection::vec(select(&INTERIM[..]), 0..3);
    // Most are good: two bad ones would hide behind each other.
    let status = prop_oneof![3 => select(&STATUS_LINES[..14]), 1 => select(&STATUS_LINES[..])];
    let fields = |upto: usize| prop::collection::vec(select(&FIELDS[..upto]), 0..6);
    let fields = prop_oneof![4 => fields(17), 1 => fields(FIELDS.len())];
    let method = prop_oneof![6 => Just("GET"), 1 => Just("HEAD"), 1 => Just("POST")];
    let cuts = prop::collection::vec(0_usize..400, 0..6);
    let keep = prop_oneof![4 => Just(1.0), 1 => 0.0..1.0];
    let frame = select(&FRAMES[..]);
    (method, interim, status, fields, frame, any::<bool>(), cuts, keep).prop_map(
        |(method, interim, status, fields, (head, body), frame_first, cuts, keep)| {
            let mut text = interim.concat() + status;
            let mut lines: Vec<_> = fields.iter().map(|field| format!("{field}\r\n")).collect();
            lines.insert(if frame_first { 0 } else { lines.len() }, head.to_owned());
            text += &(lines.concat() + "\r\n" + body);
            let mut bytes = text.into_bytes();
            // A number of bytes of a small text.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "in range"
            )]
            bytes.truncate((bytes.len() as f64 * keep).ceil() as usize);
            Case { method, bytes, cuts }
        },
    )
}

#[test]
fn made_responses_come_to_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("runtime");
    let scripted = runtime.block_on(Scripted::start());
    let (responses, kinds) = (Cell::new(0), RefCell::new(HashSet::new()));
    proptest!(ProptestConfig::with_cases(1500), |(case in cases())| {
        let (hyper, ours) = runtime.block_on(async {
            let hyper = hyper_outcome(case.method, &case.bytes).await;
            (hyper, scripted.outcome(case.method, &case.bytes, &case.cuts).await)
        });
        let text = String::from_utf8_lossy(&case.bytes);
        prop_assert_eq!(&hyper, &ours, "{} {:?}", case.method, text);
        match ours {
            Outcome::Response { .. } => responses.set(responses.get() + 1),
            Outcome::Error(kind) => drop(kinds.borrow_mut().insert(kind)),
        }
    });
    assert!((500..1400).contains(&responses.get()), "{responses:?} of 1500 are good");
    let kinds = kinds.into_inner();
    assert!(kinds.contains(&ErrorKind::Protocol) && kinds.contains(&ErrorKind::Connect));
}

#[tokio::test]
async fn every_frame_comes_to_the_same_wherever_it_is_cut() {
    let scripted = Scripted::start().await;
    for (head, body) in FRAMES {
        let bytes = format!("HTTP/1.1 200 OK\r\nx: y\r\n{head}\r\n{body}").into_bytes();
        let hyper = hyper_outcome("GET", &bytes).await;
        for cut in 0..bytes.len() {
            let ours = scripted.outcome("GET", &bytes, &[cut]).await;
            assert_eq!(hyper, ours, "{head:?} {body:?} cut at {cut}");
        }
    }
}

/// What the client does otherwise, on purpose.
#[tokio::test]
async fn differences() {
    let response = |status, name: &str, value: &str, body: &str| Outcome::Response {
        status,
        headers: vec![(name.to_owned(), value.as_bytes().to_vec())],
        body: body.into(),
    };
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let extension = format!("{chunked}1;{}\r\na\r\n0\r\n\r\n", "x".repeat(20_000));
    let trailer = format!("{chunked}0\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    let interim = INTERIM[0].repeat(101) + "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na";
    let cases = [
        // A request that asks for no upgrade must not get one (RFC 9110, section 7.8). hyper leaves
        // it to its caller.
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n",
            response(101, "upgrade", "h2c", ""),
            Outcome::Error(ErrorKind::Protocol),
        ),
        // A coding that is no token says nothing about the last one. hyper reads on to the close.
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gz\u{fc}p, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            response(200, "transfer-encoding", "gz\u{fc}p, chunked", "1\r\na\r\n0\r\n\r\n"),
            response(200, "transfer-encoding", "gz\u{fc}p, chunked", "a"),
        ),
        // Trailers that begin with a line feed alone are none. hyper does not read them.
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\n:\r\n\r\n",
            response(200, "transfer-encoding", "chunked", "a"),
            Outcome::Error(ErrorKind::Protocol),
        ),
        // Nor are trailers with something behind their blank line. hyper reads no further.
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\n\r\n\r\n",
            response(200, "transfer-encoding", "chunked", "a"),
            Outcome::Error(ErrorKind::Protocol),
        ),
        // RFC 9110, section 15.2, allows any number; a limit stands on everything here.
        (&*interim, response(200, "content-length", "1", "a"), Outcome::Error(ErrorKind::TooLarge)),
        // Both are well formed (RFC 9112, sections 7.1.1 and 7.1.2): what is wrong is their size.
        (&*extension, Outcome::Error(ErrorKind::Protocol), Outcome::Error(ErrorKind::TooLarge)),
        (
            &*trailer,
            response(200, "transfer-encoding", "chunked", ""),
            Outcome::Error(ErrorKind::TooLarge),
        ),
    ];
    let scripted = Scripted::start().await;
    for (bytes, hyper, ours) in cases {
        let head = &bytes[..60.min(bytes.len())];
        assert_eq!(hyper_outcome("GET", bytes.as_bytes()).await, hyper, "hyper: {head:?}");
        assert_eq!(scripted.outcome("GET", bytes.as_bytes(), &[]).await, ours, "ours: {head:?}");
    }
}

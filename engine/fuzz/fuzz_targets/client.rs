//! Answers of a target: decoded the same however they are cut, and to the same as by hyper.
#![no_main]

use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use swarm_client::fuzz::{Outcome, outcome, response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

libfuzzer_sys::fuzz_target!(
    init: swarm_fuzz::write_seeds(&seeds()),
    |data: &[u8]| run(data)
);

/// hyper's opinion is asked for on answers up to so many bytes.
const BYTES_MAX: usize = 4096;

/// Panics when the outcome depends on how an answer is cut, or differs from hyper's.
fn run(data: &[u8]) {
    response(data);
    let &[mode, seed, ref bytes @ ..] = data else { return };
    if bytes.len() > BYTES_MAX {
        return;
    }
    let head_only = mode & 3 == 3;
    let Some(ours) = outcome(head_only, bytes, seed) else { return };
    let hypers = swarm_fuzz::runtime().block_on(hypers(head_only, bytes));
    if hypers.as_ref().is_ok_and(differs) || ends_lines_alone(bytes) {
        return;
    }
    let ours = ours.map(sorted);
    assert_eq!(ours, hypers.map(sorted), "ours is left: {:?}", String::from_utf8_lossy(bytes));
}

/// Where the client differs on purpose; `tests/client/differential.rs` says why.
fn differs((status, headers, _): &Outcome) -> bool {
    let coding = |(name, value): &(Vec<u8>, Vec<u8>)| {
        name.eq_ignore_ascii_case(b"transfer-encoding") && !value.is_ascii()
    };
    *status == 101 || headers.iter().any(coding)
}

/// Line feeds alone in chunked bodies: hyper reads no further in trailers that begin with one.
fn ends_lines_alone(bytes: &[u8]) -> bool {
    let chunked = bytes.windows(7).any(|word| word.eq_ignore_ascii_case(b"chunked"));
    chunked && bytes.windows(2).any(|end| end[0] != b'\r' && end[1] == b'\n')
}

fn sorted((status, mut headers, body): Outcome) -> Outcome {
    headers.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
    headers.sort_by(|a, b| a.0.cmp(&b.0));
    (status, headers, body)
}

async fn hypers(head_only: bool, bytes: &[u8]) -> Result<Outcome, ()> {
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let bytes = bytes.to_vec();
    tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let Ok(byte) = far.read_u8().await else { return };
            request.push(byte);
        }
        // It may have had enough before.
        let _ = far.write_all(&bytes).await;
    });
    let mut builder = Builder::new();
    builder.max_buf_size(64 << 10).max_header_size(64 << 10);
    let (mut sender, connection) = builder.handshake(TokioIo::new(near)).await.map_err(drop)?;
    tokio::spawn(connection);
    let method = if head_only { "HEAD" } else { "GET" };
    let request = http::Request::builder().method(method).uri("/").header("host", "a.test");
    let request = request.body(Full::<bytes::Bytes>::default()).expect("a request");
    let (head, body) = sender.send_request(request).await.map_err(drop)?.into_parts();
    let body = body.collect().await.map_err(drop)?.to_bytes().to_vec();
    let headers = head.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str().into(), value.as_bytes().into()));
    Ok((head.status.as_u16(), headers.collect(), body))
}

/// An answer of each kind.
fn seeds() -> Vec<Vec<u8>> {
    let answers = [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n\
         5;a=\"b\"\r\nhello\r\n0\r\nx: y\r\n\r\n",
        "HTTP/1.0 200 OK\r\nset-cookie: a=b; path=/\r\nconnection: keep-alive\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n",
        "\r\nHTTP/1.1 301 Moved\nlocation: /there\ncontent-length: 5, 5\n\nhello",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\nhello",
    ];
    let seed = |(number, answer): (u8, &str)| [&[number, number], answer.as_bytes()].concat();
    (0..).zip(answers).map(seed).collect()
}

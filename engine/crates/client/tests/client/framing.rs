//! Where a response ends, however it is cut into packets.

use std::time::Duration;

use swarm_client::{Request, Response};

use crate::server::{Server, ok};

async fn answer_to(method: &str, bytes: impl Into<Vec<u8>>) -> Response {
    let server = Server::closing(bytes).await;
    server.session().send(Request::new(method, "/")).await.expect("response")
}

const CHUNKED: &str = "HTTP/1.1 100 Continue\r\n\r\n\
    HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
    3;ext=1\r\nabc\r\n1\r\nd\r\n0\r\nx-sum: 1\r\n\r\n";

#[tokio::test]
async fn chunks_with_extensions_and_trailers() {
    let response = answer_to("GET", CHUNKED).await;
    assert_eq!((response.status, &response.body[..]), (200, &b"abcd"[..]));
    assert_eq!(response.body_bytes, 4);
}

#[tokio::test]
async fn a_body_until_the_connection_closes() {
    for version in ["1.0", "1.1"] {
        let response = answer_to("GET", format!("HTTP/{version} 200 OK\r\n\r\nto the end")).await;
        assert_eq!(response.body, "to the end");
    }
}

#[tokio::test]
async fn interim_responses_are_skipped() {
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n".repeat(5);
    let response = answer_to("GET", hints + "HTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\na");
    assert_eq!(response.await.status, 201);
}

#[tokio::test]
async fn responses_without_a_body() {
    for (method, head) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 10"),
        ("HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked"),
        ("GET", "HTTP/1.1 204 No Content\r\nx: y"),
        ("GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 10"),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 0"),
    ] {
        let server = Server::answering(format!("{head}\r\n\r\n")).await;
        let session = server.session();
        for _ in 0..3 {
            let response = session.send(Request::new(method, "/")).await.expect(head);
            assert_eq!(response.body_bytes, 0);
        }
        assert_eq!(server.accepts(), 1, "{method} {head}");
    }
}

#[tokio::test]
async fn headers_arrive_as_sent() {
    let head = "HTTP/1.1 299 Odd\r\nX-One: 1\r\nx-one: 2\r\nX-Latin: \u{fc}\r\ncontent-length: 0";
    let response = answer_to("GET", format!("{head}\r\n\r\n")).await;
    assert_eq!(response.status, 299);
    assert_eq!(response.header("x-ONE").as_deref(), Some("1, 2"));
    assert_eq!(response.header("x-latin").as_deref(), Some("\u{fc}"));
    assert_eq!(response.header("x-none"), None);
}

#[tokio::test]
async fn large_bodies_arrive_whole() {
    let body: String = ('a'..='z').cycle().take(300_000).collect();
    let response = answer_to("GET", ok(&body)).await;
    assert_eq!(response.body, body.as_bytes());
    let mut chunked = String::from("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    for piece in body.as_bytes().chunks(777) {
        let piece = std::str::from_utf8(piece).expect("text");
        chunked.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
    }
    let response = answer_to("GET", chunked + "0\r\n\r\n").await;
    assert_eq!(response.body, body.as_bytes());
}

#[tokio::test]
async fn a_body_that_is_not_kept_is_counted() {
    let server = Server::answering(ok(&"x".repeat(1000))).await;
    let session = server.session();
    for keep_body in [false, true, false] {
        let request = Request { keep_body, ..Request::get("/") };
        let response = session.send(request).await.expect("response");
        assert_eq!(response.body_bytes, 1000);
        assert_eq!(response.body.len(), if keep_body { 1000 } else { 0 });
    }
    assert_eq!(server.accepts(), 1);
}

#[tokio::test]
async fn huge_bodies_pass_through() {
    const CHUNKS: u64 = 1000;
    let server = Server::start(|mut peer| async move {
        while peer.request().await.is_some() {
            peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            let chunk = [b"10000\r\n", &[b'x'; 1 << 16][..], b"\r\n"].concat();
            for _ in 0..CHUNKS {
                peer.send(&chunk).await;
            }
            peer.send(b"0\r\n\r\n").await;
        }
    })
    .await;
    let session = server.session_with(|config| config.body_bytes_max = 1 << 30);
    for _ in 0..2 {
        let request = Request { keep_body: false, ..Request::get("/") };
        let response = session.send(request).await.expect("response");
        assert_eq!((response.body_bytes, response.body.len()), (CHUNKS << 16, 0));
    }
    assert_eq!(server.accepts(), 1);
}

/// Sends `bytes` in pieces that end at `cuts`, each when the client has had time for the last.
async fn in_pieces(bytes: &'static [u8], cuts: Vec<usize>) -> Response {
    let server = Server::start(move |mut peer| {
        let cuts = cuts.clone();
        async move {
            while peer.request().await.is_some() {
                let mut sent = 0;
                for &cut in &cuts {
                    peer.send(&bytes[sent..cut]).await;
                    tokio::time::sleep(Duration::from_micros(200)).await;
                    sent = cut;
                }
                peer.send(&bytes[sent..]).await;
            }
        }
    })
    .await;
    let session = server.session();
    session.send(Request::get("/")).await.expect("first");
    let response = session.send(Request::get("/")).await.expect("second");
    assert_eq!(server.accepts(), 1, "the rest of a response spoils the connection");
    response
}

#[tokio::test]
async fn responses_split_at_every_byte() {
    let plain: &'static [u8] = b"HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 4\r\n\r\nabcd";
    for bytes in [plain, CHUNKED.as_bytes()] {
        for cut in 1..bytes.len() {
            assert_eq!(in_pieces(bytes, vec![cut]).await.body, "abcd", "cut at {cut}");
        }
        let response = in_pieces(bytes, (1..bytes.len()).collect()).await;
        assert_eq!(response.body, "abcd");
    }
}

#[tokio::test]
async fn the_time_is_that_of_the_last_byte() {
    let pause = Duration::from_millis(30);
    let server = Server::start(move |mut peer| async move {
        peer.request().await;
        tokio::time::sleep(pause).await;
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na").await;
        tokio::time::sleep(pause).await;
        peer.send(b"b").await;
        peer.closed().await;
    })
    .await;
    let response = server.session().send(Request::get("/")).await.expect("response");
    let phases = response.phases;
    assert!(response.elapsed >= 2 * pause);
    assert!(phases.first_byte.expect("first byte") >= pause);
    assert!(phases.receive.expect("receive") >= pause / 2);
    assert!(phases.connect.is_some() && phases.tls.is_none() && phases.dns.is_none());
    let sum = [phases.connect, phases.first_byte, phases.receive];
    assert!(sum.into_iter().flatten().sum::<Duration>() <= response.elapsed);
}

//! What goes wrong, and the words for it.

use std::time::Duration;

use swarm_client::{Error, ErrorKind, Request};
use tokio::net::TcpListener;

use crate::server::{Peer, Server, ok, session};

async fn error_of(answer: impl Into<Vec<u8>>) -> Error {
    let server = Server::closing(answer).await;
    let session = server.session_with(|config| {
        config.head_bytes_max = 8 << 10;
        config.body_bytes_max = 1 << 10;
        config.headers_max = 20;
    });
    session.send(Request::get("/")).await.expect_err("bad answer")
}

#[tokio::test]
async fn refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    drop(listener);
    let session = session(&format!("http://{address}"), &[], |_| {});
    let error = session.send(Request::get("/")).await.expect_err("nobody there");
    let expected = format!("cannot connect to {address}: connection refused");
    assert_eq!((error.kind, error.message), (ErrorKind::Connect, expected));
}

#[tokio::test]
async fn reset() {
    let server = Server::start(Peer::reset).await;
    let error = server.session().send(Request::get("/")).await.expect_err("reset");
    assert_eq!(
        (error.kind, &*error.message),
        (ErrorKind::Connect, "connection reset before the response began")
    );
}

#[tokio::test]
async fn a_body_that_stops_and_hangs_is_a_timeout() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
        peer.closed().await;
    })
    .await;
    let session = server.session_with(|c| c.request_timeout = Duration::from_millis(150));
    let error = session.send(Request::get("/")).await.expect_err("hangs");
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert_eq!(error.message, "timed out after 150 ms (request timeout)");
}

#[tokio::test]
async fn interim_responses_do_not_reset_the_timeout() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        for _ in 0..1000 {
            peer.send(b"HTTP/1.1 102 Processing\r\n\r\n").await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        peer.closed().await;
    })
    .await;
    let session = server.session_with(|c| c.request_timeout = Duration::from_millis(100));
    assert_eq!(session.send(Request::get("/")).await.expect_err("1xx").kind, ErrorKind::Timeout);
}

#[tokio::test]
async fn interim_responses_are_limited() {
    for (count, fits) in [(100, true), (101, false)] {
        let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(count);
        let server = Server::closing(interim + "HTTP/1.1 204 No Content\r\n\r\n").await;
        let outcome = server.session().send(Request::get("/")).await;
        assert_eq!(outcome.is_ok(), fits, "{count}");
    }
    let error = endless("", "HTTP/1.1 102 Processing\r\n\r\n").await;
    assert_eq!(error.kind, ErrorKind::TooLarge);
    assert_eq!(error.message, "more than 100 interim responses (1xx)");
}

#[tokio::test]
async fn a_protocol_that_was_not_asked_for_is_refused() {
    let upgrade = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";
    let error = error_of(upgrade).await;
    assert_eq!(error.kind, ErrorKind::Protocol);
    let message = "response 101 (switching protocols), which was not asked for";
    assert_eq!(error.message, message);
}

#[tokio::test]
async fn what_surrounds_chunks_is_limited() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (part, fits, limit) in [
        (format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(16 << 10)), true, ""),
        (
            format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat((16 << 10) + 1)),
            false,
            "chunk extensions larger than 16 KiB",
        ),
        ("1;x\r\na\r\n".repeat(20_000), false, "chunk extensions larger than 16 KiB"),
        (format!("0\r\nx: {}\r\n\r\n", "y".repeat(16_000)), true, ""),
        (format!("0\r\nx: {}\r\n\r\n", "y".repeat(17_000)), false, "trailers larger than 16 KiB"),
        ("0\r\n".to_owned() + &"a: b\r\n".repeat(20) + "\r\n", true, ""),
        ("0\r\n".to_owned() + &"a: b\r\n".repeat(21) + "\r\n", false, "more than 20 trailers"),
    ] {
        let server = Server::closing(head.to_owned() + &part).await;
        let session = server.session_with(|config| config.headers_max = 20);
        match session.send(Request::get("/")).await {
            Ok(_) => assert!(fits, "{limit}"),
            Err(error) => {
                assert!(!fits, "{error}");
                assert_eq!((error.kind, &*error.message), (ErrorKind::TooLarge, limit));
            }
        }
    }
}

#[tokio::test]
async fn garbage_is_a_protocol_error() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "<html>hello</html>\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/2 200\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let error = error_of(garbage).await;
        assert_eq!(error.kind, ErrorKind::Protocol, "{garbage:?}: {error}");
        assert_eq!(error.message, "malformed response head", "{garbage:?}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_first_is_no_http_server() {
    let server = Server::start(|mut peer| async move {
        peer.send(b"220 mail.test ESMTP\r\n").await;
        peer.closed().await;
    })
    .await;
    let error = server.session().send(Request::get("/")).await.expect_err("mail");
    assert_eq!(error.kind, ErrorKind::Protocol, "{error}");
}

#[tokio::test]
async fn malformed_chunks_are_a_protocol_error() {
    for chunks in ["zz\r\nab\r\n", "2\r\nabcd\r\n", "ffffffffffffffffff\r\n", "-1\r\n"] {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let error = error_of(format!("{head}{chunks}")).await;
        assert_eq!(error.kind, ErrorKind::Protocol, "{chunks:?}: {error}");
        assert_eq!(error.message, "malformed chunked body", "{chunks:?}");
    }
}

#[tokio::test]
async fn what_is_cut_off_is_never_a_response() {
    let error = error_of("").await;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert_eq!(error.message, "connection closed before the response began");
    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        let error = error_of(cut).await;
        assert_eq!(error.kind, ErrorKind::Connect, "{cut:?}");
        assert_eq!(error.message, "connection closed before the response was complete");
    }
}

/// Sends `piece` again and again until the client hangs up.
async fn endless(head: &'static str, piece: &'static str) -> Error {
    let server = Server::start(move |mut peer| async move {
        peer.request().await;
        peer.send(head.as_bytes()).await;
        for _ in 0..100_000 {
            if tokio::io::AsyncWriteExt::write_all(&mut peer.stream, piece.as_bytes())
                .await
                .is_err()
            {
                return;
            }
        }
        panic!("the client took it all");
    })
    .await;
    let session = server.session_with(|config| config.body_bytes_max = 100_000);
    session.send(Request::get("/")).await.expect_err("endless")
}

#[tokio::test]
async fn endless_heads_are_too_large() {
    let long = "x".repeat(100);
    let head: &'static str = Box::leak(format!("x-y: {long}\r\n").into_boxed_str());
    let long_header = endless("HTTP/1.1 200 OK\r\nx: ", Box::leak(long.into_boxed_str())).await;
    assert_eq!(long_header.kind, ErrorKind::TooLarge);
    assert_eq!(long_header.message, "response head larger than 64 KiB");
    let many = endless("HTTP/1.1 200 OK\r\n", head).await;
    assert_eq!(many.kind, ErrorKind::TooLarge, "{many}");
}

#[tokio::test]
async fn head_and_header_limits_are_exact() {
    let headers = |count: usize| "a: b\r\n".repeat(count);
    let error = error_of(format!("HTTP/1.1 204 OK\r\n{}\r\n", headers(21))).await;
    assert_eq!(error.kind, ErrorKind::TooLarge);
    assert!(error.message.starts_with("response head with more than 20 headers"), "{error}");
    for (count, fits) in [(20, true), (21, false)] {
        let server = Server::answering(format!("HTTP/1.1 204 OK\r\n{}\r\n", headers(count))).await;
        let session = server.session_with(|config| config.headers_max = 20);
        assert_eq!(session.send(Request::get("/")).await.is_ok(), fits, "{count} headers");
    }
    let empty = "HTTP/1.1 204 OK\r\nx: \r\n\r\n".len();
    for (size, fits) in [(8 << 10, true), ((8 << 10) + 1, false)] {
        let fill = "x".repeat(size - empty);
        let server = Server::answering(format!("HTTP/1.1 204 OK\r\nx: {fill}\r\n\r\n")).await;
        let session = server.session_with(|config| config.head_bytes_max = 8 << 10);
        let outcome = session.send(Request::get("/")).await;
        assert_eq!(outcome.is_ok(), fits, "{size} bytes: {outcome:?}");
    }
}

#[tokio::test]
async fn endless_bodies_are_too_large() {
    let heads = [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551000\r\n\r\n",
    ];
    for head in heads {
        let error = endless(head, "0123456789").await;
        assert_eq!(error.kind, ErrorKind::TooLarge, "{head}");
        assert_eq!(error.message, "response body larger than 100000 bytes");
    }
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(endless(chunked, "5\r\nabcde\r\n").await.kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_fits_kept_or_not() {
    for (bytes, fits) in [(1000, true), (1001, false)] {
        let body = "x".repeat(bytes);
        let until_close = format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes();
        for (answer, keep_body) in [(ok(&body), true), (ok(&body), false), (until_close, false)] {
            let server = Server::closing(answer).await;
            let session = server.session_with(|config| config.body_bytes_max = 1000);
            let request = Request { keep_body, ..Request::get("/") };
            assert_eq!(session.send(request).await.is_ok(), fits);
        }
    }
}

#[tokio::test]
async fn a_denied_host_is_never_connected_to() {
    let server = Server::answering(ok("a")).await;
    let other = Server::answering(ok("b")).await;
    let session = server.session();
    let error = session.send(Request::get(other.url())).await.expect_err("denied");
    assert_eq!(error.kind, ErrorKind::Denied);
    let port = other.address.port();
    assert!(error.message.starts_with(&format!("host `127.0.0.1:{port}` is not allowed")));
    // A name is not looked up either: this one would be a DNS error.
    let name = format!("http://{}.test/", "a".repeat(64));
    let error = session.send(Request::get(name)).await.expect_err("denied");
    assert_eq!(error.kind, ErrorKind::Denied);
    // Whatever was on its way would have arrived by the time of another round trip.
    session.send(Request::get("/")).await.expect("the target");
    assert_eq!(other.accepts(), 0);
}

#[tokio::test]
async fn an_unknown_name_is_a_dns_error() {
    // Never given to anybody (RFC 6761, 6.4).
    let session = session("http://nobody.invalid", &[], |_| {});
    let error = session.send(Request::get("/")).await.expect_err("no such name");
    assert_eq!(error.kind, ErrorKind::Dns, "{error}");
    assert!(error.message.starts_with("cannot resolve"), "{error}");
}

#[tokio::test]
async fn messages_do_not_vary() {
    let mut messages = Vec::new();
    for _ in 0..3 {
        messages.push(error_of("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab").await.message);
    }
    messages.dedup();
    assert_eq!(messages.len(), 1);
}

#[tokio::test]
async fn requests_that_cannot_be_sent_are_told_apart() {
    let server = Server::answering(ok("a")).await;
    let session = server.session();
    for request in [
        Request::get("ftp://a.test/"),
        Request::new("BAD METHOD", "/"),
        Request { headers: vec![("a".into(), "b\r\nc: d".into())], ..Request::get("/") },
    ] {
        assert_eq!(session.send(request).await.expect_err("wrong").kind, ErrorKind::Other);
    }
    assert_eq!(server.accepts(), 0);
}

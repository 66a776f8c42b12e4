//! Keep-alive, how many connections there are, and when they are closed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use swarm_client::{ErrorKind, Request, Session};
use tokio::io::AsyncReadExt;
use tokio::sync::{Barrier, mpsc};

use crate::server::{Server, ok};

#[tokio::test]
async fn one_connection_carries_all_requests() {
    let server = Server::start(|mut peer| async move {
        let answers: [&[u8]; 5] = [
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n",
        ];
        for round in 0.. {
            if peer.request().await.is_none() {
                return;
            }
            peer.send(answers[round % answers.len()]).await;
        }
    })
    .await;
    let session = server.session();
    for round in 0..200 {
        let mut request = Request::new(if round % 3 == 0 { "POST" } else { "GET" }, "/");
        request.body = Bytes::from(vec![b'x'; round]);
        session.send(request).await.expect("response");
    }
    assert_eq!(server.accepts(), 1);
}

#[tokio::test]
async fn connection_close_is_obeyed() {
    for head in ["HTTP/1.1 200 OK\r\nconnection: close\r\n", "HTTP/1.0 200 OK\r\n"] {
        let server = Server::answering(format!("{head}content-length: 1\r\n\r\na")).await;
        let session = server.session();
        for _ in 0..3 {
            assert_eq!(session.send(Request::get("/")).await.expect("response").body, "a");
        }
        assert_eq!(server.accepts(), 3, "{head}");
    }
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_replaced() {
    let server = Server::closing(ok("a")).await;
    let session = server.session();
    for _ in 0..3 {
        session.send(Request::get("/")).await.expect("response");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.accepts(), 3);
}

#[tokio::test]
async fn parallel_requests_share_six_connections() {
    // Nobody is answered before six wait at the same time.
    let barrier = Arc::new(Barrier::new(6));
    let server = Server::start(move |mut peer| {
        let barrier = Arc::clone(&barrier);
        async move {
            while peer.request().await.is_some() {
                barrier.wait().await;
                peer.send(&ok("a")).await;
            }
        }
    })
    .await;
    let session = server.session();
    let responses = join_all((0..30).map(|_| session.send(Request::get("/")))).await;
    let mut blocked = 0;
    for response in responses {
        blocked += u32::from(response.expect("response").phases.blocked.is_some());
    }
    assert_eq!(server.accepts(), 6);
    assert_eq!(blocked, 24, "all but the first six waited for a connection");
}

#[tokio::test]
async fn a_failed_request_gives_its_place_to_the_next() {
    let server = Server::closing("garbage\r\n\r\n").await;
    let session = server.session_with(|config| config.connections_per_host_max = 1);
    for outcome in join_all((0..5).map(|_| session.send(Request::get("/")))).await {
        assert_eq!(outcome.expect_err("garbage").kind, ErrorKind::Protocol);
    }
}

/// A server that never answers, and tells when a request came and when its connection was closed.
async fn silent() -> (Server, mpsc::UnboundedReceiver<&'static str>) {
    let (tell, told) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let tell = tell.clone();
        async move {
            peer.request().await;
            let _ = tell.send("request");
            peer.closed().await;
            let _ = tell.send("closed");
        }
    })
    .await;
    (server, told)
}

#[tokio::test]
async fn an_interrupted_request_closes_its_connection() {
    let (server, mut told) = silent().await;
    let session = server.session();
    tokio::select! {
        outcome = session.send(Request::get("/")) => panic!("answered: {outcome:?}"),
        event = told.recv() => assert_eq!(event, Some("request")),
    }
    assert_eq!(told.recv().await, Some("closed"));
}

#[tokio::test]
async fn a_timed_out_request_closes_its_connection() {
    let (server, mut told) = silent().await;
    let session = server.session();
    let timeout = Some(Duration::from_millis(100));
    let error = session.send(Request { timeout, ..Request::get("/") }).await.expect_err("silent");
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert_eq!(error.message, "timed out after 100 ms (request timeout)");
    assert!(error.elapsed >= Duration::from_millis(100), "{:?}", error.elapsed);
    assert_eq!(told.recv().await, Some("request"));
    assert_eq!(told.recv().await, Some("closed"));
}

#[tokio::test]
async fn a_dropped_session_closes_its_connections() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let tell = tell.clone();
        async move {
            peer.request().await;
            peer.send(&ok("a")).await;
            peer.closed().await;
            let _ = tell.send(());
        }
    })
    .await;
    let session = server.session();
    session.send(Request::get("/")).await.expect("response");
    assert!(told.try_recv().is_err(), "kept alive");
    drop(session);
    told.recv().await.expect("closed");
}

#[tokio::test]
async fn an_answer_before_the_body_was_taken_does_not_block_the_next_request() {
    let server = Server::start(|mut peer| async move {
        peer.stream.readable().await.expect("readable");
        peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n").await;
        // Keeps the connection without reading from it.
        std::future::pending::<()>().await;
    })
    .await;
    let session = server.session();
    for _ in 0..2 {
        let body = Bytes::from(vec![0; 16 << 20]);
        let response = session.send(Request { body, ..Request::new("POST", "/") }).await;
        assert_eq!(response.expect("early answer").status, 413);
    }
    assert_eq!(server.accepts(), 2);
}

#[tokio::test]
async fn an_upload_goes_on_while_the_answer_comes() {
    const BYTES: usize = 8 << 20;
    let server = Server::start(|mut peer| async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(peer.stream.read_u8().await.expect("a head"));
        }
        peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 2 * BYTES).as_bytes())
            .await;
        // Neither side could end this one after the other: no socket buffer holds so much.
        peer.send(&vec![b'a'; BYTES]).await;
        let mut upload = vec![0; BYTES];
        peer.stream.read_exact(&mut upload).await.expect("the upload");
        assert!(upload.iter().all(|&byte| byte == b'u'));
        peer.send(&vec![b'b'; BYTES]).await;
        peer.closed().await;
    })
    .await;
    let session = server.session();
    let body = Bytes::from(vec![b'u'; BYTES]);
    let response = session.send(Request { body, ..Request::new("POST", "/") }).await;
    let response = response.expect("response");
    assert_eq!(response.body.len(), 2 * BYTES);
    assert!(response.body[..BYTES].iter().all(|&byte| byte == b'a'));
    assert!(response.body[BYTES..].iter().all(|&byte| byte == b'b'));
}

#[tokio::test]
async fn what_nobody_asked_for_ends_a_connection() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ] {
        let garbage = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong";
        for pause in [None, Some(Duration::from_millis(2))] {
            let server = Server::start(move |mut peer| async move {
                while peer.request().await.is_some() {
                    let Some(pause) = pause else {
                        peer.send(format!("{head}{garbage}").as_bytes()).await;
                        continue;
                    };
                    peer.send(head.as_bytes()).await;
                    tokio::time::sleep(pause).await;
                    peer.send(garbage.as_bytes()).await;
                }
            })
            .await;
            let session = server.session();
            for _ in 0..3 {
                let response = session.send(Request::get("/")).await.expect("response");
                assert_ne!(response.body, "wrong");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(server.accepts(), 3, "{head} {pause:?}");
        }
    }
}

#[tokio::test]
async fn two_lengths_in_one_head_end_the_connection() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n";
    let server = Server::answering(format!("{head}1\r\na\r\n0\r\n\r\n")).await;
    let session = server.session();
    for _ in 0..2 {
        assert_eq!(session.send(Request::get("/")).await.expect("response").body, "a");
    }
    assert_eq!(server.accepts(), 2);
}

#[tokio::test]
async fn http_1_0_keeps_a_connection_if_it_says_so() {
    let head = "HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 1\r\n\r\na";
    let server = Server::answering(head).await;
    let session = server.session();
    for _ in 0..3 {
        session.send(Request::get("/")).await.expect("response");
    }
    assert_eq!(server.accepts(), 1);
}

#[tokio::test]
async fn many_hosts_are_limited_and_still_reached() {
    let server = Server::answering(ok("a")).await;
    let port = server.address.port();
    // All of 127.0.0.0/8 is loopback, but the server listens on one address: the others refuse.
    let session = crate::server::session(&server.url(), &["127.0.0.2".into()], |_| {});
    for round in 0..3 {
        session.send(Request::get("/")).await.expect("response");
        for port in 1..40 {
            let refused = session.send(Request::get(format!("http://127.0.0.2:{port}/"))).await;
            assert_eq!(refused.expect_err("nobody there").kind, ErrorKind::Connect);
        }
        assert_eq!(server.accepts(), round + 1, "its idle connection to {port} was given up");
    }
}

#[test]
fn sessions_and_their_futures_are_send() {
    fn is_send<T: Send>(_: &T) {}
    fn is_sync<T: Sync>() {}
    fn check(session: &Session) {
        is_send(session);
        is_send(&session.send(Request::get("/")));
    }
    is_sync::<Session>();
    let _ = check;
}

//! What is sent again when a kept connection ends without an answer, what is not, and what is told
//! of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use swarm_client::{Error, ErrorKind, Progress, Request, Response, Session};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::server::{Peer, Server, ok, session};

/// However busy the machine is: an end that a test wants to be a race is one.
const EVER: Option<Duration> = Some(Duration::from_secs(3600));

/// No time at all: only a handshake is left, which these tests do not come near.
const WORKED: Duration = Duration::from_millis(700);

/// From then on the kernel is asked about an idle connection.
const IDLE: Duration = Duration::from_millis(100);

const CLOSED: &str = "connection closed before the response began";
const RESET: &str = "connection reset before the response began";
const CUT_OFF: &str = "connection closed before the response was complete";

/// How the first connection ends at its second request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The request is read, and the connection closed.
    Close,
    /// A byte of the request is read, and the connection reset.
    Reset,
    /// As `Close`, after [`WORKED`].
    Work,
    /// A byte of an answer is sent, and the connection closed.
    Begin,
}

/// A server, and how many requests it has read. Each connection but the first answers them all.
struct Counting {
    server: Server,
    requests: Arc<AtomicUsize>,
}

impl Counting {
    async fn start(end: End) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let server = Server::start(move |peer| serve(peer, end, Arc::clone(&counter))).await;
        Self { server, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn serve(mut peer: Peer, end: End, requests: Arc<AtomicUsize>) {
    for round in 0.. {
        if (peer.index, round, end) == (0, 1, End::Reset) {
            requests.fetch_add(1, Ordering::SeqCst);
            return peer.reset().await;
        }
        if peer.request().await.is_none() {
            return;
        }
        requests.fetch_add(1, Ordering::SeqCst);
        if (peer.index, round) != (0, 1) {
            peer.send(&ok("answer")).await;
            continue;
        }
        match end {
            End::Close | End::Reset => {}
            End::Work => tokio::time::sleep(WORKED).await,
            End::Begin => peer.send(b"H").await,
        }
        return;
    }
}

/// Sends a request that keeps its connection, and then one with this method on it.
async fn second(session: &Session, method: &str) -> (Result<Response, Error>, Progress) {
    session.send(Request::get("/")).await.expect("the first");
    let progress = Progress::new();
    let outcome = session.send_noted(Request::new(method, "/"), &progress).await;
    (outcome, progress)
}

fn counts(progress: &Progress) -> [u32; 3] {
    [progress.opened(), progress.reused(), progress.resent()]
}

#[tokio::test]
async fn an_idempotent_request_that_meets_an_end_is_sent_again_and_counted() {
    for end in [End::Close, End::Reset] {
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
            let target = Counting::start(end).await;
            let session = target.server.session_with(|config| config.resend_within = EVER);
            let (outcome, progress) = second(&session, method).await;
            let response = outcome.expect("the second time");
            assert!(response.phases.connect.is_some(), "it connected");
            assert_eq!(counts(&progress), [1, 1, 1], "{method} {end:?}");
            assert!(!progress.is_connecting());
            assert_eq!(target.server.accepts(), 2, "{method} {end:?}");
            assert_eq!(target.requests(), 1 + 1 + 1, "first, lost, again: {method} {end:?}");
        }
    }
}

#[tokio::test]
async fn other_methods_are_sent_once() {
    for (end, text) in [(End::Close, CLOSED), (End::Reset, RESET)] {
        for method in ["POST", "PATCH", "PROPFIND"] {
            let target = Counting::start(end).await;
            let session = target.server.session_with(|config| config.resend_within = EVER);
            let (outcome, progress) = second(&session, method).await;
            let error = outcome.expect_err("not twice");
            assert_eq!((error.kind, &*error.message), (ErrorKind::Connect, text), "{method}");
            assert_eq!(counts(&progress), [0, 1, 0], "{method}");
            assert_eq!((target.server.accepts(), target.requests()), (1, 2), "{method} {end:?}");
        }
    }
}

#[tokio::test]
async fn who_asks_for_it_never_sends_twice() {
    for (end, text) in [(End::Close, CLOSED), (End::Reset, RESET)] {
        let target = Counting::start(end).await;
        let session = target.server.session_with(|config| config.resend_within = None);
        let (outcome, progress) = second(&session, "GET").await;
        assert_eq!(outcome.expect_err("not twice").message, text);
        assert_eq!(counts(&progress), [0, 1, 0]);
        assert_eq!((target.server.accepts(), target.requests()), (1, 2), "{end:?}");
    }
}

/// The time from the sending to the end is that of the server's work, at the least.
#[tokio::test]
async fn what_the_server_has_worked_on_is_a_failure() {
    let target = Counting::start(End::Work).await;
    let session = target.server.session();
    let (outcome, progress) = second(&session, "GET").await;
    let error = outcome.expect_err("not twice");
    assert_eq!(error.message, CLOSED);
    assert!(error.elapsed >= WORKED, "{:?}", error.elapsed);
    assert_eq!(counts(&progress), [0, 1, 0]);
    assert_eq!((target.server.accepts(), target.requests()), (1, 2));
}

#[tokio::test]
async fn nothing_is_sent_again_once_a_byte_has_arrived() {
    let target = Counting::start(End::Begin).await;
    let session = target.server.session_with(|config| config.resend_within = EVER);
    let (outcome, progress) = second(&session, "GET").await;
    assert_eq!(outcome.expect_err("cut off").message, CUT_OFF);
    assert_eq!(counts(&progress), [0, 1, 0]);
    assert_eq!(target.server.accepts(), 1);
}

#[tokio::test]
async fn nothing_is_sent_again_that_had_a_new_connection() {
    let server = Server::closing("").await;
    let session = server.session_with(|config| config.resend_within = EVER);
    let progress = Progress::new();
    let outcome = session.send_noted(Request::get("/"), &progress).await;
    let error = outcome.expect_err("no answer");
    assert_eq!((error.kind, &*error.message), (ErrorKind::Connect, CLOSED));
    assert_eq!(counts(&progress), [1, 0, 0]);
    assert_eq!(server.accepts(), 1);
}

/// A server that ends after a request that it does not answer.
async fn crashing() -> (SocketAddr, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let ended = Arc::new(Notify::new());
    let end = Arc::clone(&ended);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut peer = Peer { index: 0, stream };
        peer.request().await.expect("the first");
        peer.send(&ok("answer")).await;
        peer.stream.read_u8().await.expect("a part of the second");
        // Nobody listens any more when the connection ends.
        drop(listener);
        drop(peer);
        end.notify_one();
    });
    (address, ended)
}

#[tokio::test]
async fn a_crash_is_told_as_what_it_is_though_nobody_is_there_for_a_second_attempt() {
    let (address, ended) = crashing().await;
    let session = session(&format!("http://{address}"), &[], |c| c.resend_within = EVER);
    let (outcome, progress) = second(&session, "GET").await;
    ended.notified().await;
    let error = outcome.expect_err("nobody is there");
    assert_eq!((error.kind, &*error.message), (ErrorKind::Connect, RESET));
    assert_eq!(counts(&progress), [0, 1, 0], "it was not sent a second time");
    assert!(progress.is_connecting(), "the attempt to connect failed");
}

/// The runtime has not been told of the end: the session's thread has not waited since.
#[test]
fn an_end_that_has_arrived_costs_a_connection_and_no_request() {
    let (address, ended) = closing_after_each_answer();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("runtime");
    runtime.block_on(async {
        let session = session(&format!("http://{address}"), &[], |c| c.resend_within = None);
        for round in 0..3 {
            for method in ["POST", "GET"] {
                let progress = Progress::new();
                let request = Request { body: Bytes::from("x"), ..Request::new(method, "/") };
                let outcome = session.send_noted(request, &progress).await;
                assert_eq!(outcome.expect("an answer").body, "a", "{method} {round}");
                assert_eq!(counts(&progress), [1, 0, 0], "{method} {round}");
                // Blocks, so that the runtime hears of nothing, until the connection has been idle.
                ended.recv().expect("the server has closed the connection");
                std::thread::sleep(IDLE);
            }
        }
    });
}

/// Answers one request of each connection, closes it, and tells when that has arrived.
fn closing_after_each_answer() -> (SocketAddr, std::sync::mpsc::Receiver<()>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            // A request is small: it comes in one piece.
            let read = stream.read(&mut [0; 4096]).expect("a request");
            assert!(read > 0);
            stream.write_all(&ok("a")).expect("the client is there");
            drop(stream);
            // On loopback it has arrived by now.
            if tell.send(()).is_err() {
                return;
            }
        }
    });
    (address, told)
}

#[tokio::test]
async fn redirects_are_parts_of_one_request() {
    let server = Server::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let answer = if request.starts_with("GET /end") {
                ok("answer")
            } else {
                b"HTTP/1.1 302 Found\r\nlocation: /end\r\ncontent-length: 0\r\n\r\n".to_vec()
            };
            peer.send(&answer).await;
        }
    })
    .await;
    let session = server.session();
    let progress = Progress::new();
    session.send_noted(Request::get("/begin"), &progress).await.expect("an answer");
    assert_eq!(counts(&progress), [1, 1, 0]);
}

#[tokio::test]
async fn an_attempt_to_connect_that_fails_is_told() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = free.local_addr().expect("address");
    drop(free);
    let session = session(&format!("http://{address}"), &[], |_| {});
    let progress = Progress::new();
    session.send_noted(Request::get("/"), &progress).await.expect_err("nobody is there");
    assert_eq!(counts(&progress), [0, 0, 0]);
    assert!(progress.is_connecting() && !progress.is_sent());
}

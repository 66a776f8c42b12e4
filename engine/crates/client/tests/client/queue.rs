//! Requests that wait for one of their session's connections.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use swarm_client::{Error, Request, Response, Session};

use crate::server::{Server, ok};

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send + 'a>>;

/// A request that has been polled once: it has its place, be it a connection or in the queue.
fn begun(session: &Session) -> Sending<'_> {
    let mut sending: Sending<'_> = Box::pin(session.send(Request::get("/")));
    let polled = sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    sending
}

#[tokio::test]
async fn who_gives_up_leaves_the_queue() {
    let server = Server::answering(ok("a")).await;
    let session = server.session_with(|config| config.connections_per_host_max = 1);
    let (first, second, third) = (begun(&session), begun(&session), begun(&session));
    drop(second);
    first.await.expect("had the connection");
    third.await.expect("was next");
    session.send(Request::get("/")).await.expect("the place is free");
    assert_eq!(server.accepts(), 1);
}

#[tokio::test]
async fn who_gives_up_after_the_turn_has_come_passes_it_on() {
    let server = Server::answering(ok("a")).await;
    let session = server.session_with(|config| config.connections_per_host_max = 1);
    let (first, second, third) = (begun(&session), begun(&session), begun(&session));
    first.await.expect("had the connection");
    // The connection now waits for the second request, which was not polled since.
    drop(second);
    third.await.expect("was next");
    session.send(Request::get("/")).await.expect("the place is free");
    assert_eq!(server.accepts(), 1);
}

#[tokio::test]
async fn a_given_up_request_frees_its_place() {
    let server = Server::answering(ok("a")).await;
    let session = server.session_with(|config| config.connections_per_host_max = 1);
    let (first, second) = (begun(&session), begun(&session));
    drop(first);
    second.await.expect("was next");
}

#[tokio::test]
async fn the_queue_is_served_in_order() {
    let server = Server::answering(ok("a")).await;
    let session = server.session_with(|config| config.connections_per_host_max = 1);
    let order = std::cell::RefCell::new(Vec::new());
    futures_util::future::join_all((0..20).map(|n| {
        let (session, order) = (&session, &order);
        async move {
            session.send(Request::get("/")).await.expect("response");
            order.borrow_mut().push(n);
        }
    }))
    .await;
    assert_eq!(order.into_inner(), (0..20).collect::<Vec<_>>());
    assert_eq!(server.accepts(), 1);
}

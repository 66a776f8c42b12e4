//! Conversations of every protocol that is still spoken, replayed against both of today's ends.
//!
//! A file in `recorded/` holds what went over the wire, a message a line: who said it, and its
//! bytes in hexadecimal. With `SWARM_RECORD=1` the first test makes those that are missing; those
//! that are there are never made anew. What is added to the schema later must leave them readable,
//! on both sides.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;
mod conversation;

use std::rc::Rc;

use common::{DIGEST, MASTER_TIME_MS, Master, Worker, heartbeat, info, order, run, until};
use conversation::{Line, Tap, play, read, recording, write};
use swarm_core::message::Heartbeat;
use swarm_stats::delta::{Delta, Report};
use swarm_wire::{ConnectError, Delivery, Secret, Session, Token, connect_guarded, serve_guarded};
use tokio::io::DuplexStream;
use tokio::task::spawn_local;

const MODULE: &[u8] = b"ten bytes!";

/// As it was when the first conversations were recorded: what is added later has its default.
fn beat() -> Heartbeat {
    Heartbeat { order_taken: 0, in_flight: 0, ..heartbeat() }
}

fn first_report() -> Report {
    let delta = Delta { interrupted: 7, ..Delta::default() };
    Report { stream: 1, sequence: 1, from_ms: 5_000, to_ms: 6_000, test: 1, delta }
}

/// What each side does, whatever is at its other end.
async fn worker_side(stream: DuplexStream, secret: Option<Secret>) {
    let (worker, info) = (Worker::new(), info("a"));
    let connecting = connect_guarded(stream, &info, Rc::clone(&worker), secret.as_ref());
    let (session, accepted) = connecting.await.unwrap();
    assert_eq!(accepted.master_time_ms, MASTER_TIME_MS);
    assert_eq!((accepted.worker_index, accepted.version.as_str()), (0, "0.1.0"));
    assert_eq!(accepted.module.unwrap().size, MODULE.len() as u64);
    until(|| worker.orders.borrow().len() == 1).await;
    assert_eq!(*worker.orders.borrow(), [order(1)]);
    assert_eq!(session.heartbeat(&beat()).await, Ok(MASTER_TIME_MS));
    assert_eq!(session.report(&first_report()).await, Ok(1));
    until(|| !worker.quits.borrow().is_empty()).await;
    assert_eq!(*worker.quits.borrow(), ["the test is over"]);
    assert_eq!(module_of(&session).await, MODULE);
    session.leave().await.unwrap();
}

async fn module_of(session: &Session) -> Vec<u8> {
    let mut bytes = Vec::new();
    let fetched = session.fetch_module(&DIGEST, 0, |chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    });
    assert_eq!(fetched.await, Ok(MODULE.len() as u64));
    bytes
}

async fn master_side(stream: DuplexStream, secret: Option<Secret>) {
    let master = Master::with_module(MODULE.to_vec());
    spawn_local(serve_guarded(stream, Rc::clone(&master), 0, secret));
    until(|| !master.workers.borrow().is_empty()).await;
    assert_eq!(master.workers.borrow()[0].1, info("a"));
    assert_eq!(master.worker(0).order(order(1)).await, Ok(Delivery::Taken));
    until(|| !master.reports.borrow().is_empty()).await;
    assert_eq!(*master.heartbeats.borrow(), [(0, beat())]);
    assert_eq!(*master.reports.borrow(), [(0, first_report())]);
    assert_eq!(master.worker(0).quit("the test is over").await, Ok(()));
    until(|| !master.left.borrow().is_empty()).await;
}

fn secret(nonce: u8) -> Secret {
    Secret::new(Token::new(b"a token for the records").unwrap(), [nonce; 32])
}

/// The two secrets of a conversation by the name of its file: the master's, the worker's.
fn secrets(name: &str) -> (Option<Secret>, Option<Secret>) {
    match name.contains("token") {
        true => (Some(secret(1)), Some(secret(2))),
        false => (None, None),
    }
}

const CONVERSATIONS: [&str; 2] = ["protocol-1", "protocol-1-token"];

/// Makes the records that are missing.
async fn record(name: &str) {
    let (masters, workers) = secrets(name);
    let (near, far, tap) = Tap::between();
    let master = spawn_local(master_side(far, masters));
    worker_side(near, workers).await;
    master.await.unwrap();
    write(name, &tap.lines());
}

#[test]
fn missing_records_are_made_when_asked_for() {
    run(async {
        for name in CONVERSATIONS {
            if recording(name) {
                record(name).await;
            }
            assert!(!read(name).is_empty());
        }
    });
}

#[test]
fn todays_master_understands_the_workers_of_every_record() {
    run(async {
        for name in CONVERSATIONS {
            let (near, far) = tokio::io::duplex(1 << 20);
            let master = spawn_local(master_side(far, secrets(name).0));
            play(near, &read(name), Line::is_workers).await;
            master.await.unwrap();
        }
    });
}

#[test]
fn todays_worker_understands_the_masters_of_every_record() {
    run(async {
        for name in CONVERSATIONS {
            let (near, far) = tokio::io::duplex(1 << 20);
            let lines = read(name);
            let puppet =
                spawn_local(async move { play(far, &lines, |line| !Line::is_workers(line)).await });
            worker_side(near, secrets(name).1).await;
            drop(puppet.await.unwrap());
        }
    });
}

/// The very bytes that once let a worker in let nobody in a second time, and do nothing.
#[test]
fn a_recorded_join_is_refused_by_another_connection() {
    run(async {
        let lines = read("protocol-1-token");
        let master = Master::with_module(MODULE.to_vec());
        let (near, far) = tokio::io::duplex(1 << 20);
        spawn_local(serve_guarded(far, Rc::clone(&master), 0, Some(secret(3))));
        // Answers are not waited for: what was recorded is all there is to say.
        conversation::shout(near, &lines, Line::is_workers).await;
        master.closed(0).await;
        assert_eq!(*master.unproven.borrow(), [0]);
        assert!(master.workers.borrow().is_empty());
        assert!(master.heartbeats.borrow().is_empty() && master.reports.borrow().is_empty());
        assert!(master.left.borrow().is_empty());
    });
}

/// A recording of a master does not make one either: the worker's own nonce is new.
#[test]
fn a_recorded_master_is_not_trusted_by_another_connection() {
    run(async {
        let mut lines = read("protocol-1-token");
        // Up to the first order, which would be for a worker that has joined.
        let order = lines.iter().position(|line| !line.is_workers() && line.is_call()).unwrap();
        lines.truncate(order);
        let (near, far) = tokio::io::duplex(1 << 20);
        let _puppet =
            spawn_local(async move { play(far, &lines, |line| !Line::is_workers(line)).await });
        let worker = Worker::new();
        let result = connect_guarded(near, &info("a"), Rc::clone(&worker), Some(&secret(4))).await;
        let Err(ConnectError::Untrusted(reason)) = result else { panic!("{result:?}") };
        assert!(reason.contains("its join token is another"), "{reason}");
        assert!(worker.orders.borrow().is_empty());
    });
}

/// What a master says before it has proved that it knows the token is not listened to: neither an
/// order nor that the worker shall end.
#[test]
fn a_master_that_is_not_trusted_has_no_say() {
    run(async {
        let lines = read("protocol-1-token");
        let masters_calls = lines.iter().filter(|line| !line.is_workers() && line.is_call());
        let calls: Vec<_> = masters_calls.cloned().collect();
        assert_eq!(calls.len(), 4, "an order, to end, a chunk of the module, its end");
        // Each comes before the answer to the registration, which is the last before them.
        let order = lines.iter().position(|line| line == &calls[0]).unwrap();
        let answer = lines[..order].iter().rposition(|line| !line.is_workers()).unwrap();
        let quit = calls.iter().find(|line| line.says("the test is over")).unwrap();
        for call in [&calls[0], quit] {
            let mut early = lines[..=answer].to_vec();
            early.insert(answer, call.clone());
            let (near, far) = tokio::io::duplex(1 << 20);
            let _puppet =
                spawn_local(async move { play(far, &early, |line| !Line::is_workers(line)).await });
            let (worker, info, secret) = (Worker::new(), info("a"), secret(4));
            let result = connect_guarded(near, &info, Rc::clone(&worker), Some(&secret)).await;
            assert!(matches!(result, Err(ConnectError::Untrusted(_))), "{result:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            assert!(worker.orders.borrow().is_empty(), "an order was taken");
            assert!(worker.quits.borrow().is_empty(), "it was made to end");
        }
    });
}

//! Workers that keep to capnp and to nothing else: the master against its own limits.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use capnp_rpc::new_client;
use swarm_core::message::{Digest, Heartbeat, Refusal, WorkerInfo};
use swarm_stats::delta::Report;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::task::{LocalSet, spawn_local};

use super::{MasterHandler, WorkerHandle, serve_connection};
use crate::Accepted;
use crate::codec::info::{Registration, read_registration, write_worker};
use crate::driver::Driver;
use crate::end::End;
use crate::generated::swarm_capnp::{master, session, worker};
use crate::limits::{CALLS_IN_FLIGHT_MAX, UNREGISTERED_MESSAGES_MAX};

/// Takes everybody; answers reports never.
#[derive(Default)]
struct Master {
    closed: RefCell<Option<String>>,
}

impl MasterHandler for Master {
    async fn register(&self, _: u64, _: WorkerInfo, _: WorkerHandle) -> Result<Accepted, Refusal> {
        Ok(Accepted {
            master_time_ms: 0,
            worker_index: 0,
            version: "0".into(),
            module: None,
            environment: Vec::new(),
        })
    }

    async fn heartbeat(&self, _: u64, _: Heartbeat) -> u64 {
        0
    }

    async fn report(&self, _: u64, _: Report) -> u64 {
        std::future::pending().await
    }

    fn module(&self, _: u64, _: &Digest) -> Option<Arc<[u8]>> {
        None
    }

    async fn module_part(&self, _: u64, _: usize, _: usize) {}

    fn module_sent(&self, _: u64) {}

    fn leave(&self, _: u64) {}

    fn closed(&self, _: u64, reason: &str) {
        *self.closed.borrow_mut() = Some(reason.to_owned());
    }
}

struct Mute;

impl worker::Server for Mute {}

/// A stream whose reader can be stopped.
struct Deaf {
    stream: DuplexStream,
    deaf: Rc<Cell<bool>>,
}

impl AsyncRead for Deaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.deaf.get() {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A connection to a master, with the worker's side laid open.
struct Raw {
    handler: Rc<Master>,
    master: master::Client,
    deaf: Rc<Cell<bool>>,
    end: End,
}

impl Raw {
    fn new() -> Raw {
        let handler = Rc::new(Master::default());
        let (near, far) = tokio::io::duplex(1_024);
        spawn_local(serve_connection(far, Rc::clone(&handler), 0));
        let deaf = Rc::new(Cell::new(false));
        let end = End::new();
        let stream = Deaf { stream: near, deaf: Rc::clone(&deaf) };
        let (driver, master) = Driver::client::<master::Client>(stream, &end);
        spawn_local(driver.run());
        Raw { handler, master, deaf, end }
    }

    async fn register(&self) -> Registration {
        let info = WorkerInfo::new("raw", 0);
        let mut request = self.master.register_request();
        write_worker(&info, request.get().init_info()).unwrap();
        request.get().set_worker(new_client(Mute));
        let answer = self.end.call(request.send().promise).await.unwrap();
        read_registration(answer.get().unwrap().get_registration().unwrap()).unwrap()
    }

    async fn session(&self) -> session::Client {
        let Registration::Accepted(session, ..) = self.register().await else {
            panic!("refused");
        };
        session
    }

    async fn closed(&self) -> String {
        while self.handler.closed.borrow().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.handler.closed.borrow().clone().unwrap()
    }
}

fn run(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test hangs");
    });
}

#[test]
fn a_connection_is_one_workers() {
    run(async {
        let raw = Raw::new();
        let _session = raw.session().await;
        let Registration::Refused(refusal) = raw.register().await else { panic!("accepted") };
        assert_eq!(refusal, Refusal::lasting("this connection has asked to register before"));
    });
}

#[test]
fn a_stranger_may_not_talk_for_ever() {
    run(async {
        let raw = Raw::new();
        for _ in 0..UNREGISTERED_MESSAGES_MAX {
            // Without an id, it stays a stranger.
            drop(raw.master.register_request().send());
        }
        assert!(raw.closed().await.contains("messages without a registration"));
    });
}

#[test]
fn too_many_calls_at_a_time_are_refused() {
    run(async {
        let raw = Raw::new();
        let session = raw.session().await;
        let call = || {
            let mut request = session.report_request();
            let mut report = request.get().init_report();
            report.set_sequence(1);
            report.init_delta();
            request.send().promise
        };
        let held: Vec<_> = (0..CALLS_IN_FLIGHT_MAX).map(|_| call()).collect();
        let error = raw.end.call(call()).await.map(drop).unwrap_err();
        assert_eq!(error.to_string(), "the other side answered: more than 8 calls at a time");
        // A call that is given up makes room.
        drop(held);
        let heartbeat = session.heartbeat_request().send().promise;
        assert!(raw.end.call(heartbeat).await.is_ok());
    });
}

#[test]
fn what_cannot_be_read_is_refused_by_field() {
    run(async {
        let raw = Raw::new();
        let session = raw.session().await;
        let mut request = session.report_request();
        request.get().init_report().init_delta().init_entries(1);
        let error = raw.end.call(request.send().promise).await.map(drop).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the other side answered: report.delta.entries[0].minUs is given without a sample"
        );
    });
}

/// Answers to a worker that reads none of them pile up only so far.
#[test]
fn who_does_not_read_is_cut_off() {
    run(async {
        let raw = Raw::new();
        let session = raw.session().await;
        raw.deaf.set(true);
        while raw.handler.closed.borrow().is_none() {
            let beat = session.heartbeat_request().send().promise;
            spawn_local(beat);
            tokio::task::yield_now().await;
        }
        let reason = raw.closed().await;
        assert_eq!(reason, "the other side does not read: 1024 messages wait to be sent");
    });
}

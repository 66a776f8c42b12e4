//! How connections end, and how soon both sides know.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::rc::Rc;
use std::time::Duration;

use common::{DIGEST, Master, Worker, dial, heartbeat, info, listen, order, report, run, until};
use swarm_wire::{ConnectError, WireError, connect, limits, serve_connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::spawn_local;

#[test]
fn a_dropped_session_is_noticed_at_once() {
    run(async {
        let master = Rc::new(Master::default());
        let worker = Worker::new();
        let stream = dial(listen(&master).await).await;
        let (session, _) = connect(stream, &info("a"), Rc::clone(&worker)).await.unwrap();
        worker.slow.set(true);
        let held = master.worker(0).order(order(1));
        until(|| worker.orders.borrow().len() == 1).await;
        let waiting = master.worker(0).order(order(2));
        drop(session);
        assert_eq!(master.closed(0).await, "the other side closed the connection");
        let closed = WireError::Closed("the other side closed the connection".into());
        assert_eq!(held.await, Err(closed.clone()));
        assert_eq!(waiting.await, Err(closed.clone()));
        assert_eq!(master.worker(0).order(order(3)).await, Err(closed.clone()));
        assert_eq!(master.worker(0).quit("").await, Err(closed));
        assert_eq!(master.closed.borrow().len(), 1, "closed is said once");
        until(|| Rc::strong_count(&worker) == 1).await;
    });
}

/// The master holds worker handles in its tables; the socket must not wait for them.
#[test]
fn a_master_that_stops_serving_is_noticed_at_once() {
    run(async {
        let master = Rc::new(Master::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Rc::clone(&master);
        let server = spawn_local(async move {
            let (stream, _) = listener.accept().await.unwrap();
            serve_connection(stream, serving, 0).await;
        });
        let worker = Worker::new();
        let stream = dial(address).await;
        let (session, _) = connect(stream, &info("a"), Rc::clone(&worker)).await.unwrap();
        master.stuck.set(true);
        let first = report(1);
        let (pending, ()) = tokio::join!(session.report(&first), async {
            until(|| master.reports.borrow().len() == 1).await;
            server.abort();
        });
        let reason = session.closed().await;
        assert_eq!(pending, Err(WireError::Closed(reason.clone())));
        assert_eq!(*master.closed.borrow(), [(0, "closed by this side".to_owned())]);
        let closed = Err(WireError::Closed(reason));
        assert_eq!(session.heartbeat(&heartbeat()).await, closed);
        assert_eq!(session.report(&report(2)).await, closed);
        assert_eq!(session.fetch_module(&DIGEST, 0, |_| Ok(())).await, closed);
        assert_eq!(session.leave().await.map(|()| 0), closed);
        // What the connection held is freed, though a report was being answered.
        drop(session);
        until(|| Rc::strong_count(&worker) == 1).await;
        assert_eq!(Rc::strong_count(&master), 1);
    });
}

#[test]
fn a_reset_is_noticed_at_once() {
    run(async {
        let master = Rc::new(Master::default());
        let address = listen(&master).await;
        // A proxy that cuts the worker off in the hardest way: unread bytes, then close.
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let front = proxy.local_addr().unwrap();
        let cut = Rc::new(tokio::sync::Notify::new());
        let cutting = Rc::clone(&cut);
        spawn_local(async move {
            let (mut near, _) = proxy.accept().await.unwrap();
            let mut far = dial(address).await;
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                () = cutting.notified() => {
                    near.set_zero_linger().unwrap();
                    far.set_zero_linger().unwrap();
                }
            }
        });
        let worker = Worker::new();
        let (session, _) = connect(dial(front).await, &info("a"), worker).await.unwrap();
        cut.notify_one();
        let reason = session.closed().await;
        assert!(reason.contains("reset"), "{reason}");
        let reason = master.closed(0).await;
        assert!(reason.contains("reset"), "{reason}");
    });
}

/// Whether the users of a worker are free at once depends on it.
#[test]
fn only_the_end_of_the_workers_process_is_no_break() {
    run(async {
        let master = Rc::new(Master::default());
        let address = listen(&master).await;
        let (session, _) = connect(dial(address).await, &info("a"), Worker::new()).await.unwrap();
        drop(session);
        master.closed(0).await;
        // As the kernel does for a process that was killed.
        drop(dial(address).await);
        master.closed(1).await;
        assert!(master.broke.borrow().is_empty());
        let stream = dial(address).await;
        stream.set_zero_linger().unwrap();
        drop(stream);
        master.closed(2).await;
        // This side ends it, for what the other says.
        let mut stream = dial(address).await;
        stream.write_all(&[0xff; 4096]).await.unwrap();
        master.closed(3).await;
        assert_eq!(*master.broke.borrow(), [2, 3]);
    });
}

async fn reason_for_closing(bytes: &[u8]) -> String {
    let master = Rc::new(Master::default());
    let mut stream = dial(listen(&master).await).await;
    stream.write_all(bytes).await.unwrap();
    let reason = master.closed(0).await;
    // The socket is closed too; whether the end is clean depends on what was left unread.
    let _ = stream.read_to_end(&mut Vec::new()).await;
    assert_eq!(Rc::strong_count(&master), 2, "only the listener has it");
    reason
}

#[test]
fn who_speaks_something_else_is_cut_off() {
    run(async {
        let strangers: [&[u8]; 4] = [
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            // A TLS client.
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            &[0xff; 4_096],
        ];
        for bytes in strangers {
            let reason = reason_for_closing(bytes).await;
            let expected = "the other side does not speak swarm's protocol";
            assert!(reason.starts_with(expected), "{reason}");
        }
    });
}

/// Only a segment table: the memory that it asks for is not taken.
#[test]
fn who_announces_too_much_is_cut_off() {
    run(async {
        let one_segment_of_4_gib = [0, 0, 0, 0, 0xff, 0xff, 0xff, 0x1f];
        let reason = reason_for_closing(&one_segment_of_4_gib).await;
        assert!(reason.contains("Message has 536870911 words"), "{reason}");
        // Below the limit of a registered worker, above that of a stranger.
        let reason = reason_for_closing(&[0, 0, 0, 0, 1, 0x20, 0, 0]).await;
        assert!(reason.contains("Message has 8193 words"), "{reason}");
        let mut many_segments = vec![0xfd, 1, 0, 0];
        many_segments.extend([0xff; 510 * 4 + 4]);
        let reason = reason_for_closing(&many_segments).await;
        assert!(reason.contains("Message has"), "{reason}");
    });
}

/// Framed well, but no message of the RPC protocol.
#[test]
fn who_speaks_nonsense_is_cut_off() {
    run(async {
        let mut nonsense = vec![0, 0, 0, 0, 2, 0, 0, 0];
        nonsense.extend([0xab; 16]);
        let reason = reason_for_closing(&nonsense).await;
        assert!(reason.starts_with("protocol error"), "{reason}");
        // Empty messages name no kind, which reads as "unimplemented" of nothing.
        let reason = reason_for_closing(&[0, 0, 0, 0, 1, 0, 0, 0].repeat(1_000)).await;
        assert!(!reason.is_empty());
    });
}

#[test]
fn a_master_that_is_none_is_not_waited_for() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            std::future::pending::<()>().await;
        });
        let result = connect(dial(address).await, &info("a"), Worker::new()).await;
        let Err(ConnectError::Wire(WireError::Closed(reason))) = result else {
            panic!("{result:?}")
        };
        assert!(reason.contains("does not speak swarm's protocol"), "{reason}");
    });
}

/// The clock of these tests stands still until there is nothing to do but wait.
fn run_paused(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

#[test]
fn who_never_registers_is_cut_off() {
    run_paused(async {
        let master = Rc::new(Master::default());
        let (mut near, far) = tokio::io::duplex(1_024);
        let begin = tokio::time::Instant::now();
        spawn_local(serve_connection(far, Rc::clone(&master), 0));
        near.write_all(&[0, 0]).await.unwrap();
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0, "closed without a word");
        assert_eq!(begin.elapsed().as_secs(), limits::REGISTER_TIMEOUT.as_secs());
        assert_eq!(master.closed(0).await, "no worker has registered within 10 s");
    });
}

#[test]
fn a_master_that_never_answers_is_given_up() {
    run_paused(async {
        let (near, _far) = tokio::io::duplex(1 << 20);
        let result = connect(near, &info("a"), Worker::new()).await;
        let reason = "no answer to the registration within 10 s".to_owned();
        assert_eq!(result.unwrap_err(), ConnectError::Wire(WireError::Closed(reason)));
    });
}

/// Who is registered may be silent as long as it likes: heartbeats are the caller's affair.
#[test]
fn who_is_registered_stays() {
    run_paused(async {
        let master = Rc::new(Master::default());
        let (near, far) = tokio::io::duplex(1 << 20);
        spawn_local(serve_connection(far, Rc::clone(&master), 0));
        let (session, _) = connect(near, &info("a"), Worker::new()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!(session.report(&report(1)).await, Ok(1));
    });
}

/// A worker that neither reads nor closes does not keep its connection from being closed.
#[test]
fn a_blocked_stream_closes_too() {
    run(async {
        let master = Master::with_module(vec![0; 1 << 20]);
        let (near, far) = tokio::io::duplex(256);
        let server = spawn_local(serve_connection(far, Rc::clone(&master), 0));
        let (session, _) = connect(near, &info("a"), Worker::new()).await.unwrap();
        let mut large = order(1);
        large.users[0].ids = (0..100_000).map(|id| 2 * id).collect();
        let sent = master.worker(0).order(large);
        // Neither side has polled the stream since; the order cannot be through.
        server.abort();
        assert!(matches!(sent.await, Err(WireError::Closed(_))));
        session.closed().await;
        assert_eq!(master.closed.borrow().len(), 1);
    });
}

/// A future that was never polled has a connection too.
#[test]
fn closed_is_said_though_nothing_was_served() {
    run(async {
        let master = Rc::new(Master::default());
        let (_near, far) = tokio::io::duplex(64);
        drop(serve_connection(far, Rc::clone(&master), 5));
        assert_eq!(*master.closed.borrow(), [(5, "closed by this side".to_owned())]);
        assert_eq!(Rc::strong_count(&master), 1);
    });
}

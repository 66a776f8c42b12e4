//! Modules on their way to a worker.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use common::{
    DIGEST, Master, Worker, dial, heartbeat, info, listen, module_bytes, report, run, until,
};
use swarm_wire::{Session, WireError, connect, limits};
use tokio::task::yield_now;

const MODULE_BYTES: usize = 20 << 20;

async fn session(master: &Rc<Master>) -> Session {
    let stream = dial(listen(master).await).await;
    connect(stream, &info("a"), Worker::new()).await.unwrap().0
}

/// Heartbeats are asked for all the time while the module streams, over the same connection. None
/// of them waits for more than the few chunks that flow control lets be on their way.
#[test]
fn heartbeats_pass_between_the_chunks() {
    run(async {
        let module = module_bytes(MODULE_BYTES);
        let master = Master::with_module(module.clone());
        let session = session(&master).await;
        let chunks = Cell::new(0u32);
        let received = RefCell::new(Vec::with_capacity(MODULE_BYTES));
        let fetch = session.fetch_module(&DIGEST, 0, |bytes| {
            chunks.set(chunks.get() + 1);
            received.borrow_mut().extend_from_slice(bytes);
            Ok(())
        });
        let beats = async {
            let mut waited_max = 0;
            let mut beats = 0;
            while received.borrow().len() < MODULE_BYTES {
                let before = chunks.get();
                session.heartbeat(&heartbeat()).await.unwrap();
                waited_max = waited_max.max(chunks.get() - before);
                beats += 1;
            }
            (beats, waited_max)
        };
        let (fetched, (beats, waited_max)) = tokio::join!(fetch, beats);
        assert_eq!(fetched, Ok(MODULE_BYTES as u64));
        assert!(*received.borrow() == module, "the bytes arrive in order");
        assert_eq!(chunks.get() as usize, MODULE_BYTES / limits::MODULE_CHUNK_BYTES);
        assert!(beats > 10, "only {beats} heartbeats during the module");
        assert!(waited_max <= 6, "a heartbeat waited for {waited_max} chunks");
    });
}

/// Over a pipe that holds no more than a few bytes, so that every write has to wait.
#[test]
fn a_narrow_stream_is_enough() {
    run(async {
        let module = module_bytes(1_000_000);
        let master = Master::with_module(module.clone());
        let (near, far) = tokio::io::duplex(100);
        tokio::task::spawn_local(swarm_wire::serve_connection(far, Rc::clone(&master), 0));
        let (session, _) = connect(near, &info("a"), Worker::new()).await.unwrap();
        let mut received = Vec::new();
        let fetch = session.fetch_module(&DIGEST, 0, |bytes| {
            received.extend_from_slice(bytes);
            Ok(())
        });
        let first = report(1);
        let (fetched, reported) = tokio::join!(fetch, session.report(&first));
        assert_eq!((fetched, reported), (Ok(1_000_000), Ok(1)));
        assert!(received == module);
    });
}

#[test]
fn a_fetch_resumes_where_another_was_cut_off() {
    run(async {
        let module = module_bytes(1_000_000);
        let master = Master::with_module(module.clone());
        let session = session(&master).await;
        let mut received = Vec::new();
        let cut_off = session.fetch_module(&DIGEST, 0, |bytes| {
            received.extend_from_slice(bytes);
            if received.len() < 300_000 { Ok(()) } else { Err(io::Error::other("disk full")) }
        });
        assert_eq!(cut_off.await, Err(WireError::Module("disk full".into())));
        assert!(received.len() < 400_000);
        let offset = received.len() as u64;
        let resumed = session.fetch_module(&DIGEST, offset, |bytes| {
            received.extend_from_slice(bytes);
            Ok(())
        });
        assert_eq!(resumed.await, Ok(1_000_000));
        assert!(received == module);
        // From the very end there is nothing left, and that is no error.
        let nothing = session.fetch_module(&DIGEST, 1_000_000, |_| Err(io::Error::other("bytes")));
        assert_eq!(nothing.await, Ok(1_000_000));
    });
}

/// A worker that gives up does not keep the master sending.
#[test]
fn a_dropped_fetch_makes_room_for_the_next() {
    run(async {
        let master = Master::with_module(module_bytes(MODULE_BYTES));
        let session = session(&master).await;
        for _ in 0..5 {
            let chunks = Cell::new(0);
            tokio::select! {
                biased;
                _ = session.fetch_module(&DIGEST, 0, |_| { chunks.set(chunks.get() + 1); Ok(()) })
                    => panic!("it is not through yet"),
                () = async { while chunks.get() < 3 { yield_now().await } } => {}
            }
        }
        let mut len = 0;
        let last = session.fetch_module(&DIGEST, 0, |bytes| {
            len += bytes.len();
            Ok(())
        });
        assert_eq!(last.await, Ok(MODULE_BYTES as u64));
        assert_eq!(len, MODULE_BYTES);
    });
}

/// The master may let a module wait; what else is said on the connection does not.
#[test]
fn a_module_goes_as_fast_as_the_master_lets_it() {
    run(async {
        let bytes = 3 * limits::MODULE_CHUNK_BYTES + 5;
        let master = Master::with_module(module_bytes(bytes));
        let session = session(&master).await;
        master.parts_max.set(Some(2));
        let fetched = Cell::new(0);
        let from = limits::MODULE_CHUNK_BYTES / 2;
        let fetch = session.fetch_module(&DIGEST, from as u64, |bytes| {
            fetched.set(fetched.get() + bytes.len());
            Ok(())
        });
        let wait = async {
            until(|| fetched.get() == 2 * limits::MODULE_CHUNK_BYTES).await;
            for _ in 0..100 {
                session.heartbeat(&heartbeat()).await.unwrap();
            }
            assert_eq!(fetched.get(), 2 * limits::MODULE_CHUNK_BYTES, "the third has to wait");
            assert!(master.sent.borrow().is_empty());
            master.parts_max.set(None);
        };
        let (fetched, ()) = tokio::join!(fetch, wait);
        assert_eq!(fetched, Ok(bytes as u64));
        let chunk = limits::MODULE_CHUNK_BYTES;
        let parts =
            [(from, chunk), (from + chunk, chunk), (from + 2 * chunk, bytes - from - 2 * chunk)];
        assert_eq!(*master.parts.borrow(), parts);
        assert_eq!(*master.sent.borrow(), [0]);
    });
}

#[test]
fn one_fetch_at_a_time() {
    run(async {
        let master = Master::with_module(module_bytes(1_000_000));
        let session = session(&master).await;
        let first = session.fetch_module(&DIGEST, 0, |_| Ok(()));
        let second = session.fetch_module(&DIGEST, 0, |_| Ok(()));
        let (first, second) = tokio::join!(first, second);
        assert_eq!(first, Ok(1_000_000));
        assert_eq!(second, Err(WireError::Module("another fetch is under way".into())));
    });
}

#[test]
fn a_module_that_is_not_there() {
    run(async {
        let master = Master::with_module(module_bytes(100));
        let session = session(&master).await;
        let unknown = session.fetch_module(&[0; 32], 0, |_| Ok(())).await;
        let reason = "the master does not have this module".to_owned();
        assert_eq!(unknown, Err(WireError::Remote(reason)));
        let beyond = session.fetch_module(&DIGEST, 101, |_| Ok(())).await;
        let reason = "offset lies beyond the module's 100 bytes".to_owned();
        assert_eq!(beyond, Err(WireError::Remote(reason)));
        assert_eq!(session.report(&report(1)).await, Ok(1), "the session goes on");
    });
}

//! Modules on their way to workers: over links that break, at a limited rate, to many at once.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use swarm_core::message::{Heartbeat, Order, WorkerInfo, WorkerState};
use swarm_tests::{Master, PATIENCE, Signal, Swarm, scenario, wait_for, wait_until};
use swarm_wire::limits::{MODULE_CHUNK_BYTES, MODULE_CHUNKS_QUEUED_MAX};
use swarm_wire::{WorkerHandler, connect};
use tokio::task::LocalSet;

/// As large as a module of a language runtime.
const LARGE: usize = 17 << 20;

/// Fills modules. Nothing else has so many of it in a row.
const FILLER: u8 = 0x5a;

/// The website, with a custom section that makes it so large.
fn large(swarm: &Swarm, bytes: usize) -> PathBuf {
    let mut module = fs::read(scenario("website")).expect("it can be read");
    let name = b"filler";
    let filler = bytes - module.len();
    let byte = |number: usize| u8::try_from(number).expect("of one byte");
    let leb128 = |mut number: usize| {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push(byte(number & 0x7f) | 0x80);
            number >>= 7;
        }
        bytes.push(byte(number));
        bytes
    };
    module.push(0);
    module.extend(leb128(1 + name.len() + filler));
    module.push(byte(name.len()));
    module.extend(name);
    module.resize(module.len() + filler, FILLER);
    swarm.file("large.wasm", &module)
}

/// What happens to the bytes on their way to a worker.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The connection breaks after so many.
    Cut(usize),
    /// One of them is another, after so many.
    Flip(usize),
}

/// A way to a master. Each connection on it has the next fault, while there are some.
struct Link {
    address: SocketAddr,
    /// Bytes that have passed to the worker.
    passed: Arc<AtomicUsize>,
}

impl Link {
    fn new(master: SocketAddr, faults: Vec<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let passed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&passed);
        std::thread::spawn(move || {
            let mut faults = faults.into_iter();
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(master) else { continue };
                let ways = [(&near, &far), (&far, &near)];
                let ways = ways.map(|(from, to)| (from.try_clone(), to.try_clone()));
                let ways = ways.map(|(from, to)| (from.expect("open"), to.expect("open")));
                let [(up_from, up_to), (down_from, down_to)] = ways;
                std::thread::spawn(move || pass(up_from, up_to, None, &AtomicUsize::new(0)));
                let (fault, count) = (faults.next(), Arc::clone(&count));
                std::thread::spawn(move || pass(down_from, down_to, fault, &count));
            }
        });
        Self { address, passed }
    }
}

/// Passes bytes on until one end closes.
fn pass(mut from: TcpStream, mut to: TcpStream, mut fault: Option<Fault>, count: &AtomicUsize) {
    let mut buffer = vec![0; 16 << 10];
    let mut passed = 0;
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let bytes = &mut buffer[..length];
        passed += length;
        match fault {
            Some(Fault::Cut(after)) if passed >= after => break,
            Some(Fault::Flip(after)) if passed >= after => {
                // In the middle of the filler, where it is no message's head.
                let run = bytes.windows(64).position(|bytes| bytes.iter().all(|&it| it == FILLER));
                if let Some(place) = run {
                    bytes[place + 32] ^= 1;
                    fault = None;
                }
            }
            _ => {}
        }
        if to.write_all(bytes).is_err() {
            break;
        }
        count.fetch_add(length, Ordering::Relaxed);
    }
    // They may be closed already.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// How much of the module has gone to each worker that fetches it, in percent.
fn percents(master: &Master) -> Vec<u64> {
    let view = master.page().get("/api/v1/view").json();
    let workers = view["workers"].as_array().expect("a list").clone();
    workers.iter().filter_map(|worker| worker["module_percent"].as_u64()).collect()
}

fn wait_until_ready(master: &Master) {
    wait_until("the worker is ready", PATIENCE, || {
        master.page().stats()["workers"][0]["state"] == "ready"
    });
}

#[test]
fn a_fetch_that_breaks_goes_on_where_it_was() {
    let swarm = Swarm::new();
    let master = swarm.master(&large(&swarm, LARGE), &[]);
    let link = Link::new(master.address(), vec![Fault::Cut(5 << 20), Fault::Cut(8 << 20)]);
    let worker = swarm.worker_at(link.address, &["--threads", "1"]);
    wait_until_ready(&master);
    let sent = master.process.err.text().matches("sending the module").count();
    assert_eq!(sent, 3, "{}", master.process.err.text());
    let said = worker.process.err.text();
    assert_eq!(said.matches("the module is interrupted at ").count(), 2, "{said}");
    assert_eq!(said.matches(" bytes), from byte ").count(), 2, "{said}");
    // Nothing but what was on its way has passed twice.
    let passed = link.passed.load(Ordering::Relaxed);
    let again = 2 * (MODULE_CHUNKS_QUEUED_MAX + 1) * MODULE_CHUNK_BYTES;
    assert!((LARGE..LARGE + LARGE / 50 + again).contains(&passed), "{passed} bytes have passed");
}

#[test]
fn a_worker_that_died_goes_on_where_it_was_and_it_is_shown_how_far_it_is() {
    let swarm = Swarm::new();
    let master = swarm.master(&large(&swarm, LARGE), &["--module-bandwidth", "6M"]);
    let mut worker = swarm.worker(&master, &["--threads", "1"]);
    let percent = |at_least| {
        wait_for(&format!("{at_least} % of the module"), PATIENCE, || {
            percents(&master).first().copied().filter(|&percent| percent >= at_least)
        })
    };
    assert!(percent(30) < 100);
    worker.process.signal(Signal::KILL);
    worker.process.wait(PATIENCE);
    wait_until("it is not shown any more", PATIENCE, || percents(&master).is_empty());
    let mut worker = swarm.worker(&master, &["--threads", "1"]);
    let from = worker.process.wait_for_value(" bytes), from byte ");
    let from: usize = from.parse().expect("a number");
    assert!((LARGE * 3 / 10..LARGE).contains(&from), "{from}");
    wait_until("the second is ready", PATIENCE, || {
        master.page().stats()["workers"][1]["state"] == "ready"
    });
    assert!(percents(&master).is_empty());
    let said = master.process.err.text();
    assert!(
        said.contains(&format!(" has the module: {} bytes in ", size(&swarm) - from)),
        "{said}"
    );
}

fn size(swarm: &Swarm) -> usize {
    let size = swarm.folder().join("large.wasm").metadata().expect("it is there").len();
    usize::try_from(size).expect("a size")
}

#[test]
fn a_byte_that_is_another_is_noticed_and_all_of_it_fetched_anew() {
    let swarm = Swarm::new();
    let bytes = 3 << 20;
    let master = swarm.master(&large(&swarm, bytes), &[]);
    let link = Link::new(master.address(), vec![Fault::Flip(1 << 20)]);
    let worker = swarm.worker_at(link.address, &["--threads", "1"]);
    wait_until_ready(&master);
    let said = worker.process.err.text();
    assert!(said.contains("do not fit its digest: it is fetched anew"), "{said}");
    let passed = link.passed.load(Ordering::Relaxed);
    assert!(passed >= 2 * bytes, "{passed}");
    let kept = fs::read_dir(swarm.folder().join("cache/modules")).expect("it is there");
    let kept = kept.flatten().map(|entry| entry.path());
    let kept = kept.filter(|path| path.extension().is_some_and(|it| it == "wasm"));
    let kept: Vec<_> = kept.map(|path| fs::read(path).expect("it can be read")).collect();
    let module = fs::read(swarm.folder().join("large.wasm")).expect("it can be read");
    assert!(kept == [module], "what is kept is what the master has");
}

const WORKERS: usize = 50;
const BYTES_PER_S: usize = 10_000_000;

/// What may go at once after a pause is a twentieth of a second's, and may be one worker's.
const BURST_BYTES: usize = BYTES_PER_S / 20;

/// Several times the burst, so that it does not make the first have all when the last have little.
const SHARED: usize = 2 << 20;

/// Orders nobody about.
struct Idle;

impl WorkerHandler for Idle {
    async fn order(&self, _order: Order) {}

    fn quit(&self, _reason: String) {}
}

/// What the fifty have found.
#[derive(Debug, Default)]
struct Found {
    took: Duration,
    /// When the first had all of it, the one with the least had so many bytes.
    least: usize,
    longest_heartbeat: Duration,
    right: usize,
}

/// Fetches the module fifty times at once.
async fn fetch_all(master: SocketAddr, module: Vec<u8>) -> Found {
    let mut sessions = Vec::new();
    for number in 0..WORKERS {
        let info = WorkerInfo::new(format!("w{number}"), number as u64);
        let stream = TcpStream::connect(master).expect("the master listens");
        stream.set_nonblocking(true).expect("a socket can be that");
        let stream = tokio::net::TcpStream::from_std(stream).expect("it is one");
        sessions.push(connect(stream, &info, Rc::new(Idle)).await.expect("the master takes it"));
    }
    let counts: Rc<Vec<Cell<usize>>> = Rc::new(vec![Cell::new(0); WORKERS]);
    let found = Rc::new(RefCell::new(Found { least: usize::MAX, ..Found::default() }));
    let (begin, module) = (Instant::now(), Rc::new(module));
    let workers = sessions.into_iter().enumerate().map(|(number, (session, accepted))| {
        let (counts, found) = (Rc::clone(&counts), Rc::clone(&found));
        let module = Rc::clone(&module);
        tokio::task::spawn_local(async move {
            let digest = accepted.module.expect("there is a module").digest;
            let mut bytes = Vec::new();
            let fetch = session.fetch_module(&digest, 0, |chunk| {
                bytes.extend_from_slice(chunk);
                counts[number].set(bytes.len());
                Ok(())
            });
            let beats = async {
                loop {
                    let sent = Instant::now();
                    session
                        .heartbeat(&Heartbeat::new(WorkerState::Preparing))
                        .await
                        .expect("the master hears it");
                    {
                        let mut found = found.borrow_mut();
                        found.longest_heartbeat = found.longest_heartbeat.max(sent.elapsed());
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            };
            tokio::select! {
                fetched = fetch => assert_eq!(fetched, Ok(module.len() as u64)),
                () = beats => {}
            }
            let mut found = found.borrow_mut();
            found.least = found.least.min(counts.iter().map(Cell::get).min().unwrap_or(0));
            found.right += usize::from(bytes == *module);
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.expect("a worker does not panic");
    }
    found.borrow_mut().took = begin.elapsed();
    found.take()
}

#[test]
fn fifty_workers_share_a_limited_bandwidth_and_are_heard_meanwhile() {
    let swarm = Swarm::new();
    let path = large(&swarm, SHARED);
    let module = fs::read(&path).expect("it can be read");
    let limit = BYTES_PER_S.to_string();
    let master = swarm.master(&path, &["--module-bandwidth", &limit]);
    let address = master.address();
    let all = WORKERS * module.len();
    let fetching = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("the system has room for a runtime");
        LocalSet::new().block_on(&runtime, fetch_all(address, module))
    });
    wait_until("all fetch", PATIENCE, || percents(&master).len() == WORKERS);
    let found = fetching.join().expect("it does not panic");
    assert_eq!(found.right, WORKERS);
    let least = Duration::from_secs_f64((all - BURST_BYTES) as f64 / BYTES_PER_S as f64);
    assert!(found.took >= least, "{found:?}, {least:?}");
    assert!(found.least >= SHARED / 2, "the first had all when the last had little: {found:?}");
    // A worker whose heartbeats are not answered for so long ends its load.
    assert!(found.longest_heartbeat < swarm_core::agent::LEASE, "{found:?}");
}

//! Workers that only report: real connections, orders, signs of life and reports, and no users.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use swarm_core::agent::HEARTBEAT_INTERVAL;
use swarm_core::message::{Heartbeat, Order, WorkerInfo, WorkerState};
use swarm_stats::delta::{Delta, Report};
use swarm_stats::{ConnectionCounts, Limits, Recorder, Sample};
use swarm_wire::{Accepted, Session, WorkerHandler, connect};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::probe::Times;

/// Names that each worker reports.
const NAMES: u64 = 100;
/// Samples of each name in a second.
const SAMPLES: u64 = 10;
/// How often a worker reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Registrations at a time.
const DIALLED_MAX: usize = 64;

/// What the threads share.
#[derive(Debug, Default)]
struct Shared {
    joined: AtomicUsize,
    lost: AtomicUsize,
    measured: AtomicBool,
    answered: Mutex<Vec<Duration>>,
}

/// Running workers. They end with the program, or when their master ends.
#[derive(Debug)]
pub(crate) struct Workers(Arc<Shared>);

impl Workers {
    /// Connects so many, all on a thread of their own.
    pub(crate) fn start(master: SocketAddr, count: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let workers = Self(Arc::clone(&shared));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("the system has room for a runtime");
            LocalSet::new().block_on(&runtime, run(master, count, shared));
        });
        workers
    }

    /// Workers that can be given users: registered, and their first sign of life is answered.
    pub(crate) fn joined(&self) -> usize {
        self.0.joined.load(Ordering::Relaxed)
    }

    /// Workers whose connection has ended.
    pub(crate) fn lost(&self) -> usize {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// From now on the times until reports are answered are kept.
    pub(crate) fn measure(&self) {
        self.0.measured.store(true, Ordering::Relaxed);
    }

    /// The times until reports were answered.
    pub(crate) fn answered(&self) -> Times {
        self.0.measured.store(false, Ordering::Relaxed);
        Times(self.0.answered.lock().expect("nobody panics with it").clone())
    }
}

async fn run(master: SocketAddr, count: usize, shared: Arc<Shared>) {
    let dialled = Rc::new(tokio::sync::Semaphore::new(DIALLED_MAX));
    let workers: Vec<_> = (0..count as u64)
        .map(|number| {
            let (shared, dialled) = (Arc::clone(&shared), Rc::clone(&dialled));
            spawn_local(async move {
                let permit = dialled.acquire().await.expect("it is never closed");
                let (worker, session, accepted) = dial(master, number).await;
                session.heartbeat(&worker.heartbeat()).await.expect("the master hears it");
                drop(permit);
                shared.joined.fetch_add(1, Ordering::Relaxed);
                // Spread over the second as those of real workers are.
                let begin = Instant::now() + REPORT_INTERVAL.mul_f64(number as f64 / count as f64);
                tokio::join!(
                    beat(&worker, &session, begin, &shared),
                    report(&worker, &session, number, begin, accepted.master_time_ms, &shared),
                );
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("a worker does not panic");
    }
}

async fn dial(master: SocketAddr, number: u64) -> (Rc<Worker>, Session, Accepted) {
    let info = WorkerInfo::new(format!("host-{number:05}"), number);
    let worker = Rc::new(Worker::default());
    let stream = TcpStream::connect(master).await.expect("the master listens");
    stream.set_nodelay(true).expect("a socket has this option");
    let (session, accepted) =
        connect(stream, &info, Rc::clone(&worker)).await.expect("the master takes it");
    (worker, session, accepted)
}

/// What a worker was told last.
#[derive(Debug, Default)]
struct Worker {
    order: RefCell<Option<Order>>,
}

impl WorkerHandler for Worker {
    async fn order(&self, order: Order) {
        *self.order.borrow_mut() = Some(order);
    }

    fn quit(&self, _reason: String) {}
}

impl Worker {
    /// As of a worker that has carried its order out at once.
    fn heartbeat(&self) -> Heartbeat {
        let order = self.order.borrow();
        let users: Vec<_> = order.iter().flat_map(|order| &order.users).collect();
        let state = if users.is_empty() { WorkerState::Ready } else { WorkerState::Running };
        Heartbeat {
            order_taken: order.as_ref().map_or(0, |order| order.number),
            order_done: order.as_ref().map_or(0, |order| order.number),
            users: users
                .into_iter()
                .map(|of| (of.class, u32::try_from(of.ids.len()).unwrap_or(u32::MAX)))
                .collect(),
            cpu_percent: 50.0,
            memory_bytes: 1 << 26,
            ..Heartbeat::new(state)
        }
    }

    /// The test that runs.
    fn test(&self) -> Option<u32> {
        let order = self.order.borrow();
        order.as_ref().filter(|order| !order.users.is_empty()).map(|order| order.test)
    }
}

async fn beat(worker: &Worker, session: &Session, begin: Instant, shared: &Shared) {
    let mut ticks = interval_at(begin, HEARTBEAT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if session.heartbeat(&worker.heartbeat()).await.is_err() {
            shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
}

async fn report(
    worker: &Worker,
    session: &Session,
    number: u64,
    begin: Instant,
    master_ms: u64,
    shared: &Shared,
) {
    let joined = Instant::now();
    let mut report =
        Report { stream: number, sequence: 0, from_ms: 0, to_ms: 0, test: 0, delta: delta(number) };
    let mut ticks = interval_at(begin, REPORT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(test) = worker.test() else { continue };
        let since_ms = u64::try_from(joined.elapsed().as_millis()).unwrap_or(u64::MAX);
        report.test = test;
        report.sequence += 1;
        report.to_ms = master_ms + since_ms;
        report.from_ms = report.to_ms.saturating_sub(1_000);
        let sent = Instant::now();
        // Not applied, or not answered: the master has given the worker up, and the sign of life
        // notices it too.
        if session.report(&report).await.ok() != Some(report.sequence) {
            return;
        }
        if shared.measured.load(Ordering::Relaxed) {
            shared.answered.lock().expect("nobody panics with it").push(sent.elapsed());
        }
    }
}

/// A second of a worker: times between 1 and 100 ms, others for each worker and name.
fn delta(worker: u64) -> Delta {
    let mut recorder = Recorder::new(Limits::default());
    for name in 0..NAMES {
        let entry = recorder.intern("GET", &format!("/products/{name}/details"));
        for sample in 0..SAMPLES {
            let spread = (worker * 7_919 + name * 104_729 + sample * 15_485_863) % 99_000;
            let response_time_us = 1_000 + spread * spread / 99_000;
            let connections = ConnectionCounts { reused: 1, ..ConnectionCounts::default() };
            let bytes = 5_000;
            let sample = Sample { response_time_us, bytes, connections, ..Sample::default() };
            recorder.record(entry, sample);
        }
        recorder.lateness(name * 3);
    }
    recorder.drain()
}

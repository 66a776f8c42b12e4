//! What a report costs on the wire: prints the time for one of 100 names, both ends and
//! the real socket between them on one thread.
//!
//! `cargo run --release -p swarm-wire --example report [WORKERS] [REPORTS]`

use std::cell::Cell;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use swarm_core::message::{Digest, Heartbeat, Order, Refusal, WorkerInfo};
use swarm_stats::Histogram;
use swarm_stats::delta::{Delta, EntryDelta, Report};
use swarm_wire::{
    Accepted, MasterHandler, Session, WorkerHandle, WorkerHandler, connect, serve_connection,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

const NAMES: usize = 100;
const SAMPLES_PER_NAME: u64 = 10;

#[derive(Default)]
struct Master {
    requests: Cell<u64>,
}

impl MasterHandler for Master {
    async fn register(&self, _: u64, _: WorkerInfo, _: WorkerHandle) -> Result<Accepted, Refusal> {
        Ok(Accepted {
            master_time_ms: 0,
            worker_index: 0,
            version: String::new(),
            module: None,
            environment: Vec::new(),
        })
    }

    async fn heartbeat(&self, _: u64, _: Heartbeat) -> u64 {
        0
    }

    async fn report(&self, _: u64, report: Report) -> u64 {
        let requests: u64 = report.delta.entries.iter().map(|entry| entry.requests).sum();
        self.requests.set(self.requests.get() + requests);
        report.sequence
    }

    fn module(&self, _: u64, _: &Digest) -> Option<Arc<[u8]>> {
        None
    }

    async fn module_part(&self, _: u64, _: usize, _: usize) {}

    fn module_sent(&self, _: u64) {}

    fn leave(&self, _: u64) {}

    fn closed(&self, _: u64, _: &str) {}
}

struct Worker;

impl WorkerHandler for Worker {
    async fn order(&self, _: Order) {}

    fn quit(&self, _: String) {}
}

fn argument(at: usize, default: u64) -> Result<u64, Box<dyn Error>> {
    std::env::args().nth(at).map_or(Ok(default), |value| Ok(value.parse()?))
}

/// Response times between 1 and 100 ms, spread as they come.
fn entry(name: usize) -> EntryDelta {
    let mut times = Histogram::new();
    let samples = (0..SAMPLES_PER_NAME).map(|i| 1_000 + (i * 7_919 + name as u64) % 99_000);
    for sample in samples.clone() {
        times.record(sample, 1);
    }
    EntryDelta {
        method: "GET".into(),
        name: format!("/product/{name}/details"),
        requests: SAMPLES_PER_NAME,
        failures: 0,
        unanswered: 0,
        resent: 0,
        bytes: SAMPLES_PER_NAME * 5_000,
        times,
        sum_us: samples.clone().sum(),
        min_us: samples.clone().min().unwrap_or(u64::MAX),
        max_us: samples.max().unwrap_or(0),
    }
}

async fn run(workers: u64, reports: u64) -> Result<(), Box<dyn Error>> {
    let master = Rc::new(Master::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = Rc::clone(&master);
    spawn_local(async move {
        for conn in 0..workers {
            let Ok((stream, _)) = listener.accept().await else { return };
            spawn_local(serve_connection(stream, Rc::clone(&serving), conn));
        }
    });
    let begin = Instant::now();
    let mut sessions = Vec::new();
    for id in 0..workers {
        let info = WorkerInfo::new(format!("w{id}"), id);
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        sessions.push(connect(stream, &info, Rc::new(Worker)).await?.0);
    }
    println!("{workers} workers registered in {:?}", begin.elapsed());
    let entries = (0..NAMES).map(entry).collect();
    let delta = Delta { entries, ..Delta::default() };
    let begin = Instant::now();
    let senders: Vec<_> = sessions
        .into_iter()
        .map(|session| spawn_local(send(session, delta.clone(), reports)))
        .collect();
    for sender in senders {
        sender.await??;
    }
    let elapsed = begin.elapsed();
    let sent = workers * reports;
    let expected = sent * NAMES as u64 * SAMPLES_PER_NAME;
    let received = master.requests.get();
    println!("{sent} reports of {NAMES} names, {received} of {expected} requests arrived");
    println!("{:.1} µs per report", elapsed.as_secs_f64() * 1e6 / sent as f64);
    Ok(())
}

async fn send(session: Session, delta: Delta, reports: u64) -> Result<(), swarm_wire::WireError> {
    let mut report = Report { stream: 0, sequence: 0, from_ms: 0, to_ms: 0, test: 1, delta };
    for sequence in 1..=reports {
        report.sequence = sequence;
        session.report(&report).await?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (workers, reports) = (argument(1, 100)?, argument(2, 20)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run(workers, reports))
}

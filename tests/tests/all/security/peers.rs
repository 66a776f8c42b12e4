//! Workers and masters that mean harm, through real sockets.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use swarm_core::message::{Heartbeat, Order, WorkerInfo, WorkerState};
use swarm_stats::delta::{Delta, Report};
use swarm_tests::{PATIENCE, Swarm, wait_until};
use swarm_wire::{ConnectError, Session, WorkerHandler};

use super::{master, runs_users, worker};
use crate::verdict::{SETTINGS, refused};

#[derive(Default)]
struct Silent(RefCell<Vec<u64>>);

impl WorkerHandler for Silent {
    async fn order(&self, order: Order) {
        self.0.borrow_mut().push(order.number);
    }

    fn quit(&self, _: String) {}
}

/// Runs what a worker of the test's own does.
#[track_caller]
fn as_a_worker(doing: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(PATIENCE, doing).await.expect("it does not take long");
    });
}

async fn join(address: std::net::SocketAddr, info: &WorkerInfo) -> Result<Session, ConnectError> {
    let stream = tokio::net::TcpStream::connect(address).await.expect("the master listens");
    let joined = swarm_wire::connect(stream, info, Rc::new(Silent::default())).await;
    joined.map(|(session, _)| session)
}

fn report(stream: u64, sequence: u64) -> Report {
    let delta = Delta { interrupted: 1_000, ..Delta::default() };
    Report { stream, sequence, from_ms: 0, to_ms: 1_000, test: 0, delta }
}

/// More than any worker has a reason to say ends its connection, and nobody else's.
#[test]
fn a_flood_is_cut_off() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let mut master = master(&swarm, &target, &[]);
    let _good = worker(&swarm, &master, &[]);
    master.page().wait_for_workers(1);
    as_a_worker(async {
        let session =
            join(master.address(), &WorkerInfo::new("flood", 7)).await.expect("it may join");
        let most = swarm_wire::limits::HEARTBEATS_BURST;
        // What comes in while the burst is used up is let through as well.
        for _ in 0..20 * most {
            if session.heartbeat(&Heartbeat::new(WorkerState::Ready)).await.is_err() {
                break;
            }
        }
        session.closed().await;
    });
    let told = "sends more heartbeats than it may";
    wait_until(told, PATIENCE, || master.process.err.find(told).is_some());
    assert_eq!(master.process.err.text().matches(told).count(), 1, "it is told once");
    wait_until("the other is still there", PATIENCE, || {
        let stats = master.page().stats();
        let states = stats["workers"].as_array().cloned().unwrap_or_default();
        states.iter().filter(|worker| worker["state"] == "ready").count() == 1
    });
    assert!(master.process.is_running());
}

/// A worker can neither report nor join under another's stream.
#[test]
fn a_worker_has_no_part_in_anothers_session() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let mut master = master(&swarm, &target, &[]);
    as_a_worker(async {
        let victim =
            join(master.address(), &WorkerInfo::new("victim", 41)).await.expect("it may join");
        let thief =
            join(master.address(), &WorkerInfo::new("thief", 42)).await.expect("it may join");
        // Its number is not taken, so what the victim reports under it later is not either.
        assert_eq!(thief.report(&report(41, 9)).await, Ok(0));
        let again = join(master.address(), &WorkerInfo::new("another thief", 41)).await;
        let Err(ConnectError::Refused(reason)) = again else { panic!("{again:?}") };
        assert!(reason.contains("is another worker's already"), "{reason}");
        let twin = join(master.address(), &WorkerInfo::new("victim", 43)).await;
        let Err(ConnectError::RefusedForNow(reason)) = twin else { panic!("{twin:?}") };
        assert!(reason.contains("is connected already"), "{reason}");
        victim.heartbeat(&Heartbeat::new(WorkerState::Ready)).await.expect("it is still there");
    });
    let told = "worker thief reports for another stream than its own";
    wait_until(told, PATIENCE, || master.process.err.find(told).is_some());
    assert!(master.process.is_running());
}

/// Whatever the master says, users of this worker reach what its operator allows.
#[test]
fn a_worker_keeps_its_own_list_of_hosts() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let address = target.address().to_string();
    let master = master(&swarm, &target, &["--allow-host", &address]);
    {
        let other = ["--allow-host", "load.example:80"];
        let _strict = worker(&swarm, &master, &[&["--id", "strict"], &other[..]].concat());
        master.page().wait_for_workers(1);
        master.page().start(2, 10.0);
        let told = "users of class \"Visitor\" may not reach";
        wait_until("the operator learns why", PATIENCE, || {
            let log = master.process.err.text();
            log.contains("worker strict cannot take part") && log.contains(told)
        });
        // Longer than any user waits.
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(target.counts().total, 0);
        master.page().stop();
    }
    let _generous = worker(&swarm, &master, &["--id", "generous", "--allow-host", &address]);
    master.page().wait_for_state("stopped");
    wait_until("only one is there", PATIENCE, || {
        let stats = master.page().stats();
        let workers = stats["workers"].as_array().cloned().unwrap_or_default();
        workers.iter().any(|worker| worker["id"] == "generous" && worker["state"] == "ready")
    });
    master.page().start(2, 10.0);
    target.wait_for_requests(10);
    let wrong = ["worker", "--allow-host", "http://a.example"];
    refused(&swarm, &wrong, SETTINGS, &["http://a.example", "HOST:PORT"]);
}

/// Who knows no more than the port gets no answer to anything but a registration.
#[test]
fn strangers_have_no_effect() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let file = swarm.file("token", super::TOKEN.as_bytes());
    let token = ["--token-file", super::path(&file)];
    let mut master = master(&swarm, &target, &token);
    as_a_worker(async {
        for stream in 0..3 {
            let stranger = join(master.address(), &WorkerInfo::new("stranger", stream)).await;
            let Err(ConnectError::Refused(reason)) = stranger else { panic!("{stranger:?}") };
            assert!(reason.contains("--token-file"), "{reason}");
        }
    });
    super::nothing_has_happened(&mut master, &target);
    let _worker = worker(&swarm, &master, &token);
    runs_users(&master, &target);
}

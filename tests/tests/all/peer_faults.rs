//! Masters and workers that find the wrong thing at the other end, or nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;

use swarm_core::message::{Order, PROTOCOL_VERSION, WorkerInfo};
use swarm_tests::{Master, PATIENCE, Process, Signal, Swarm, Target, wait_until};
use swarm_wire::{ConnectError, WorkerHandler};

use crate::guests::{Guest, visit};
use crate::verdict::{REFUSED, UNREACHABLE};

/// A master with a page, for users that visit `/` of the target.
fn master(swarm: &Swarm, target: &Target) -> Master {
    let guest = Guest::visiting(&["/"]).write(swarm, "visitor");
    swarm.master(&guest, &["-H", &target.url()])
}

/// The master is well: a worker joins and runs a test.
#[track_caller]
fn is_unharmed(swarm: &Swarm, target: &Target, master: &mut Master) {
    let worker = swarm.worker(master, &["--threads", "1"]);
    master.page().wait_for_workers(1);
    master.page().start(2, 10.0);
    target.wait_for_requests(10);
    master.page().stop();
    master.page().wait_for_state("stopped");
    drop(worker);
    assert!(master.process.is_running());
    let log = master.process.err.text();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn strangers_at_the_masters_port() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let mut master = master(&swarm, &target);
    let random: Vec<u8> =
        (0..100_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let sent: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello over TLS, or nearly so",
        // A message of 4 GiB segments.
        &[0xff; 64],
        &random,
        b"",
    ];
    for bytes in sent {
        let mut stranger = TcpStream::connect(master.address()).expect("the master listens");
        // It may be cut off in the middle.
        let _ = stranger.write_all(bytes);
        let _ = stranger.shutdown(std::net::Shutdown::Write);
        stranger.set_read_timeout(Some(PATIENCE)).expect("sockets have timeouts");
        // Closed or reset: either way it ends.
        let _ = stranger.read_to_end(&mut Vec::new());
    }
    // Some say nothing at all, and stay.
    let silent = [(); 50].map(|()| TcpStream::connect(master.address()).expect("it listens"));
    is_unharmed(&swarm, &target, &mut master);
    drop(silent);
}

/// A worker that only says who it is.
struct Mute;

impl WorkerHandler for Mute {
    async fn order(&self, _: Order) {}

    fn quit(&self, _: String) {}
}

/// Why the master refuses this worker.
fn refusal(master: SocketAddr, info: &WorkerInfo) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let connecting = async {
        let stream = tokio::net::TcpStream::connect(master).await.expect("the master listens");
        swarm_wire::connect(stream, info, Rc::new(Mute)).await
    };
    let local = tokio::task::LocalSet::new();
    match local.block_on(&runtime.expect("a runtime can be made"), connecting) {
        Err(ConnectError::Refused(reason)) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_worker_of_another_protocol() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let mut master = master(&swarm, &target);
    let info = WorkerInfo {
        version: "9.9.9".to_owned(),
        protocol: PROTOCOL_VERSION + 1,
        ..WorkerInfo::new("from-the-future", 1)
    };
    let reason = refusal(master.address(), &info);
    let ours = env!("CARGO_PKG_VERSION");
    let protocols = [PROTOCOL_VERSION, PROTOCOL_VERSION + 1].map(|n| format!("protocol {n}"));
    for part in ["9.9.9", ours, &protocols[0], &protocols[1]] {
        assert!(reason.contains(part), "{part:?} is not in: {reason}");
    }
    // Who watches the master learns of it as well.
    wait_until("the refusal is logged", PATIENCE, || master.process.err.find("9.9.9").is_some());
    is_unharmed(&swarm, &target, &mut master);
}

#[test]
fn two_workers_of_one_name() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let master = master(&swarm, &target);
    let mut first = swarm.worker(&master, &["--id", "twin", "--threads", "1"]);
    master.page().wait_for_workers(1);
    let mut second = swarm.worker(&master, &["--id", "twin", "--threads", "1"]);
    assert_eq!(second.process.wait(PATIENCE).code(), Some(REFUSED));
    let said = second.process.err.text();
    assert!(said.contains("a worker with the id twin is connected already"), "{said}");
    assert!(first.process.is_running());
    master.page().start(2, 10.0);
    target.wait_for_requests(10);
}

#[test]
fn a_master_that_is_not_there() {
    let swarm = Swarm::new();
    let free = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = free.local_addr().expect("it is bound");
    drop(free);
    let mut worker = swarm.worker_at(address, &["--master-max-wait", "1"]);
    assert_eq!(worker.process.wait(PATIENCE).code(), Some(UNREACHABLE));
    let said = worker.process.err.text();
    let (again, end) = said.split_once("error: ").expect("it says why it ended");
    assert!(again.contains(&format!("the master at {address} is not there")), "{again}");
    assert!(again.contains("Connection refused") && again.contains("trying again"), "{again}");
    assert!(end.contains(&address.to_string()) && end.contains("--master-max-wait"), "{end}");
}

#[test]
fn a_master_that_comes_late() {
    let swarm = Swarm::new();
    let free = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = free.local_addr().expect("it is bound");
    drop(free);
    let mut worker = swarm.worker_at(address, &["--threads", "1"]);
    worker.process.wait_for_value("trying again");
    Guest::visiting(&["/"]).write(&swarm, "visitor");
    let port = address.port().to_string();
    let master = ["master", "visitor.wasm", "--web-port", "0", "--master-bind-port", &port];
    let _master = Process::spawn("master", swarm.command(&master));
    worker.process.wait_for_value("joined the master");
    assert_eq!(worker.leave(PATIENCE).code(), Some(0));
}

#[test]
fn something_else_at_the_masters_address() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let mut worker = swarm.worker_at(target.address(), &["--master-max-wait", "1"]);
    assert_eq!(worker.process.wait(PATIENCE).code(), Some(UNREACHABLE));
    let said = worker.process.err.text();
    assert!(said.contains("trying again") && !said.contains("panicked"), "{said}");
}

/// The file is read once: what a test runs is what was checked.
#[test]
fn a_scenario_that_changes_on_disk() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let mut master = master(&swarm, &target);
    let first = swarm.worker(&master, &["--threads", "1"]);
    master.page().wait_for_workers(1);
    master.page().start(2, 10.0);
    target.wait_for_requests(10);
    let other = Guest::visiting(&["/about"]).text("x", "/about").run(&visit("x"));
    other.write(&swarm, "visitor");
    // A worker that has to fetch it, and more users on both.
    let mut late = swarm.command(&["worker", "--threads", "1", "--master-port"]);
    late.arg(master.address().port().to_string());
    late.env("SWARM_CACHE_DIR", swarm.folder().join("another-cache"));
    let late = Process::spawn("late worker", late);
    master.page().wait_for_workers(2);
    std::fs::remove_file(swarm.folder().join("visitor.wasm")).expect("it was there");
    target.take_counts();
    master.page().start(6, 100.0);
    wait_until("the late worker has users", PATIENCE, || {
        let stats = master.page().stats();
        let workers = stats["workers"].as_array().cloned().unwrap_or_default();
        workers.len() == 2 && workers.iter().all(|worker| worker["user_count"] == 3)
    });
    let before = target.counts().total;
    target.wait_for_requests(before + 20);
    let counts = target.counts();
    assert_eq!(counts.paths.keys().collect::<Vec<_>>(), ["/"]);
    master.page().stop();
    master.page().wait_for_state("stopped");
    master.process.signal(Signal::INT);
    assert_eq!(master.process.wait(PATIENCE).code(), Some(0), "nothing has failed");
    drop((first, late));
}

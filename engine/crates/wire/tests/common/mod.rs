//! A master and workers that write down what happens to them.

#![allow(dead_code, reason = "every test binary uses its part")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use swarm_core::message::{
    ClassUsers, Digest, Heartbeat, Order, PROTOCOL_VERSION, Refusal, Room, Settings, WorkerInfo,
    WorkerState,
};
use swarm_stats::delta::{Delta, Report};
use swarm_wire::{Accepted, MasterHandler, ModuleInfo, WireError, WorkerHandle, WorkerHandler};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::LocalSet;

/// No test waits longer: what hangs is an error, however slow the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The clock of every master here.
pub(crate) const MASTER_TIME_MS: u64 = 1_700_000_000_000;
pub(crate) const DIGEST: Digest = [7; 32];

/// Runs a test on a current-thread runtime.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(PATIENCE, test).await.expect("the test hangs");
    });
}

/// Lets everything that can go on go on, until `condition` holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[derive(Default)]
pub(crate) struct Master {
    pub(crate) module: RefCell<Option<Arc<[u8]>>>,
    pub(crate) workers: RefCell<Vec<(u64, WorkerInfo, WorkerHandle)>>,
    pub(crate) heartbeats: RefCell<Vec<(u64, Heartbeat)>>,
    pub(crate) reports: RefCell<Vec<(u64, Report)>>,
    pub(crate) left: RefCell<Vec<u64>>,
    /// Connections that ended though the worker's process did not close them.
    pub(crate) broke: RefCell<Vec<u64>>,
    pub(crate) closed: RefCell<Vec<(u64, String)>>,
    /// Connections on which a proof was wrong.
    pub(crate) unproven: RefCell<Vec<u64>>,
    /// Parts of modules that were to be sent: where, and how many bytes.
    pub(crate) parts: RefCell<Vec<(usize, usize)>>,
    /// More parts than this wait.
    pub(crate) parts_max: Cell<Option<usize>>,
    /// Connections on which all of a module was sent.
    pub(crate) sent: RefCell<Vec<u64>>,
    /// Orders that could not be delivered: connection, number, why.
    pub(crate) undeliverable: RefCell<Vec<(u64, u64, String)>>,
    /// While set, reports are not answered.
    pub(crate) stuck: Cell<bool>,
}

impl Master {
    pub(crate) fn with_module(bytes: Vec<u8>) -> Rc<Master> {
        let master = Master::default();
        *master.module.borrow_mut() = Some(bytes.into());
        Rc::new(master)
    }

    /// The worker registered on a connection.
    pub(crate) fn worker(&self, conn: u64) -> WorkerHandle {
        let workers = self.workers.borrow();
        let (.., handle) = workers.iter().find(|(at, ..)| *at == conn).unwrap();
        handle.clone()
    }

    /// Why a connection was closed, once it is.
    pub(crate) async fn closed(&self, conn: u64) -> String {
        let find = || {
            let closed = self.closed.borrow();
            closed.iter().find(|(at, _)| *at == conn).map(|(_, reason)| reason.clone())
        };
        until(|| find().is_some()).await;
        find().unwrap()
    }
}

impl MasterHandler for Master {
    async fn register(
        &self,
        conn: u64,
        info: WorkerInfo,
        worker: WorkerHandle,
    ) -> Result<Accepted, Refusal> {
        let mut workers = self.workers.borrow_mut();
        if workers.iter().any(|(_, known, _)| known.id == info.id) {
            return Err(Refusal::temporary(format!("worker {:?} is already here", info.id)));
        }
        workers.push((conn, info, worker));
        let module = self.module.borrow();
        Ok(Accepted {
            master_time_ms: MASTER_TIME_MS,
            worker_index: u32::try_from(workers.len() - 1).unwrap(),
            version: "0.1.0".into(),
            module: module.as_ref().map(|m| ModuleInfo { digest: DIGEST, size: m.len() as u64 }),
            environment: vec![("TOKEN".into(), "a=b".into())],
        })
    }

    fn unproven(&self, conn: u64) {
        self.unproven.borrow_mut().push(conn);
    }

    fn undeliverable(&self, conn: u64, order: u64, error: &WireError) {
        self.undeliverable.borrow_mut().push((conn, order, error.to_string()));
    }

    async fn heartbeat(&self, conn: u64, heartbeat: Heartbeat) -> u64 {
        self.heartbeats.borrow_mut().push((conn, heartbeat));
        MASTER_TIME_MS
    }

    async fn report(&self, conn: u64, report: Report) -> u64 {
        let sequence = report.sequence;
        self.reports.borrow_mut().push((conn, report));
        if self.stuck.get() {
            std::future::pending::<()>().await;
        }
        sequence
    }

    fn module(&self, _conn: u64, digest: &Digest) -> Option<Arc<[u8]>> {
        self.module.borrow().clone().filter(|_| *digest == DIGEST)
    }

    async fn module_part(&self, _conn: u64, from: usize, bytes: usize) {
        self.parts.borrow_mut().push((from, bytes));
        while self.parts_max.get().is_some_and(|max| self.parts.borrow().len() > max) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn module_sent(&self, conn: u64) {
        self.sent.borrow_mut().push(conn);
    }

    fn leave(&self, conn: u64) {
        self.left.borrow_mut().push(conn);
    }

    fn broke(&self, conn: u64) {
        self.broke.borrow_mut().push(conn);
    }

    fn closed(&self, conn: u64, reason: &str) {
        self.closed.borrow_mut().push((conn, reason.to_owned()));
    }
}

#[derive(Default)]
pub(crate) struct Worker {
    pub(crate) orders: RefCell<Vec<Order>>,
    pub(crate) quits: RefCell<Vec<String>>,
    /// While set, an order is not taken; `resume` lets the next one through.
    pub(crate) slow: Cell<bool>,
    pub(crate) resume: Notify,
}

impl Worker {
    pub(crate) fn new() -> Rc<Worker> {
        Rc::default()
    }

    pub(crate) fn order_numbers(&self) -> Vec<u64> {
        self.orders.borrow().iter().map(|order| order.number).collect()
    }
}

impl WorkerHandler for Worker {
    async fn order(&self, order: Order) {
        self.orders.borrow_mut().push(order);
        if self.slow.get() {
            self.resume.notified().await;
        }
    }

    fn quit(&self, reason: String) {
        self.quits.borrow_mut().push(reason);
    }
}

/// Serves connections of a real socket; their numbers count from 0.
pub(crate) async fn listen(master: &Rc<Master>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let master = Rc::clone(master);
    tokio::task::spawn_local(async move {
        for conn in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let master = Rc::clone(&master);
            tokio::task::spawn_local(swarm_wire::serve_connection(stream, master, conn));
        }
    });
    address
}

pub(crate) async fn dial(address: std::net::SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub(crate) fn info(id: &str) -> WorkerInfo {
    WorkerInfo {
        id: id.into(),
        stream: 1,
        version: "0.1.0".into(),
        protocol: PROTOCOL_VERSION,
        cores: 2,
        users_max: Some(1_000),
        weight: 1,
        attempt: 0,
    }
}

pub(crate) fn order(number: u64) -> Order {
    Order {
        number,
        test: 1,
        module: DIGEST,
        test_start_ms: MASTER_TIME_MS,
        issued_ms: 0,
        spread_ms: 1_000,
        users: vec![ClassUsers { class: 0, ids: (1..4).collect() }],
        moves: Vec::new(),
        settings: Settings { host: Some("http://127.0.0.1:9".into()), ..Settings::default() },
    }
}

pub(crate) fn heartbeat() -> Heartbeat {
    Heartbeat {
        state: WorkerState::Running,
        order_done: 3,
        order_taken: 4,
        users: vec![(0, 3)],
        finished: [1_u32, 5].into_iter().collect(),
        in_flight: 2,
        cpu_percent: 12.5,
        memory_bytes: 1 << 20,
        problem: None,
        room: Room { own: Some(16_000), shared: None },
        warning: Some("its memory is near the end".into()),
    }
}

pub(crate) fn report(sequence: u64) -> Report {
    Report {
        stream: 1,
        sequence,
        from_ms: MASTER_TIME_MS,
        to_ms: MASTER_TIME_MS + 1_000,
        test: 1,
        delta: Delta { interrupted: sequence, ..Delta::default() },
    }
}

/// Bytes that are all in their place or visibly not.
pub(crate) fn module_bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i ^ (i >> 8) ^ (i >> 16)) & 0xff).unwrap()).collect()
}

//! Both ends of a connection between master and worker, each with a hostile other end. The first
//! byte says which end it is, and whether the other one knows the token; then comes how the bytes
//! are cut, then the bytes.
#![no_main]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use swarm_core::message::{
    ClassUsers, Digest, Heartbeat, Order, Refusal, Room, Settings, WorkerInfo, WorkerState,
};
use swarm_stats::delta::{Delta, Report};
use swarm_wire::{
    Accepted, MasterHandler, ModuleInfo, Secret, Token, WorkerHandle, WorkerHandler,
    connect_guarded, serve_guarded,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::{LocalSet, spawn_local};

use swarm_fuzz::conversation::{messages, mutate as mutate_messages, recorded};
use swarm_fuzz::{pieces, runtime};

libfuzzer_sys::fuzz_target!(
    init: begin(),
    |data: &[u8]| run(data)
);
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed)
});

/// As in the recorded conversations.
const DIGEST: Digest = [7; 32];
const MODULE: &[u8] = b"ten bytes!";
const MASTER_TIME_MS: u64 = 1_700_000_000_000;
/// Virtual time within which a connection is over whose other end has nothing more to say.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does the other end know the token, if there is one?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    NoToken,
    Known,
    Stranger,
}

/// The records do what they did; else the fuzzer would begin with nothing.
fn begin() {
    let seeds = seeds();
    for number in [0, 1, 8, 9] {
        assert!(effects(&seeds[number]) > 1, "the record of seed {number} has no effect");
    }
    swarm_fuzz::write_seeds(&seeds);
}

/// Panics when something happens that the other end has no right to.
fn run(data: &[u8]) {
    effects(data);
}

/// How much was done for the other end.
fn effects(data: &[u8]) -> u32 {
    let &[mode, cuts, ref bytes @ ..] = data else { return 0 };
    let trust = [Trust::NoToken, Trust::Known, Trust::Stranger][usize::from(mode / 2 % 3)];
    let local = LocalSet::new();
    local.block_on(&runtime(), async {
        let (near, far) = tokio::io::duplex(1 << 16);
        let speaking = spawn_local(speak(near, bytes.to_vec(), cuts));
        let effects =
            if mode % 2 == 0 { master(far, trust).await } else { worker(far, trust).await };
        tokio::time::timeout(PATIENCE, speaking).await.expect("it is cut off").expect("no panic");
        effects
    })
}

/// Says it message by message, each when nothing else is left to do, and takes the answers.
async fn speak(stream: DuplexStream, bytes: Vec<u8>, cuts: u8) {
    let (mut from, mut to) = tokio::io::split(stream);
    let hearing = spawn_local(async move {
        let mut buffer = [0; 4096];
        while let Ok(1..) = from.read(&mut buffer).await {}
    });
    let whole = messages(&bytes);
    let parts = whole.into_iter().flat_map(|message| pieces(message, cuts));
    for part in parts {
        if to.write_all(part).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let _ = to.shutdown().await;
    hearing.await.expect("no panic");
}

fn secret(nonce: u8) -> Secret {
    let token = Token::new(b"a token for the records").expect("it is long enough");
    Secret::new(token, [nonce; 32])
}

/// What a worker may make happen at a master, in its order.
#[derive(Default)]
struct Master {
    joined: RefCell<Option<WorkerHandle>>,
    effects: Cell<u32>,
    closed: Cell<u32>,
}

impl Master {
    fn effect(&self) {
        assert!(self.joined.borrow().is_some(), "an effect before the registration");
        self.effects.set(self.effects.get() + 1);
    }
}

impl MasterHandler for Master {
    async fn register(
        &self,
        _conn: u64,
        info: WorkerInfo,
        worker: WorkerHandle,
    ) -> Result<Accepted, Refusal> {
        assert!(self.joined.borrow().is_none(), "a connection is one worker's");
        if info.id.starts_with('!') {
            return Err(Refusal::lasting("not this one"));
        }
        self.joined.replace(Some(worker));
        Ok(Accepted {
            master_time_ms: MASTER_TIME_MS,
            worker_index: 0,
            version: "0.1.0".to_owned(),
            module: Some(ModuleInfo { digest: DIGEST, size: MODULE.len() as u64 }),
            environment: Vec::new(),
        })
    }

    async fn heartbeat(&self, _conn: u64, _heartbeat: Heartbeat) -> u64 {
        self.effect();
        MASTER_TIME_MS
    }

    async fn report(&self, _conn: u64, report: Report) -> u64 {
        self.effect();
        report.sequence
    }

    fn module(&self, _conn: u64, digest: &Digest) -> Option<Arc<[u8]>> {
        self.effect();
        (*digest == DIGEST).then(|| MODULE.into())
    }

    async fn module_part(&self, _conn: u64, _from: usize, _bytes: usize) {
        self.effect();
    }

    fn module_sent(&self, _conn: u64) {
        self.effect();
    }

    fn leave(&self, _conn: u64) {
        self.effect();
    }

    fn closed(&self, _conn: u64, _reason: &str) {
        self.closed.set(self.closed.get() + 1);
    }
}

async fn master(stream: DuplexStream, trust: Trust) -> u32 {
    let secret = match trust {
        Trust::NoToken => None,
        Trust::Known => Some(secret(1)),
        // The same token, but the record's proof is over another nonce.
        Trust::Stranger => Some(secret(3)),
    };
    let master = Rc::new(Master::default());
    let serving = spawn_local(serve_guarded(stream, Rc::clone(&master), 0, secret));
    let ordering = Rc::clone(&master);
    let ordering = spawn_local(async move {
        let worker = loop {
            if let Some(worker) = &*ordering.joined.borrow() {
                break worker.clone();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        // The worker may do with them what it wants.
        let _ = worker.order(order()).await;
        let _ = worker.quit("the test is over").await;
    });
    let served = tokio::time::timeout(PATIENCE, serving).await;
    served.expect("the connection has an end").expect("it does not panic");
    ordering.abort();
    assert_eq!(master.closed.get(), 1, "the end is told once");
    if trust == Trust::Stranger {
        assert!(master.joined.borrow().is_none(), "a stranger has joined");
        assert_eq!(master.effects.get(), 0, "a stranger had an effect");
    }
    master.effects.get()
}

#[derive(Default)]
struct Worker {
    trusts: Cell<bool>,
    effects: Cell<u32>,
}

impl WorkerHandler for Worker {
    async fn order(&self, order: Order) {
        assert!(self.trusts.get(), "an order of a master that is not trusted");
        let users: u64 = order.users.iter().map(|users| users.ids.len()).sum();
        assert!(users <= swarm_wire::limits::ORDER_USERS_MAX, "{users} users");
        self.effects.set(self.effects.get() + 1);
    }

    fn quit(&self, _reason: String) {
        assert!(self.trusts.get(), "told to end by a master that is not trusted");
        self.effects.set(self.effects.get() + 1);
    }
}

async fn worker(stream: DuplexStream, trust: Trust) -> u32 {
    let secret = match trust {
        Trust::NoToken => None,
        Trust::Known => Some(secret(2)),
        Trust::Stranger => Some(secret(4)),
    };
    // Whoever answers is trusted where there is no token, and where the record's token is known.
    let worker =
        Rc::new(Worker { trusts: Cell::new(trust != Trust::Stranger), ..Worker::default() });
    let info = info();
    let connecting = connect_guarded(stream, &info, Rc::clone(&worker), secret.as_ref());
    let connected = tokio::time::timeout(PATIENCE, connecting).await.expect("an answer or the end");
    let Ok((session, _)) = connected else { return 0 };
    assert!(trust != Trust::Stranger, "a false master is trusted");
    let report = Report {
        stream: 1,
        sequence: 1,
        from_ms: 5_000,
        to_ms: 6_000,
        test: 1,
        delta: Delta { interrupted: 7, ..Delta::default() },
    };
    let mut fetched = 0;
    let talk = async {
        let _ = session.heartbeat(&beat()).await;
        let _ = session.report(&report).await;
        let fetching = session.fetch_module(&DIGEST, 0, |chunk| {
            fetched += chunk.len();
            Ok(())
        });
        if let Ok(size) = fetching.await {
            assert_eq!(size, fetched as u64, "a module of another size");
        }
        let _ = session.leave().await;
    };
    // A master may leave every call without an answer.
    let _ = tokio::time::timeout(Duration::from_secs(2), talk).await;
    worker.effects.get()
}

fn info() -> WorkerInfo {
    WorkerInfo { users_max: Some(1_000), ..WorkerInfo::new("a", 1) }
}

fn beat() -> Heartbeat {
    Heartbeat {
        order_done: 3,
        users: vec![(0, 3)],
        finished: [1_u32, 5].into_iter().collect(),
        in_flight: 2,
        cpu_percent: 12.5,
        memory_bytes: 1 << 20,
        room: Room { own: Some(16_000), shared: None },
        ..Heartbeat::new(WorkerState::Running)
    }
}

fn order() -> Order {
    Order {
        number: 1,
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

/// Changes messages as wholes and from within.
fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    mutate_messages(data, size, max_size, seed, 2)
}

/// The recorded conversations, to each end with each kind of trust; and orders of
/// a master with a token before it has proved that it knows it.
fn seeds() -> Vec<Vec<u8>> {
    let records = [
        include_str!("../../crates/wire/tests/recorded/protocol-1.txt"),
        include_str!("../../crates/wire/tests/recorded/protocol-1-token.txt"),
    ];
    let seeds = records.iter().flat_map(|record| {
        (0..6).map(|mode| {
            let said = recorded(record, if mode % 2 == 0 { "worker" } else { "master" });
            [&[mode, 0], &said[..]].concat()
        })
    });
    let mut seeds: Vec<_> = seeds.collect();
    let said = recorded(records[1], "master");
    let said = messages(&said);
    // Its answers to the first two questions, an order or the end, and that it takes the worker.
    for call in [said[3], said[6]] {
        let early = [said[0], said[1], call, said[2]];
        seeds.push([&[5, 0], &early.concat()[..]].concat());
    }
    seeds
}

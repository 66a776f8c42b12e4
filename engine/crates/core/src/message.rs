//! What master and workers tell each other, as plain data. `swarm-wire` encodes it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::IdSet;

/// The newest protocol that this build speaks. Both ends must have one in common.
pub const PROTOCOL_VERSION: u32 = 1;

/// The oldest protocol that this build still speaks.
pub const PROTOCOL_OLDEST: u32 = 1;

/// SHA-256 of a module's bytes.
pub type Digest = [u8; 32];

/// A worker introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// Unique among the workers of a master; `HOST_RANDOM` unless the operator chose one.
    pub id: String,
    /// Random number of this worker process: its reports are counted under it, so that a report
    /// sent again after a reconnection is recognised.
    pub stream: u64,
    /// Version of the worker's program.
    pub version: String,
    /// [`PROTOCOL_VERSION`] of the worker, the newest that it speaks.
    pub protocol: u32,
    /// Threads that run users.
    pub cores: u32,
    /// Most users this worker accepts; `None` is no limit.
    pub users_max: Option<u32>,
    /// Its part of the users beside those of the other workers, from 1 to [`WEIGHT_MAX`].
    pub weight: u32,
    /// Number of this attempt to join; those of a process rise. What one that was given up has sent
    /// may arrive after a later one.
    pub attempt: u32,
}

impl WorkerInfo {
    /// The first attempt of a worker of this build with one thread, and without a wish.
    pub fn new(id: impl Into<String>, stream: u64) -> Self {
        Self {
            id: id.into(),
            stream,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL_VERSION,
            cores: 1,
            users_max: None,
            weight: 1,
            attempt: 1,
        }
    }
}

/// Why a master does not let a worker join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One sentence for the worker's operator.
    pub reason: String,
    /// It may be otherwise in a while, though nobody changes a setting: the worker shall try again.
    pub temporary: bool,
}

impl Refusal {
    /// One that holds until somebody changes a setting.
    pub fn lasting(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), temporary: false }
    }

    /// One that may hold for a while only.
    pub fn temporary(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), temporary: true }
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::lasting(reason)
    }
}

/// Largest weight of a worker.
pub const WEIGHT_MAX: u32 = 1_000;

/// What does not change while a test runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// Base URL of the target; classes may override it.
    pub host: Option<String>,
    /// Further `HOST` or `HOST:PORT` that scripts may reach.
    pub allow_hosts: Vec<String>,
    /// Seed of all randomness of the test.
    pub seed: u64,
    /// What the guest's `args.get` answers.
    pub args: Vec<(String, String)>,
    /// Only tasks with one of these tags run; empty means all.
    pub tags: Vec<String>,
    /// Tasks with one of these tags do not run.
    pub exclude_tags: Vec<String>,
    /// How long a task in flight may go on after a stop, in milliseconds.
    pub stop_timeout_ms: u64,
    /// Default time limit of a request, in milliseconds.
    pub request_timeout_ms: u64,
    /// Accept any certificate of the target.
    pub insecure: bool,
    /// Send no request again. Otherwise one of an idempotent method is sent again when it meets the
    /// server closing a kept connection.
    pub no_resend: bool,
    /// Whose connections carry the requests.
    pub connections: Connections,
    /// With which address of a name a connection begins.
    pub address_order: AddressOrder,
    /// Count connections and requests by address, too.
    pub stats_by_address: bool,
}

/// With which of the addresses of a name a new connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum AddressOrder {
    /// Each with the next one.
    #[default]
    RoundRobin,
    /// Always with the first, in the order in which the system prefers them.
    First,
    /// Each with one that is drawn by the seed of the test.
    Random,
}

/// Whose connections carry the requests of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Connections {
    /// Every user has its own.
    #[default]
    PerUser,
    /// The users of a load thread that have the same base URL share so many to each host, and have
    /// no cookies. At least 1.
    Shared(u32),
}

/// Users of one class on one worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassUsers {
    /// Index of the class in the scenario.
    pub class: u32,
    /// Ids of the users; unique in the whole test.
    pub ids: IdSet,
}

/// Users that move from one living worker to another. Both are told, so that the one stops a user
/// when the other is about to start it; see [`crate::agent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moves {
    /// When the first of them moves, in milliseconds of the master's clock.
    pub start_ms: u64,
    /// They move one after the other over this time, in milliseconds.
    pub spread_ms: u64,
    /// Who of this worker, in either direction.
    pub ids: IdSet,
}

/// The complete target of one worker: repeating or losing one does no harm, because the next says
/// all of it again.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Grows with every order to a worker; an order not above the last one is ignored.
    pub number: u64,
    /// Number of the test; users of another test are stopped first.
    pub test: u32,
    /// The module that the users run.
    pub module: Digest,
    /// When the test began, in milliseconds of the master's clock.
    pub test_start_ms: u64,
    /// When the master made the order, in milliseconds of its clock; 0 of one that does not say.
    pub issued_ms: u64,
    /// Users start evenly over this time from when the order comes, and stop evenly over this time
    /// from when it was issued, in milliseconds; but for those that move. So an order that comes
    /// late does not keep users longer than the master expects.
    pub spread_ms: u64,
    /// Who shall run here. Empty: nobody, the test stops here.
    pub users: Vec<ClassUsers>,
    /// Who of them comes from another worker, and who goes to one. A user is in one of them at
    /// most.
    pub moves: Vec<Moves>,
    /// The settings of this test.
    pub settings: Settings,
}

impl Order {
    /// How long ago it was issued, when the master's clock shows `master_ms`.
    pub(crate) fn age(&self, master_ms: u64) -> Duration {
        let known = if self.issued_ms == 0 { master_ms } else { self.issued_ms };
        Duration::from_millis(master_ms.saturating_sub(known))
    }

    /// How long its users may take to stop when the test ends.
    pub(crate) fn stop_timeout(&self) -> Duration {
        Duration::from_millis(self.settings.stop_timeout_ms)
    }
}

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerState {
    /// Fetching or compiling the module.
    Preparing,
    /// Has the module, runs no user.
    Ready,
    /// Starting users.
    Spawning,
    /// Running all its users.
    Running,
    /// Ending users.
    Stopping,
    /// Its operator ends it: its users have to go to others.
    Leaving,
}

/// Users that a worker can carry; `None` is no limit. [`WorkerInfo::users_max`] holds as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// With a connection each.
    pub own: Option<u32>,
    /// With connections that they share.
    pub shared: Option<u32>,
}

impl Room {
    /// With these connections.
    pub fn with(self, connections: Connections) -> Option<u32> {
        match connections {
            Connections::PerUser => self.own,
            Connections::Shared(_) => self.shared,
        }
    }
}

/// A worker's regular sign of life. Sent from its control thread, never behind load.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// What it is doing.
    pub state: WorkerState,
    /// The highest order that it has carried out wholly; 0 for none.
    pub order_done: u64,
    /// The highest order that it has taken, though it may not be done; 0 for none since it joined.
    pub order_taken: u64,
    /// Users alive, by class index; classes without users may be missing.
    pub users: Vec<(u32, u32)>,
    /// Ids of users of the newest order that ended by their own wish. They are repeated until an
    /// order no longer asks for them.
    pub finished: IdSet,
    /// Requests that have been given to a connection or wait for one, and are not answered.
    pub in_flight: u64,
    /// CPU of the process in percent of one core.
    pub cpu_percent: f32,
    /// Resident memory of the process in bytes.
    pub memory_bytes: u64,
    /// Why the module cannot run here, if so. The master tells the operator.
    pub problem: Option<String>,
    /// Users of the module that it can carry, once it has the module.
    pub room: Room,
    /// What the operator should know although the worker goes on. The same words for as long as
    /// it is so.
    pub warning: Option<String>,
}

impl Heartbeat {
    /// Of a worker in this state that has no user and has taken no order.
    pub fn new(state: WorkerState) -> Self {
        Self {
            state,
            order_done: 0,
            order_taken: 0,
            users: Vec::new(),
            finished: IdSet::new(),
            in_flight: 0,
            cpu_percent: 0.0,
            memory_bytes: 0,
            problem: None,
            room: Room::default(),
            warning: None,
        }
    }
}

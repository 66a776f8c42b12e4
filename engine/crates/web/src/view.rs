//! What the page needs to know, and what it can ask for: the two channels between the web thread
//! and the master's control thread.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
pub use swarm_core::cluster::State as TestState;
use swarm_core::task_ratio::TaskRatio;
use swarm_stats::lateness::WorkerLateness;
use swarm_stats::snapshot::Snapshot;
use tokio::sync::{mpsc, oneshot, watch};

/// What a worker is doing, as the page shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerPhase {
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
    /// Has left in order.
    Left,
    /// Gone otherwise.
    Lost,
}

impl WorkerPhase {
    /// Can it run users?
    #[must_use]
    pub fn is_able(self) -> bool {
        matches!(self, Self::Ready | Self::Spawning | Self::Running | Self::Stopping)
    }
}

/// One worker as the page shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerView {
    /// Id.
    pub id: String,
    /// Its number: stable and 0-based for the master's life.
    pub index: u32,
    /// What it is doing.
    pub state: WorkerPhase,
    /// How much of the module has gone to it while it fetches that, in percent.
    pub module_percent: Option<u32>,
    /// Users alive on it.
    pub user_count: u32,
    /// Its requests that are on their way: given to a connection or waiting for one, and not
    /// answered.
    pub in_flight: u64,
    /// CPU in percent of one core.
    pub cpu_usage: f32,
    /// Resident memory in bytes.
    pub memory_usage: u64,
    /// How late its load threads start tasks, since the start of the test; `None` when they have
    /// started none.
    pub lateness_ms: Option<WorkerLateness>,
    /// Why it cannot run the module, or what was lost with it.
    pub problem: Option<String>,
}

/// One user class as the page shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassView {
    /// Name.
    pub name: String,
    /// Users alive.
    pub user_count: u32,
    /// It gets users in the current or last test: whoever started that may have left it out.
    pub runs: bool,
}

/// The master at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct View {
    /// Where the test is.
    pub state: TestState,
    /// Name of the scenario's file.
    pub scenario: String,
    /// Base URL of the target.
    pub host: String,
    /// Users alive in all.
    pub user_count: u32,
    /// Requests on their way in all: given to a connection or waiting for one, and not answered.
    pub in_flight: u64,
    /// Users asked for.
    pub target_users: u32,
    /// Users started a second.
    pub spawn_rate: f64,
    /// Stop by itself after this many seconds.
    pub run_time_s: Option<u64>,
    /// The classes of the scenario.
    pub classes: Vec<ClassView>,
    /// How often the tasks of each class run, in the order of [`Self::classes`]; told by `/tasks`.
    #[serde(skip)]
    pub tasks: Arc<[Vec<TaskRatio>]>,
    /// Users run in the master's own process, and nowhere else.
    pub is_local: bool,
    /// All workers, those that are gone included, by index.
    pub workers: Vec<WorkerView>,
    /// Unix time in milliseconds of the origin of the master's clock.
    pub clock_origin_unix_ms: u64,
    /// Start of the test in milliseconds of the master's clock.
    pub test_start_ms: Option<u64>,
    /// End of the last test in milliseconds of the master's clock; `None` while one runs.
    pub test_end_ms: Option<u64>,
    /// The master's clock now.
    pub now_ms: u64,
    /// Why the figures cannot be trusted as they are now, in sentences, the gravest first: nothing
    /// was answered, the generator or one of its load threads is late. They go when that passes;
    /// those of a test that has ended stay until the next.
    pub warnings: Vec<String>,
    /// Things that the reader of the result must know, newest last.
    pub notices: Vec<Notice>,
    /// The statistics.
    pub stats: Arc<Snapshot>,
}

impl View {
    /// The same without workers, and with these statistics in place of its own.
    pub(crate) fn without_tables(&self, stats: Snapshot) -> Self {
        Self {
            stats: Arc::new(stats),
            workers: Vec::new(),
            tasks: Arc::default(),
            scenario: self.scenario.clone(),
            host: self.host.clone(),
            classes: self.classes.clone(),
            warnings: self.warnings.clone(),
            notices: self.notices.clone(),
            ..*self
        }
    }
}

/// Something that the reader of the result must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// In milliseconds of the master's clock.
    pub at_ms: u64,
    /// One sentence.
    pub text: String,
}

/// What the form sends.
#[derive(Debug, Clone, PartialEq)]
pub struct SwarmRequest {
    /// Users in the whole test.
    pub user_count: u32,
    /// Users a second.
    pub spawn_rate: f64,
    /// Base URL; `None` keeps the present one.
    pub host: Option<String>,
    /// Stop by itself after this many seconds; `None` runs until stopped.
    pub run_time_s: Option<u64>,
    /// Names of the classes that get users, each of which there is; `None` is all of them, or those
    /// of the running test.
    pub user_classes: Option<Vec<String>>,
}

/// Answer to a command: a sentence for the user either way.
pub type Answer = Result<String, String>;

/// What the page asks the control thread to do.
#[derive(Debug)]
pub enum Command {
    /// Start a test, or edit the running one.
    Swarm(SwarmRequest, oneshot::Sender<Answer>),
    /// Stop the test.
    Stop(oneshot::Sender<Answer>),
    /// Forget all statistics so far.
    Reset(oneshot::Sender<Answer>),
}

/// The web thread's end of the two channels.
#[derive(Debug, Clone)]
pub struct Control {
    /// Requests to the control thread.
    pub commands: mpsc::Sender<Command>,
    /// The newest view.
    pub view: watch::Receiver<Arc<View>>,
}

//! The control thread of a master: connections of workers, the state machine, the merged
//! statistics, and what the page and the console see of them.
//!
//! # Layout
//! - this file: the thread.
//! - `accept`: connections of workers, and who may join. `begin`: what it begins with.
//! - `shipping`: modules on their way to workers.
//! - `state`: what it knows and decides; everything here is handled one after the other.
//! - `commands`: what the page asks for.
//! - `turn`: what has happened is written down, then told. `end`: what is told when a test ends.
//! - `view`: how it looks to people: the page's view, the summary at the end. `late`: whether the
//!   generator itself falls behind.

mod accept;
mod begin;
mod commands;
mod end;
mod late;
mod shipping;
mod state;
mod turn;
mod view;

use std::convert::Infallible;
use std::net::TcpListener;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use swarm_core::cluster::memory::MemoryError;
use swarm_core::message::{Digest, Settings};
use swarm_core::plan::Scenario;
use swarm_stats::report::json::Summary;
use swarm_web::view::{Command, Control};
use swarm_wire::Token;
use swarm_wire::tls::ServerTls;
use thiserror::Error;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;

use crate::capacity::Capacity;
use crate::journal::record::Record;
use crate::journal::{Found, Journal, Progress, Scribe};
use begin::Beginning;
use state::{Handler, State};

/// How often the state machine looks at the clock: the grain of ramps and of noticing silence.
const TICK: Duration = Duration::from_millis(20);

/// How often the view is made anew.
const VIEW_INTERVAL: Duration = Duration::from_millis(500);

/// Commands that may wait for the control thread.
const COMMANDS_MAX: usize = 64;

/// How long workers may take to hear that the master ends.
const QUIT_MAX: Duration = Duration::from_millis(500);

/// What a master is made of.
#[derive(Debug, Clone)]
pub struct MasterConfig {
    /// The scenario's name, for people.
    pub scenario: String,
    /// Its bytes, as workers fetch them; empty when the only worker has the module already.
    pub module: Arc<[u8]>,
    /// SHA-256 of them.
    pub digest: Digest,
    /// What it consists of.
    pub plan: Scenario,
    /// What it finds in its environment, on every worker: names and values, which are secret.
    pub environment: Vec<(String, String)>,
    /// The settings of its tests; the page may choose another host.
    pub settings: Settings,
    /// Users to offer in the form.
    pub users: Option<u32>,
    /// Spawn rate to offer in the form.
    pub spawn_rate: Option<f64>,
    /// Run time to offer in the form.
    pub run_time: Option<Duration>,
    /// What this process can carry, when it runs the users itself: more are refused. A master
    /// whose workers are elsewhere takes them, for workers may yet come, and says so.
    pub capacity: Option<Capacity>,
    /// Users of a running test move to even out the workers.
    pub rebalance: bool,
    /// Most bytes of modules that go to all workers together in a second; `None` is no limit.
    pub module_bandwidth: Option<NonZeroU64>,
}

/// Where workers come from.
#[derive(Debug)]
pub enum Workers {
    /// From the network, if they have the right to.
    Tcp(TcpListener, Entry),
    /// From this process.
    InProcess(mpsc::Receiver<DuplexStream>),
}

/// What a worker from the network must have to join.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// Speaks TLS, and has a certificate if that demands one.
    pub tls: Option<ServerTls>,
    /// Knows this token.
    pub token: Option<Token>,
}

/// A running master.
#[derive(Debug)]
pub struct Master {
    control: Control,
    finish: oneshot::Sender<()>,
    thread: JoinHandle<Outcome>,
    found: Found,
}

/// Why a master cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A thread or its runtime cannot be made.
    #[error("cannot start the control thread")]
    Thread(#[from] std::io::Error),
    /// What an earlier master has left contradicts itself.
    #[error("cannot go on with what is in the state directory")]
    Memory(#[from] MemoryError),
}

/// What remains of a master.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The result of its last test; its start is empty when there was none.
    pub summary: Summary,
    /// Every sample that was taken is in it, as far as the master knows.
    pub complete: bool,
    scribe: Option<Scribe>,
}

impl Outcome {
    /// The result has been handed over: whoever starts next from the same state directory begins
    /// a new test.
    pub fn given(self) {
        if let Some(scribe) = self.scribe {
            scribe.end(Record::Given);
        }
    }
}

impl Master {
    /// Starts the control thread. With a journal it goes on with what is there.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be made, or what is in the journal contradicts itself.
    pub fn start(
        config: MasterConfig,
        workers: Workers,
        journal: Option<Journal>,
    ) -> Result<Self, StartError> {
        let found = journal.as_ref().map_or(Found::Nothing, Journal::found);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let (finish, finished) = oneshot::channel();
        let (show, view) = watch::channel(Arc::default());
        let beginning = Beginning::new(&config, journal)?;
        let (showing, shown) = std::sync::mpsc::channel::<Infallible>();
        let thread = std::thread::Builder::new().name("master".into()).spawn(move || {
            let handler = Handler::new(State::new(config, beginning, show));
            handler.with(State::show);
            drop(showing);
            LocalSet::new().block_on(&runtime, serve(handler, workers, inbox, finished))
        })?;
        // From the first look on, a page shows this scenario. The sender sends nothing: it is
        // dropped when the view is there.
        let _ = shown.recv();
        Ok(Self { control: Control { commands, view }, finish, thread, found })
    }

    /// What an earlier master has left in the state directory.
    pub fn found(&self) -> Found {
        self.found
    }

    /// The ways to see and to control it.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Tells the workers to quit, ends the thread, and gives the result.
    pub fn finish(self) -> Outcome {
        // The thread ends before only by a panic, of which the join tells.
        let _ = self.finish.send(());
        self.thread.join().unwrap_or_else(|_| {
            tracing::error!("the control thread has panicked: there is no result");
            Outcome::default()
        })
    }
}

async fn serve(
    handler: Handler,
    workers: Workers,
    mut commands: mpsc::Receiver<Command>,
    mut finished: oneshot::Receiver<()>,
) -> Outcome {
    let mut progress = handler.with(|state| state.progress());
    let accepting = tokio::task::spawn_local(accept::accept(handler.clone(), workers));
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut views = tokio::time::interval(VIEW_INTERVAL);
    views.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = &mut finished => break,
            Some(command) = commands.recv() => handler.with(|state| state.command(command)),
            _ = ticks.tick() => handler.with(State::tick),
            _ = views.tick() => handler.with(State::show),
            news = news(&mut progress) => handler.with(|state| state.written(&news)),
        }
    }
    // Before the workers go: none of them is lost because it was told to.
    let outcome = handler.with(State::outcome);
    let goodbyes = handler.with(|state| state.quit_all("the master has ended"));
    // A worker that does not hear it notices the closed connection.
    let _ = tokio::time::timeout(QUIT_MAX, futures_util::future::join_all(goodbyes)).await;
    accepting.abort();
    outcome
}

/// Waits for news of the journal, if there is one.
async fn news(progress: &mut Option<watch::Receiver<Progress>>) -> Progress {
    let Some(watched) = progress else { return std::future::pending().await };
    if watched.changed().await.is_ok() {
        return watched.borrow_and_update().clone();
    }
    let safe = watched.borrow().safe;
    *progress = None;
    Progress { safe, failing: Some("its thread has ended, see the log".into()) }
}

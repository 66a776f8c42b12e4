//! The control thread of a worker, which owns its load threads.
//!
//! # Layout
//! - this file: the settings, the thread, its end.
//! - `control`: the loop that owns everything; all events pass through it, one after the other.
//! - `dial`: reaching a master and registering; `joining`: when that is tried again.
//! - `prepare`: from a digest to a compiled module; `fetch`: its bytes, from the master.

mod control;
mod dial;
mod fetch;
mod joining;
mod prepare;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use swarm_client::{AllowList, ClientConfig};
use swarm_guest::{Clock, Module, Runtime};
use swarm_wire::Token;
use swarm_wire::tls::ClientTls;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use crate::capacity::Setting;
use crate::shard::LoadThread;
use crate::store::Store;

/// What a worker is made of.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Unique among the master's workers.
    pub id: String,
    /// Random number of this process.
    pub stream: u64,
    /// Load threads.
    pub threads: usize,
    /// Most users; `None` is no limit.
    pub users_max: Option<u32>,
    /// Its part of the users beside those of the other workers, from 1 to
    /// [`swarm_core::message::WEIGHT_MAX`].
    pub weight: u32,
    /// Gives up when the master is not there for this long; 0 tries for ever.
    pub master_max_wait: Duration,
    /// Carries on with the load for this long when the master is gone.
    pub master_grace: Duration,
    /// The engine.
    pub runtime: Runtime,
    /// Where modules are kept; `None` keeps none.
    pub cache_dir: Option<PathBuf>,
    /// A module that is at hand already.
    pub module: Option<Module>,
    /// Processes that share the machine with this one as one worker, itself included.
    pub processes: u32,
    /// Local addresses that users connect from; empty leaves it to the system.
    pub source_addresses: Vec<IpAddr>,
    /// Hosts that users may reach, whatever the master allows; `None` leaves it to the master.
    pub allow_only: Option<AllowList>,
    /// What the master must show, and what is shown to it.
    pub trust: Trust,
}

/// Whom a worker takes for its master.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Who has a certificate of the right authority; in the clear, whoever answers.
    pub tls: Option<ClientTls>,
    /// Who knows this token.
    pub token: Option<Token>,
}

impl WorkerConfig {
    /// The same with a module that need not be fetched.
    #[must_use]
    pub fn with_module(self, module: Module) -> Self {
        Self { module: Some(module), ..self }
    }

    /// What decides how many users fit, beside the module and the system.
    pub fn setting(&self) -> Setting {
        let count = |items: usize| u32::try_from(items).unwrap_or(u32::MAX).max(1);
        Setting {
            processes: self.processes.max(1),
            threads: count(self.threads),
            source_addresses: count(self.source_addresses.len()),
        }
    }

    /// What the users' connections are like here.
    fn client(&self) -> ClientConfig {
        ClientConfig {
            source_addresses: self.source_addresses.clone(),
            allow_only: self.allow_only.clone(),
            ..ClientConfig::default()
        }
    }
}

/// How to reach the master.
#[derive(Debug, Clone)]
pub enum MasterAddress {
    /// By TCP.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// In this process.
    InProcess(mpsc::Sender<DuplexStream>),
}

impl fmt::Display for MasterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "the master at {host}:{port}"),
            Self::InProcess(_) => write!(f, "the master"),
        }
    }
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerEnd {
    /// The master said so.
    Quit,
    /// Told to leave; its users and samples are handed over.
    Left,
    /// Told to leave; its last samples could not be handed over. Why.
    Unreported(String),
    /// The master does not take it. Why.
    Refused(String),
    /// Whoever answers is not the master that this worker trusts. Why.
    Untrusted(String),
    /// The master was not there for too long. Why.
    Unreachable(String),
    /// By a fault of its own, which has been printed.
    Panicked,
}

/// A running worker. Dropping it ends it without handing over.
#[derive(Debug)]
pub struct Worker {
    leave: mpsc::Sender<()>,
    ended: oneshot::Receiver<WorkerEnd>,
    thread: Option<JoinHandle<()>>,
    end: Option<WorkerEnd>,
}

impl Worker {
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread, its runtime or the folder of modules cannot be made.
    pub fn start(config: WorkerConfig, master: MasterAddress) -> std::io::Result<Self> {
        let store = Store::open(config.cache_dir.as_deref())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let clock = Arc::new(Clock::new());
        let (events, users) = mpsc::unbounded_channel();
        let threads = (0..config.threads.max(1))
            .map(|index| LoadThread::start(index, Arc::clone(&clock), events.clone()))
            .collect::<std::io::Result<Vec<_>>>()?;
        let (leave, leaving) = mpsc::channel(1);
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("worker".into()).spawn(move || {
            let how = LocalSet::new().block_on(
                &runtime,
                control::run(config, master, store, clock, threads, users, leaving),
            );
            // The end does not wait for a lookup of the master's name, or for a module that is
            // being compiled.
            runtime.shutdown_background();
            // The owner may be gone.
            let _ = end.send(how);
        })?;
        Ok(Self { leave, ended, thread: Some(thread), end: None })
    }

    /// Tells it to hand its users over and to end. [`Self::ended`] tells when it has.
    pub fn leave(&self) {
        // Full: it has been told. Closed: it has ended.
        let _ = self.leave.try_send(());
    }

    /// Waits until it has ended.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn ended(&mut self) -> WorkerEnd {
        if let Some(end) = &self.end {
            return end.clone();
        }
        let end = (&mut self.ended).await.unwrap_or(WorkerEnd::Panicked);
        self.end = Some(end.clone());
        end
    }
}

impl Worker {
    /// Lets it end by itself: nobody waits for what hangs in it, because the process is about to
    /// end.
    pub fn abandon(mut self) {
        self.thread = None;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The control loop ends when this channel is closed.
        let (closed, _) = mpsc::channel(1);
        self.leave = closed;
        if let Some(thread) = self.thread.take() {
            // An error is a panic, which has been printed.
            let _ = thread.join();
        }
    }
}

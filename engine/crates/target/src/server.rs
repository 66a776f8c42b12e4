//! The threads of a target: each with a listener, a runtime and buffers of its own.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::watch;

use crate::answer::Answer;
use crate::config::TargetConfig;
use crate::connection;
use crate::counts::{Counts, Ledger};
use crate::error::TargetError;
use crate::group::{Member, Part};
use crate::listen;
use crate::pool::Pool;
use crate::request::Manner;
use crate::routes::Pages;
use crate::shop::Shop;

/// After a failed accept, for want of file descriptors as a rule, the next one waits so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A target whose port is open and that serves nobody yet: clients that connect wait.
#[derive(Debug)]
pub struct Target {
    listeners: Vec<TcpListener>,
    address: SocketAddr,
}

/// A target that serves. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Its end tells the threads to stop.
    stop: watch::Sender<()>,
}

/// What all threads have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ledger: Ledger,
    /// The others, if this process is one of several.
    pub(crate) member: Option<Member>,
    pub(crate) shop: Shop,
}

/// What the connections of a thread have in common.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) pool: Pool,
    pub(crate) pages: Pages,
}

impl Target {
    /// Opens the listeners of all threads on one port.
    ///
    /// # Errors
    ///
    /// The host cannot be resolved, there are too many threads, the port is in use - also by
    /// another target - or cannot be listened on.
    pub fn bind(config: &TargetConfig) -> Result<Self, TargetError> {
        let (listeners, address) = listen::listeners(config)?;
        Ok(Self { listeners, address })
    }

    /// Opens the listeners of all threads on a port that another process holds, see
    /// [`Hold`](crate::Hold).
    ///
    /// # Errors
    ///
    /// There are too many threads, or the address cannot be listened on.
    pub fn join(address: SocketAddr, threads: NonZeroUsize) -> Result<Self, TargetError> {
        let listeners = listen::join(address, threads.get())?;
        Ok(Self { listeners, address })
    }

    /// The address clients connect to, with the port that was chosen for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Starts serving, on threads of its own.
    ///
    /// # Errors
    ///
    /// A thread or its runtime could not be started; those already started stop.
    pub fn spawn(self) -> Result<Running, TargetError> {
        self.spawn_as(None)
    }

    /// As [`Self::spawn`], as one of several processes. [`Running::attend`] is to be called then.
    ///
    /// # Errors
    ///
    /// As [`Self::spawn`].
    pub fn spawn_member(self, member: Member) -> Result<Running, TargetError> {
        self.spawn_as(Some(member))
    }

    fn spawn_as(self, member: Option<Member>) -> Result<Running, TargetError> {
        let count = self.listeners.len();
        let (ledger, shop) = (Ledger::new(count), Shop::new(count));
        let shared = Arc::new(Shared { ledger, member, shop });
        let (stop, stopped) = watch::channel(());
        let mut threads = Vec::with_capacity(count);
        for (index, listener) in self.listeners.into_iter().enumerate() {
            let (shared, stopped) = (Arc::clone(&shared), stopped.clone());
            let started = start(index, listener, shared, stopped);
            threads.push(started.map_err(|source| TargetError::Start { thread: index, source })?);
        }
        Ok(Running { address: self.address, shared, threads, stop })
    }

    /// Serves until `shutdown` is done, then closes all connections.
    ///
    /// Dropping the future stops the target as well, without waiting for its threads.
    ///
    /// # Errors
    ///
    /// As [`Target::spawn`] and [`Running::stop`].
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), TargetError> {
        let running = self.spawn()?;
        shutdown.await;
        running.stop()
    }
}

impl Running {
    /// The address clients connect to.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Its place in a group, if it has one.
    pub(crate) fn member(&self) -> Option<&Member> {
        self.shared.member.as_ref()
    }

    /// What this process received.
    pub(crate) fn part(&self, take: bool) -> Part {
        self.shared.ledger.part(take)
    }

    /// What this process received so far: the same as `GET /counts` answers, unless it is one of
    /// several.
    pub fn counts(&self) -> Counts {
        self.shared.ledger.counts()
    }

    /// Closes all connections and waits for the threads, which is a matter of milliseconds.
    ///
    /// # Errors
    ///
    /// A thread had panicked.
    pub fn stop(self) -> Result<(), TargetError> {
        drop(self.stop);
        let ends = self.threads.into_iter().map(JoinHandle::join).enumerate();
        // All of them are waited for, whatever became of the first.
        let panicked = ends.filter(|(_, end)| end.is_err()).map(|(thread, _)| thread).min();
        panicked.map_or(Ok(()), |thread| Err(TargetError::Panicked { thread }))
    }
}

/// Starts a thread and waits until it serves or has failed to.
fn start(
    index: usize,
    listener: TcpListener,
    shared: Arc<Shared>,
    stopped: watch::Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let (ready, started) = mpsc::sync_channel(1);
    let serve = move || match prepare(listener) {
        Ok((runtime, listener)) => {
            let thread = Thread { index, shared, pool: Pool::default(), pages: Pages::new() };
            // Whoever started this may have given up, which `stopped` tells as well.
            ready.send(Ok(())).ok();
            runtime.block_on(accept(listener, Rc::new(thread), stopped));
        }
        Err(error) => {
            ready.send(Err(error)).ok();
        }
    };
    let handle = std::thread::Builder::new().name(format!("target-{index}")).spawn(serve)?;
    match started.recv() {
        Ok(Ok(())) => Ok(handle),
        Ok(Err(error)) => Err(error),
        Err(mpsc::RecvError) => Err(io::Error::other("the thread panicked")),
    }
}

fn prepare(listener: TcpListener) -> io::Result<(LocalRuntime, tokio::net::TcpListener)> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let entered = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    drop(entered);
    Ok((runtime, listener))
}

/// Accepts connections until the target stops, each served by a task of this thread.
async fn accept(
    listener: tokio::net::TcpListener,
    thread: Rc<Thread>,
    mut stopped: watch::Receiver<()>,
) {
    loop {
        let accepted = tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::task::spawn_local(connection::serve(stream, Rc::clone(&thread)));
            }
            // The client had gone before its turn came.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "the target cannot accept connections; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Thread {
    /// Appends an answer to `out` and counts it.
    pub(crate) fn answer(&self, answer: &Answer<'_>, manner: Manner, out: &mut Vec<u8>) {
        answer.write(out, manner);
        self.count_answer(answer.status);
    }

    /// Counts an answer that is given.
    pub(crate) fn count_answer(&self, status: u16) {
        self.shared.ledger.answer(self.index, status);
    }
}

//! One load thread: its users, their timers, connections and samples. Nothing of it is shared with
//! another thread.

mod running;

use std::sync::Arc;
use std::thread::JoinHandle;

use swarm_core::agent::Start;
use swarm_guest::{Clock, Record, Test};
use swarm_stats::Limits;
use swarm_stats::delta::Delta;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::Instant;

use running::Running;

/// What the control thread wants.
///
/// The channel has no bound of its own: there are at most a few commands for each user, and the
/// control thread must never wait for a busy load thread.
#[derive(Debug)]
enum Command {
    Begin(Option<Arc<Test>>),
    Start(Start),
    Stop { id: u32, deadline: Instant },
    Collect(oneshot::Sender<Delta>),
}

/// What a load thread tells. At most two for each user are under way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Started(u32),
    Ended { id: u32, finished: bool },
}

/// The control thread's end of a load thread. Dropping it ends the thread and its users.
#[derive(Debug)]
pub(crate) struct LoadThread {
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
    record: Record,
}

impl LoadThread {
    /// Starts the thread.
    pub(crate) fn start(
        index: usize,
        clock: Arc<Clock>,
        events: mpsc::UnboundedSender<Event>,
    ) -> std::io::Result<Self> {
        let (commands, inbox) = mpsc::unbounded_channel();
        let record = Record::new(Limits::default(), Arc::clone(&clock));
        let own = record.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread =
            std::thread::Builder::new().name(format!("load-{index}")).spawn(move || {
                LocalSet::new().block_on(&runtime, serve(inbox, own, clock, events));
                // The end does not wait for what blocks a thread of the runtime.
                runtime.shutdown_background();
            })?;
        Ok(Self { commands: Some(commands), thread: Some(thread), record })
    }

    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // The thread ends before its owner only by a panic, which has been printed; its users
            // are missing from the heartbeat then.
            let _ = commands.send(command);
        }
    }

    /// Prepares for the users of a test; without one, for users that cannot run.
    pub(crate) fn begin(&self, test: Option<Arc<Test>>) {
        self.send(Command::Begin(test));
    }

    /// Starts a user.
    pub(crate) fn start_user(&self, start: Start) {
        self.send(Command::Start(start));
    }

    /// Stops a user, at the latest at `deadline`.
    pub(crate) fn stop_user(&self, id: u32, deadline: Instant) {
        self.send(Command::Stop { id, deadline });
    }

    /// Takes what was recorded since the last time.
    pub(crate) fn collect(&self) -> oneshot::Receiver<Delta> {
        let (reply, delta) = oneshot::channel();
        self.send(Command::Collect(reply));
        delta
    }

    /// Requests of its users that are on their way. Does not wait for the thread.
    pub(crate) fn in_flight(&self) -> u64 {
        self.record.in_flight()
    }
}

impl Drop for LoadThread {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // An error is a panic, which has been printed.
            let _ = thread.join();
        }
    }
}

async fn serve(
    mut inbox: mpsc::UnboundedReceiver<Command>,
    record: Record,
    clock: Arc<Clock>,
    events: mpsc::UnboundedSender<Event>,
) {
    let mut running: Option<Running> = None;
    while let Some(command) = inbox.recv().await {
        match command {
            Command::Begin(test) => {
                let users = |test: Arc<Test>| Running::new(&test, record.clone(), &clock, &events);
                running = test.map(users);
            }
            Command::Start(start) => match &running {
                Some(running) => running.start(start),
                // The test cannot run here, which has been told. An error: the owner has gone.
                None => drop(events.send(Event::Ended { id: start.id, finished: false })),
            },
            Command::Stop { id, deadline } => {
                if let Some(running) = &running {
                    running.stop(id, deadline);
                }
            }
            Command::Collect(reply) => {
                // Nobody waits any more when the worker ends.
                let _ = reply.send(record.lock().drain());
            }
        }
    }
}

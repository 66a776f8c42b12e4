//! Multiplexed users: those of a load thread in one instance, told apart by id, any number of them
//! in
//! the middle of a call. It is how a scenario of the world `scenario-async` runs.
//!
//! A user that rests costs a row in a table and a timer entry here, and in the guest whatever the
//! guest keeps for it: no stack, no task, no channel. What it gives up is isolation: a trap ends
//! the instance, and with it what the guest kept for every user. They are started again before
//! their next task, and counted.
//!
//! # Layout
//! - `scheduler`: the loop that owns the users of a load thread: who is called, and when.
//! - `table`: the table of users, their timers and time limits. No clock, no guest.

mod scheduler;
pub(crate) mod table;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::host::samples::Record;
use crate::scenario::test::Test;

/// What becomes of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It has begun.
    Started(u32),
    /// It is gone.
    Ended {
        /// Its id.
        id: u32,
        /// By its own wish: it is not replaced.
        finished: bool,
    },
}

/// What the owner of a load thread wants. The channel has no bound of its own: there are at most a
/// few commands for each user, and the control thread must never wait for a busy load thread.
#[derive(Debug, Clone, Copy)]
enum Command {
    Start {
        id: u32,
        class: u32,
        due: Duration,
    },
    /// `deadline` as time since the node began.
    Stop {
        id: u32,
        deadline: Duration,
    },
}

/// The dense users of one load thread. Dropping it lets those end that were told to stop; its
/// future ends when nobody is left.
#[derive(Debug)]
pub struct Multiplexed {
    commands: mpsc::UnboundedSender<Command>,
}

impl Multiplexed {
    /// The users of `test` that run on this thread and record to `record`, nobody at first, and the
    /// future that drives them. It tells what becomes of each.
    pub fn new<T: FnMut(Told)>(
        test: &Test,
        record: Record,
        tell: T,
    ) -> (Self, impl Future<Output = ()> + use<T>) {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (module, test) = (test.module.clone(), Arc::clone(&test.environment));
        (Self { commands }, scheduler::drive(module, test, record, inbox, tell))
    }

    /// Starts a user when it is due.
    pub fn start(&self, id: u32, class: u32, due: Duration) {
        // The future lives as long as its thread; if it panicked, that has been printed.
        let _ = self.commands.send(Command::Start { id, class, due });
    }

    /// Stops a user: at its next rest, or in the middle of a task at `deadline` (time since the
    /// node began). A second call may bring the deadline forward.
    pub fn stop(&self, id: u32, deadline: Duration) {
        let _ = self.commands.send(Command::Stop { id, deadline });
    }
}

//! What the host functions of one test on one node have in common: what the test was begun with.
//! It knows nothing of the scenario's code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use swarm_client::{BaseUrl, Shared};
use swarm_core::choice::ClassPlan;
use swarm_core::message::Settings;
use swarm_core::plan::Sharing;

use crate::host::caller::Caller;
use crate::host::clock::Clock;

/// Log lines of guests that a node writes each second; more are counted and left out.
const LOG_LINES_PER_SECOND_MAX: u32 = 1000;

/// What the users of one class have in common.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) plan: Arc<ClassPlan>,
    pub(crate) base: BaseUrl,
}

/// What the users of one test on one node have in common, but for the code that they run.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) sharing: Sharing,
    pub(crate) classes: Vec<Class>,
    pub(crate) client: Arc<Shared>,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<Clock>,
    pub(crate) start_ms: u64,
    /// Does the scenario ever look at the body of a response?
    pub(crate) reads_bodies: bool,
    pub(crate) log_gate: LogGate,
    /// By place: has a user asked for the argument? Each is told once, by whoever is the first.
    pub(crate) args_read: Vec<AtomicBool>,
}

impl Environment {
    /// Is a user the first on this node to ask for the argument at this place?
    pub(crate) fn is_first_to_read(&self, place: u32) -> bool {
        let read = self.args_read.get(place as usize);
        read.is_some_and(|read| !read.swap(true, Ordering::Relaxed))
    }

    /// The text of an exception, with class and task before it.
    pub(crate) fn exception_text(&self, caller: Caller, message: &str) -> String {
        match self.classes.get(caller.class as usize) {
            Some(class) => caller.call.describe(&class.plan, message),
            None => message.to_owned(),
        }
    }

    /// May a guest write another log line now?
    pub(crate) fn may_log(&self) -> bool {
        self.log_gate.admit(self.clock.now())
    }
}

/// Lets through so many log lines of guests a second.
#[derive(Debug, Default)]
pub(crate) struct LogGate {
    second: AtomicU64,
    lines: AtomicU32,
}

impl LogGate {
    /// May a line be written at `now`? Says how many were left out in an earlier second.
    pub(crate) fn admit(&self, now: Duration) -> bool {
        let second = now.as_secs();
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.end_second();
        }
        self.lines.fetch_add(1, Ordering::Relaxed) < LOG_LINES_PER_SECOND_MAX
    }

    /// Begins to count anew, and says how many lines were too many.
    fn end_second(&self) {
        let lines = self.lines.swap(0, Ordering::Relaxed);
        let left_out = lines.saturating_sub(LOG_LINES_PER_SECOND_MAX);
        if left_out > 0 {
            tracing::warn!(target: "scenario", "{left_out} log lines in one second left out");
        }
    }
}

impl Drop for LogGate {
    fn drop(&mut self) {
        self.end_second();
    }
}

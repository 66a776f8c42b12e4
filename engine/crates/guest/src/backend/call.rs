//! One call of the driver into the guest, from the introduction of the user to the result.

use std::sync::Arc;
use std::time::Duration;

use swarm_client::Session;
use swarm_core::plan::Then;

use crate::contract::bindings::swarm::scenario::plan as wit;
use crate::host::user_key::Who;

/// What the guest is to do for a user.
pub(crate) struct Call {
    pub(crate) who: Who,
    pub(crate) id: u32,
    pub(crate) class: u32,
    pub(crate) what: What,
}

impl Call {
    /// A call that is for no user.
    pub(crate) fn of_nobody(what: What) -> Self {
        Self { who: Who::NOBODY, id: 0, class: u32::MAX, what }
    }
}

pub(crate) enum What {
    /// Run a task, after an introduction if this instance has not met the user.
    Step { introduction: Option<(wit::User, Arc<Session>)>, task: u32 },
    /// Forget the user.
    Goodbye,
    /// Nobody is left: this one was the last.
    Last,
    /// A function of the guest's own, which is nobody's.
    Branch(u32),
}

/// How a call ended.
pub(crate) enum End {
    /// The task ran.
    Ran {
        introduced: bool,
        task: u32,
        result: Result<Then, String>,
        /// How long the guest wants the user to rest, if it has said so.
        rest: Option<Duration>,
    },
    /// The user could not be started; the task did not run.
    NotStarted { task: u32, error: String },
    /// The user is forgotten.
    Forgotten,
    /// The guest knows that this user was the last.
    Over,
    /// A function of the guest's own has ended.
    Branched,
}

//! One call of the driver into the guest, from the introduction of the user to the result.

use std::sync::Arc;
use std::time::Duration;

use swarm_client::Session;
use swarm_core::plan::Then;
use wasmtime::component::{Accessor, Resource};

use super::host::{Client, State};
use super::instance::Guest;
use super::users::Who;
use crate::bindings::swarm::scenario::plan as wit;
use crate::convert;

/// What the guest is to do for a user.
pub(super) struct Call {
    pub(super) who: Who,
    pub(super) id: u32,
    pub(super) class: u32,
    pub(super) what: What,
}

impl Call {
    /// A call that is for no user.
    pub(super) fn of_nobody(what: What) -> Self {
        Self { who: Who::NOBODY, id: 0, class: u32::MAX, what }
    }
}

pub(super) enum What {
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
pub(super) enum End {
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

/// Does a call. An error is a trap: the instance is of no more use.
///
/// # Cancel safety
/// Dropping it does not end the guest's task. The driver drops it only with the whole instance.
pub(super) async fn perform(
    accessor: &Accessor<State>,
    guest: &Guest,
    call: Call,
) -> wasmtime::Result<(Who, End)> {
    let Call { who, id, what, .. } = call;
    let end = match what {
        What::Step { introduction, task } => {
            let introduced = introduction.is_some();
            let started = match introduction {
                None => Ok(()),
                Some((user, session)) => start(accessor, guest, who, user, session).await?,
            };
            match started {
                Err(error) => End::NotStarted { task, error },
                Ok(()) => {
                    let result = guest.scenario.call_run(accessor, id, task).await?;
                    let rest = accessor.with(|mut access| access.get().script.take_rest(id));
                    End::Ran { introduced, task, result: result.map(convert::then), rest }
                }
            }
        }
        What::Goodbye => {
            guest.scenario.call_stop(accessor, id).await?;
            End::Forgotten
        }
        What::Last => {
            if let Some(script) = &guest.script {
                script.swarm_scenario_hooks().call_end(accessor).await?;
            }
            End::Over
        }
        What::Branch(branch) => {
            if let Some(script) = &guest.script {
                script.swarm_scenario_hooks().call_branch(accessor, branch).await?;
            }
            return Ok((who, End::Branched));
        }
    };
    settle(accessor, who)?;
    Ok((who, end))
}

async fn start(
    accessor: &Accessor<State>,
    guest: &Guest,
    who: Who,
    user: wit::User,
    session: Arc<Session>,
) -> wasmtime::Result<Result<(), String>> {
    let client = accessor.with(|mut access| {
        let client = Client { session, who };
        access.get().ctx.table.push(client)
    });
    let client: Resource<Client> = client?;
    let started = guest.scenario.call_start(accessor, user, client).await?;
    settle(accessor, who)?;
    Ok(started)
}

/// Records what the user's task has neither marked nor dropped.
fn settle(accessor: &Accessor<State>, who: Who) -> wasmtime::Result<()> {
    accessor.with(|mut access| access.get().settle(who.stay))
}

//! One call of the driver into the guest, from the introduction of the user to the result.

use std::sync::Arc;

use swarm_client::Session;
use swarm_core::plan::Then;
use wasmtime::component::{Accessor, Resource};

use super::bindings::ScenarioAsync;
use super::host::{Client, State};
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

pub(super) enum What {
    /// Run a task, after an introduction if this instance has not met the user.
    Step { introduction: Option<(wit::User, Arc<Session>)>, task: u32 },
    /// Forget the user.
    Goodbye,
}

/// How a call ended.
pub(super) enum End {
    /// The task ran.
    Ran { introduced: bool, task: u32, result: Result<Then, String> },
    /// The user could not be started; the task did not run.
    NotStarted { task: u32, error: String },
    /// The user is forgotten.
    Forgotten,
}

/// Does a call. An error is a trap: the instance is of no more use.
///
/// # Cancel safety
/// Dropping it does not end the guest's task. The driver drops it only with the whole instance.
pub(super) async fn perform(
    accessor: &Accessor<State>,
    guest: &ScenarioAsync,
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
                    let result = guest.call_run(accessor, id, task).await?;
                    End::Ran { introduced, task, result: result.map(convert::then) }
                }
            }
        }
        What::Goodbye => {
            guest.call_stop(accessor, id).await?;
            End::Forgotten
        }
    };
    settle(accessor, who)?;
    Ok((who, end))
}

async fn start(
    accessor: &Accessor<State>,
    guest: &ScenarioAsync,
    who: Who,
    user: wit::User,
    session: Arc<Session>,
) -> wasmtime::Result<Result<(), String>> {
    let client = accessor.with(|mut access| {
        let client = Client { session, who };
        access.get().ctx.table.push(client)
    });
    let client: Resource<Client> = client?;
    let started = guest.call_start(accessor, user, client).await?;
    settle(accessor, who)?;
    Ok(started)
}

/// Records what the user's task has neither marked nor dropped.
fn settle(accessor: &Accessor<State>, who: Who) -> wasmtime::Result<()> {
    accessor.with(|mut access| access.get().settle(who.stay))
}

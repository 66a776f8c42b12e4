//! For the fuzzers: users of a flat dense guest without a driver, see `super`.

use std::sync::Arc;
use std::time::Duration;

use swarm_client::Session;
use swarm_core::choice::Cursor;

use super::{PATIENCE, user};
use crate::backend::call::{Call, What};
use crate::backend::core_abi::concurrent::Machine;
use crate::host::interrupts::Interrupts;
use crate::host::samples::Record;
use crate::host::user_key::Who;
use crate::scenario::test::Test;
use crate::users::multiplexed::table::Users;

/// Users side by side.
const USERS: u32 = 3;
/// Things that may happen; a guest that lets others have their turn does so for ever.
const HAPPENINGS_MAX: usize = 200;
/// When the first user is interrupted.
const INTERRUPTED_AT: usize = 3;

/// Runs users whose guest does what its orders say, until it traps or nothing more happens.
pub(crate) async fn run_orders(
    test: &Arc<Test>,
    record: Record,
    orders: &[u8],
    session: impl Fn() -> Arc<Session>,
) {
    let pre = test.module.concurrent().and_then(|pre| pre.core.as_ref().ok());
    let pre = pre.expect("the guest is a core module");
    let interrupts = Arc::<Interrupts>::default();
    let config = test.module.runtime().config();
    let machine =
        Machine::new(pre, Arc::clone(&test.environment), record, Arc::clone(&interrupts), config);
    let mut machine = machine.expect("the guest can be instantiated");
    machine.give_orders(orders);
    // What ends a call ends the instance, as it does for any user.
    let _ = live(&mut machine, &interrupts, session).await;
}

async fn live(
    machine: &mut Machine,
    interrupts: &Interrupts,
    session: impl Fn() -> Arc<Session>,
) -> wasmtime::Result<()> {
    let all = users();
    for (id, &who) in (0..).zip(&all) {
        let introduction = Some((user(id), session()));
        machine.begin(Call { who, id, class: 0, what: What::Step { introduction, task: id } })?;
    }
    for count in 0..HAPPENINGS_MAX {
        if count == INTERRUPTED_AT {
            interrupts.interrupt(all[0].stay);
            machine.interrupt(all[0]);
        }
        let Ok(happened) = tokio::time::timeout(PATIENCE, machine.next()).await else { break };
        if let Some((who, _)) = machine.happened(happened)? {
            let id = (0..).zip(&all).find(|(_, other)| **other == who).map_or(0, |(id, _)| id);
            let what = match count % 2 {
                0 => What::Step { introduction: None, task: id },
                _ => What::Goodbye,
            };
            machine.begin(Call { who, id, class: 0, what })?;
        }
    }
    Ok(())
}

fn users() -> Vec<Who> {
    let mut users = Users::default();
    (0..USERS)
        .map(|id| {
            assert!(users.insert(id, 0, Duration::ZERO, Cursor::new(id.into())), "ids differ");
            users.find(id).expect("it was just inserted")
        })
        .collect()
}

//! For the fuzzers: guests whose calls are not those of any toolchain. Each is given its orders in
//! its memory and is driven as users are, but for their rests.

mod multiplexed;

use std::sync::Arc;
use std::time::Duration;

use swarm_client::Session;
use swarm_stats::Limits;

pub use crate::backend::ORDERS;
use crate::backend::isolated::{Instance, ThreadStack};
use crate::contract::bindings::swarm::scenario::plan as wit;
use crate::host::samples::Record;
use crate::scenario::test::Test;

/// Tasks that an isolated user runs.
const TASKS: u32 = 4;

/// Runs one user with an instance of its own, which must be a core module.
///
/// # Panics
/// When the host is not up to what the guest does.
pub async fn isolated(test: &Arc<Test>, orders: &[u8]) {
    let memory = test.module.runtime().config().user_memory_bytes_max;
    let pre = test.module.isolated().expect("the guest is of the world of isolated users");
    let stack = ThreadStack::default();
    let instance =
        Instance::new(pre, Some(Arc::clone(&test.environment)), record(test), memory, 7, &stack);
    let mut instance = instance.await.expect("the guest can be instantiated");
    instance.give_orders(&with_length(orders));
    // What ends a call ends the instance, as it does for any user.
    let Ok(Ok(())) = instance.start(user(0), session(test)).await else { return };
    for task in 0..TASKS {
        if instance.run(0, task).await.is_err() {
            return;
        }
    }
    let _ = instance.stop(0).await;
}

/// Runs some users side by side in one instance, which must be a core module.
///
/// # Panics
/// When the host is not up to what the guest does.
pub async fn dense(test: &Arc<Test>, orders: &[u8]) {
    multiplexed::run_orders(test, record(test), &with_length(orders), || session(test)).await;
}

fn record(test: &Test) -> Record {
    Record::new(Limits::default(), Arc::clone(&test.environment.clock))
}

/// A client without a base: only what is allowed by its whole URL can be reached.
fn session(test: &Test) -> Arc<Session> {
    Arc::new(Session::new(Arc::clone(&test.environment.client), None))
}

pub(crate) fn user(id: u32) -> wit::User {
    wit::User { id, class: 0, seed: id }
}

/// The orders, behind their length.
fn with_length(orders: &[u8]) -> Vec<u8> {
    let length = u32::try_from(orders.len()).expect("fuzzers' inputs are short");
    [&length.to_le_bytes()[..], orders].concat()
}

/// How long a guest may wait for something, in the fuzzer's virtual time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3600);

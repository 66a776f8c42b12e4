//! From a digest to a compiled module: from memory, from disk, or from the master.

use swarm_core::message::{Connections, Digest, Room};
use swarm_core::plan::Scenario;
use swarm_guest::{Module, Runtime};
use swarm_wire::ModuleInfo;
use tokio::sync::oneshot;

use super::fetch::{Fetched, Sessions, fetch};
use crate::capacity;
use crate::store::Store;

/// What a worker is to prepare: the digest of a module, and its environment.
pub(super) type Wanted = (Digest, Vec<(String, String)>);

/// A module, ready to run.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) digest: Digest,
    pub(super) module: Module,
    pub(super) plan: Scenario,
    /// How many users of it this process can carry.
    pub(super) room: Room,
    /// What the operator should know although it can be used.
    pub(super) warning: Option<String>,
}

/// Prepares a module. An error is a sentence for the operator; it is not worth trying again.
pub(super) async fn prepare(
    wanted: ModuleInfo,
    environment: Vec<(String, String)>,
    at_hand: Option<Module>,
    runtime: Runtime,
    store: Store,
    sessions: Sessions,
    setting: capacity::Setting,
) -> Result<Prepared, String> {
    let digest = wanted.digest;
    let mut warning = None;
    let module = match at_hand.filter(|module| module.digest() == digest) {
        Some(module) => module,
        None => {
            // Others on this machine wait, and then find it fetched and compiled.
            let lock = store.lock(&digest).await;
            let there = on_another_thread({
                let store = store.clone();
                move || store.load(&digest)
            })
            .await?;
            let fetched = match there {
                Some(bytes) => Fetched { bytes, warning: None },
                None => fetch(wanted, store, &lock, sessions).await?,
            };
            warning = fetched.warning;
            if !Module::is_compiled(&runtime, &fetched.bytes) {
                let bytes = fetched.bytes.len();
                tracing::info!("compiling the module ({bytes} bytes), once for this machine");
            }
            let compiling = move || Module::compile(&runtime, &fetched.bytes);
            let compiled = on_another_thread(compiling).await?;
            compiled.map_err(|error| format!("the master's module cannot be used: {error}"))?
        }
    };
    let module = module.with_environment(environment);
    let plan = module.describe().await;
    let plan = plan.map_err(|error| format!("the master's module cannot be used: {error}"))?;
    let measured = capacity::measure(&module, &plan).await;
    let own = measured.capacity(setting, Connections::PerUser);
    tracing::info!("this process can carry {own}");
    // How many connections are shared is known with the test; they hardly matter.
    let shared = measured.capacity(setting, Connections::Shared(1));
    let room = Room { own: own.users_max(), shared: shared.users_max() };
    Ok(Prepared { digest, module, plan, room, warning })
}

/// Does what takes longer than the control thread may stand still: a module has up to a gigabyte.
/// The runtime's own threads are not used: it panics when it cannot start one.
pub(super) async fn on_another_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (done, result) = oneshot::channel();
    let thread = std::thread::Builder::new().name("prepare".into());
    // Nobody waits any more when the worker ends.
    let thread = thread.spawn(move || drop(done.send(work())));
    thread.map_err(|error| format!("cannot start a thread: {error}"))?;
    result.await.map_err(|_| "it has panicked, as the log says".to_owned())
}

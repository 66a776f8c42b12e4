//! From a digest to a compiled module: from memory, from disk, or from the master.

use std::rc::Rc;

use swarm_core::message::{Connections, Digest, Room};
use swarm_core::plan::Scenario;
use swarm_guest::module::{MODULE_BYTES_MAX, digest};
use swarm_guest::{Module, Runtime};
use swarm_wire::{ModuleInfo, Session};

use crate::capacity;
use crate::store::Store;

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
    at_hand: Option<Module>,
    runtime: Runtime,
    store: Store,
    session: Rc<Session>,
    setting: capacity::Setting,
) -> Result<Prepared, String> {
    let digest = wanted.digest;
    let mut warning = None;
    let module = match at_hand.filter(|module| module.digest() == digest) {
        Some(module) => module,
        None => {
            // Others on this machine wait, and then find it fetched and compiled.
            let _lock = store.lock(&digest).await;
            let bytes = match store.load(&digest) {
                Some(bytes) => bytes,
                None => fetch(wanted, &store, &session, &mut warning).await?,
            };
            let compiling = move || Module::compile(&runtime, &bytes);
            let compiled = tokio::task::spawn_blocking(compiling).await;
            let compiled = compiled.map_err(|_| "compiling the module panicked".to_owned())?;
            compiled.map_err(|error| format!("the master's module cannot be used: {error}"))?
        }
    };
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

async fn fetch(
    wanted: ModuleInfo,
    store: &Store,
    session: &Session,
    warning: &mut Option<String>,
) -> Result<Vec<u8>, String> {
    let size = usize::try_from(wanted.size).unwrap_or(usize::MAX);
    if size > MODULE_BYTES_MAX {
        return Err(format!("the module has {size} bytes; {MODULE_BYTES_MAX} is the most"));
    }
    tracing::info!("fetching the module ({size} bytes)");
    let mut bytes = Vec::with_capacity(size);
    let fetched = session
        .fetch_module(&wanted.digest, 0, |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })
        .await;
    fetched.map_err(|error| format!("the module cannot be fetched: {error}"))?;
    if digest(&bytes) != wanted.digest {
        return Err("the module that was sent is not the one that was announced".to_owned());
    }
    if let Err(error) = store.save(&bytes) {
        let said = format!("the module cannot be kept in {}: {error}", store.dir().display());
        tracing::warn!("{said}");
        *warning = Some(said);
    }
    Ok(bytes)
}

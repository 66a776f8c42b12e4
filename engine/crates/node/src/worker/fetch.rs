//! A module from the master: over one connection or several, for a broken one is no reason to
//! begin anew.

use std::rc::Rc;
use std::time::Duration;

use swarm_guest::module::MODULE_BYTES_MAX;
use swarm_wire::{ModuleInfo, Session, WireError};
use tokio::sync::watch;
use tokio::time::Instant;

use super::prepare::on_another_thread;
use crate::store::{ModuleLock, Partial, Store};

/// How often a module is fetched from its first byte on: what is on disk may be damaged, and so
/// may what arrives.
const ATTEMPTS_MAX: u32 = 3;

/// How often it is said how far a fetch is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// The session with the master, while there is one.
pub(super) type Sessions = watch::Receiver<Option<Rc<Session>>>;

/// A module's bytes.
pub(super) struct Fetched {
    pub(super) bytes: Vec<u8>,
    /// Why they could not be kept, if so.
    pub(super) warning: Option<String>,
}

/// Fetches a module; goes on with what is here of it. Waits for as long as there is no master. An
/// error is a sentence for the operator.
pub(super) async fn fetch(
    wanted: ModuleInfo,
    store: Store,
    lock: &ModuleLock,
    mut sessions: Sessions,
) -> Result<Fetched, String> {
    let size = usize::try_from(wanted.size).unwrap_or(usize::MAX);
    if size > MODULE_BYTES_MAX {
        return Err(format!("the module has {size} bytes; {MODULE_BYTES_MAX} is the most"));
    }
    let mut partial = store.partial(&wanted.digest, size, lock);
    for _ in 0..ATTEMPTS_MAX {
        complete(&wanted, &mut partial, &mut sessions).await?;
        let looking = move || (partial.is_right(), partial);
        let (right, looked_at) = on_another_thread(looking).await?;
        partial = looked_at;
        if right {
            let (bytes, kept) = on_another_thread({
                let store = store.clone();
                move || partial.finish(&store)
            })
            .await?;
            let warning = kept.err().zip(store.dir()).map(|(error, dir)| {
                format!("the module cannot be kept in {}: {error}", dir.display())
            });
            warning.iter().for_each(|said| tracing::warn!("{said}"));
            return Ok(Fetched { bytes, warning });
        }
        tracing::warn!("the bytes of the module do not fit its digest: it is fetched anew");
        partial.restart();
    }
    Err("the module that was sent is not the one that was announced".to_owned())
}

/// Fetches what is missing.
async fn complete(
    wanted: &ModuleInfo,
    partial: &mut Partial,
    sessions: &mut Sessions,
) -> Result<(), String> {
    loop {
        let gone = |_| "the worker ends".to_owned();
        sessions.wait_for(Option::is_some).await.map_err(gone)?;
        let Some(session) = sessions.borrow_and_update().clone() else { continue };
        let (size, from) = (wanted.size, partial.len());
        match from {
            0 => tracing::info!("fetching the module ({size} bytes)"),
            _ => tracing::info!("fetching the module ({size} bytes), from byte {from} on"),
        }
        let percent = |had: &Partial| (had.len() as u64 * 100).checked_div(size).unwrap_or(100);
        let mut said = Instant::now();
        let fetching = session.fetch_module(&wanted.digest, from as u64, |chunk| {
            partial.push(chunk);
            if said.elapsed() >= PROGRESS_INTERVAL {
                said = Instant::now();
                tracing::info!("fetching the module: {} %", percent(partial));
            }
            Ok(())
        });
        let fetched = tokio::select! {
            biased;
            fetched = fetching => fetched,
            // The connection may not know that it has been given up.
            changed = sessions.changed() => {
                changed.map_err(gone)?;
                continue;
            }
        };
        match fetched {
            Ok(_) => return Ok(()),
            Err(WireError::Closed(reason)) => {
                tracing::warn!("the module is interrupted at {} %: {reason}", percent(partial));
                sessions.changed().await.map_err(gone)?;
            }
            Err(error) => return Err(format!("the module cannot be fetched: {error}")),
        }
    }
}

//! Modules on disk, by digest, shared by all workers of a machine.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use swarm_core::message::Digest;
use swarm_guest::module::{digest, digest_text};

/// How often a worker looks whether another has finished with a module.
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// After this long a worker no longer waits for another that fetches or compiles the same module.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(120);

/// A folder of modules.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

/// Keeps other workers of the machine from fetching and compiling the same module at the same
/// time. Released by dropping it.
#[derive(Debug)]
pub struct ModuleLock(#[expect(dead_code, reason = "held, not read")] Option<File>);

impl Store {
    /// The store in the folder `cache_dir`, which is made if need be.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(cache_dir: &Path) -> io::Result<Self> {
        let dir = cache_dir.join("modules");
        fs::create_dir_all(&dir)?;
        Ok(Self { dir })
    }

    /// Where the modules are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self, digest: &Digest, ending: &str) -> PathBuf {
        self.dir.join(format!("{}.{ending}", digest_text(digest)))
    }

    /// Waits until no other worker of this machine works on the module; not for ever.
    pub async fn lock(&self, digest: &Digest) -> ModuleLock {
        let Ok(file) = File::create(self.path(digest, "lock")) else { return ModuleLock(None) };
        let mut waited = Duration::ZERO;
        while waited < LOCK_WAIT_MAX {
            match file.try_lock() {
                Ok(()) => return ModuleLock(Some(file)),
                Err(TryLockError::WouldBlock) => {
                    tokio::time::sleep(LOCK_RETRY).await;
                    waited += LOCK_RETRY;
                }
                // Without locks, the work may be done twice; the result is the same.
                Err(TryLockError::Error(_)) => break,
            }
        }
        ModuleLock(None)
    }

    /// The module, if it is here whole.
    pub fn load(&self, wanted: &Digest) -> Option<Vec<u8>> {
        let path = self.path(wanted, "wasm");
        let bytes = fs::read(&path).ok()?;
        if digest(&bytes) == *wanted {
            return Some(bytes);
        }
        tracing::warn!("{} is damaged; it is fetched anew", path.display());
        None
    }

    /// Keeps a module. Others see it whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written; the module can be used all the same.
    pub fn save(&self, bytes: &[u8]) -> io::Result<()> {
        let digest = digest(bytes);
        let temporary = self.path(&digest, &format!("{}.tmp", std::process::id()));
        let mut file = File::create(&temporary)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        let kept = written.and_then(|()| fs::rename(&temporary, self.path(&digest, "wasm")));
        if kept.is_err() {
            // What is left over is of no use to anyone.
            let _ = fs::remove_file(&temporary);
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (folder, store)
    }

    fn files(store: &Store) -> Vec<PathBuf> {
        fs::read_dir(&store.dir).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn what_was_saved_is_found_again() {
        let (folder, store) = store();
        let bytes = b"a module".to_vec();
        assert_eq!(store.load(&digest(&bytes)), None);
        store.save(&bytes).unwrap();
        store.save(&bytes).unwrap();
        let again = Store::open(folder.path()).unwrap();
        assert_eq!(again.load(&digest(&bytes)), Some(bytes.clone()));
        assert_eq!(files(&store), [store.path(&digest(&bytes), "wasm")], "nothing is left over");
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none_and_is_replaced() {
        let (_folder, store) = store();
        let bytes = b"a module".to_vec();
        store.save(&bytes).unwrap();
        let path = store.path(&digest(&bytes), "wasm");
        for damaged in [&b"a modulf"[..], b"a modul", b""] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(store.load(&digest(&bytes)), None);
        }
        store.save(&bytes).unwrap();
        assert_eq!(store.load(&digest(&bytes)), Some(bytes));
    }

    #[test]
    fn a_module_is_prepared_by_one_at_a_time() {
        let (_folder, store) = store();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let first = store.lock(&[1; 32]).await;
            let others = store.lock(&[2; 32]);
            let others = tokio::time::timeout(LOCK_RETRY / 2, others).await;
            assert!(others.is_ok(), "another module is another matter");
            let wait = LOCK_WAIT_MAX / 2;
            assert!(tokio::time::timeout(wait, store.lock(&[1; 32])).await.is_err());
            drop(first);
            assert!(tokio::time::timeout(LOCK_RETRY * 2, store.lock(&[1; 32])).await.is_ok());
        });
    }
}

//! Modules on disk, by digest, shared by all workers of a machine.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use swarm_core::message::Digest;
use swarm_guest::module::{digest, digest_text};

/// How often a worker looks whether another has finished with a module.
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// After this long a worker no longer waits for another that fetches or compiles the same module,
/// counted anew with each byte that comes.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(120);

/// A folder of modules, or none: nothing is kept then.
#[derive(Debug, Clone)]
pub struct Store {
    dir: Option<PathBuf>,
}

/// Keeps other workers of the machine from fetching and compiling the same module at the same
/// time. Released by dropping it.
#[derive(Debug)]
pub struct ModuleLock(Option<File>);

impl Store {
    /// The store in the folder `cache_dir`, which is made if need be. Without one it keeps nothing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(cache_dir: Option<&Path>) -> io::Result<Self> {
        let dir = cache_dir.map(|dir| dir.join("modules"));
        dir.as_ref().map(fs::create_dir_all).transpose()?;
        Ok(Self { dir })
    }

    /// Where the modules are.
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    fn path(&self, digest: &Digest, ending: &str) -> Option<PathBuf> {
        Some(self.dir.as_ref()?.join(format!("{}.{ending}", digest_text(digest))))
    }

    /// Waits until no other worker of this machine works on the module; not for ever.
    pub async fn lock(&self, digest: &Digest) -> ModuleLock {
        let paths = self.path(digest, "lock").zip(self.path(digest, "part"));
        let Some((lock, part)) = paths else { return ModuleLock(None) };
        let Ok(file) = File::create(lock) else { return ModuleLock(None) };
        let (mut waited, mut fetched) = (Duration::ZERO, 0);
        while waited < LOCK_WAIT_MAX {
            let there = part.metadata().map_or(0, |file| file.len());
            if std::mem::replace(&mut fetched, there) != there {
                waited = Duration::ZERO;
            }
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
        let path = self.path(wanted, "wasm")?;
        let bytes = fs::read(&path).ok()?;
        if digest(&bytes) == *wanted {
            return Some(bytes);
        }
        tracing::warn!("{} is damaged; it is fetched anew", path.display());
        None
    }

    /// What is here of a module of `size` bytes that is not here whole. Only with its lock it is
    /// written to disk as it comes.
    pub fn partial(&self, wanted: &Digest, size: usize, lock: &ModuleLock) -> Partial {
        let mut partial = Partial {
            wanted: *wanted,
            size,
            paths: self.path(wanted, "part").zip(self.path(wanted, "wasm")),
            bytes: Vec::with_capacity(size),
            file: None,
            problem: None,
        };
        if lock.0.is_some() {
            partial.open();
        }
        partial
    }

    /// Keeps a module, if this is a store that does. Others see it whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written; the module can be used all the same.
    pub fn save(&self, bytes: &[u8]) -> io::Result<()> {
        let digest = digest(bytes);
        let temporary = self.path(&digest, &format!("{}.tmp", std::process::id()));
        let Some((temporary, whole)) = temporary.zip(self.path(&digest, "wasm")) else {
            return Ok(());
        };
        let mut file = File::create(&temporary)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        let kept = written.and_then(|()| fs::rename(&temporary, whole));
        if kept.is_err() {
            // What is left over is of no use to anyone.
            let _ = fs::remove_file(&temporary);
        }
        kept
    }
}

/// A module that is being fetched: in memory, and on disk for who goes on with it after this
/// process.
#[derive(Debug)]
pub struct Partial {
    wanted: Digest,
    size: usize,
    /// Where it is as it comes, and where it goes when it is whole.
    paths: Option<(PathBuf, PathBuf)>,
    bytes: Vec<u8>,
    /// Holds the same bytes, while that can be done.
    file: Option<File>,
    problem: Option<io::Error>,
}

impl Partial {
    /// Goes on with what is on disk.
    fn open(&mut self) {
        let Some((path, _)) = &self.paths else { return };
        let opened = OpenOptions::new().append(true).create(true).open(path);
        let opened = opened.and_then(|file| {
            let there = fs::read(path)?;
            if there.len() <= self.size {
                self.bytes.extend_from_slice(&there);
            } else {
                file.set_len(0)?;
            }
            Ok(file)
        });
        self.keep(opened);
    }

    fn keep(&mut self, file: io::Result<File>) {
        match file {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                if let Some((path, _)) = &self.paths {
                    // What is left of it is of no use to anyone.
                    let _ = fs::remove_file(path);
                }
                (self.file, self.problem) = (None, Some(error));
            }
        }
    }

    /// How many of its bytes are here.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing of it is here.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes the next bytes.
    pub fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
        if let Some(mut file) = self.file.take() {
            self.keep(file.write_all(chunk).map(|()| file));
        }
    }

    /// Are its bytes those of the digest?
    pub fn is_right(&self) -> bool {
        digest(&self.bytes) == self.wanted
    }

    /// Forgets all of it.
    pub fn restart(&mut self) {
        self.bytes.clear();
        if let Some(file) = self.file.take() {
            self.keep(file.set_len(0).map(|()| file));
        }
    }

    /// Its bytes, which are right, kept on disk; or why they are not.
    pub fn finish(mut self, store: &Store) -> (Vec<u8>, io::Result<()>) {
        let kept = match (self.file.take().zip(self.paths), self.problem.take()) {
            (Some((file, (path, whole))), _) => {
                let synced = file.sync_all();
                synced.and_then(|()| fs::rename(path, whole))
            }
            (None, Some(problem)) => Err(problem),
            (None, None) => store.save(&self.bytes),
        };
        (self.bytes, kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open(Some(folder.path())).unwrap();
        (folder, store)
    }

    fn files(store: &Store) -> Vec<PathBuf> {
        fs::read_dir(store.dir().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn what_was_saved_is_found_again() {
        let (folder, store) = store();
        let bytes = b"a module".to_vec();
        assert_eq!(store.load(&digest(&bytes)), None);
        store.save(&bytes).unwrap();
        store.save(&bytes).unwrap();
        let again = Store::open(Some(folder.path())).unwrap();
        assert_eq!(again.load(&digest(&bytes)), Some(bytes.clone()));
        assert_eq!(
            files(&store),
            [store.path(&digest(&bytes), "wasm").unwrap()],
            "nothing is left over"
        );
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none_and_is_replaced() {
        let (_folder, store) = store();
        let bytes = b"a module".to_vec();
        store.save(&bytes).unwrap();
        let path = store.path(&digest(&bytes), "wasm").unwrap();
        for damaged in [&b"a modulf"[..], b"a modul", b""] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(store.load(&digest(&bytes)), None);
        }
        store.save(&bytes).unwrap();
        assert_eq!(store.load(&digest(&bytes)), Some(bytes));
    }

    fn run(test: impl Future<Output = ()>) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap().block_on(test);
    }

    #[test]
    fn a_fetch_goes_on_where_another_process_has_left_it() {
        run(async {
            let (_folder, store) = store();
            let bytes = b"a module".to_vec();
            let wanted = digest(&bytes);
            let lock = store.lock(&wanted).await;
            let mut first = store.partial(&wanted, bytes.len(), &lock);
            assert!(first.is_empty());
            first.push(&bytes[..3]);
            drop(first);
            let mut second = store.partial(&wanted, bytes.len(), &lock);
            assert_eq!(second.len(), 3);
            second.push(&bytes[3..]);
            assert!(second.is_right());
            assert_eq!(store.load(&wanted), None, "not before it is finished");
            let (fetched, kept) = second.finish(&store);
            assert_eq!((&fetched, kept.is_ok()), (&bytes, true));
            assert_eq!(store.load(&wanted), Some(bytes.clone()));
            assert!(!store.path(&wanted, "part").unwrap().exists());
        });
    }

    #[test]
    fn what_is_wrong_or_too_long_on_disk_is_forgotten() {
        run(async {
            let (_folder, store) = store();
            let bytes = b"a module".to_vec();
            let wanted = digest(&bytes);
            let lock = store.lock(&wanted).await;
            fs::write(store.path(&wanted, "part").unwrap(), b"a module and more").unwrap();
            assert_eq!(store.partial(&wanted, bytes.len(), &lock).len(), 0);
            fs::write(store.path(&wanted, "part").unwrap(), b"a m0dul").unwrap();
            let mut partial = store.partial(&wanted, bytes.len(), &lock);
            partial.push(b"e");
            assert!(!partial.is_right());
            partial.restart();
            partial.push(&bytes);
            assert!(partial.is_right());
            assert!(partial.finish(&store).1.is_ok());
            assert_eq!(store.load(&wanted), Some(bytes));
        });
    }

    #[test]
    fn without_the_lock_nothing_of_another_is_touched() {
        run(async {
            let (_folder, store) = store();
            let bytes = b"a module".to_vec();
            let wanted = digest(&bytes);
            fs::write(store.path(&wanted, "part").unwrap(), b"a mo").unwrap();
            let mut partial = store.partial(&wanted, bytes.len(), &ModuleLock(None));
            partial.push(&bytes);
            assert!(partial.finish(&store).1.is_ok());
            assert_eq!(store.load(&wanted), Some(bytes));
            assert_eq!(fs::read(store.path(&wanted, "part").unwrap()).unwrap(), b"a mo");
        });
    }

    #[test]
    fn who_fetches_is_waited_for_as_long_as_bytes_come() {
        run(async {
            let (_folder, store) = store();
            let lock = store.lock(&[1; 32]).await;
            let mut partial = store.partial(&[1; 32], 100, &lock);
            let fetch = async {
                for _ in 0..5 {
                    tokio::time::sleep(LOCK_WAIT_MAX / 2).await;
                    partial.push(b"x");
                }
                std::future::pending::<()>().await;
            };
            let begin = tokio::time::Instant::now();
            tokio::select! {
                () = fetch => {}
                _ = store.lock(&[1; 32]) => {}
            }
            assert!(begin.elapsed() >= LOCK_WAIT_MAX * 7 / 2, "{:?}", begin.elapsed());
        });
    }

    #[test]
    fn a_module_is_prepared_by_one_at_a_time() {
        let (_folder, store) = store();
        run(async {
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

//! Whether compiled code on disk is what was written there.
//!
//! wasmtime's cache believes what it finds: a byte that a disk has changed becomes a wrong
//! instruction. So beside the cache lies a list for each scenario, of the files that were made for
//! it and their digests; what does not match is taken away before the cache looks. This is against
//! accidents. Who can write there can write both, and is trusted as whoever starts programs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use swarm_core::message::Digest;
use wasmtime::Cache;

use crate::module::{digest, digest_text};

/// Another process may be about to list what is so young; older than this, its process is gone.
const UNLISTED_MAX: Duration = Duration::from_secs(60);

/// Digests in hexadecimal, by name of a file in the cache.
type Sums = BTreeMap<String, String>;

/// A cache, and the lists of what belongs in it.
#[derive(Debug, Clone)]
pub(crate) struct Seals {
    cache: Cache,
    lists: PathBuf,
}

/// What was found before a scenario was compiled.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Files that were made for it and are as they were.
    sound: Sums,
    /// All that there were.
    files: BTreeMap<String, PathBuf>,
    hits: usize,
}

impl Seals {
    /// Of this cache.
    pub(crate) fn new(cache: Cache) -> Self {
        let lists = cache.directory().with_extension("sums");
        Self { cache, lists }
    }

    /// Takes away what is not as it was written, before this scenario is compiled: of its files.
    /// When there is no list of them, compiling will take long anyway, and all are looked at. What
    /// cannot be read or removed is no use to the cache either.
    pub(crate) fn check(&self, module: &Digest) -> Checked {
        let files = self.files();
        let sound = match read_list(&self.list_of(module)) {
            Some(list) => verify(&files, list),
            None => {
                self.check_all(&files);
                Sums::new()
            }
        };
        Checked { sound, files: self.files(), hits: self.cache.cache_hits() }
    }

    fn check_all(&self, files: &BTreeMap<String, PathBuf>) {
        let mut listed = Sums::new();
        for path in children(&self.lists) {
            let list = read_list(&path).unwrap_or_default();
            if !list.keys().any(|name| files.contains_key(name)) && !is_young(&path) {
                // Of no use any more; if it stays, it does no harm.
                let _ = fs::remove_file(&path);
            }
            listed.extend(list);
        }
        for (name, path) in files {
            if !listed.contains_key(name) && !is_young(path) {
                tracing::info!("{} was not finished", path.display());
                remove(path);
            }
        }
        verify(files, listed);
    }

    /// Lists what has been made for this scenario since.
    ///
    /// # Errors
    /// When that cannot be written; what is not listed is compiled anew the next time.
    pub(crate) fn seal(&self, module: &Digest, checked: Checked) -> io::Result<()> {
        let Checked { mut sound, files: before, hits } = checked;
        let known = sound.len();
        // Parts that scenarios have in common were made for another one.
        let shares = self.cache.cache_hits() - hits > known;
        for (name, path) in self.files() {
            if (shares || !before.contains_key(&name)) && !sound.contains_key(&name) {
                // Another process may have taken it away just now.
                let Ok(bytes) = fs::read(path) else { continue };
                sound.insert(name, digest_text(&digest(&bytes)));
            }
        }
        if sound.len() == known {
            return Ok(());
        }
        let lines = sound.iter().map(|(name, sum)| format!("{sum} {name}\n"));
        let list = self.list_of(module);
        let unfinished = list.with_extension(format!("{}.tmp", std::process::id()));
        fs::create_dir_all(&self.lists)?;
        fs::write(&unfinished, lines.collect::<String>())?;
        fs::rename(&unfinished, list)
    }

    /// Is there a list of what was made for this scenario? It is checked when that is used.
    pub(crate) fn has(&self, module: &Digest) -> bool {
        self.list_of(module).exists()
    }

    /// The compiled modules in the cache: `modules/COMPILER/HASH`, and no two have the same hash.
    /// Names with a dot are something else.
    fn files(&self) -> BTreeMap<String, PathBuf> {
        let compilers = children(&self.cache.directory().join("modules"));
        let files = compilers.iter().flat_map(|compiler| children(compiler));
        let named = files.filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            (!name.contains('.')).then_some((name, path))
        });
        named.collect()
    }

    fn list_of(&self, module: &Digest) -> PathBuf {
        self.lists.join(digest_text(module))
    }
}

/// Those of these files that are there and as they were. The others are taken away.
fn verify(files: &BTreeMap<String, PathBuf>, list: Sums) -> Sums {
    let is_sound = |(name, sum): &(String, String)| {
        let Some(path) = files.get(name) else { return false };
        let Ok(bytes) = fs::read(path) else { return false };
        if digest_text(&digest(&bytes)) == *sum {
            return true;
        }
        tracing::warn!("{} is damaged; it is compiled anew", path.display());
        remove(path);
        false
    };
    list.into_iter().filter(is_sound).collect()
}

fn read_list(path: &Path) -> Option<Sums> {
    let text = fs::read_to_string(path).ok()?;
    let line = |line: &str| line.split_once(' ').map(|(sum, name)| (name.into(), sum.into()));
    text.lines().map(line).collect()
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!("{} cannot be removed: {error}", path.display());
    }
}

/// What is in a folder, if it is one.
fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|file| file.modified()).ok()
}

fn is_young(path: &Path) -> bool {
    let age = modified(path).and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age < UNLISTED_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Module, Runtime, RuntimeConfig};

    /// A component with an own core module; it is none of our world, which is found out later.
    const COMPONENT: &str = r#"(component
        (core module $m (func (export "f") (result i32) i32.const 7))
        (core instance $i (instantiate $m))
        (func (export "f") (result u32) (canon lift (core func $i "f"))))"#;

    fn runtime(dir: &Path) -> Runtime {
        Runtime::new(RuntimeConfig { cache_dir: Some(dir.to_owned()), ..Default::default() })
            .unwrap()
    }

    /// Compiles it, as in a process of its own.
    fn compile(dir: &Path, component: &str) {
        let other = Module::compile(&runtime(dir), &wat::parse_str(component).unwrap());
        assert!(other.unwrap_err().to_string().contains("another world"));
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("swarm-{name}-{}", std::process::id()));
        remove(&folder);
        folder
    }

    /// Wasmtime's cache writes beside its files in its own time, so a folder may not go at once.
    fn remove(folder: &Path) {
        let _ = fs::remove_dir_all(folder);
    }

    /// The only file in the cache.
    #[track_caller]
    fn only(runtime: &Runtime) -> PathBuf {
        let files = runtime.seals().unwrap().files();
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_values().next().unwrap()
    }

    fn age(path: &Path) {
        let long_ago = SystemTime::now() - 2 * UNLISTED_MAX;
        fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }

    #[test]
    fn what_a_disk_has_changed_is_compiled_anew() {
        let dir = folder("sealed");
        compile(&dir, COMPONENT);
        let file = only(&runtime(&dir));
        let whole = fs::read(&file).unwrap();
        let other = COMPONENT.replace("i32.const 7", "i32.const 8");
        for at in [0, whole.len() / 3, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            fs::write(&file, &damaged).unwrap();
            // Whoever is compiled next: this one, whose file it is, or one that is new.
            let digest = digest(&wat::parse_str(COMPONENT).unwrap());
            let checked = runtime(&dir).seals().unwrap().check(&digest);
            assert!(!file.exists() && checked.sound.is_empty(), "byte {at} is changed");
            fs::write(&file, damaged).unwrap();
            runtime(&dir).seals().unwrap().check(&[1; 32]);
            assert!(!file.exists(), "byte {at} is changed");
            compile(&dir, COMPONENT);
            assert_eq!(fs::read(&file).unwrap(), whole);
        }
        // Sound ones stay, also when others come.
        age(&file);
        compile(&dir, COMPONENT);
        compile(&dir, &other);
        compile(&dir, COMPONENT);
        assert!(modified(&file).unwrap().elapsed().unwrap() > UNLISTED_MAX);
        remove(&dir);
    }

    #[test]
    fn what_nobody_has_listed_goes_when_its_process_must_be_gone() {
        let dir = folder("unlisted");
        compile(&dir, COMPONENT);
        let runtime = runtime(&dir);
        let (file, seals) = (only(&runtime), runtime.seals().unwrap());
        let digest = digest(&wat::parse_str(COMPONENT).unwrap());
        fs::remove_file(seals.list_of(&digest)).unwrap();
        seals.check(&digest);
        assert!(file.exists(), "its process may still live");
        age(&file);
        seals.check(&digest);
        assert!(!file.exists());
        // The list of files that are gone goes, too.
        compile(&dir, COMPONENT);
        fs::remove_file(only(&runtime)).unwrap();
        age(&seals.list_of(&digest));
        seals.check(&[1; 32]);
        assert!(!seals.list_of(&digest).exists());
        remove(&dir);
    }
}

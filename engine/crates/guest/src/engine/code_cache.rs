//! Compiled code: made once for a machine, kept in a folder, and mapped from there.
//!
//! A file is named `KEY-DIGEST`: what it was compiled from and for, and what is in it. Code that a
//! disk has changed would run all the same, so a file is read and compared with its digest before
//! it is used. This is against accidents. Who can write there can write both, and is trusted as
//! whoever starts programs.
//!
//! It is not wasmtime's own cache, which keeps its files compressed: their content is then memory
//! of each process. CPython's 41 MB of code and first memory cost 60 MB resident so, and a third of
//! that as a mapped file, of which only what is used is read.
//!
//! Relies on the inside of wasmtime: see `engine/WASMTIME.md`.

#![expect(unsafe_code, reason = "code that is loaded rather than compiled is taken on trust")]

use std::fs;
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use swarm_core::message::Digest;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::engine::digest::{digest, digest_text};
use crate::engine::kept::{UNUSED_MAX, by_age, note_use};

/// Most bytes of all files together; the ones that were used longest ago go.
const BYTES_MAX: u64 = 1 << 30;

/// What a process that has been killed left half written is older than this.
const UNFINISHED_MAX: Duration = Duration::from_secs(60 * 60);

/// The end of the name of a file that is being written.
const UNFINISHED: &str = "tmp";

/// Compiles for an engine, or loads what has been compiled.
#[derive(Clone)]
pub(crate) struct Compiler {
    engine: Engine,
    cache: Option<CodeCache>,
}

impl Compiler {
    pub(crate) fn new(engine: Engine, cache: Option<CodeCache>) -> Self {
        Self { engine, cache }
    }

    /// What runs it.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The compiled component of these bytes, if this machine has it.
    pub(crate) fn known_component(&self, digest: &Digest) -> Option<Component> {
        self.cache.as_ref()?.load(&self.engine, &self.key(Kind::Component, digest))
    }

    /// Is there a compiled component of these bytes? Whether it is sound is looked at when it is
    /// loaded.
    pub(crate) fn knows_component(&self, digest: &Digest) -> bool {
        let find = |cache: &CodeCache| cache.find(&self.key(Kind::Component, digest)).is_some();
        self.cache.as_ref().is_some_and(find)
    }

    /// Compiles a component. `digest` is that of `bytes`.
    pub(crate) fn component(&self, bytes: &[u8], digest: &Digest) -> wasmtime::Result<Component> {
        let Some(cache) = &self.cache else { return Component::from_binary(&self.engine, bytes) };
        let code = self.engine.precompile_component(bytes)?;
        cache.keep(&self.engine, &self.key(Kind::Component, digest), code)
    }

    /// A core module, from the cache if it is there.
    pub(crate) fn module(&self, bytes: &[u8]) -> wasmtime::Result<Module> {
        let Some(cache) = &self.cache else { return Module::from_binary(&self.engine, bytes) };
        let key = self.key(Kind::CoreModule, &digest(bytes));
        if let Some(module) = cache.load(&self.engine, &key) {
            return Ok(module);
        }
        let code = self.engine.precompile_module(bytes)?;
        cache.keep(&self.engine, &key, code)
    }

    /// The name of what is compiled of something by this version of wasmtime with these settings.
    fn key(&self, kind: Kind, digest: &Digest) -> String {
        let mut key = KeyHasher(Sha256::new());
        self.engine.precompile_compatibility_hash().hash(&mut key);
        key.write(kind.name().as_bytes());
        key.write(digest);
        digest_text(&key.0.finalize().into())
    }
}

/// What is compiled.
#[derive(Clone, Copy)]
enum Kind {
    Component,
    CoreModule,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::CoreModule => "core module",
        }
    }
}

/// A hash that is the same in all processes.
struct KeyHasher(Sha256);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("the whole digest is asked for")
    }
}

/// What can be loaded of compiled code.
trait Loaded: Sized {
    /// Maps a file.
    ///
    /// # Safety
    /// wasmtime has written what is in the file, and nobody changes that while it is mapped.
    unsafe fn map(engine: &Engine, path: &Path) -> wasmtime::Result<Self>;

    /// Copies it.
    ///
    /// # Safety
    /// wasmtime has written it.
    unsafe fn copy(engine: &Engine, code: &[u8]) -> wasmtime::Result<Self>;
}

impl Loaded for Component {
    unsafe fn map(engine: &Engine, path: &Path) -> wasmtime::Result<Self> {
        // SAFETY: the caller's.
        unsafe { Self::deserialize_file(engine, path) }
    }

    unsafe fn copy(engine: &Engine, code: &[u8]) -> wasmtime::Result<Self> {
        // SAFETY: the caller's.
        unsafe { Self::deserialize(engine, code) }
    }
}

impl Loaded for Module {
    unsafe fn map(engine: &Engine, path: &Path) -> wasmtime::Result<Self> {
        // SAFETY: the caller's.
        unsafe { Self::deserialize_file(engine, path) }
    }

    unsafe fn copy(engine: &Engine, code: &[u8]) -> wasmtime::Result<Self> {
        // SAFETY: the caller's.
        unsafe { Self::deserialize(engine, code) }
    }
}

/// A folder of compiled code.
#[derive(Debug, Clone)]
pub(crate) struct CodeCache {
    folder: PathBuf,
}

impl CodeCache {
    /// In this folder, which is made if need be.
    ///
    /// # Errors
    /// When it is not there and cannot be made.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// The file of this key.
    fn find(&self, key: &str) -> Option<PathBuf> {
        let mut files = by_age(&self.folder).into_iter().map(|(_, path)| path);
        files.find(|path| digest_in(path, key).is_some())
    }

    /// Loads what is there and as it was written. What is not is taken away.
    fn load<T: Loaded>(&self, engine: &Engine, key: &str) -> Option<T> {
        let path = self.find(key)?;
        let written = digest_in(&path, key)?;
        let is_sound = file_digest(&path).is_ok_and(|digest| digest_text(&digest) == written);
        let loaded = is_sound.then(|| map(engine, &path)).transpose();
        match loaded {
            Ok(Some(loaded)) => {
                note_use(&path);
                return Some(loaded);
            }
            Ok(None) => tracing::warn!("{} is damaged; it is compiled anew", path.display()),
            Err(error) => {
                tracing::warn!("{} cannot be used ({error}); it is compiled anew", path.display());
            }
        }
        // If it stays, it is found damaged once more.
        let _ = fs::remove_file(&path);
        None
    }

    /// Keeps what has just been compiled, and loads it.
    fn keep<T: Loaded>(&self, engine: &Engine, key: &str, code: Vec<u8>) -> wasmtime::Result<T> {
        let path = self.folder.join(format!("{key}-{}", digest_text(&digest(&code))));
        match self.write(&path, &code) {
            Ok(()) => {
                drop(code);
                map(engine, &path)
            }
            Err(error) => {
                tracing::warn!("what was compiled cannot be kept: {error}");
                // SAFETY: it comes from this engine.
                unsafe { T::copy(engine, &code) }
            }
        }
    }

    fn write(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        self.make_room(code.len() as u64);
        let unfinished = path.with_extension(format!("{}.{UNFINISHED}", std::process::id()));
        let written = fs::write(&unfinished, code).and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            // A disk that is full may have room for others.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Takes away what nobody has used for long, and more if there is too much. Who has mapped a
    /// file keeps it.
    fn make_room(&self, bytes: u64) {
        let mut sum = bytes;
        for (age, path) in by_age(&self.folder) {
            let Some(file) = path.metadata().ok().filter(fs::Metadata::is_file) else { continue };
            let bytes = file.len();
            sum += bytes;
            let is_unfinished = path.extension().is_some_and(|end| end == UNFINISHED);
            let max = if is_unfinished { UNFINISHED_MAX } else { UNUSED_MAX };
            if age > max || (sum > BYTES_MAX && !is_unfinished) {
                sum -= bytes;
                // What cannot be removed is in nobody's way.
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Loads a file that [`CodeCache::write`] has made, without a copy if that is possible.
fn map<T: Loaded>(engine: &Engine, path: &Path) -> wasmtime::Result<T> {
    // SAFETY: the file holds what wasmtime has written, by its digest. It is never written again:
    // a new one comes by a rename, and an old one is unlinked. wasmtime looks itself whether its
    // version and settings fit.
    match unsafe { T::map(engine, path) } {
        Ok(mapped) => Ok(mapped),
        // As where files must not be executed: a mount with `noexec`.
        Err(_) => {
            let code = fs::read(path)?;
            // SAFETY: as above.
            unsafe { T::copy(engine, &code) }
        }
    }
}

/// The digest in the name of a file, if it is one of this key.
fn digest_in<'a>(path: &'a Path, key: &str) -> Option<&'a str> {
    let digest = path.file_name()?.to_str()?.strip_prefix(key)?.strip_prefix('-')?;
    (!digest.contains('.')).then_some(digest)
}

fn file_digest(path: &Path) -> io::Result<Digest> {
    let mut file = fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut bytes = vec![0; 256 << 10];
    loop {
        match file.read(&mut bytes) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(count) => hash.update(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{Module, Runtime, RuntimeConfig};

    /// A component with an own core module; it is none of our world, which is found out later.
    const COMPONENT: &str = r#"(component
        (core module $m (func (export "f") (result i32) i32.const 7))
        (core instance $i (instantiate $m))
        (func (export "f") (result u32) (canon lift (core func $i "f"))))"#;

    /// Compiles it, as in a process of its own.
    fn compile(dir: &Path, component: &str) {
        let config = RuntimeConfig { cache_dir: Some(dir.to_owned()), ..Default::default() };
        let runtime = Runtime::new(config).unwrap();
        let other = Module::compile(&runtime, &wat::parse_str(component).unwrap());
        assert!(other.unwrap_err().to_string().contains("another world"));
    }

    /// A folder of this test alone, which is removed with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("swarm-code-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        fn files(&self) -> Vec<PathBuf> {
            let files = by_age(&self.0.join(crate::engine::runtime::COMPILED)).into_iter();
            let mut files: Vec<_> = files.map(|(_, path)| path).collect();
            files.sort();
            files
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn age(path: &Path, age: Duration) {
        let at = SystemTime::now() - age;
        fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    }

    #[test]
    fn what_a_disk_has_changed_is_compiled_anew() {
        let dir = Folder::new("damaged");
        compile(&dir.0, COMPONENT);
        let [file] = &dir.files()[..] else { panic!("{:?}", dir.files()) };
        let whole = fs::read(file).unwrap();
        for at in [0, whole.len() / 3, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            for damaged in [&damaged[..], &whole[..at]] {
                fs::write(file, damaged).unwrap();
                compile(&dir.0, COMPONENT);
                assert_eq!(fs::read(file).unwrap(), whole, "byte {at} is changed");
            }
        }
    }

    #[test]
    fn sound_code_is_used_again() {
        let dir = Folder::new("sound");
        compile(&dir.0, COMPONENT);
        let first = dir.files();
        let was = fs::metadata(&first[0]).unwrap();
        compile(&dir.0, &COMPONENT.replace("i32.const 7", "i32.const 8"));
        compile(&dir.0, COMPONENT);
        assert_eq!(dir.files().len(), 2);
        let is = fs::metadata(&first[0]).unwrap();
        let inode = |file: &fs::Metadata| std::os::unix::fs::MetadataExt::ino(file);
        assert_eq!(inode(&is), inode(&was), "it was not written again");
        assert!(is.modified().unwrap() > was.modified().unwrap(), "its use is noted");
    }

    #[test]
    fn what_nobody_uses_goes() {
        let dir = Folder::new("unused");
        compile(&dir.0, COMPONENT);
        let used = dir.files().remove(0);
        let other = |name: &str, age_of: Duration| {
            let path = used.with_file_name(name);
            fs::write(&path, "code").unwrap();
            age(&path, age_of);
            path
        };
        let (old, new) = (other("old-1", 2 * UNUSED_MAX), other("new-1", UNUSED_MAX / 2));
        let left = other("a-1.77.tmp", 2 * UNFINISHED_MAX);
        let written = other("b-1.78.tmp", UNFINISHED_MAX / 2);
        let large = other("large-1", UNFINISHED_MAX);
        fs::File::options().write(true).open(&large).unwrap().set_len(BYTES_MAX).unwrap();
        compile(&dir.0, &COMPONENT.replace("i32.const 7", "i32.const 8"));
        assert!(!old.exists() && !left.exists());
        assert!(!large.exists(), "there is no room for it");
        assert!(used.exists() && written.exists() && new.exists());
    }
}

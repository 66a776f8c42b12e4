//! The files of a scenario as folders that its instances can open.
//!
//! They lie in the folder of the cache, each top folder under the digest of what is in it, so the
//! library of a language is there once for all scripts. Whatever is found there is compared before
//! it is used: this is against accidents, as [`crate::engine::code_cache`] is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::bundle::FilesError;
use crate::engine::digest::digest_text;
use crate::engine::kept::{UNUSED_MAX, by_age, note_use};

/// Where they are, in the folder of the cache.
const FILES: &str = "files";

/// A folder that guests may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    /// Where it is.
    pub(crate) host: PathBuf,
    /// The path that guests find it under.
    pub(crate) guest: String,
}

/// What is in one folder: bytes by path below it.
type Content<'a> = BTreeMap<&'a str, &'a [u8]>;

/// Unpacks files, by their paths `/FOLDER/.../NAME`, unless they are there.
///
/// # Errors
/// When there is no folder for them, or it cannot be written.
pub(crate) fn unpack(
    cache_dir: Option<&Path>,
    files: &BTreeMap<&str, &[u8]>,
) -> Result<Vec<Folder>, FilesError> {
    let mut folders: BTreeMap<&str, Content<'_>> = BTreeMap::new();
    for (path, bytes) in files {
        let (folder, below) = path[1..].split_once('/').expect("paths have been checked");
        folders.entry(folder).or_default().insert(below, bytes);
    }
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let Some(cache_dir) = cache_dir else { return Err(FilesError::NoFolder) };
    let place = cache_dir.join(FILES);
    let at = |(name, content): (&str, Content<'_>)| {
        let host = one(&place, &content)?;
        Ok(Folder { host, guest: format!("/{name}") })
    };
    let folders: io::Result<Vec<_>> = folders.into_iter().map(at).collect();
    folders.map_err(|source| FilesError::Unpack { place, source })
}

/// The folder with this content.
fn one(place: &Path, content: &Content<'_>) -> io::Result<PathBuf> {
    let folder = place.join(digest(content));
    if is_whole(&folder, content) {
        note_use(&folder);
        return Ok(folder);
    }
    fs::create_dir_all(place)?;
    remove_unused(place);
    let unfinished = folder.with_extension(format!("{}.tmp", std::process::id()));
    for old in [&unfinished, &folder] {
        if old.exists() {
            fs::remove_dir_all(old)?;
        }
    }
    for (path, bytes) in content {
        let path = unfinished.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    match fs::rename(&unfinished, &folder) {
        // Another process has been faster.
        Err(_) if is_whole(&folder, content) => fs::remove_dir_all(&unfinished)?,
        renamed => renamed?,
    }
    Ok(folder)
}

fn digest(content: &Content<'_>) -> String {
    let mut hash = Sha256::new();
    for (path, bytes) in content {
        for part in [path.as_bytes(), bytes] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    digest_text(&hash.finalize().into())
}

/// Is exactly this there?
fn is_whole(folder: &Path, content: &Content<'_>) -> bool {
    let mut count = 0;
    let mut to_see = vec![folder.to_owned()];
    while let Some(folder) = to_see.pop() {
        let Ok(entries) = fs::read_dir(folder) else { return false };
        for entry in entries {
            let Ok(entry) = entry else { return false };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => to_see.push(entry.path()),
                Ok(kind) if kind.is_file() => count += 1,
                _ => return false,
            }
        }
    }
    let is_there =
        |(path, bytes): (&&str, &&[u8])| fs::read(folder.join(path)).is_ok_and(|is| is == **bytes);
    count == content.len() && content.iter().all(is_there)
}

/// Makes room. What cannot be removed is in nobody's way.
fn remove_unused(place: &Path) {
    for (_, folder) in by_age(place).into_iter().filter(|(unused, _)| *unused > UNUSED_MAX) {
        let _ = fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    /// A folder of this test alone, which is removed with it.
    struct Cache(PathBuf);

    impl Cache {
        fn new(name: &str) -> Self {
            let name = format!("swarm-unpacked-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Cache {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const SCRIPT: [(&str, &[u8]); 3] =
        [("/app/a.py", b"a"), ("/app/data/b.csv", b"b"), ("/py/lib/c.py", b"c")];

    #[test]
    fn files_are_there_and_what_has_been_changed_is_made_anew() {
        let cache = Cache::new("changed");
        let unpack = || unpack(Some(&cache.0), &BTreeMap::from(SCRIPT)).unwrap();
        let folders = unpack();
        let guests: Vec<_> = folders.iter().map(|folder| folder.guest.as_str()).collect();
        assert_eq!(guests, ["/app", "/py"]);
        let app = &folders[0].host;
        let changes: [&dyn Fn(); 4] = [
            &|| fs::write(app.join("a.py"), "other").unwrap(),
            &|| fs::write(app.join("more.py"), "").unwrap(),
            &|| fs::remove_file(app.join("data/b.csv")).unwrap(),
            &|| fs::remove_dir_all(app).unwrap(),
        ];
        for change in changes {
            change();
            assert_eq!(unpack(), folders);
            assert_eq!(fs::read(app.join("a.py")).unwrap(), b"a");
            assert_eq!(fs::read(app.join("data/b.csv")).unwrap(), b"b");
            assert!(!app.join("more.py").exists());
        }
    }

    #[test]
    fn a_changed_script_shares_what_has_not_changed_and_old_ones_go() {
        let cache = Cache::new("shared");
        let first = unpack(Some(&cache.0), &BTreeMap::from(SCRIPT)).unwrap();
        let long_ago = SystemTime::now() - 2 * UNUSED_MAX;
        fs::File::open(&first[0].host).unwrap().set_modified(long_ago).unwrap();
        let mut files = BTreeMap::from(SCRIPT);
        files.insert("/app/a.py", b"other");
        let second = unpack(Some(&cache.0), &files).unwrap();
        assert_eq!(first[1], second[1]);
        assert_ne!(first[0], second[0]);
        assert!(!first[0].host.exists());
    }

    #[test]
    fn there_must_be_a_place_if_there_are_files() {
        assert_eq!(unpack(None, &BTreeMap::new()).unwrap(), []);
        let error = unpack(None, &BTreeMap::from(SCRIPT)).unwrap_err().to_string();
        assert!(error.contains("SWARM_CACHE_DIR"), "{error}");
        let error = unpack(Some(Path::new("/proc")), &BTreeMap::from(SCRIPT)).unwrap_err();
        assert!(error.to_string().contains("/proc/files"), "{error}");
    }
}

//! The folder of modules and compiled code.
//!
//! A machine without one, or with one that cannot be written, costs time and not the test: a
//! private folder stands in, and where there is no place for that either, everything is compiled
//! in memory.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf, absolute};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::output::plain;

/// Names the folder; also what the copies of this process are told.
pub(crate) const VARIABLE: &str = "SWARM_CACHE_DIR";

/// Where a private folder can be, beside the one for temporary files.
const OTHER_PLACES: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// Bytes that are written to see whether there is room. Compiled code takes more, and a disk that
/// is full later costs time only.
const PROBE_BYTES: usize = 4096;

/// A private folder of this process.
static PRIVATE: OnceLock<PathBuf> = OnceLock::new();

/// Removes a private folder when the process ends without going home.
pub(crate) fn discard() {
    if let Some(folder) = PRIVATE.get() {
        // Others may still write there; it is one for temporary files.
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// The folder, while this lives.
#[derive(Debug)]
pub(crate) struct CacheFolder {
    dir: Option<PathBuf>,
    /// Removes a private folder at the end.
    _private: Option<TempDir>,
}

impl CacheFolder {
    /// Where the folder is; `None` when nothing can be kept.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// `SWARM_CACHE_DIR`, or `swarm` in the user's cache; a private one if neither can be used.
    pub(crate) fn find() -> Self {
        let var = |name: &str| std::env::var_os(name);
        let wanted = wanted(|name| var(name).filter(|value| !value.is_empty()));
        let mut problems = Vec::new();
        for dir in wanted {
            match usable(&dir) {
                Ok(()) => return Self::at(dir, problems),
                Err(error) => problems.push(format!("{} cannot be used: {error}", dir.display())),
            }
        }
        if problems.is_empty() {
            problems.push("there is no HOME".to_owned());
        }
        Self::private(&problems.join("; "))
    }

    fn at(dir: PathBuf, problems: Vec<String>) -> Self {
        for problem in problems {
            tracing::warn!("{problem}; what is compiled is kept in {}", dir.display());
        }
        Self { dir: Some(dir), _private: None }
    }

    fn private(problem: &str) -> Self {
        let advice = format!("choose a folder with {VARIABLE} to compile a scenario only once");
        let places = [std::env::temp_dir()].into_iter().chain(OTHER_PLACES.map(PathBuf::from));
        for place in places {
            let made = tempfile::Builder::new().prefix("swarm-").tempdir_in(place);
            let Ok(folder) = made else { continue };
            if usable(folder.path()).is_ok() {
                let dir = folder.path().to_owned();
                PRIVATE.get_or_init(|| dir.clone());
                tracing::warn!(
                    "no folder for compiled scenarios: {problem}. {} is used, and removed at the \
                     end; {advice}",
                    dir.display()
                );
                return Self { dir: Some(dir), _private: Some(folder) };
            }
        }
        tracing::warn!(
            "no folder for compiled scenarios: {problem}; nor is there a place for a temporary \
             one. They are kept in memory; {advice}"
        );
        Self { dir: None, _private: None }
    }
}

/// The folders that may be meant, the first one first.
fn wanted(var: impl Fn(&str) -> Option<std::ffi::OsString>) -> Vec<PathBuf> {
    let below = |base: &OsStr, folder: &str| Path::new(base).join(folder);
    let own = var(VARIABLE).map(PathBuf::from);
    // A relative one is to be ignored, its specification says.
    let caches = var("XDG_CACHE_HOME").filter(|base| Path::new(base).is_absolute());
    let caches = caches.map(|base| below(&base, "swarm"));
    let home = var("HOME").map(|base| below(&base, ".cache/swarm"));
    // Who names the cache of all programs does not mean the usual one.
    own.into_iter().chain(caches.or(home)).map(|dir| absolute(&dir).unwrap_or(dir)).collect()
}

/// Makes it if need be, and sees whether files can be made and written in it.
fn usable(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let probe = tempfile::Builder::new().prefix(".swarm-").tempfile_in(dir).map_err(plain)?;
    // A disk that is full takes a name, and no byte.
    probe.as_file().write_all(&[0; PROBE_BYTES])?;
    probe.close()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted_with(variables: &[(&str, &str)]) -> Vec<String> {
        let var = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        };
        wanted(var).iter().map(|dir| dir.display().to_string()).collect()
    }

    #[test]
    fn the_folder_is_that_of_the_variable_or_in_the_users_cache() {
        assert!(wanted_with(&[]).is_empty());
        assert_eq!(wanted_with(&[("HOME", "/h")]), ["/h/.cache/swarm"]);
        let both = [("HOME", "/h"), ("XDG_CACHE_HOME", "/c")];
        assert_eq!(wanted_with(&both), ["/c/swarm"]);
        let all = [both[0], both[1], (VARIABLE, "/s")];
        assert_eq!(wanted_with(&all), ["/s", "/c/swarm"]);
        let here = std::env::current_dir().unwrap().display().to_string();
        let relative = [("XDG_CACHE_HOME", "c"), (VARIABLE, "s"), both[0]];
        assert_eq!(wanted_with(&relative), [format!("{here}/s"), "/h/.cache/swarm".to_owned()]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_not_usable() {
        let folder = TempDir::new().unwrap();
        usable(&folder.path().join("a/b")).unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        usable(&file).unwrap_err();
        usable(&file.join("below")).unwrap_err();
        usable(Path::new("/proc/swarm")).unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path().join("a/b")).unwrap().count(), 0);
    }
}

//! What is kept on disk from one run to the next: its use is noted, and what nobody uses goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What nobody has used for this time is removed when something else is kept.
pub(crate) const UNUSED_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Notes that a file or a folder is in use. If that is not possible, it is made anew some day.
pub(crate) fn note_use(path: &Path) {
    let _ = fs::File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// What is in a folder, if it is one, and how long nobody has used it: the shortest time first.
pub(crate) fn by_age(folder: &Path) -> Vec<(Duration, PathBuf)> {
    let now = SystemTime::now();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut kept: Vec<_> = entries
        .filter_map(|entry| {
            let used = entry.metadata().and_then(|metadata| metadata.modified()).ok()?;
            Some((now.duration_since(used).unwrap_or_default(), entry.path()))
        })
        .collect();
    kept.sort();
    kept
}

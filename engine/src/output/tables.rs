//! The CSV files of a test: `PREFIX_stats.csv`, `PREFIX_failures.csv`, `PREFIX_exceptions.csv` and
//! `PREFIX_stats_history.csv`. Each is written by itself: one that fails takes no other along.

use std::io;
use std::path::{Path, PathBuf};

use swarm_stats::report::csv;
use swarm_stats::snapshot::Snapshot;

use super::Problem;
use super::history::History;
use super::place::Place;

/// The table that has a line a second.
const HISTORY: &str = "stats_history";

/// The CSV files.
#[derive(Debug)]
pub(super) struct Tables {
    stats: (PathBuf, Place),
    failures: (PathBuf, Place),
    exceptions: (PathBuf, Place),
    history: (PathBuf, History),
    /// Whether the history has a line for each name.
    full_history: bool,
}

impl Tables {
    /// The files that begin with this; it may contain folders, which must exist.
    ///
    /// # Errors
    /// The first one that cannot be written, as far as that can be known.
    pub(super) fn open(prefix: &Path, full_history: bool) -> Result<Self, Problem> {
        let place = |table: &str| {
            let path = path(prefix, table);
            match Place::find(&path) {
                Ok(place) => Ok((path, place)),
                Err(error) => Err(Problem { path, error }),
            }
        };
        let (path, there) = place(HISTORY)?;
        let Place::File(file) = there else {
            let error = io::Error::new(io::ErrorKind::Unsupported, "it is not a file");
            return Err(Problem { path, error });
        };
        let head = bytes(|out| csv::write_history_head(out));
        let head = head.map_err(|error| Problem { path: path.clone(), error })?;
        Ok(Self {
            history: (path, History::new(file, head)),
            stats: place("stats")?,
            failures: place("failures")?,
            exceptions: place("exceptions")?,
            full_history,
        })
    }

    /// Each file as it was asked for, and where it is with links resolved.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, &Path)> {
        let whole = [&self.stats, &self.failures, &self.exceptions].into_iter();
        let whole = whole.filter_map(|(path, place)| Some((path.as_path(), place.file()?)));
        whole.chain([(self.history.0.as_path(), self.history.1.path())])
    }

    /// Adds the present figures to the history. To be called once a second.
    pub(super) fn add_history(
        &mut self,
        snapshot: &Snapshot,
        users: u32,
        unix_ms: u64,
    ) -> Vec<Problem> {
        let ((path, history), full) = (&mut self.history, self.full_history);
        let lines = bytes(|out| csv::write_history(out, snapshot, users, unix_ms, full));
        problem(path, lines.and_then(|lines| history.add(&lines))).into_iter().collect()
    }

    /// Writes the other three anew. A reader finds each of them whole at any time.
    pub(super) fn write(&self, snapshot: &Snapshot, origin_unix_ms: u64) -> Vec<Problem> {
        let write = |(path, place): &(PathBuf, Place), text: io::Result<Vec<u8>>| {
            problem(path, text.and_then(|text| place.write(&text)))
        };
        let written = [
            write(&self.stats, bytes(|out| csv::write_stats(out, snapshot))),
            write(&self.failures, bytes(|out| csv::write_failures(out, snapshot, origin_unix_ms))),
            write(&self.exceptions, bytes(|out| csv::write_exceptions(out, snapshot))),
        ];
        written.into_iter().flatten().collect()
    }

    /// Makes sure that the history is there.
    pub(super) fn finish(&mut self) -> Vec<Problem> {
        let (path, history) = &mut self.history;
        problem(path, history.finish()).into_iter().collect()
    }
}

/// Where the history of the files with this prefix is.
pub(crate) fn history_path(prefix: &Path) -> PathBuf {
    path(prefix, HISTORY)
}

fn path(prefix: &Path, table: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(format!("_{table}.csv"));
    PathBuf::from(path)
}

fn problem(path: &Path, result: io::Result<()>) -> Option<Problem> {
    result.err().map(|error| Problem { path: path.to_owned(), error })
}

fn bytes<E: Into<io::Error>>(
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write(&mut bytes).map_err(Into::into)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_files_have_the_names_of_locust_and_each_is_written_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("run");
        let mut tables = Tables::open(&prefix, false).unwrap();
        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        };
        assert!(names().is_empty(), "nothing is there before a test");
        let snapshot = Snapshot::default();
        assert!(tables.write(&snapshot, 0).is_empty());
        assert!(tables.add_history(&snapshot, 3, 1_000).is_empty());
        assert!(tables.finish().is_empty());
        let all = ["run_exceptions.csv", "run_failures.csv", "run_stats.csv"];
        assert_eq!(names(), [&all[..], &["run_stats_history.csv"]].concat());

        // A folder in the place of one of them.
        fs::remove_file(folder.path().join(all[1])).unwrap();
        fs::create_dir(folder.path().join(all[1])).unwrap();
        for name in [all[0], all[2]] {
            fs::write(folder.path().join(name), "old").unwrap();
        }
        let problems = tables.write(&snapshot, 0);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].path.ends_with(all[1]), "{problems:?}");
        for name in [all[0], all[2]] {
            assert!(fs::read_to_string(folder.path().join(name)).unwrap().len() > 3);
        }
        let error = Tables::open(&folder.path().join("no/run"), false).unwrap_err();
        assert!(error.path.ends_with("no/run_stats_history.csv"), "{error:?}");
    }
}

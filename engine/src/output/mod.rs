//! The files that a test writes. Each is written whole or not at all, and by itself: one that
//! cannot be written takes no other along, and the exit code says that something is missing.
//!
//! # Layout
//! - this file: the thread that writes. A disk that hangs holds up neither page nor interrupts.
//! - `place`: where a result goes: files, devices, pipes, standard output.
//! - `tables`, `history`: the CSV files. `patient`: writing to whoever may not read.

mod history;
mod patient;
mod place;
mod tables;

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use swarm_stats::report::json::Summary;
use swarm_stats::snapshot::Snapshot;
use swarm_web::view::View;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::cli::TestArgs;
use crate::exit::{Exit, Failure, OrExit};
use place::Place;
pub(crate) use place::{is_stdout, plain};
use tables::Tables;
pub(crate) use tables::history_path;

/// The CSV tables are written anew each so many ticks of a second.
const TICKS_PER_TABLES: u32 = 5;

/// Seconds of the history that may wait for a disk that is slow.
const TICKS_MAX: usize = 16;

/// A file that cannot be written.
#[derive(Debug)]
struct Problem {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write {}: {}", self.path.display(), self.error)
    }
}

/// A second of the test.
#[derive(Debug)]
struct Tick {
    snapshot: Arc<Snapshot>,
    users: u32,
    unix_ms: u64,
    origin_unix_ms: u64,
    with_tables: bool,
}

/// The files asked for.
#[derive(Debug)]
pub(crate) struct Files {
    /// `None` when no file was asked for.
    jobs: Option<mpsc::Sender<Job>>,
    ticks: u32,
    ends: Ends,
    /// Seconds that did not get into the history.
    missed: u32,
}

/// Which tests have their end in the history.
#[derive(Debug, Default)]
struct Ends {
    /// When the last one of them began.
    test: Option<u64>,
}

impl Ends {
    /// Does this moment belong into the history? While a test runs each does, and then its end,
    /// also of one that came and went since the last look. `test` is when the current or last one
    /// began, by any clock.
    fn is_news(&mut self, is_busy: bool, test: Option<u64>) -> bool {
        is_busy || std::mem::replace(&mut self.test, test) != test
    }
}

/// What the thread is to do.
#[derive(Debug)]
enum Job {
    Tick(Tick),
    Finish(Box<Summary>, oneshot::Sender<Vec<Problem>>),
}

impl Files {
    /// Makes sure that the files can be written, before anything is started. What is there stays
    /// until there is something new.
    ///
    /// # Errors
    /// The first file that cannot be written, or two that are the same file: one of them would be
    /// lost. `scenario` is a file, too.
    pub(crate) fn open(args: &TestArgs, scenario: Option<&Path>) -> Result<Self, Failure> {
        let json = args.json_file.as_ref().map(|path| {
            let place = Place::find(path);
            let doing = || format!("cannot write --json-file {}", path.display());
            place.or_exit(Exit::Output, doing).map(|place| (path.clone(), place))
        });
        let json = json.transpose()?;
        let tables = args.csv.as_ref().map(|prefix| {
            let doing = |path: &PathBuf| format!("cannot write {} (--csv)", path.display());
            Tables::open(prefix, args.csv_full_history).map_err(|Problem { path, error }| {
                Failure::new(Exit::Output, anyhow::Error::new(error).context(doing(&path)))
            })
        });
        let tables = tables.transpose()?;
        differ(json.as_ref(), tables.as_ref(), scenario)?;
        let mut files = Self { jobs: None, ticks: 0, ends: Ends::default(), missed: 0 };
        if json.is_some() || tables.is_some() {
            let (jobs, inbox) = mpsc::channel(TICKS_MAX);
            let writer = Writer { json, tables, failing: false };
            let thread = std::thread::Builder::new().name("results".into());
            let thread = thread.spawn(move || writer.run(inbox));
            thread.or_exit(Exit::Internal, || "start a thread for results".into())?;
            files.jobs = Some(jobs);
        }
        Ok(files)
    }

    /// Brings the CSV files up to date. To be called once a second; never waits.
    pub(crate) fn tick(&mut self, view: &View) {
        let Some(jobs) = &self.jobs else { return };
        let is_busy = view.state.is_busy();
        if !self.ends.is_news(is_busy, view.test_start_ms) {
            return;
        }
        self.ticks += u32::from(is_busy);
        let tick = Tick {
            snapshot: Arc::clone(&view.stats),
            users: view.user_count,
            unix_ms: view.clock_origin_unix_ms + view.now_ms,
            origin_unix_ms: view.clock_origin_unix_ms,
            with_tables: is_busy && self.ticks.is_multiple_of(TICKS_PER_TABLES),
        };
        if let Err(TrySendError::Full(_)) = jobs.try_send(Job::Tick(tick)) {
            self.missed += 1;
        }
    }

    /// Writes the result of the last test, if there was one: without it, an older result is better
    /// than an empty one.
    ///
    /// # Errors
    /// The files that could not be written; the others are.
    pub(crate) async fn finish(self, summary: &Summary) -> Result<(), Failure> {
        let Some(jobs) = self.jobs else { return Ok(()) };
        if summary.started_at.is_empty() {
            return Ok(());
        }
        if self.missed > 0 {
            tracing::warn!(
                "{} seconds are missing in the history: the disk was too slow",
                self.missed
            );
        }
        let (reply, problems) = oneshot::channel();
        // An error: then there is no reply, either.
        let _ = jobs.send(Job::Finish(Box::new(summary.clone()), reply)).await;
        let panicked = |_| {
            let error = anyhow!("the thread that writes results has panicked");
            Failure::new(Exit::Output, error)
        };
        match problems.await.map_err(panicked)?.as_slice() {
            [] => Ok(()),
            problems => {
                let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
                Err(Failure::new(Exit::Output, anyhow!("{}", lines.join("\n       "))))
            }
        }
    }
}

/// Makes sure that nothing is written over something else that this test reads or writes.
fn differ(
    json: Option<&(PathBuf, Place)>,
    tables: Option<&Tables>,
    scenario: Option<&Path>,
) -> Result<(), Failure> {
    let scenario = scenario.and_then(|path| Some((path, fs::canonicalize(path).ok()?)));
    let json = json.and_then(|(path, place)| Some((path.as_path(), place.file()?)));
    let mut files: Vec<(&str, &Path, &Path)> = Vec::new();
    files.extend(scenario.iter().map(|(path, file)| ("the scenario", *path, file.as_path())));
    files.extend(json.map(|(path, file)| ("the file of --json-file", path, file)));
    let tables = tables.into_iter().flat_map(Tables::files);
    files.extend(tables.map(|(path, file)| ("a file of --csv", path, file)));
    for (at, (what, path, file)) in files.iter().enumerate() {
        if let Some((other, before, _)) = files[..at].iter().find(|(.., before)| before == file) {
            let (path, before) = (path.display(), before.display());
            let text = format!("{what}, {path}, is {other}, {before}: choose another name");
            return Err(Failure::new(Exit::Settings, anyhow!(text)));
        }
    }
    Ok(())
}

/// Prints what a command that runs no test was asked for. Waits for whoever reads; nothing else is
/// going on.
///
/// # Errors
/// When it cannot be written. That a reader has had enough is none.
pub(crate) fn answer(text: &str) -> Result<(), Failure> {
    let written = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).or_exit(Exit::Output, || "cannot write standard output".to_owned())
        }
        _ => Ok(()),
    }
}

/// What the thread owns.
struct Writer {
    json: Option<(PathBuf, Place)>,
    tables: Option<Tables>,
    /// That the CSV files cannot be written has been told.
    failing: bool,
}

impl Writer {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.blocking_recv() {
            match job {
                Job::Tick(tick) => self.tick(&tick),
                Job::Finish(summary, reply) => {
                    // Whoever waits for it may have been told not to.
                    let _ = reply.send(self.finish(*summary));
                }
            }
        }
    }

    fn tick(&mut self, tick: &Tick) {
        let Some(tables) = &mut self.tables else { return };
        let mut problems = tables.add_history(&tick.snapshot, tick.users, tick.unix_ms);
        if tick.with_tables {
            problems.extend(tables.write(&tick.snapshot, tick.origin_unix_ms));
        }
        match problems.first() {
            // The result itself is safe; it is written, or refused, at the end.
            Some(problem) if !self.failing => {
                self.failing = true;
                tracing::error!("the CSV files are not up to date: {problem}");
            }
            Some(_) => {}
            None => self.failing &= !tick.with_tables,
        }
    }

    fn finish(&mut self, summary: Summary) -> Vec<Problem> {
        let mut problems = Vec::new();
        let json = self.json.as_ref().map(|(path, place)| (path, place, summary.to_json()));
        if let Some(tables) = &mut self.tables {
            let origin_unix_ms = summary.clock_origin_unix_ms;
            problems.extend(tables.write(&summary.into_statistics(), origin_unix_ms));
            problems.extend(tables.finish());
        }
        // Last, because it may be for somebody who takes his time.
        if let Some((path, place, text)) = json
            && let Err(error) = place.write(text.as_bytes())
        {
            problems.push(Problem { path: path.clone(), error });
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_has_the_end_of_each_test_once() {
        let mut ends = Ends::default();
        let (first, second, short) = (Some(7), Some(8), Some(9));
        let looks = [
            (false, None, false),
            (true, first, true),
            (true, first, true),
            (false, first, true),
            (false, first, false),
            (true, second, true),
            (false, second, true),
            (false, short, true),
            (false, short, false),
        ];
        for (look, (is_busy, test, expected)) in looks.into_iter().enumerate() {
            assert_eq!(ends.is_news(is_busy, test), expected, "look {look}");
        }
    }
}

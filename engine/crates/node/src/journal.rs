//! What outlives a master's process: a directory in which it writes down, before anybody is told,
//! what has happened. Its successor finds it there and goes on.
//!
//! # Layout
//! - this file: taking a directory, what was found in it, and writing to it.
//! - `record`: what is written; `kept`: what it adds up to.
//! - `disk`: the database; `writer`: the thread that writes to it.
//! - `lock`: one master at a time.
//!
//! The control thread never waits for the disk. It hands over what happened in one turn as one
//! group and gets a number for it; who must not be told before it is safe waits for that number.

mod disk;
#[cfg(fuzzing)]
pub mod fuzz;
pub(crate) mod kept;
mod lock;
#[cfg(any(test, fuzzing))]
mod made;
pub(crate) mod record;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use swarm_core::cluster::State as TestState;
use swarm_core::message::{Digest, Settings};
use swarm_guest::module::digest_text;
use swarm_stats::report::rfc3339;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use disk::{Disk, DiskError, Extent, LoadError, Version};
use kept::Kept;
use record::{FORMAT, Record};
use writer::{Message, Writer};

pub(crate) use writer::Progress;

/// The database in a state directory.
const FILE: &str = "state.redb";

/// Bytes of reports, as messages, that may wait to be written. Above it reports wait before they
/// are counted.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Room in the queue is given out in pieces of so many bytes.
const ROOM_BYTES: usize = 1 << 10;

/// Why a state directory cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The system refuses.
    #[error("cannot use {path}")]
    Io {
        /// A file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another master uses it.
    #[error(
        "the state directory {dir} is in use by {who} ({lock} is locked): end that master, or give \
         this one another --state-dir",
        dir = dir.display(), lock = lock.display(),
        who = pid.map_or("another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// Its lock.
        lock: PathBuf,
        /// Who holds it.
        pid: Option<u32>,
    },
    /// The database cannot be made or written.
    #[error("cannot write {path}")]
    Write {
        /// The database.
        path: PathBuf,
        /// Why.
        source: Box<DiskError>,
    },
    /// What is there is not what was written.
    #[error(
        "{path} is damaged ({problem}): nothing of it is used. It was last written at {written}. \
         Put a copy in its place, or remove it to begin without the figures of the test in it",
        path = path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// When it was written last.
        written: String,
    },
    /// Of another version of this program.
    #[error(
        "{path} is of format {found}, this swarm reads {known}: use the swarm that wrote it, or \
         another --state-dir",
        path = path.display()
    )]
    Version {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: String,
        /// The one that can be read.
        known: String,
    },
    /// Of another scenario.
    #[error(
        "the state directory {dir} is of the scenario {found}, the command line names {asked}: \
         name the same file, or another --state-dir",
        dir = dir.display()
    )]
    Scenario {
        /// The directory.
        dir: PathBuf,
        /// The scenario of the state, and its digest.
        found: String,
        /// The scenario asked for, and its digest.
        asked: String,
    },
    /// A test is under way there that was started otherwise.
    #[error(
        "in the state directory {dir} a test is under way with another {flag}: start the master \
         as it was started, or give it another --state-dir",
        dir = dir.display()
    )]
    Settings {
        /// The directory.
        dir: PathBuf,
        /// What differs.
        flag: &'static str,
    },
}

/// What a state is of. Written once.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Subject {
    scenario: String,
    digest: Digest,
    /// Unix time of the origin of the master's clock, in milliseconds.
    origin_unix_ms: u64,
}

impl Subject {
    fn name(&self) -> String {
        format!("{} (sha256 {})", self.scenario, digest_text(&self.digest))
    }
}

/// What an earlier master has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No test, or one whose result was handed over in order.
    Nothing,
    /// A test that is under way.
    Running,
    /// A test that has ended. Its result may not have been handed over.
    Ended,
}

/// A state directory that this process holds.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    lock: lock::Lock,
    disk: Disk,
    subject: Subject,
    /// What the master begins with.
    kept: Kept,
    extent: Extent,
}

impl Journal {
    /// Takes a directory, made if need be, for tests of this scenario with these settings.
    ///
    /// # Errors
    /// It cannot be used, or not for this: see [`JournalError`].
    pub fn open(
        dir: &Path,
        scenario: &str,
        digest: Digest,
        settings: &Settings,
    ) -> Result<Self, JournalError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|source| JournalError::Io { path: dir.to_owned(), source })?;
        let lock = lock::Lock::take(dir)?;
        let path = dir.join(FILE);
        let there = path.try_exists();
        let there = there.map_err(|source| JournalError::Io { path: path.clone(), source })?;
        let asked = Subject { scenario: scenario.to_owned(), digest, origin_unix_ms: unix_ms() };
        if there {
            let journal = Self::read(path, lock)?;
            journal.check(dir, &asked, settings)?;
            return Ok(journal);
        }
        let kept = Kept::new(settings.clone());
        let subject = postcard::to_allocvec(&asked);
        let subject = subject.expect("plain data without a limit can always be written");
        let disk = Disk::create(&path, [FORMAT, swarm_stats::FORMAT], &subject, &kept);
        let disk = disk.map_err(|source| not_written(&path, source))?;
        Ok(Self { path, lock, disk, subject: asked, kept, extent: Extent::default() })
    }

    fn read(path: PathBuf, lock: lock::Lock) -> Result<Self, JournalError> {
        let disk = Disk::open(&path).map_err(|error| unreadable(&path, error))?;
        let contents = disk.contents().map_err(|error| unreadable(&path, error))?;
        let known: Version = [FORMAT, swarm_stats::FORMAT];
        match contents.version {
            Some(version) if version == known => {}
            Some(found) => {
                let text = |[records, stats]: Version| format!("{records}.{stats}");
                return Err(JournalError::Version { path, found: text(found), known: text(known) });
            }
            None => return Err(damaged(&path, "it has no version")),
        }
        let subject = postcard::from_bytes(&contents.subject);
        let subject = subject.map_err(|_| damaged(&path, "it does not say what it is of"))?;
        let (kept, extent) = disk.load().map_err(|error| match error {
            LoadError::Disk(error) => unreadable(&path, error),
            error => damaged(&path, &error.to_string()),
        })?;
        Ok(Self { path, lock, disk, subject, kept, extent })
    }

    /// Does it fit what was asked for?
    fn check(&self, dir: &Path, asked: &Subject, settings: &Settings) -> Result<(), JournalError> {
        let dir = dir.to_owned();
        if self.subject.digest != asked.digest {
            let (found, asked) = (self.subject.name(), asked.name());
            return Err(JournalError::Scenario { dir, found, asked });
        }
        let test = self.kept.cluster.as_ref().and_then(|cluster| cluster.test.as_ref());
        let Some(test) = test.filter(|_| self.found() == Found::Running) else { return Ok(()) };
        match difference(&test.load.settings, settings) {
            Some(flag) => Err(JournalError::Settings { dir, flag }),
            None => Ok(()),
        }
    }

    /// What an earlier master has left.
    pub fn found(&self) -> Found {
        match self.kept.test_state() {
            _ if self.kept.given => Found::Nothing,
            TestState::Ready => Found::Nothing,
            TestState::Spawning | TestState::Running | TestState::Stopping => Found::Running,
            TestState::Stopped => Found::Ended,
        }
    }

    /// Unix time of the origin of the master's clock, in milliseconds.
    pub(crate) fn origin_unix_ms(&self) -> u64 {
        self.subject.origin_unix_ms
    }

    /// What the master's clock shows now, and for how long there was no master. The system's clock
    /// may have been set back meanwhile; ours never goes back.
    pub(crate) fn clock(&self) -> (Duration, Duration) {
        let since_origin = unix_ms().saturating_sub(self.subject.origin_unix_ms);
        let now_ms = since_origin.max(self.kept.last_ms);
        let away_ms = now_ms - self.kept.last_ms;
        (Duration::from_millis(now_ms), Duration::from_millis(away_ms))
    }

    /// Starts the writer. Also what the master begins with.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub(crate) fn start(self) -> io::Result<(Scribe, Kept)> {
        let (progress, watched) =
            watch::channel(Progress { safe: self.extent.next_group, failing: None });
        let (sender, inbox) = channel();
        let path = self.path.clone();
        let open = Box::new(move || Disk::open(&path));
        let writer = Writer::new(open, self.disk, self.extent, progress);
        let scribe = Scribe::start(writer, sender, inbox, watched, self.extent.next_group)?;
        Ok((Scribe { path: self.path, _lock: Some(self.lock), ..scribe }, self.kept))
    }
}

/// The flag of a setting that a test under way has otherwise. Not its host, which the page may have
/// chosen, and not its seed, which is drawn when it is not given: it keeps those.
fn difference(of_test: &Settings, asked: &Settings) -> Option<&'static str> {
    let differs = [
        (of_test.allow_hosts != asked.allow_hosts, "--allow-host"),
        (of_test.args != asked.args, "--arg"),
        (of_test.tags != asked.tags, "--tags"),
        (of_test.exclude_tags != asked.exclude_tags, "--exclude-tags"),
        (of_test.stop_timeout_ms != asked.stop_timeout_ms, "--stop-timeout"),
        (of_test.request_timeout_ms != asked.request_timeout_ms, "--request-timeout"),
        (of_test.insecure != asked.insecure, "--insecure"),
        (of_test.no_resend != asked.no_resend, "--no-resend"),
        (of_test.connections != asked.connections, "--connections"),
        (of_test.address_order != asked.address_order, "--dns"),
        (of_test.stats_by_address != asked.stats_by_address, "--stats-by-address"),
    ];
    differs.into_iter().find_map(|(differs, flag)| differs.then_some(flag))
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn not_written(path: &Path, source: DiskError) -> JournalError {
    JournalError::Write { path: path.to_owned(), source: Box::new(source) }
}

fn unreadable(path: &Path, error: DiskError) -> JournalError {
    match error {
        DiskError::Io(error) if is_systems(&error) => {
            JournalError::Io { path: path.to_owned(), source: error }
        }
        other => damaged(path, &other.to_string()),
    }
}

/// Is it the machine's, and not the file's?
fn is_systems(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
}

fn damaged(path: &Path, problem: &str) -> JournalError {
    let written = path.metadata().and_then(|file| file.modified()).ok();
    let written = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let written = written.map_or("a time unknown".to_owned(), |at| {
        rfc3339(u64::try_from(at.as_millis()).unwrap_or(u64::MAX))
    });
    JournalError::Damaged { path: path.to_owned(), problem: problem.to_owned(), written }
}

/// Writes down what happens, by way of its thread.
#[derive(Debug)]
pub(crate) struct Scribe {
    path: PathBuf,
    sender: Sender<Message>,
    thread: Option<JoinHandle<bool>>,
    progress: watch::Receiver<Progress>,
    room: Arc<Semaphore>,
    /// Number of the next group.
    next: u64,
    /// Held for as long as anything is written.
    _lock: Option<lock::Lock>,
}

impl Scribe {
    fn start(
        writer: Writer,
        sender: Sender<Message>,
        inbox: Receiver<Message>,
        progress: watch::Receiver<Progress>,
        next: u64,
    ) -> io::Result<Self> {
        let thread = std::thread::Builder::new().name("journal".into());
        let thread = Some(thread.spawn(move || writer.run(&inbox))?);
        let room = Arc::new(Semaphore::new(QUEUE_BYTES_MAX / ROOM_BYTES));
        Ok(Self { path: PathBuf::new(), sender, thread, progress, room, next, _lock: None })
    }

    /// Room in the queue for a report of so many bytes, when there is some.
    pub(crate) fn room(
        &self,
        bytes: usize,
    ) -> impl Future<Output = Option<OwnedSemaphorePermit>> + use<> {
        let pieces = bytes.min(QUEUE_BYTES_MAX).div_ceil(ROOM_BYTES);
        let (room, pieces) = (Arc::clone(&self.room), u32::try_from(pieces).unwrap_or(u32::MAX));
        async move { room.acquire_many_owned(pieces).await.ok() }
    }

    /// Hands over what happened together.
    pub(crate) fn write(&mut self, records: Vec<Record>, room: Option<OwnedSemaphorePermit>) {
        // Fails when the thread has panicked: then nothing is ever safe again, and that is told.
        let _ = self.sender.send(Message::Group { records, room });
        self.next += 1;
    }

    /// The number of all that was handed over so far.
    pub(crate) fn written(&self) -> u64 {
        self.next
    }

    /// How far the writing is; the other end is gone when the thread is.
    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Resolves when all before `number` is safe; never when it cannot be.
    pub(crate) fn safe(&self, number: u64) -> impl Future<Output = ()> + use<> {
        let mut progress = self.progress.clone();
        async move {
            if progress.wait_for(|progress| progress.safe >= number).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The database.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the last of it and ends the thread.
    pub(crate) fn end(mut self, last: Record) {
        self.write(vec![last], None);
        let _ = self.sender.send(Message::End);
        let safe = self.thread.take().is_some_and(|thread| thread.join().unwrap_or(false));
        if !safe {
            let why = self.progress.borrow().failing.clone();
            let why = why.as_deref().unwrap_or("its thread has ended").to_owned();
            tracing::error!("{} is not up to date: {why}", self.path.display());
        }
    }
}

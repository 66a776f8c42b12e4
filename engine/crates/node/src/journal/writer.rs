//! The thread that writes. Groups of records come by a channel; all that have come together are
//! committed as one, and then whoever waits for them hears of it. What cannot be written is kept
//! and tried again; nobody is told that it is safe before it is.
//!
//! Checkpoints are made beside that: another thread adds up what is on disk, this one writes the
//! result piece by piece. So nobody waits for one, and the statistics are held a second time only
//! while one is made.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, watch};

use super::disk::{Chore, Disk, DiskError, Done, Extent, LoadError, PIECE_BYTES, bytes_of, pieces};
use super::record::Record;

/// From one commit to the next: the more groups share one, the less a group costs. An
/// acknowledgement waits this long at most, and the commit itself.
const COMMIT_INTERVAL: Duration = Duration::from_millis(20);

/// How often writing is tried again after it has failed.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes of one commit. What has come beyond goes into the next.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// A checkpoint is due when the records take so many bytes more than twice the last checkpoint: the
/// directory does not grow with the length of a test, and checkpoints cost less than records.
const RECORD_BYTES_MAX: usize = 32 << 20;

/// After a checkpoint that failed the next is tried when so many bytes of records have come.
const CHECKPOINT_RETRY_BYTES: usize = RECORD_BYTES_MAX / 4;

/// What the thread is given.
pub(super) enum Message {
    /// Records that belong together: a successor finds all or none of them.
    Group {
        records: Vec<Record>,
        /// Room in the queue, given back when they are safe.
        room: Option<OwnedSemaphorePermit>,
    },
    /// There will be no other.
    End,
}

/// What there is to do beside records.
enum Work {
    Nothing,
    /// A checkpoint is being made.
    Making(JoinHandle<Result<Checkpoint, LoadError>>),
    /// One is being written; so many pieces are there.
    Writing(Checkpoint, usize),
    /// There is something of no use.
    Remove,
}

/// What the records add up to.
struct Checkpoint {
    /// All groups before this one are in it.
    group: u64,
    bytes: Vec<u8>,
    /// So many bytes of records are of no use when it is written.
    record_bytes: usize,
}

/// How far the writing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// All groups before this one are safe.
    pub(crate) safe: u64,
    /// Why writing fails at present.
    pub(crate) failing: Option<Arc<str>>,
}

/// How the database is opened, and opened again after an error.
pub(super) type Open = Box<dyn FnMut() -> Result<Disk, DiskError> + Send>;

pub(super) struct Writer {
    open: Open,
    /// `None` after an error.
    disk: Option<Arc<Disk>>,
    extent: Extent,
    /// Groups that are not safe yet, as bytes.
    batch: Vec<u8>,
    groups: u64,
    rooms: Vec<OwnedSemaphorePermit>,
    progress: watch::Sender<Progress>,
    /// Bytes of records at which a checkpoint is due.
    checkpoint_at: usize,
    work: Work,
}

impl Writer {
    pub(super) fn new(
        open: Open,
        disk: Disk,
        extent: Extent,
        progress: watch::Sender<Progress>,
    ) -> Self {
        let mut writer = Self {
            open,
            disk: Some(Arc::new(disk)),
            extent,
            batch: Vec::new(),
            groups: 0,
            rooms: Vec::new(),
            progress,
            checkpoint_at: 0,
            // An earlier master may have ended in the middle of it.
            work: Work::Remove,
        };
        writer.schedule_checkpoint();
        writer
    }

    /// Writes until it is told to end. Says whether all that it was given is safe.
    pub(super) fn run(mut self, inbox: &Receiver<Message>) -> bool {
        loop {
            let began = Instant::now();
            let goes_on = self.collect(inbox);
            self.commit();
            if !goes_on {
                self.forsake_checkpoint();
                return self.groups == 0;
            }
            self.look_after_checkpoint();
            std::thread::sleep(COMMIT_INTERVAL.saturating_sub(began.elapsed()));
        }
    }

    /// Waits for a group, or until there is something else to do, and takes all groups that are
    /// there. False at the end of it all.
    fn collect(&mut self, inbox: &Receiver<Message>) -> bool {
        let first = if self.groups > 0 {
            inbox.recv_timeout(RETRY_INTERVAL)
        } else if matches!(self.work, Work::Nothing) {
            inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            inbox.recv_timeout(COMMIT_INTERVAL)
        };
        let mut next = match first {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        loop {
            match next {
                Message::Group { records, room } => self.take(&records, room),
                Message::End => return false,
            }
            if self.batch.len() >= BATCH_BYTES_MAX {
                return true;
            }
            next = match inbox.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            };
        }
    }

    fn take(&mut self, records: &[Record], room: Option<OwnedSemaphorePermit>) {
        let batch = std::mem::take(&mut self.batch);
        self.batch = postcard::to_extend(records, batch)
            .expect("plain data without a limit can always be written");
        self.groups += 1;
        self.rooms.extend(room);
    }

    /// Makes all that was taken safe, if that can be, and does a part of what else there is to do.
    fn commit(&mut self) {
        let chore = matches!(self.work, Work::Writing(..) | Work::Remove);
        if self.groups == 0 && !chore {
            return;
        }
        let mut result = self.append();
        if let Err(error) = &result
            && chore
        {
            // The records alone may well find room.
            self.no_checkpoint(error);
            if self.groups == 0 {
                return;
            }
            result = self.append();
        }
        match result {
            Ok(done) => {
                self.appended();
                self.worked(done);
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Writes; opens the database first if need be.
    fn append(&mut self) -> Result<Done, DiskError> {
        let disk = match self.disk.take() {
            Some(disk) => disk,
            None => {
                // Two cannot have it open.
                self.forsake_checkpoint();
                Arc::new((self.open)()?)
            }
        };
        let chore = match &self.work {
            Work::Nothing | Work::Making(_) => Chore::None,
            Work::Remove => Chore::Remove,
            Work::Writing(Checkpoint { group, bytes, .. }, written) => {
                let piece = pieces(*group, bytes, PIECE_BYTES).nth(*written);
                piece.map_or(Chore::None, Chore::Put)
            }
        };
        let done = disk.commit(self.extent.next_group, &self.batch, &chore)?;
        self.disk = Some(disk);
        Ok(done)
    }

    fn appended(&mut self) {
        if self.groups == 0 {
            return;
        }
        self.extent.record_bytes += self.batch.len();
        self.extent.next_group += self.groups;
        self.batch.clear();
        self.groups = 0;
        self.rooms.clear();
        let safe = self.extent.next_group;
        self.progress.send_replace(Progress { safe, failing: None });
    }

    /// A part of what else there was to do is done.
    fn worked(&mut self, done: Done) {
        match (&mut self.work, done) {
            (Work::Writing(_, written), Done::Partly) => *written += 1,
            (Work::Writing(Checkpoint { bytes, record_bytes, .. }, _), Done::Wholly) => {
                tracing::debug!("a checkpoint of {} bytes is written", bytes.len());
                self.extent.record_bytes -= (*record_bytes).min(self.extent.record_bytes);
                self.extent.checkpoint_bytes = bytes.len();
                self.work = Work::Remove;
                self.schedule_checkpoint();
            }
            (Work::Remove, Done::Wholly) => self.work = Work::Nothing,
            (Work::Remove, Done::Partly) | (Work::Nothing | Work::Making(_), _) => {}
        }
    }

    fn failed(&mut self, error: &DiskError) {
        let said: Arc<str> = error.to_string().into();
        self.progress.send_if_modified(|progress| {
            let news = progress.failing.as_ref() != Some(&said);
            progress.failing = Some(said);
            news
        });
    }

    fn schedule_checkpoint(&mut self) {
        self.checkpoint_at = RECORD_BYTES_MAX.max(2 * self.extent.checkpoint_bytes);
    }

    /// Begins to make a checkpoint when one is due, and to write it when it is made.
    fn look_after_checkpoint(&mut self) {
        match &self.work {
            Work::Nothing if self.extent.record_bytes >= self.checkpoint_at => {
                let Some(disk) = self.disk.clone() else { return };
                let thread = std::thread::Builder::new().name("checkpoint".into());
                match thread.spawn(move || make(&disk)) {
                    Ok(making) => self.work = Work::Making(making),
                    Err(error) => self.no_checkpoint(&error),
                }
            }
            Work::Making(making) if making.is_finished() => match self.made() {
                Some(Ok(checkpoint)) => self.work = Work::Writing(checkpoint, 0),
                Some(Err(error)) => self.no_checkpoint(&error),
                None => {}
            },
            _ => {}
        }
    }

    /// Waits for the checkpoint that is being made.
    fn made(&mut self) -> Option<Result<Checkpoint, LoadError>> {
        let Work::Making(making) = std::mem::replace(&mut self.work, Work::Nothing) else {
            return None;
        };
        // A panic has been printed.
        making.join().ok()
    }

    /// One that is being made is of no use any more, and whoever makes it has the database open.
    fn forsake_checkpoint(&mut self) {
        if matches!(self.work, Work::Making(_)) {
            self.made();
        }
    }

    /// Nothing is lost: the records are still there. It is tried again when more have come.
    fn no_checkpoint(&mut self, error: &dyn std::fmt::Display) {
        tracing::warn!("the journal could not be made shorter: {error}");
        self.work = Work::Nothing;
        self.checkpoint_at = self.extent.record_bytes + CHECKPOINT_RETRY_BYTES;
    }
}

/// Adds up what is on disk.
fn make(disk: &Disk) -> Result<Checkpoint, LoadError> {
    let (kept, Extent { next_group: group, record_bytes, .. }) = disk.load()?;
    Ok(Checkpoint { group, bytes: bytes_of(&kept), record_bytes })
}

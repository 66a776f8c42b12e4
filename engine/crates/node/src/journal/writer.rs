//! The thread that writes. Groups of records come by a channel; all that have come together are
//! committed as one, and then whoever waits for them hears of it. What cannot be written is kept
//! and tried again; nobody is told that it is safe before it is.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, watch};

use super::disk::{Disk, DiskError, Extent, bytes_of};
use super::kept::Kept;
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
const RECORD_BYTES_MAX: usize = 16 << 20;

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
    disk: Option<Disk>,
    /// Everything that was written, and `batch`.
    kept: Kept,
    extent: Extent,
    /// Groups that are not safe yet, as bytes.
    batch: Vec<u8>,
    groups: u64,
    rooms: Vec<OwnedSemaphorePermit>,
    progress: watch::Sender<Progress>,
    /// Bytes of records at which a checkpoint is due.
    checkpoint_at: usize,
}

impl Writer {
    pub(super) fn new(
        open: Open,
        disk: Disk,
        kept: Kept,
        extent: Extent,
        progress: watch::Sender<Progress>,
    ) -> Self {
        let mut writer = Self {
            open,
            disk: Some(disk),
            kept,
            extent,
            batch: Vec::new(),
            groups: 0,
            rooms: Vec::new(),
            progress,
            checkpoint_at: 0,
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
                return self.groups == 0;
            }
            self.checkpoint_if_due();
            std::thread::sleep(COMMIT_INTERVAL.saturating_sub(began.elapsed()));
        }
    }

    /// Waits for a group, and takes all that are there. False at the end of it all.
    fn collect(&mut self, inbox: &Receiver<Message>) -> bool {
        let first = if self.groups == 0 {
            inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            inbox.recv_timeout(RETRY_INTERVAL)
        };
        let mut next = match first {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        loop {
            match next {
                Message::Group { records, room } => self.take(records, room),
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

    fn take(&mut self, records: Vec<Record>, room: Option<OwnedSemaphorePermit>) {
        let batch = std::mem::take(&mut self.batch);
        self.batch = postcard::to_extend(&records, batch)
            .expect("plain data without a limit can always be written");
        self.groups += 1;
        self.rooms.extend(room);
        records.into_iter().for_each(|record| self.kept.apply(record));
    }

    /// Makes all that was taken safe, if that can be.
    fn commit(&mut self) {
        if self.groups == 0 {
            return;
        }
        let (first, batch) = (self.extent.next_group, &self.batch);
        let result = match &self.disk {
            Some(disk) => disk.append(first, batch),
            None => (self.open)().and_then(|disk| self.disk.insert(disk).append(first, batch)),
        };
        if let Err(error) = result {
            self.disk = None;
            self.failed(&error);
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

    /// Writes down what all records add up to, and drops them.
    fn checkpoint_if_due(&mut self) {
        let due = self.groups == 0 && self.extent.record_bytes >= self.checkpoint_at;
        let Some(disk) = self.disk.as_ref().filter(|_| due) else { return };
        let bytes = bytes_of(&self.kept);
        match disk.checkpoint(&bytes) {
            Ok(()) => {
                self.extent.record_bytes = 0;
                self.extent.checkpoint_bytes = bytes.len();
                self.schedule_checkpoint();
            }
            Err(error) => {
                // Nothing is lost: the records are still there. The next commit opens it again.
                tracing::warn!("the journal could not be made shorter: {error}");
                self.disk = None;
                self.checkpoint_at = self.extent.record_bytes + CHECKPOINT_RETRY_BYTES;
            }
        }
    }
}

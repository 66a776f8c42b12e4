//! The database: the checkpoint, and the records since. Knows what is written down only as bytes
//! with a version.
//!
//! Records wait for the disk, and somebody for them. So a checkpoint comes beside them, a piece
//! with each commit, and counts when its last piece is there; what it makes useless goes the same
//! way.
//!
//! It commits in two phases. With one, a database whose last commit is damaged goes back to the
//! one before without a word, and with it what was acknowledged; with two, that is an error.

use std::fs::{self, File};
use std::path::Path;

use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::kept::Kept;
use super::record::Record;

/// By what they are: the version, and what the state is of.
const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
/// By number of the first group in them: groups of records, one after the other.
const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
/// Checkpoints in pieces, by number of the first group that is not in it and number of the piece.
/// One counts; another may be on its way, or be left over.
const CHECKPOINTS: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("checkpoints");

/// Key in [`ABOUT`]: the version, readable whatever the version is.
const VERSION: &str = "version";
/// Key in [`ABOUT`]: what the state is of.
const SUBJECT: &str = "subject";
/// Key in [`ABOUT`]: the checkpoint that counts.
const CURRENT: &str = "checkpoint";

/// Memory for pages of the database, in bytes.
const CACHE_BYTES: usize = 16 << 20;

/// Bytes of one piece of a checkpoint: a commit takes the longer for it, and whoever waits for that
/// commit. The database places each as a whole.
pub(super) const PIECE_BYTES: usize = 256 << 10;

/// Bytes of what has become useless that one commit removes, or a little more.
const REMOVED_BYTES: usize = 4 << 20;

/// What went wrong with the database. All that it can be is for people to read.
pub(crate) type DiskError = redb::Error;

/// Versions of the format: of records, and of the statistics in them.
pub(super) type Version = [u32; 2];

/// An open database.
#[derive(Debug)]
pub(crate) struct Disk {
    database: Database,
}

/// What is in a database.
pub(super) struct Contents {
    pub(super) version: Option<Version>,
    pub(super) subject: Vec<u8>,
}

impl Disk {
    /// Makes a database. It is there whole or not at all.
    pub(super) fn create(
        path: &Path,
        version: Version,
        subject: &[u8],
        kept: &Kept,
    ) -> Result<Self, DiskError> {
        let unfinished = path.with_extension("new");
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let disk = Self { database: builder().create(&unfinished)? };
        disk.begin(version, subject, kept)?;
        fs::rename(&unfinished, path)?;
        if let Some(dir) = path.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok(disk)
    }

    /// Opens one that is there, and looks at every page of it.
    pub(super) fn open(path: &Path) -> Result<Self, DiskError> {
        Ok(Self { database: builder().open(path)? })
    }

    /// A database on anything that holds bytes; made when there are none.
    #[cfg(any(test, fuzzing))]
    pub(super) fn on(backend: impl redb::StorageBackend) -> Result<Self, DiskError> {
        Ok(Self { database: builder().create_with_backend(backend)? })
    }

    /// The first commit.
    pub(super) fn begin(
        &self,
        version: Version,
        subject: &[u8],
        kept: &Kept,
    ) -> Result<(), DiskError> {
        let transaction = self.write()?;
        {
            let mut about = transaction.open_table(ABOUT)?;
            about.insert(VERSION, version.map(u32::to_le_bytes).as_flattened())?;
            about.insert(SUBJECT, subject)?;
            transaction.open_table(RECORDS)?;
        }
        let bytes = bytes_of(kept);
        for piece in pieces(0, &bytes, PIECE_BYTES) {
            put(&transaction, &piece)?;
        }
        transaction.commit().map_err(Into::into)
    }

    fn write(&self) -> Result<WriteTransaction, DiskError> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_two_phase_commit(true);
        Ok(transaction)
    }

    /// What it is a state of.
    pub(super) fn contents(&self) -> Result<Contents, DiskError> {
        let transaction = self.database.begin_read()?;
        let about = transaction.open_table(ABOUT)?;
        let version = about.get(VERSION)?.and_then(|bytes| {
            let (parts, _) = bytes.value().as_chunks::<4>();
            parts.iter().map(|part| u32::from_le_bytes(*part)).collect::<Vec<_>>().try_into().ok()
        });
        let subject = about.get(SUBJECT)?.map(|bytes| bytes.value().to_vec());
        Ok(Contents { version, subject: subject.unwrap_or_default() })
    }

    /// Adds groups of records, if there are any, and does a part of something else. When this
    /// returns they are safe. Done again with more of them under the same number, it replaces them.
    pub(super) fn commit(
        &self,
        first: u64,
        groups: &[u8],
        chore: &Chore<'_>,
    ) -> Result<Done, DiskError> {
        let transaction = self.write()?;
        if !groups.is_empty() {
            transaction.open_table(RECORDS)?.insert(first, groups)?;
        }
        let done = match chore {
            Chore::None => Done::Wholly,
            Chore::Put(piece) => put(&transaction, piece)?,
            Chore::Remove => remove(&transaction)?,
        };
        transaction.commit()?;
        Ok(done)
    }

    /// Everything, added up: also the number of the last group, and the bytes of all records.
    pub(super) fn load(&self) -> Result<(Kept, Extent), LoadError> {
        let transaction = self.database.begin_read()?;
        let about = transaction.open_table(ABOUT)?;
        let current = about.get(CURRENT)?.ok_or(LoadError::NoCheckpoint)?;
        let Current { group, count } = postcard::from_bytes(current.value())?;
        let mut bytes = Vec::new();
        let mut pieces = transaction.open_table(CHECKPOINTS)?.range((group, 0)..(group, count))?;
        for number in 0..count {
            let (key, piece) = pieces.next().ok_or(LoadError::NoCheckpoint)??;
            if key.value() != (group, number) {
                return Err(LoadError::NoCheckpoint);
            }
            bytes.extend_from_slice(piece.value());
        }
        let checkpoint_bytes = bytes.len();
        let mut extent = Extent { next_group: group, record_bytes: 0, checkpoint_bytes };
        let mut kept: Kept = postcard::from_bytes(&bytes)?;
        drop(bytes);
        for entry in transaction.open_table(RECORDS)?.range(group..)? {
            let (first, groups) = entry?;
            extent.record_bytes += groups.value().len();
            extent.next_group = first.value() + add_up(&mut kept, groups.value())?;
        }
        Ok((kept, extent))
    }
}

/// Lets happen what stands in groups of records, one after the other; says how many there are.
pub(super) fn add_up(kept: &mut Kept, mut groups: &[u8]) -> Result<u64, postcard::Error> {
    let mut count = 0;
    while !groups.is_empty() {
        let (group, after) = postcard::take_from_bytes::<Vec<Record>>(groups)?;
        group.into_iter().for_each(|record| kept.apply(record));
        count += 1;
        groups = after;
    }
    Ok(count)
}

/// The checkpoint that counts.
#[derive(Debug, Serialize, Deserialize)]
struct Current {
    /// All groups before this one are in it.
    group: u64,
    /// How many pieces it has.
    count: u64,
}

/// A part of a checkpoint.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// All groups before this one are in it.
    group: u64,
    number: u64,
    /// How many pieces it has.
    count: u64,
    bytes: &'a [u8],
}

/// What is done beside a commit of records.
#[derive(Debug)]
pub(super) enum Chore<'a> {
    None,
    /// A piece of a checkpoint. It counts when its last piece is there.
    Put(Piece<'a>),
    /// Some of what is of no use since a checkpoint counts.
    Remove,
}

/// How far a chore is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Partly,
    Wholly,
}

/// A checkpoint of all before `group` in pieces of so many bytes.
pub(super) fn pieces(
    group: u64,
    bytes: &[u8],
    piece_bytes: usize,
) -> impl ExactSizeIterator<Item = Piece<'_>> {
    let chunks = bytes.chunks(piece_bytes);
    let count = chunks.len() as u64;
    chunks.enumerate().map(move |(number, bytes)| {
        let number = number as u64;
        Piece { group, number, count, bytes }
    })
}

/// How much there is.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Extent {
    pub(super) next_group: u64,
    pub(super) record_bytes: usize,
    pub(super) checkpoint_bytes: usize,
}

/// Why a database's contents are of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// The database cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What is in it is nothing that was written by this version.
    #[error("what is in it cannot be read: {0}")]
    Contents(#[from] postcard::Error),
    /// Nothing says where the records begin.
    #[error("its checkpoint is not there")]
    NoCheckpoint,
}

macro_rules! disk_errors {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for LoadError {
            fn from(error: redb::$error) -> Self {
                Self::Disk(error.into())
            }
        })*
    };
}
disk_errors!(TransactionError, TableError, StorageError);

pub(super) fn bytes_of(kept: &Kept) -> Vec<u8> {
    postcard::to_allocvec(kept).expect("plain data without a limit can always be written")
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    builder
}

fn put(transaction: &WriteTransaction, piece: &Piece<'_>) -> Result<Done, DiskError> {
    let &Piece { group, number, count, bytes } = piece;
    transaction.open_table(CHECKPOINTS)?.insert((group, number), bytes)?;
    if number + 1 < count {
        return Ok(Done::Partly);
    }
    let current = postcard::to_allocvec(&Current { group, count });
    let current = current.expect("plain data without a limit can always be written");
    transaction.open_table(ABOUT)?.insert(CURRENT, current.as_slice())?;
    Ok(Done::Wholly)
}

/// Removes records that are in the checkpoint that counts, and pieces of others.
fn remove(transaction: &WriteTransaction) -> Result<Done, DiskError> {
    let about = transaction.open_table(ABOUT)?;
    let current = about.get(CURRENT)?;
    let current = current.and_then(|bytes| postcard::from_bytes::<Current>(bytes.value()).ok());
    // What is loaded has one; who has none has nothing to remove.
    let Some(Current { group, count }) = current else { return Ok(Done::Wholly) };
    let mut removed = 0;
    let mut records = transaction.open_table(RECORDS)?;
    for entry in records.extract_from_if(..group, |_, _| true)? {
        removed += entry?.1.value().len();
        if removed >= REMOVED_BYTES {
            return Ok(Done::Partly);
        }
    }
    let mut checkpoints = transaction.open_table(CHECKPOINTS)?;
    // By range: the pieces that count are not even looked at.
    let (before, after) = ((0, 0)..(group, 0), (group, count)..(u64::MAX, u64::MAX));
    for range in [before, after] {
        for entry in checkpoints.extract_from_if(range, |_, _| true)? {
            removed += entry?.1.value().len();
            if removed >= REMOVED_BYTES {
                return Ok(Done::Partly);
            }
        }
    }
    Ok(Done::Wholly)
}

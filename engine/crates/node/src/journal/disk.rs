//! The database: records since the last checkpoint, and the checkpoint. Knows what is written down
//! only as bytes with a version.
//!
//! It commits in two phases. With one, a database whose last commit is damaged goes back to the
//! one before without a word, and with it what was acknowledged; with two, that is an error.

use std::fs::{self, File};
use std::path::Path;

use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::kept::Kept;
use super::record::Record;

/// By what they are: the version, and what the state is of.
const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
/// By number of the first group in them: groups of records, one after the other.
const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
/// The checkpoint in pieces, by number of the piece.
const CHECKPOINT: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("checkpoint");

/// Key in [`ABOUT`]: the version, readable whatever the version is.
const VERSION: &str = "version";
/// Key in [`ABOUT`]: what the state is of.
const SUBJECT: &str = "subject";

/// Memory for pages of the database, in bytes.
const CACHE_BYTES: usize = 16 << 20;

/// Bytes of one piece of a checkpoint. The database places each as a whole.
const PIECE_BYTES: usize = 1 << 20;

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
        put_checkpoint(&transaction, &bytes_of(kept))?;
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

    /// Adds groups of records; when this returns they are safe. Done again with more of them under
    /// the same number, it replaces them.
    pub(super) fn append(&self, first: u64, groups: &[u8]) -> Result<(), DiskError> {
        let transaction = self.write()?;
        transaction.open_table(RECORDS)?.insert(first, groups)?;
        transaction.commit().map_err(Into::into)
    }

    /// Replaces the checkpoint and all records by this one.
    pub(super) fn checkpoint(&self, kept: &[u8]) -> Result<(), DiskError> {
        let transaction = self.write()?;
        transaction.open_table(RECORDS)?.retain(|_, _| false)?;
        put_checkpoint(&transaction, kept)?;
        transaction.commit().map_err(Into::into)
    }

    /// Everything, added up: also the number of the last group, and the bytes of all records.
    pub(super) fn load(&self) -> Result<(Kept, Extent), LoadError> {
        let transaction = self.database.begin_read()?;
        let (mut bytes, mut extent) = (Vec::new(), Extent::default());
        for piece in transaction.open_table(CHECKPOINT)?.iter()? {
            bytes.extend_from_slice(piece?.1.value());
        }
        extent.checkpoint_bytes = bytes.len();
        let mut kept: Kept = postcard::from_bytes(&bytes)?;
        drop(bytes);
        for entry in transaction.open_table(RECORDS)?.iter()? {
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

fn put_checkpoint(transaction: &WriteTransaction, kept: &[u8]) -> Result<(), DiskError> {
    let mut table = transaction.open_table(CHECKPOINT)?;
    table.retain(|_, _| false)?;
    for (number, piece) in (0..).zip(kept.chunks(PIECE_BYTES)) {
        table.insert(number, piece)?;
    }
    Ok(())
}

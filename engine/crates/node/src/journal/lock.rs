//! One master at a time in a state directory: a file that it holds locked, with its process id in
//! it. The system lets go of the lock when the process ends, however it does.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::JournalError;

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

/// A process id has fewer digits.
const PID_DIGITS_MAX: u64 = 20;

impl Lock {
    /// Takes the directory for this process.
    pub(super) fn take(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join("lock");
        let failed = |source| JournalError::Io { path: path.clone(), source };
        let options =
            File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = options.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(dir, path, file)),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        write_pid(&mut file).map_err(failed)?;
        Ok(Self(file))
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn in_use(dir: &Path, lock: PathBuf, file: File) -> JournalError {
    let mut pid = String::new();
    // Only words for the operator: the other process may be about to write it.
    let _ = file.take(PID_DIGITS_MAX).read_to_string(&mut pid);
    let pid = pid.trim().parse().ok();
    JournalError::InUse { dir: dir.to_owned(), lock, pid }
}

//! The history of a test, a file that grows while it runs. A reader finds whole lines in it at any
//! time.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::place::replace;

/// Most bytes of lines that wait until they can be written.
const PENDING_BYTES_MAX: usize = 8 << 20;

/// The file, which is there from its first line on.
#[derive(Debug)]
pub(super) struct History {
    path: PathBuf,
    /// What stands at its top.
    head: Vec<u8>,
    file: Option<File>,
    /// Up to where it holds whole lines.
    whole: u64,
    /// Lines that could not be written yet.
    pending: Vec<u8>,
    /// Lines were lost because too many waited.
    lost: bool,
}

impl History {
    /// A history that begins with `head`, in place of the one that is there.
    pub(super) fn new(path: PathBuf, head: Vec<u8>) -> Self {
        Self { path, head, file: None, whole: 0, pending: Vec::new(), lost: false }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds lines.
    ///
    /// # Errors
    /// When they cannot be written now; they are when others can.
    pub(super) fn add(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.pending.len() + lines.len() <= PENDING_BYTES_MAX {
            self.pending.extend_from_slice(lines);
        } else {
            self.lost = true;
        }
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => {
                let file = replace(&self.path, &self.head)?;
                self.whole = self.head.len() as u64;
                self.file.insert(file)
            }
        };
        if let Err(error) = file.write_all_at(&self.pending, self.whole) {
            // Half a line would be taken for one. If it stays, the next attempt is written over it.
            let _ = file.set_len(self.whole);
            return Err(error);
        }
        self.whole += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Makes sure that all of it is there, if only its head: also when somebody has removed or
    /// replaced the file.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.write()?;
        if let Some(file) = &mut self.file {
            let open = file.metadata()?;
            let there = fs::metadata(&self.path);
            let is_same =
                |there: &fs::Metadata| (there.dev(), there.ino()) == (open.dev(), open.ino());
            if !there.is_ok_and(|there| is_same(&there)) {
                let mut all = Vec::new();
                file.seek(SeekFrom::Start(0))?;
                io::Read::read_to_end(file, &mut all)?;
                *file = replace(&self.path, &all)?;
            }
            file.sync_all()?;
        }
        if self.lost {
            return Err(io::Error::other(
                "lines are missing: it could not be written for too long",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> (tempfile::TempDir, PathBuf, History) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        let history = History::new(path.clone(), b"head\n".to_vec());
        (folder, path, history)
    }

    #[test]
    fn an_old_history_stays_until_there_is_a_new_one() {
        let (_folder, path, mut history) = history();
        fs::write(&path, "old").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        history.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "head\n");
        history.add(b"one\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "head\none\n");
        history.add(b"two\n").unwrap();
        history.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "head\none\ntwo\n");
    }

    #[test]
    fn a_history_that_was_removed_or_replaced_is_whole_at_the_end() {
        let (_folder, path, mut history) = history();
        history.add(b"one\n").unwrap();
        fs::remove_file(&path).unwrap();
        history.add(b"two\n").unwrap();
        history.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "head\none\ntwo\n");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "somebody else's").unwrap();
        history.add(b"three\n").unwrap();
        history.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "head\none\ntwo\nthree\n");
    }

    #[test]
    fn lines_that_could_not_be_written_follow_when_they_can() {
        let (folder, path, mut history) = history();
        let away = folder.path().with_extension("away");
        fs::rename(folder.path(), &away).unwrap();
        history.add(b"one\n").unwrap_err();
        history.add(b"two\n").unwrap_err();
        history.finish().unwrap_err();
        fs::rename(&away, folder.path()).unwrap();
        history.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "head\none\ntwo\n");
    }
}

//! What authors keep back from their scripts' folder: the file `.swarmignore` in it, in the syntax
//! of `.gitignore`.
//!
//! `.gitignore` itself is not asked: authors often keep data, such as the users' passwords, out of
//! their repository, and scripts need just these files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Its name. It counts in the script's own folder alone, not in folders below.
pub(super) const IGNORE_FILE: &str = ".swarmignore";

/// Longest file of this kind in bytes, and most lines: each line is tried for each file.
const BYTES_MAX: u64 = 64 << 10;
const LINES_MAX: usize = 1_000;

/// The patterns.
#[derive(Debug)]
pub(super) struct Ignored(Gitignore);

impl Ignored {
    /// Everything is taken.
    pub(super) fn nothing() -> Self {
        Self(Gitignore::empty())
    }

    /// Reads the patterns of a folder; there are none if there is no file.
    ///
    /// # Errors
    /// When the file cannot be read, or has a line that is no pattern.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(IGNORE_FILE);
        if path.symlink_metadata().is_err() {
            return Ok(Self::nothing());
        }
        let named = path.display();
        ensure!(path.is_file(), "{named} is not a file");
        let mut bytes = Vec::new();
        let read =
            File::open(&path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
        read.with_context(|| format!("read {named}"))?;
        ensure!(bytes.len() as u64 <= BYTES_MAX, "{named} has more than {BYTES_MAX} bytes");
        let text =
            String::from_utf8(bytes).ok().with_context(|| format!("{named} is not UTF-8"))?;
        let text = text.trim_start_matches('\u{feff}');
        ensure!(text.lines().count() <= LINES_MAX, "{named} has more than {LINES_MAX} lines");
        let mut patterns = GitignoreBuilder::new(folder);
        for (number, line) in (1..).zip(text.lines()) {
            let added = patterns.add_line(None, line);
            added.with_context(|| format!("{named}, line {number}, is no pattern: {line:?}"))?;
        }
        let patterns = patterns.build().with_context(|| format!("use the patterns of {named}"))?;
        Ok(Self(patterns))
    }

    /// Is this path of the folder kept back? What is in a folder that is kept back is itself not
    /// asked for.
    pub(super) fn contains(&self, path: &Path, is_folder: bool) -> bool {
        self.0.matched(path, is_folder).is_ignore()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn refused(content: &[u8]) -> String {
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        fs::write(folder.path().join(IGNORE_FILE), content).expect("a file");
        let error = Ignored::read(folder.path()).expect_err("it is refused");
        format!("{error:#}")
    }

    #[test]
    fn a_file_that_cannot_be_used_is_refused_with_its_place() {
        let error = refused(b"ok\n[z-a]\n");
        assert!(error.contains(".swarmignore, line 2, is no pattern: \"[z-a]\""), "{error}");
        assert!(refused(b"\xff").contains("not UTF-8"));
        assert!(refused(&b"a\n".repeat(LINES_MAX + 1)).contains("more than 1000 lines"));
        assert!(refused(&vec![b'a'; 65 << 10]).contains("more than 65536 bytes"));
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        fs::create_dir(folder.path().join(IGNORE_FILE)).expect("a folder");
        let error = Ignored::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is not a file"), "{error}");
    }
}

//! Tells whether the inputs of a build are those of the last one.

use crate::folder;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// Folders that builds write into, which are no inputs.
const NOT_INPUTS: [&str; 3] = ["node_modules", "__pycache__", "target"];

/// A hash over texts and files.
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Over nothing yet.
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds a text, such as a tool's version.
    pub(crate) fn text(&mut self, text: &str) {
        self.part(text.as_bytes());
    }

    /// Adds a file, or a folder with all that is in it: names and contents.
    pub(crate) fn tree(&mut self, path: &Path) -> Result<()> {
        let kind = fs::symlink_metadata(path)
            .with_context(|| format!("failed to look at {}", path.display()))?
            .file_type();
        self.part(path.file_name().unwrap_or_default().as_encoded_bytes());
        if kind.is_symlink() {
            // Where it leads is enough: what is there is an input in its own right, or none.
            let target = fs::read_link(path)
                .with_context(|| format!("failed to read the link {}", path.display()))?;
            self.part(target.as_os_str().as_encoded_bytes());
        } else if kind.is_dir() {
            let mut entries = folder::entries(path)?;
            entries.retain(|entry| !NOT_INPUTS.iter().any(|name| entry.ends_with(name)));
            self.part(&entries.len().to_le_bytes());
            for entry in entries {
                self.tree(&entry)?;
            }
        } else {
            let bytes =
                fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
            self.part(&bytes);
        }
        Ok(())
    }

    /// The hash, in hexadecimal.
    pub(crate) fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The hash's beginning, where a person reads it.
    pub(crate) fn short(self) -> String {
        let mut hex = self.hex();
        hex.truncate(12);
        hex
    }

    /// Each part with its length: else two parts could pass for one.
    fn part(&mut self, bytes: &[u8]) {
        self.0.update(bytes.len().to_le_bytes());
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &Path) -> String {
        let mut fingerprint = Fingerprint::new();
        fingerprint.tree(path).unwrap();
        fingerprint.hex()
    }

    #[test]
    fn names_and_contents_count_but_not_what_builds_write() {
        let folder = std::env::temp_dir().join(format!("xtask-fingerprint-{}", std::process::id()));
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(folder.join("src/a"), "1").unwrap();
        let first = of(&folder);

        fs::create_dir_all(folder.join("node_modules")).unwrap();
        fs::write(folder.join("node_modules/b"), "1").unwrap();
        assert_eq!(of(&folder), first);

        fs::write(folder.join("src/a"), "2").unwrap();
        let changed = of(&folder);
        assert_ne!(changed, first);

        fs::rename(folder.join("src/a"), folder.join("src/c")).unwrap();
        assert_ne!(of(&folder), changed);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let mut one = Fingerprint::new();
        one.text("ab");
        one.text("c");
        let mut other = Fingerprint::new();
        other.text("a");
        other.text("bc");
        assert_ne!(one.hex(), other.hex());
    }
}

//! Folders that are to be there.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Makes it, and those around it, unless it is there.
pub(crate) fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))
}

/// Makes it, with nothing in it.
pub(crate) fn make_empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("failed to empty {}", folder.display()))?;
    }
    make(folder)
}

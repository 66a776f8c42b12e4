//! Folders that are to be there, and what is in them.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

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

/// What is in a folder, by name.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = || format!("failed to list {}", folder.display());
    let entries = fs::read_dir(folder).with_context(failed)?;
    let paths: std::io::Result<Vec<_>> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.with_context(failed)?;
    paths.sort();
    Ok(paths)
}

/// Copies a file, or a folder with all that is in it. What Python compiles is left out.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return copy_file(from, to);
    }
    make(to)?;
    for entry in entries(from)? {
        match entry.file_name() {
            Some(name) if name != "__pycache__" => copy(&entry, &to.join(name))?,
            _ => {}
        }
    }
    Ok(())
}

/// Copies a file.
pub(crate) fn copy_file(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("failed to copy {}", from.display()))?;
    Ok(())
}

/// Removes a file, or a folder with all that is in it.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.with_context(|| format!("failed to remove {}", path.display()))
}

//! Remembers what is installed: a file per thing with the version that is there.

use crate::repository::Repository;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Installs `name` if its stamp says another version, or none, or if `proof` is gone.
pub(super) fn once(
    repository: &Repository,
    name: &str,
    version: &str,
    proof: &Path,
    install: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if read(repository, name).as_deref() == Some(version) && proof.exists() {
        return Ok(());
    }
    eprintln!("installing {name} ({version})");
    install().with_context(|| format!("failed to install {name} ({version})"))?;
    write(repository, name, version)
}

/// The version that the stamp tells, if there is one.
pub(super) fn read(repository: &Repository, name: &str) -> Option<String> {
    fs::read_to_string(file(repository, name)).ok()
}

/// Writes the stamp.
pub(super) fn write(repository: &Repository, name: &str, version: &str) -> Result<()> {
    let file = file(repository, name);
    let folder = file.parent().expect("a stamp is in a folder");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, version))
        .with_context(|| format!("failed to write {}", file.display()))
}

fn file(repository: &Repository, name: &str) -> PathBuf {
    let name = name.replace(['/', ' '], "-");
    repository.tools().join("stamps").join(name)
}

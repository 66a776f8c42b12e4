//! What faults do to a cluster on real networks: by hand, as root, on a quiet machine.

use crate::repository::Repository;
use crate::setup::{needs, python};
use crate::{process, program, scenarios};
use anyhow::{Result, bail};

/// Builds and installs what it needs and runs it. Its table is Markdown on standard output.
pub(crate) fn command(repository: &Repository, arguments: &[String]) -> Result<()> {
    let mut faults = program::example(repository, "faults", arguments);
    if !arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        if !rustix::process::geteuid().is_root() {
            bail!("only root can make network namespaces: run `cargo xtask faults` as root");
        }
        faults.env("SWARM_LOCUST", prepare(repository)?);
    }
    process::run(&mut faults)
}

/// Where Locust is.
fn prepare(repository: &Repository) -> Result<std::path::PathBuf> {
    // Hosts are network namespaces.
    needs::meet(repository, &[&needs::IP, &needs::NFT])?;
    scenarios::build_one(repository, "website")?;
    program::build(repository)?;
    python::tool(repository, &python::LOCUST)
}

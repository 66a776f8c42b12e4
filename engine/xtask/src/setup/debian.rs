//! Debian's packages.

use crate::process;
use crate::repository::Repository;
use anyhow::{Result, bail};
use std::process::Command;

/// Installs packages for the whole machine.
pub(crate) fn install(repository: &Repository, packages: &[&str]) -> Result<()> {
    eprintln!("installing Debian's {}", packages.join(", "));
    know(repository, packages)?;
    if let Err(error) = try_install(repository, packages) {
        // Lists of some weeks ago name files that their server has no more.
        eprintln!("once more with new lists: {error:#}");
        update(repository)?;
        try_install(repository, packages)?;
    }
    Ok(())
}

fn try_install(repository: &Repository, packages: &[&str]) -> Result<()> {
    let mut command = as_root(repository)?;
    command
        .args(["apt-get", "install", "--yes", "-qq", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    process::quiet(&mut command)
}

fn update(repository: &Repository) -> Result<()> {
    process::quiet(as_root(repository)?.args(["apt-get", "update", "-qq"]))
}

/// Makes sure that apt knows the packages: on a fresh machine its lists are empty.
pub(super) fn know(repository: &Repository, packages: &[&str]) -> Result<()> {
    if process::find("apt-get").is_none() {
        bail!("there is no apt-get here: install {} by hand", packages.join(", "));
    }
    let known = |package: &&str| {
        let mut show = process::command("apt-cache", repository.root());
        let found = process::capture(show.args(["madison", package]));
        found.is_ok_and(|text| !text.is_empty())
    };
    if packages.iter().all(known) {
        return Ok(());
    }
    update(repository)
}

/// `env`, by root: the arguments are the command.
fn as_root(repository: &Repository) -> Result<Command> {
    if rustix::process::geteuid().is_root() {
        return Ok(process::command("env", repository.root()));
    }
    if process::find("sudo").is_some() {
        let mut command = process::command("sudo", repository.root());
        command.arg("env");
        return Ok(command);
    }
    bail!("only root can install Debian's packages, and there is no sudo");
}

//! The program and what runs it by hand: built as users build it.

use crate::children::{Child, Interrupt};
use crate::process;
use crate::repository::Repository;
use anyhow::{Result, bail};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

/// What a target prints first, before its address.
const TARGET_READY: &str = "target listening on http://";
/// How long a program may take to listen.
pub(crate) const READY_LIMIT: Duration = Duration::from_secs(30);

/// Builds `swarm` as the tests and the demo run it.
pub(crate) fn build(repository: &Repository) -> Result<()> {
    let mut cargo = process::command("cargo", repository.root());
    process::run(cargo.args(["build", "--release", "--package", "swarm"]))
}

/// An example of the tests' harness with these arguments. It runs what has been built.
pub(crate) fn example(repository: &Repository, name: &str, arguments: &[String]) -> Command {
    let mut cargo = process::command("cargo", repository.root());
    cargo.args(["run", "--quiet", "--release", "--package", "swarm-tests", "--example", name]);
    cargo.arg("--").args(arguments);
    cargo
}

/// Starts `swarm target`, and reads where it listens.
pub(crate) fn start_target(
    command: &mut Command,
    interrupt: &Interrupt,
) -> Result<(Child, SocketAddr)> {
    let (mut target, line) = Child::start_and_read_line(command, READY_LIMIT)?;
    let address = line.as_deref().and_then(|line| line.trim().strip_prefix(TARGET_READY));
    match address.and_then(|address| address.parse().ok()) {
        Some(address) => Ok((target, address)),
        None => {
            target.end(interrupt)?;
            bail!("the target did not say where it listens, but {line:?}");
        }
    }
}

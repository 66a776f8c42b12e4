//! The program and what runs it by hand: built as users build it.

use crate::process;
use crate::repository::Repository;
use anyhow::Result;
use std::process::Command;

/// Builds `swarm` by this profile.
pub(crate) fn build(repository: &Repository, profile: &str) -> Result<()> {
    let mut cargo = process::command("cargo", repository.root());
    process::run(cargo.args(["build", "--profile", profile, "--package", "swarm"]))
}

/// An example of the tests' harness with these arguments. It runs what has been built.
pub(crate) fn example(repository: &Repository, name: &str, arguments: &[String]) -> Command {
    let mut cargo = process::command("cargo", repository.root());
    cargo.args(["run", "--quiet", "--release", "--package", "swarm-tests", "--example", name]);
    cargo.arg("--").args(arguments);
    cargo
}

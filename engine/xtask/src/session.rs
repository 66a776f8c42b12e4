//! The acceptance at full size: too long for every change, run by hand.

use crate::process;
use crate::repository::Repository;
use crate::{scenarios, setup};
use anyhow::Result;

/// Builds what it needs and runs it. Its figures are Markdown on standard output.
pub(crate) fn command(repository: &Repository, arguments: &[String]) -> Result<()> {
    if !arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        prepare(repository)?;
    }
    let mut session = process::command("cargo", repository.root());
    session.args(["run", "--quiet", "--release", "--package", "swarm-tests"]);
    process::run(session.args(["--example", "session", "--"]).args(arguments))
}

fn prepare(repository: &Repository) -> Result<()> {
    setup::everything(repository)?;
    scenarios::command(repository, &[])?;
    let mut cargo = process::command("cargo", repository.root());
    process::run(cargo.args(["build", "--release", "--package", "swarm"]))
}

//! The acceptance at full size: too long for every change, run by hand.

use crate::repository::Repository;
use crate::{process, program, scenarios, setup};
use anyhow::Result;

/// Builds what it needs and runs it. Its figures are Markdown on standard output.
pub(crate) fn command(repository: &Repository, arguments: &[String]) -> Result<()> {
    if !arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        prepare(repository)?;
    }
    process::run(&mut program::example(repository, "session", arguments))
}

fn prepare(repository: &Repository) -> Result<()> {
    setup::everything(repository)?;
    scenarios::command(repository, &[])?;
    program::build(repository)
}

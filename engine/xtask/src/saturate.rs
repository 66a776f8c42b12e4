//! How many workers a master takes: run by hand, on a machine that does nothing else.

use crate::repository::Repository;
use crate::{process, program, scenarios};
use anyhow::Result;

/// Builds what it needs and runs it. Its figures are Markdown on standard output.
pub(crate) fn command(repository: &Repository, arguments: &[String]) -> Result<()> {
    scenarios::command(repository, &["website".to_owned()])?;
    program::build(repository)?;
    process::run(&mut program::example(repository, "saturate", arguments))
}

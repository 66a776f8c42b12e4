//! How many workers a master takes: run by hand, on a machine that does nothing else.

use crate::process;
use crate::repository::Repository;
use crate::scenarios;
use anyhow::Result;

/// Builds what it needs and runs it. Its figures are Markdown on standard output.
pub(crate) fn command(repository: &Repository, arguments: &[String]) -> Result<()> {
    scenarios::command(repository, &["website".to_owned()])?;
    let mut cargo = process::command("cargo", repository.root());
    process::run(cargo.args(["build", "--release", "--package", "swarm"]))?;
    let mut saturate = process::command("cargo", repository.root());
    saturate.args(["run", "--quiet", "--release", "--package", "swarm-tests"]);
    process::run(saturate.args(["--example", "saturate", "--"]).args(arguments))
}

//! Simulated clusters, a seed each; as many as one likes.

use crate::process;
use crate::repository::Repository;
use anyhow::Result;

/// Builds the simulator and runs it.
pub(crate) fn command(repository: &Repository, arguments: &[String]) -> Result<()> {
    let mut cargo = process::command("cargo", repository.root());
    cargo.args(["run", "--quiet", "--release", "--package", "swarm-sim", "--"]).args(arguments);
    if let Some(commit) = commit(repository) {
        cargo.env("SWARM_COMMIT", commit);
    }
    process::run(&mut cargo)
}

/// The commit that is simulated, if this is a clone of the repository.
fn commit(repository: &Repository) -> Option<String> {
    let mut git = process::command("git", repository.root());
    let output = git.args(["describe", "--always", "--dirty"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Seeds of each run of all checks that no run before has had. A tenth of a second each.
const FRESH_SEEDS: u32 = 3_000;

/// Simulates clusters of seeds that no run before has had; the first of them is printed.
pub(crate) fn fresh(repository: &Repository) -> Result<()> {
    command(repository, &["--fresh".to_owned(), "--seeds".to_owned(), FRESH_SEEDS.to_string()])
}

/// Each of the faults that are planted for it has to be found.
pub(crate) fn planted(repository: &Repository) -> Result<()> {
    let mut cargo = process::command("cargo", repository.root());
    cargo.args(["test", "--release", "--package", "swarm-sim", "--features", "planted-bugs"]);
    process::run(cargo.args(["--test", "planted"]))
}

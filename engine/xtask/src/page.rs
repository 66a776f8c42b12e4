//! Checks of the web page: its types, its tests, and that the built one is that of the sources.
//! In a browser it is tested with the rest of the binary, in `tests`.

use crate::fingerprint::Fingerprint;
use crate::process;
use crate::repository::Repository;
use crate::setup::node;
use anyhow::{Result, bail};

const SOURCES: &str = "engine/crates/web/ui";
/// What the sources are built to. It is in the repository, so that a build needs no Node.
const BUILT: &str = "engine/crates/web/dist";

/// Types, tests, and the built page.
pub(crate) fn check(repository: &Repository) -> Result<()> {
    node::packages(repository, SOURCES)?;
    let folder = repository.path(SOURCES);
    process::run(process::command("npm", &folder).args(["test", "--silent"]))?;

    let before = built(repository)?;
    process::run(process::command("npm", &folder).args(["run", "--silent", "build"]))?;
    if built(repository)? != before {
        bail!("{BUILT} was not that of {SOURCES}; it is now: look at it and commit it");
    }
    Ok(())
}

fn built(repository: &Repository) -> Result<String> {
    let mut built = Fingerprint::new();
    built.tree(&repository.path(BUILT))?;
    Ok(built.hex())
}

//! Builds the runtimes of scripting languages: `target/runtimes/NAME.wasm`, and beside it the
//! folder `target/runtimes/NAME` with what an instance reads.
//!
//! A runtime whose inputs are those of its last build is left as it is. The same inputs make the
//! same bytes.

mod python;

use crate::fingerprint::Fingerprint;
use crate::folder;
use crate::repository::Repository;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How a runtime is built into a folder for what comes between; it returns what it has made.
type Recipe = fn(&Repository, &Work) -> Result<Built>;

const RUNTIMES: [(&str, Recipe); 1] = [("python", python::build)];

/// Where they are built.
const RUNTIMES_FOLDER: &str = "target/runtimes";

/// A runtime, in the folder for what comes between.
struct Built {
    component: PathBuf,
    /// What is mounted, with the licences of everything.
    files: PathBuf,
}

/// A folder for what comes between.
struct Work(PathBuf);

impl Work {
    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// An empty folder in it.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.file(name);
        folder::make_empty(&path)?;
        Ok(path)
    }
}

/// Builds the named runtimes, or all of them.
pub(crate) fn command(repository: &Repository, names: &[String]) -> Result<()> {
    let known = RUNTIMES.map(|(name, _)| name);
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no runtime `{unknown}`; there are {}", known.join(", "));
    }
    for (name, recipe) in RUNTIMES {
        if names.is_empty() || names.iter().any(|chosen| chosen == name) {
            build(repository, name, recipe)?;
        }
    }
    Ok(())
}

/// Copies all runtimes that have been built to another folder, without what they were built from.
pub(crate) fn copy(repository: &Repository, to: &Path) -> Result<()> {
    folder::make(to)?;
    let runtimes = repository.path(RUNTIMES_FOLDER);
    for (name, _) in RUNTIMES {
        for part in [format!("{name}.wasm"), name.to_owned()] {
            folder::copy(&runtimes.join(&part), &to.join(&part))?;
        }
    }
    Ok(())
}

/// Installs what building them needs.
pub(crate) fn set_up(repository: &Repository) -> Result<()> {
    python::set_up(repository).map(|_| ())
}

fn build(repository: &Repository, name: &str, recipe: Recipe) -> Result<()> {
    let runtimes = repository.path(RUNTIMES_FOLDER);
    let component = runtimes.join(format!("{name}.wasm"));
    let stamp = component.with_extension("inputs");
    let inputs = inputs(repository, name)?;
    let place = format!("target/runtimes/{name}.wasm");
    if component.is_file() && fs::read_to_string(&stamp).is_ok_and(|built| built == inputs) {
        eprintln!("{place} is up to date");
        return Ok(());
    }
    let begun = Instant::now();
    let work = Work(runtimes.join("work").join(name));
    folder::make_empty(&work.0)?;
    let built = recipe(repository, &work).with_context(|| format!("failed to build {place}"))?;
    let files = runtimes.join(name);
    if files.exists() {
        folder::remove(&files)?;
    }
    fs::rename(&built.files, &files)
        .and_then(|()| fs::rename(&built.component, &component))
        .and_then(|()| fs::write(&stamp, inputs))
        .with_context(|| format!("failed to write {place}"))?;
    let size = fs::metadata(&component).map_or(0, |file| file.len());
    eprintln!("{place}: {} KB in {:.1} s", size.div_ceil(1000), begun.elapsed().as_secs_f64());
    Ok(())
}

/// A hash of all that goes into a runtime.
fn inputs(repository: &Repository, name: &str) -> Result<String> {
    let mut inputs = Fingerprint::new();
    let sources = format!("guest-sdk/{name}");
    let how =
        ["engine/xtask/src/runtimes.rs", "engine/xtask/src/runtimes", "engine/xtask/src/setup"];
    for tree in [&sources, "wit", "engine/crates/snapshot"].into_iter().chain(how) {
        inputs.tree(&repository.path(tree))?;
    }
    Ok(inputs.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_refused_before_anything_is_built() {
        let error = command(&Repository::here(), &["cobol".into()]).unwrap_err();
        assert!(error.to_string().contains("`cobol`"), "{error}");
        assert!(error.to_string().contains("python"), "{error}");
    }

    #[test]
    fn each_runtime_has_its_sources() {
        for (name, _) in RUNTIMES {
            assert!(Repository::here().path(format!("guest-sdk/{name}")).is_dir(), "{name}");
        }
    }
}

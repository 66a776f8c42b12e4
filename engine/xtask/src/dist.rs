//! Builds the program that is distributed: optimised as a whole, by what it does when it runs.
//!
//! It is built twice. The first one counts, while it runs users, a target and a cluster, how often
//! it comes by where ([`training`]); by these counts the compiler arranges the second one: what
//! runs together lies together, and what never runs is made small. See "The build that is
//! distributed" in `engine/BENCHMARKS.md` for what it saves.
//!
//! What is distributed is one folder: the program, the runtimes of scripting languages where it
//! looks for them, and the licences. What is needed to build it lies elsewhere.

mod training;

use crate::children::Interrupt;
use crate::fingerprint::Fingerprint;
use crate::folder;
use crate::process;
use crate::repository::Repository;
use crate::runtimes;
use crate::setup::{profdata, rustup};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use training::Training;

/// What goes into the folder beside the program, by its path in the repository.
const BESIDE: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Builds the folder, and says where it is.
pub(crate) fn command(repository: &Repository) -> Result<()> {
    runtimes::command(repository, &[])?;
    build(repository, &Interrupt::listen()?)?;
    let folder = repository.distributed_folder();
    complete(repository, &folder)?;
    println!("{}", folder.display());
    Ok(())
}

/// Makes of the folder with the program the one that is distributed.
fn complete(repository: &Repository, folder: &Path) -> Result<()> {
    let program = repository.distributed();
    for other in folder::entries(folder)?.iter().filter(|entry| **entry != program) {
        folder::remove(other)?;
    }
    runtimes::copy(repository, &folder.join("runtimes"))?;
    for file in BESIDE {
        folder::copy_file(&repository.path(file), &folder.join(file))?;
    }
    Ok(())
}

/// Builds [`Repository::distributed`]. Nothing is done if nothing has changed.
pub(crate) fn build(repository: &Repository, interrupt: &Interrupt) -> Result<()> {
    let profdata = profdata::tool(repository)?;
    let training = work(repository).join("training");
    let counts = training.join("counts");
    let counting = compile(repository, &format!("-Cprofile-generate={}", counts.display()))?;
    // In the folder that the next training empties: each has 30 MB.
    let profile = training.join(format!("{}.profdata", identity(&counting)?));
    if !profile.is_file() {
        training::scenarios(repository)?;
        Training { repository, program: &counting, folder: &training, interrupt }.all()?;
        join(&profdata, &training, &profile)?;
    }
    let program = compile(repository, &format!("-Cprofile-use={}", profile.display()))?;
    // cargo has one place for both, where the next build puts the one that counts.
    folder::make(&repository.distributed_folder())?;
    let new = work(repository).join("swarm");
    folder::copy_file(&program, &new)?;
    // A program that is running cannot be written to; it can be replaced.
    fs::rename(&new, repository.distributed())
        .with_context(|| format!("failed to replace {}", repository.distributed().display()))
}

/// What comes between: builds, counts and profiles.
fn work(repository: &Repository) -> PathBuf {
    repository.path("target/distributing")
}

/// Compiles `swarm` with this flag, and tells where it is.
fn compile(repository: &Repository, flag: &str) -> Result<PathBuf> {
    let host = rustup::host();
    let builds = work(repository).join("builds");
    let mut cargo = process::command("cargo", repository.root());
    cargo.args(["build", "--profile", "dist", "--package", "swarm", "--target-dir"]).arg(&builds);
    // With its target named, build scripts and macros are spared the flag.
    cargo.args(["--target", &host]).env("CARGO_ENCODED_RUSTFLAGS", flag);
    process::run(&mut cargo)?;
    Ok(builds.join(host).join("dist/swarm"))
}

/// What the counts depend on: the program that counts, and what it is made to do.
///
/// cargo knows a profile by its name alone, so another profile needs another name.
fn identity(counting: &Path) -> Result<String> {
    let mut fingerprint = Fingerprint::new();
    fingerprint.tree(counting)?;
    fingerprint.text(include_str!("dist/training.rs"));
    Ok(fingerprint.short())
}

/// Joins the counts of all runs to one profile.
fn join(profdata: &Path, training: &Path, profile: &Path) -> Result<()> {
    let mut merge = process::command(profdata, training);
    merge.args(["merge", "--output", "whole.profdata", "counts"]);
    process::quiet(&mut merge)?;
    // Under its name only when it is whole.
    fs::rename(training.join("whole.profdata"), profile)
        .with_context(|| format!("failed to make {}", profile.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_has_what_belongs_to_it_and_nothing_else() {
        let place = std::env::temp_dir().join(format!("xtask-dist-{}", std::process::id()));
        let repository = Repository::at(&place);
        let files = [
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "target/runtimes/python.wasm",
            "target/runtimes/python.inputs",
            "target/runtimes/python/lib/os.py",
            "target/runtimes/work/python/object.o",
            "target/distributed/swarm",
            "target/distributed/builds/old",
        ];
        for file in files.map(|file| place.join(file)) {
            folder::make(file.parent().expect("it is in a folder")).unwrap();
            fs::write(file, "").unwrap();
        }
        let folder = repository.distributed_folder();
        complete(&repository, &folder).unwrap();
        let names = |folder: &Path| {
            let entries = folder::entries(folder).unwrap().into_iter();
            entries.map(|path| path.file_name().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&folder), ["LICENSE-APACHE", "LICENSE-MIT", "runtimes", "swarm"]);
        assert_eq!(names(&folder.join("runtimes")), ["python", "python.wasm"]);
        assert_eq!(names(&folder.join("runtimes/python/lib")), ["os.py"]);
        folder::remove(&place).unwrap();
    }
}

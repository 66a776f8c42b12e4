//! Builds the program that is distributed: optimised as a whole, by what it does when it runs.
//!
//! It is built twice. The first one counts, while it runs users, a target and a cluster, how often
//! it comes by where ([`training`]); by these counts the compiler arranges the second one: what
//! runs together lies together, and what never runs is made small. See "The build that is
//! distributed" in `engine/BENCHMARKS.md` for what it saves.

mod training;

use crate::children::Interrupt;
use crate::fingerprint::Fingerprint;
use crate::process;
use crate::repository::Repository;
use crate::setup::{self, profdata};
use anyhow::{Context, Result};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use training::Training;

/// Builds it, and says where it is.
pub(crate) fn command(repository: &Repository) -> Result<()> {
    build(repository, &Interrupt::listen()?)?;
    println!("{}", repository.distributed().display());
    Ok(())
}

/// Builds [`Repository::distributed`]. Nothing is done if nothing has changed.
pub(crate) fn build(repository: &Repository, interrupt: &Interrupt) -> Result<()> {
    let profdata = profdata::tool(repository)?;
    let folder = folder(repository);
    fs::create_dir_all(&folder).with_context(|| format!("failed to make {}", folder.display()))?;
    let counts = folder.join("training");
    let counting =
        compile(repository, &format!("-Cprofile-generate={}", counts.join("counts").display()))?;
    let profile = folder.join(format!("{}.profdata", identity(&counting)?));
    if !profile.is_file() {
        forget_profiles(&folder)?;
        training::scenarios(repository)?;
        Training { repository, program: &counting, folder: &counts, interrupt }.all()?;
        join(&profdata, &counts, &profile)?;
    }
    let program = compile(repository, &format!("-Cprofile-use={}", profile.display()))?;
    fs::copy(&program, repository.distributed())
        .with_context(|| format!("failed to copy {}", program.display()))?;
    Ok(())
}

fn folder(repository: &Repository) -> PathBuf {
    repository.path("target/distributed")
}

/// Compiles `swarm` with this flag, and tells where it is.
fn compile(repository: &Repository, flag: &str) -> Result<PathBuf> {
    let host = setup::host();
    let builds = folder(repository).join("builds");
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

/// Removes those of programs that are no more: each has 30 MB.
fn forget_profiles(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for entry in entries.with_context(|| format!("failed to list {}", folder.display()))? {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "profdata") {
            fs::remove_file(&path)
                .with_context(|| format!("failed to remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Joins the counts of all runs to one profile.
fn join(profdata: &Path, counts: &Path, profile: &Path) -> Result<()> {
    let mut merge = process::command(profdata, counts);
    merge.args(["merge", "--output", "whole.profdata", "counts"]);
    process::quiet(&mut merge)?;
    // Under its name only when it is whole.
    fs::rename(counts.join("whole.profdata"), profile)
        .with_context(|| format!("failed to make {}", profile.display()))
}

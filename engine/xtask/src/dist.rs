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
use crate::setup::{profdata, rustup};
use anyhow::{Context, Result};
use std::fs;
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
    let training = folder(repository).join("training");
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
    fs::copy(&program, repository.distributed())
        .with_context(|| format!("failed to copy {}", program.display()))?;
    Ok(())
}

fn folder(repository: &Repository) -> PathBuf {
    repository.path("target/distributed")
}

/// Compiles `swarm` with this flag, and tells where it is.
fn compile(repository: &Repository, flag: &str) -> Result<PathBuf> {
    let host = rustup::host();
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

/// Joins the counts of all runs to one profile.
fn join(profdata: &Path, training: &Path, profile: &Path) -> Result<()> {
    let mut merge = process::command(profdata, training);
    merge.args(["merge", "--output", "whole.profdata", "counts"]);
    process::quiet(&mut merge)?;
    // Under its name only when it is whole.
    fs::rename(training.join("whole.profdata"), profile)
        .with_context(|| format!("failed to make {}", profile.display()))
}

//! Other tools that make load, for the benchmark alone: built from source, once.

use super::{stamp, toolchain};
use crate::process;
use crate::repository::Repository;
use anyhow::Result;
use std::path::PathBuf;

/// From crates.io.
const OHA: &str = "1.16.0";
/// By Go's module proxy.
const VEGETA: &str = "v12.13.0";
/// The crate that is the scenario for goose; its manifest has goose's version.
const GOOSE_CRATE: &str = "engine/benches/peers/goose";

/// oha's program.
pub(crate) fn oha(repository: &Repository) -> Result<PathBuf> {
    let root = repository.tools().join("oha");
    let program = root.join("bin/oha");
    stamp::once(repository, "oha", OHA, &program, || {
        let mut cargo = process::command("cargo", repository.root());
        cargo.args(["install", "--quiet", "--locked", "--force", "oha", "--version", OHA]);
        cargo.arg("--root").arg(&root);
        cargo.arg("--target-dir").arg(repository.path("target/bench/oha"));
        process::quiet(&mut cargo)
    })?;
    Ok(program)
}

/// vegeta's program.
pub(crate) fn vegeta(repository: &Repository) -> Result<PathBuf> {
    let folder = repository.tools().join("go/bin");
    let program = folder.join("vegeta");
    stamp::once(repository, "vegeta", VEGETA, &program, || {
        toolchain::GO.check(repository, "vegeta, or leave it out by --tools")?;
        let mut go = process::command("go", repository.root());
        go.arg("install").arg(format!("github.com/tsenart/vegeta/v12@{VEGETA}"));
        process::quiet(go.env("GOBIN", &folder))
    })?;
    Ok(program)
}

/// The scenario for goose, which is a program of its own. cargo knows whether it is up to date.
pub(crate) fn goose(repository: &Repository) -> Result<PathBuf> {
    let target = repository.path("target/bench/goose");
    let program = target.join("release/goose-bench");
    if !program.is_file() {
        eprintln!("installing goose ({GOOSE_CRATE})");
    }
    let mut cargo = process::command("cargo", &repository.path(GOOSE_CRATE));
    cargo.args(["build", "--quiet", "--release", "--locked", "--target-dir"]).arg(&target);
    process::quiet(&mut cargo)?;
    Ok(program)
}

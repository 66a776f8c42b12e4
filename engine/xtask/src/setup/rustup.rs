//! The Rust toolchain at hand, and what rustup adds to it.

use crate::process;
use crate::repository::Repository;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long rustup may take: 25 MB come down. Where it can't be had, some networks only hang.
const LIMIT: Duration = Duration::from_secs(120);

/// The target that this machine's programs are compiled for.
pub(crate) fn host() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// Where the toolchain has a program of its own, which may not be there.
pub(super) fn program(repository: &Repository, name: &str) -> Result<PathBuf> {
    let mut print = process::command("rustc", repository.root());
    let sysroot = process::capture(print.args(["--print", "sysroot"]))?;
    Ok(Path::new(&sysroot).join(format!("lib/rustlib/{}/bin", host())).join(name))
}

/// Makes sure that cargo has this command, which is a component of the toolchain: rustup leaves it
/// out where only the least was asked for.
pub(crate) fn command(repository: &Repository, command: &str, component: &str) -> Result<()> {
    let mut version = process::command("cargo", repository.root());
    if process::succeeds(version.args([command, "--version"])) {
        return Ok(());
    }
    add(repository, "component", component)
}

/// Adds a `target` or a `component` of this name.
pub(super) fn add(repository: &Repository, kind: &str, name: &str) -> Result<()> {
    eprintln!("installing Rust's {kind} {name} by rustup");
    let mut rustup = process::command("rustup", repository.root());
    process::quiet_within(rustup.args([kind, "add", name]), LIMIT)
}

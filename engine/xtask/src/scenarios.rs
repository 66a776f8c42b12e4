//! Builds the scenarios of `scenarios/` from source to `target/scenarios/NAME.wasm`.
//!
//! The folder's content tells its language; the recipes are in [`recipe`]. A scenario whose inputs
//! are those of its last build is left as it is.

mod recipe;

use crate::fingerprint::Fingerprint;
use crate::process;
use crate::repository::Repository;
use crate::setup::{self, python, rust_wasm};
use anyhow::{Context, Result, bail};
use std::fs;
use std::time::Instant;

/// A scenario in this repository.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// The folder's name, which is the component's too.
    pub(crate) name: String,
    /// The folder, from the root.
    pub(crate) folder: String,
    pub(crate) kind: Kind,
}

/// What a scenario is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rust,
    Wat,
    C,
    Go,
    JavaScript,
    Python,
}

impl Kind {
    /// A file in the folder gives the language away.
    const SIGNS: [(&str, Self); 6] = [
        ("Cargo.toml", Self::Rust),
        ("scenario.wat", Self::Wat),
        ("scenario.c", Self::C),
        ("go.mod", Self::Go),
        ("package.json", Self::JavaScript),
        ("requirements.txt", Self::Python),
    ];
}

/// Every scenario, by name.
pub(crate) fn all(repository: &Repository) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    let folder = repository.path("scenarios");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("failed to list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("failed to list {}", folder.display()))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let signs = Kind::SIGNS.iter();
        let found = signs.filter(|(file, _)| entry.path().join(file).is_file());
        if let Some((_, kind)) = found.into_iter().next() {
            scenarios.push(Scenario { folder: format!("scenarios/{name}"), name, kind: *kind });
        }
    }
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(scenarios)
}

/// Builds the named scenarios, or all of them, and validates the components.
pub(crate) fn command(repository: &Repository, names: &[String]) -> Result<()> {
    let all = all(repository)?;
    let known: Vec<_> = all.iter().map(|scenario| scenario.name.as_str()).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no scenario `{unknown}`; there are {}", known.join(", "));
    }
    let wasm_tools = python::tool(repository, &python::WASM_TOOLS)?;
    for scenario in &all {
        if names.is_empty() || names.contains(&scenario.name) {
            build(repository, scenario)?;
            let mut validate = process::command(&wasm_tools, repository.root());
            process::quiet(validate.arg("validate").arg(repository.component(&scenario.name)))?;
        }
    }
    Ok(())
}

/// Builds one scenario by its name, and nothing else.
pub(crate) fn build_one(repository: &Repository, name: &str) -> Result<()> {
    let all = all(repository)?;
    let scenario = all.iter().find(|scenario| scenario.name == name);
    build(repository, scenario.with_context(|| format!("there is no scenario `{name}`"))?)
}

/// Builds what the micro-benchmark of a guest call runs: it is no example for anybody.
pub(crate) fn countdown(repository: &Repository) -> Result<()> {
    let folder = "engine/benches/countdown".to_owned();
    build(repository, &Scenario { name: "countdown".to_owned(), folder, kind: Kind::Wat })
}

fn build(repository: &Repository, scenario: &Scenario) -> Result<()> {
    setup::for_scenario(repository, scenario)?;
    let component = repository.component(&scenario.name);
    let stamp = component.with_extension("inputs");
    let inputs = inputs(repository, scenario)?;
    let place = format!("target/scenarios/{}.wasm", scenario.name);
    if component.is_file() && fs::read_to_string(&stamp).is_ok_and(|built| built == inputs) {
        eprintln!("{place} is up to date");
        return Ok(());
    }
    let begun = Instant::now();
    let work = recipe::Work::new(repository, scenario)?;
    let built = recipe::build(repository, scenario, &work)
        .with_context(|| format!("failed to build {}", scenario.folder))?;
    // In one step: a component that is there is a whole one.
    fs::rename(&built, &component)
        .and_then(|()| fs::write(&stamp, inputs))
        .with_context(|| format!("failed to write {}", component.display()))?;
    let size = fs::metadata(&component).map_or(0, |file| file.len());
    eprintln!("{place}: {} KB in {:.1} s", size.div_ceil(1000), begun.elapsed().as_secs_f64());
    Ok(())
}

/// A hash of all that goes into a component.
fn inputs(repository: &Repository, scenario: &Scenario) -> Result<String> {
    let mut inputs = Fingerprint::new();
    let source = borrowed_source(repository, scenario)?;
    let mut trees = vec![scenario.folder.as_str(), "wit"];
    trees.extend(source.as_deref());
    // How it is built, and by which versions of the tools.
    trees.extend(["engine/xtask/src/scenarios", "engine/xtask/src/setup"]);
    match scenario.kind {
        Kind::Rust => {
            trees.extend(["guest-sdk/rust", "guest-sdk/macros", "Cargo.toml", "Cargo.lock"]);
            inputs.text(&rust_wasm::compiler(repository)?.version(repository)?);
        }
        Kind::C => trees.push("guest-sdk/c"),
        Kind::Go => {
            inputs
                .text(&process::capture(process::command("go", repository.root()).arg("version"))?);
        }
        Kind::Wat | Kind::JavaScript | Kind::Python => {}
    }
    for tree in trees {
        inputs.tree(&repository.path(tree))?;
    }
    Ok(inputs.hex())
}

/// The folder of another scenario in Rust whose source is this one's, too.
fn borrowed_source(repository: &Repository, scenario: &Scenario) -> Result<Option<String>> {
    if scenario.kind != Kind::Rust {
        return Ok(None);
    }
    let manifest = repository.path(&scenario.folder).join("Cargo.toml");
    let manifest = fs::read_to_string(&manifest)
        .with_context(|| format!("failed to read {}", manifest.display()))?;
    let path = manifest.lines().find_map(|line| line.strip_prefix("path = \"../"));
    let folder = path.and_then(|path| path.split_once('/'));
    Ok(folder.map(|(folder, _)| format!("scenarios/{folder}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_of_scenarios_is_one() {
        let repository = Repository::here();
        let found: Vec<_> =
            all(&repository).unwrap().into_iter().map(|scenario| scenario.name).collect();
        let mut folders: Vec<_> = fs::read_dir(repository.path("scenarios"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        folders.sort();
        assert_eq!(found, folders);
    }

    #[test]
    fn a_source_that_two_scenarios_share_is_an_input_of_both() {
        let repository = Repository::here();
        let all = all(&repository).unwrap();
        let source_of = |name: &str| {
            let scenario = all.iter().find(|scenario| scenario.name == name).unwrap();
            borrowed_source(&repository, scenario).unwrap()
        };
        assert_eq!(source_of("contract-dense").as_deref(), Some("scenarios/contract"));
        assert_eq!((source_of("contract"), source_of("website-go")), (None, None));
    }

    #[test]
    fn an_unknown_name_is_refused_before_anything_is_built() {
        let error = command(&Repository::here(), &["no-such".into()]).unwrap_err();
        assert!(error.to_string().contains("`no-such`"), "{error}");
        assert!(error.to_string().contains("minimal-wat"), "{error}");
    }
}

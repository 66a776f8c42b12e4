//! Every check there is. A step that fails keeps only those from running that build on it.

use crate::process;
use crate::repository::Repository;
use crate::setup::{needs, python, rustup};
use crate::steps::{self, Done, Step};
use crate::{dependencies, page, runtimes, scenarios, setup, sim, tidy};
use anyhow::{Result, bail};
use std::process::Command;

const STEPS: [Step<Repository>; 14] = [
    step("set-up", &[], |repository| whole(setup::everything(repository))),
    step("format", &[], |repository| whole(format(repository))),
    step("tidy", &[], |repository| whole(tidy::check(repository))),
    step("build", &[], |repository| whole(build(repository))),
    step("scenarios", &["build"], |repository| whole(built_scenarios(repository))),
    step("runtimes", &["build"], |repository| whole(runtimes::command(repository, &[]))),
    step("tests", &["set-up", "build", "scenarios", "runtimes"], |repository| {
        whole(tests(repository))
    }),
    step("doctests", &[], |repository| whole(doctests(repository))),
    step("planted", &[], |repository| whole(sim::planted(repository))),
    step("simulated", &[], |repository| whole(sim::fresh(repository))),
    step("page", &[], |repository| whole(page::check(repository))),
    step("lints", &[], |repository| whole(lints(repository))),
    step("licences", &[], |repository| whole(dependencies::licences(repository))),
    step("advisories", &[], dependencies::advisories),
];

const fn step(
    name: &'static str,
    after: &'static [&'static str],
    run: fn(&Repository) -> Result<Done>,
) -> Step<Repository> {
    Step { name, after, run }
}

fn whole(outcome: Result<()>) -> Result<Done> {
    outcome.map(|()| Done::Whole)
}

/// Runs the steps, or those that are named, and says in the end what came of each.
pub(crate) fn command(repository: &Repository, names: &[String]) -> Result<()> {
    let known = STEPS.map(|step| step.name);
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no step `{unknown}`; there are {}", known.join(", "));
    }
    let is_chosen = |name: &str| names.is_empty() || names.iter().any(|chosen| chosen == name);
    let report = steps::run(repository, &STEPS, is_chosen);
    print!("\n{}", report.table());
    match report.failed().as_slice() {
        [] => Ok(()),
        failed => bail!("failed: {}", failed.join(", ")),
    }
}

fn cargo(repository: &Repository, arguments: &[&str]) -> Command {
    let mut cargo = process::command("cargo", repository.root());
    cargo.args(arguments);
    cargo
}

/// As [`cargo`], for the fuzzers: they are a workspace of their own.
fn of_fuzzers(repository: &Repository, arguments: &[&str]) -> Command {
    let mut cargo = process::command("cargo", &repository.path("engine/fuzz"));
    cargo.args(arguments);
    cargo
}

fn format(repository: &Repository) -> Result<()> {
    rustup::command(repository, "fmt", "rustfmt")?;
    process::run(&mut cargo(repository, &["fmt", "--all", "--check"]))?;
    process::run(&mut of_fuzzers(repository, &["fmt", "--check"]))
}

fn build(repository: &Repository) -> Result<()> {
    process::run(&mut cargo(repository, &["build", "--release"]))
}

/// Every scenario from source, and that the host takes it.
fn built_scenarios(repository: &Repository) -> Result<()> {
    scenarios::command(repository, &[])?;
    for scenario in scenarios::all(repository)? {
        let mut check = process::command(repository.swarm(), repository.root());
        process::quiet(check.arg("check").arg(repository.component(&scenario.name)))?;
    }
    Ok(())
}

/// All but the documentation's: each in a process of its own, by `.config/nextest.toml`.
fn tests(repository: &Repository) -> Result<()> {
    let nextest = python::tool(repository, &python::CARGO_NEXTEST)?;
    let mut run = process::command(nextest, repository.root());
    run.args(["nextest", "run", "--release", "--workspace"]);
    process::run(run.args(without_scenarios(repository)?))
}

/// The examples in the documentation, which nextest cannot run.
fn doctests(repository: &Repository) -> Result<()> {
    let mut test = cargo(repository, &["test", "--release", "--workspace", "--doc"]);
    process::run(test.args(without_scenarios(repository)?))
}

/// Arguments that leave the scenarios' crates out: these are built for WebAssembly, and their tests
/// would have nothing to link to.
fn without_scenarios(repository: &Repository) -> Result<Vec<String>> {
    let all = scenarios::all(repository)?.into_iter();
    let rust = all.filter(|scenario| scenario.kind == scenarios::Kind::Rust);
    Ok(rust.flat_map(|scenario| ["--exclude".to_owned(), scenario.name]).collect())
}

/// The scenarios' crates too: they are checked as if they were for this machine. Of the fuzzers
/// only that they can be built: clippy and what instruments them would stand in the same place.
fn lints(repository: &Repository) -> Result<()> {
    needs::meet(repository, &[&needs::CXX])?;
    rustup::command(repository, "clippy", "clippy")?;
    let arguments = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
    process::run(&mut cargo(repository, &arguments))?;
    process::run(&mut of_fuzzers(repository, &["check", "--release", "--locked", "--bins"]))
}

#[cfg(test)]
mod self_test {
    use super::*;

    #[test]
    fn steps_build_on_those_before_them() {
        for (index, step) in STEPS.iter().enumerate() {
            for name in step.after {
                let before = STEPS[..index].iter().any(|other| other.name == *name);
                assert!(before, "`{}` builds on `{name}`, which is not before it", step.name);
            }
        }
    }
}

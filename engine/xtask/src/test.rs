//! Every check there is, one after the other; the first that fails ends the run.

use crate::process;
use crate::repository::Repository;
use crate::{licences, page, scenarios, setup, sim, tidy};
use anyhow::{Context, Result, bail};
use std::process::Command;
use std::time::{Duration, Instant};

type Step = (&'static str, fn(&Repository) -> Result<()>);

/// The scenarios are built for WebAssembly; their tests would have nothing to link to.
const SCENARIO_CRATES: [&str; 7] =
    ["bench", "bench-dense", "checkout", "dense-faults", "idle", "website", "website-dense"];

const STEPS: [Step; 10] = [
    ("set-up", setup::everything),
    ("format", format),
    ("tidy", tidy::check),
    ("build", build),
    ("scenarios", built_scenarios),
    ("tests", tests),
    ("planted", sim::planted),
    ("page", page::check),
    ("lints", lints),
    ("licences", licences::check),
];

/// Runs the steps, or those that are named, and says in the end how long each took.
pub(crate) fn command(repository: &Repository, names: &[String]) -> Result<()> {
    let known = STEPS.map(|(name, _)| name);
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no step `{unknown}`; there are {}", known.join(", "));
    }
    let mut times = Vec::new();
    for (name, step) in STEPS {
        if !names.is_empty() && !names.iter().any(|chosen| chosen == name) {
            continue;
        }
        eprintln!("\n== {name}");
        let begun = Instant::now();
        let outcome = step(repository);
        times.push((name, begun.elapsed()));
        if outcome.is_err() {
            summary(&times, Some(name));
        }
        outcome.with_context(|| format!("step `{name}` failed"))?;
    }
    summary(&times, None);
    Ok(())
}

fn summary(times: &[(&str, Duration)], failed: Option<&str>) {
    println!();
    for (name, time) in times {
        let mark = if failed == Some(name) { "FAILED" } else { "ok" };
        println!("{name:<12} {:>7.1} s  {mark}", time.as_secs_f64());
    }
    let total: Duration = times.iter().map(|(_, time)| time).sum();
    println!("{:<12} {:>7.1} s", "total", total.as_secs_f64());
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

fn tests(repository: &Repository) -> Result<()> {
    let mut cargo = cargo(repository, &["test", "--release", "--workspace"]);
    for name in SCENARIO_CRATES {
        cargo.args(["--exclude", name]);
    }
    process::run(&mut cargo)
}

/// The scenarios' crates too: they are checked as if they were for this machine. Of the fuzzers
/// only that they can be built: clippy and what instruments them would stand in the same place.
fn lints(repository: &Repository) -> Result<()> {
    let arguments = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
    process::run(&mut cargo(repository, &arguments))?;
    process::run(&mut of_fuzzers(repository, &["check", "--release", "--locked", "--bins"]))
}

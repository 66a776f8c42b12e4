//! Micro-benchmarks by instruction count: the same on a noisy machine as on a quiet one.
//!
//! Each case is a program that does a thing so many times. valgrind's callgrind counts the
//! instructions of two runs, and the difference is what the thing itself takes, without the
//! program's start. System calls count for nothing.

use super::{Bench, document};
use crate::nginx::Server;
use crate::process;
use crate::scenarios;
use crate::setup::needs;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// The last figures, beside which new ones are put.
const FIGURES: &str = "engine/benches/instructions.txt";
/// Changes below this are what differs between two runs of the same program.
const NOISE_PERCENT: f64 = 1.0;

/// A thing to count.
struct Case {
    /// What it is called in the file of figures.
    name: &'static str,
    package: &'static str,
    example: &'static str,
    /// The case within the example.
    case: &'static str,
    /// How often the thing is done in the shorter run, and in the longer one.
    times: [u32; 2],
}

const CASES: [Case; 6] = [
    Case {
        name: "guest call and return",
        package: "swarm-guest",
        example: "cost_guest",
        case: "call",
        times: [1_000, 6_000],
    },
    Case {
        name: "request through the client",
        package: "swarm-client",
        example: "cost_client",
        case: "request",
        times: [500, 2_500],
    },
    Case {
        name: "record a sample",
        package: "swarm-stats",
        example: "cost_stats",
        case: "record",
        times: [10_000, 110_000],
    },
    Case {
        name: "name and record a sample",
        package: "swarm-stats",
        example: "cost_stats",
        case: "name",
        times: [10_000, 110_000],
    },
    Case {
        name: "merge a report of 100 names",
        package: "swarm-stats",
        example: "cost_stats",
        case: "merge",
        times: [5, 55],
    },
    Case {
        name: "dispatch 100,000 users over 1,000 workers",
        package: "swarm-core",
        example: "cost_core",
        case: "dispatch",
        times: [1, 2],
    },
];

/// Counts, prints the change since the last figures, and writes the new ones.
pub(super) fn part(bench: &Bench<'_>) -> Result<()> {
    needs::meet(bench.repository, &[&needs::VALGRIND])?;
    scenarios::countdown(bench.repository)?;
    build(bench)?;
    let server = bench.server()?;
    let before = fs::read_to_string(bench.repository.path(FIGURES)).unwrap_or_default();
    let before = parse(&before);
    let mut now = BTreeMap::new();
    let mut table =
        "| what | instructions | before | change |\n| --- | ---: | ---: | ---: |\n".to_owned();
    for case in CASES {
        let [fewer, more] = case.times;
        let difference = count(bench, &case, more, &server)?
            .checked_sub(count(bench, &case, fewer, &server)?)
            .with_context(|| format!("{}: more rounds took fewer instructions", case.name))?;
        let each = difference / u64::from(more - fewer);
        let (old, change) = match before.get(case.name) {
            Some(old) => (old.to_string(), change(*old, each)),
            None => ("-".to_owned(), "new".to_owned()),
        };
        table += &format!("| {} | {each} | {old} | {change} |\n", case.name);
        now.insert(case.name, each);
    }
    server.end(&bench.interrupt)?;
    if bench.options.write {
        let lines: String =
            now.iter().map(|(name, each)| format!("{each:>12}  {name}\n")).collect();
        fs::write(bench.repository.path(FIGURES), lines)
            .with_context(|| format!("failed to write {FIGURES}"))?;
    }
    document::section(bench, "instructions", &table)
}

fn build(bench: &Bench<'_>) -> Result<()> {
    let mut built: Vec<&str> = Vec::new();
    for case in &CASES {
        if !built.contains(&case.example) {
            built.push(case.example);
            let mut cargo = process::command("cargo", bench.repository.root());
            cargo.args(["build", "--quiet", "--release", "--package", case.package]);
            process::run(cargo.args(["--example", case.example]))?;
        }
    }
    Ok(())
}

/// Instructions of a whole run.
fn count(bench: &Bench<'_>, case: &Case, times: u32, server: &Server) -> Result<u64> {
    let folder = bench.folder("instructions")?;
    let counts = folder.join("callgrind.out");
    let program = bench.repository.path("target/release/examples").join(case.example);
    let run = |mut command: Command| {
        command.args([case.case, &times.to_string(), &server.url(false)]);
        command.arg(bench.repository.component("countdown"));
        process::quiet(command.env("SWARM_CACHE_DIR", folder.join("cache")))
    };
    let under = |arguments: &[&str]| {
        let mut valgrind = process::command("valgrind", &folder);
        valgrind.arg("--quiet").args(arguments).arg(&program);
        valgrind
    };
    // First for the cache: what a guest is compiled with is not to be counted. Under valgrind too,
    // since its processor has other features, for which it is compiled anew.
    run(under(&["--tool=none"]))?;
    run(under(&["--tool=callgrind", &format!("--callgrind-out-file={}", counts.display())]))?;
    if bench.interrupt.came() {
        bail!("interrupted");
    }
    let text = fs::read_to_string(&counts)
        .with_context(|| format!("failed to read {}", counts.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    total
        .and_then(|total| total.trim().parse().ok())
        .with_context(|| format!("{} has no totals", counts.display()))
}

/// A line each: the count, then what was counted.
fn parse(text: &str) -> BTreeMap<&str, u64> {
    text.lines()
        .filter_map(|line| {
            let (count, name) = line.trim().split_once("  ")?;
            Some((name, count.parse().ok()?))
        })
        .collect()
}

fn change(old: u64, new: u64) -> String {
    let percent = 100.0 * (new as f64 / old as f64 - 1.0);
    if percent.abs() < NOISE_PERCENT { "none".to_owned() } else { format!("{percent:+.1} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_they_are_written() {
        let figures = parse("     1234  guest call and return\n           5  record a sample\n");
        assert_eq!(figures.get("guest call and return"), Some(&1234));
        assert_eq!(figures.get("record a sample"), Some(&5));
    }

    #[test]
    fn a_change_shows_and_noise_does_not() {
        assert_eq!(change(1000, 1005), "none");
        assert_eq!(change(1000, 1100), "+10.0 %");
        assert_eq!(change(1000, 900), "-10.0 %");
    }
}

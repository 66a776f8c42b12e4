//! swarm by itself, for what it is not compared in.

use super::Bench;
use crate::children::Child;
use crate::nginx::Server;
use crate::process;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What swarm says of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summary {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) interrupted: u64,
    /// Median, 99th percentile and maximum.
    pub(super) lateness_ms: Option<[f64; 3]>,
}

/// A running swarm.
pub(super) struct Swarm {
    child: Child,
    json: PathBuf,
}

/// `swarm run` of this scenario with one load thread on the client's core.
pub(super) fn command(bench: &Bench<'_>, scenario: &str, cores: &str, host: &str) -> Command {
    let repository = bench.repository;
    let mut command = process::command("taskset", repository.root());
    command.args(["--cpu-list", cores]).arg(repository.distributed()).arg("run");
    command.arg(repository.component(scenario));
    command.args(["--headless", "--insecure", "--host", host]);
    command
}

impl Swarm {
    /// Starts it on the client's core against this server.
    pub(super) fn start(
        bench: &Bench<'_>,
        server: &Server,
        scenario: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let folder = bench.folder("output")?;
        let json = folder.join("run.json");
        let said = File::create(folder.join("run.log")).context("failed to make run.log")?;
        let also = said.try_clone().context("failed to share a file")?;
        let mut command = command(bench, scenario, &bench.cores.client, &server.url(false));
        command.args(arguments).arg("--json-file").arg(&json);
        let child = Child::start(command.stdout(said).stderr(also))?;
        Ok(Self { child, json })
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has it ended by itself?
    pub(super) fn is_over(&mut self) -> Result<bool> {
        self.child.is_over()
    }

    /// Ends it, and reads what it says.
    pub(super) fn end(mut self, bench: &Bench<'_>) -> Result<Summary> {
        self.child.end(&bench.interrupt)?;
        read(&self.json)
    }
}

/// Reads what `--json-file` wrote.
pub(super) fn read(file: &Path) -> Result<Summary> {
    let text =
        fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    parse(&text).with_context(|| format!("{} is no summary of a test", file.display()))
}

fn parse(text: &str) -> Option<Summary> {
    let summary: Value = serde_json::from_str(text).ok()?;
    let count = |pointer| summary.pointer(pointer)?.as_u64();
    let late = |at: usize| summary.get("lateness_ms")?.get(at)?.as_f64();
    Some(Summary {
        requests: count("/total/num_requests")?,
        failures: count("/total/num_failures")?,
        interrupted: count("/interrupted")?,
        lateness_ms: late(0).zip(late(1)).zip(late(2)).map(|((p50, p99), max)| [p50, p99, max]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read_as_swarm_writes_it() {
        let text = r#"{"total": {"num_requests": 7, "num_failures": 1}, "interrupted": 2,
                       "lateness_ms": [0.5, 1.0, 3.5]}"#;
        let expected = Summary {
            requests: 7,
            failures: 1,
            interrupted: 2,
            lateness_ms: Some([0.5, 1.0, 3.5]),
        };
        assert_eq!(parse(text), Some(expected));
        assert_eq!(parse("{}"), None);
        assert_eq!(parse("no JSON"), None);
    }
}

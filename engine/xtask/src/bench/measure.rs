//! One run of one tool.

use super::Bench;
use super::run::{self, Summary};
use super::tool::{Load, Tool};
use super::usage::{self, Cpu};
use crate::children::Child;
use crate::nginx::Server;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long a tool may take until its first request is there.
const FIRST_LIMIT: Duration = Duration::from_secs(60);
/// How often it is asked whether it is.
const POLL: Duration = Duration::from_millis(50);
/// From the first request on, until all connections are up and caches are warm.
const WARM_UP: Duration = Duration::from_millis(1500);
/// Longer than any run takes: tools are told a time, and ended before.
const SPARE: Duration = Duration::from_secs(90);

/// What a run took in its window.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Figures {
    /// By the server's count.
    pub(super) requests: u64,
    pub(super) seconds: f64,
    /// Of the tool.
    pub(super) cpu: Cpu,
    /// Of the server.
    pub(super) server: Cpu,
    /// The most memory that the tool ever had, in KiB.
    pub(super) resident_kib: u64,
}

impl Figures {
    /// Requests a second.
    pub(super) fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// Processor time per request in microseconds: user and kernel.
    pub(super) fn cost(&self) -> (f64, f64) {
        let each = 1e6 / self.requests as f64;
        (self.cpu.user * each, self.cpu.system * each)
    }

    /// Both kinds of processor time per request.
    pub(super) fn cost_total(&self) -> f64 {
        let (user, system) = self.cost();
        user + system
    }
}

/// Runs the tool against a fresh server.
pub(super) fn tool(bench: &Bench<'_>, tool: Tool, load: Load) -> Result<Figures> {
    let server = bench.server()?;
    let output = bench.folder("output")?.join(format!("{}.json", tool.name()));
    let url = server.url(load.tls);
    let mut command = tool.command(bench, &url, load, limit(bench), &output)?;
    let summary = tool.is_swarm(bench.repository).then_some(output.as_path());
    let figures = self::command(bench, &server, &mut command, tool.name(), summary)?;
    server.end(&bench.interrupt)?;
    Ok(figures)
}

/// Seconds that a tool may be told to run: longer than it will be let.
pub(super) fn limit(bench: &Bench<'_>) -> u64 {
    (bench.options.window + SPARE).as_secs()
}

/// Runs a command that makes load on this server. swarm's `summary` must agree with the server.
pub(super) fn command(
    bench: &Bench<'_>,
    server: &Server,
    command: &mut Command,
    name: &str,
    summary: Option<&Path>,
) -> Result<Figures> {
    let log = bench.folder("output")?.join(format!("{name}.log"));
    let said = File::create(&log).with_context(|| format!("failed to make {}", log.display()))?;
    let also = said.try_clone().context("failed to share a file")?;
    let mut child = Child::start(command.stdout(said).stderr(also))?;
    let measured = window(bench, server, &mut child)
        .with_context(|| format!("{name} said what is in {}", log.display()))?;
    child.end(&bench.interrupt)?;
    if let Some(summary) = summary {
        let counted = server.counts()?.requests - 1 - measured.own;
        true_numbers(&run::read(summary)?, counted)?;
    }
    Ok(measured.figures)
}

struct Window {
    figures: Figures,
    /// Requests of this program, which are no load.
    own: u64,
}

/// Waits until the load is up, and measures from then on.
fn window(bench: &Bench<'_>, server: &Server, child: &mut Child) -> Result<Window> {
    let begun = Instant::now();
    // One for the server's own start.
    let mut own = server.counts()?.requests;
    loop {
        own += 1;
        if server.counts()?.requests > own {
            break;
        }
        if child.is_over()? || begun.elapsed() > FIRST_LIMIT {
            bail!("it made no request within {} s", begun.elapsed().as_secs());
        }
        bench.sleep(POLL)?;
    }
    bench.sleep(WARM_UP)?;
    let process = child.id();
    let (cpu, server_cpu, began) = (Cpu::of(process)?, Cpu::of(server.id())?, Instant::now());
    let requests = server.counts()?.requests;
    bench.sleep(bench.options.window)?;
    if child.is_over()? {
        bail!("it ended before its time");
    }
    let (cpu, server_cpu) = (Cpu::of(process)? - cpu, Cpu::of(server.id())? - server_cpu);
    let seconds = began.elapsed().as_secs_f64();
    // The second question is the only request that is not the tool's.
    let requests = server.counts()?.requests - requests - 1;
    let resident_kib = usage::resident_max(process)?;
    if requests == 0 {
        bail!("it made no request while it was measured");
    }
    own += 2;
    let figures = Figures { requests, seconds, cpu, server: server_cpu, resident_kib };
    Ok(Window { figures, own })
}

/// swarm's own count must be the server's: all requests, no failure.
pub(super) fn true_numbers(summary: &Summary, counted: u64) -> Result<()> {
    let Summary { requests, failures, interrupted, .. } = summary;
    if *failures > 0 {
        bail!("swarm reports {failures} failures of {requests} requests");
    }
    // A request that the end cuts off has reached the server, or has not.
    if !(*requests..=requests + interrupted).contains(&counted) {
        bail!(
            "swarm reports {requests} requests, and {interrupted} cut off; the server counted \
             {counted}"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_is_not_the_servers_is_an_error() {
        let summary = Summary { requests: 100, failures: 0, interrupted: 2, lateness_ms: None };
        assert!(true_numbers(&summary, 100).is_ok() && true_numbers(&summary, 102).is_ok());
        assert!(true_numbers(&summary, 99).is_err() && true_numbers(&summary, 103).is_err());
        let failed = Summary { failures: 1, ..summary };
        assert!(true_numbers(&failed, 100).is_err());
    }
}

//! Two load threads beside one.
//!
//! With four cores or more, server and load have two each, and the ratio of requests a second is
//! what is asked for. With two cores all share both, and the ratio of requests a second says
//! nothing: then it is calculated from the processor time per request, which tells what the second
//! thread costs the first. wrk's two threads, which share nothing, are measured beside.

use super::compare::{median, thousands};
use super::measure::{self, Figures};
use super::{Bench, document, run};
use crate::nginx::Server;
use crate::process;
use anyhow::Result;
use std::process::Command;

const CONNECTIONS: &str = "64";
const THREADS: [u32; 2] = [1, 2];

/// Measures, prints, and writes it into the document.
pub(super) fn part(bench: &Bench<'_>) -> Result<()> {
    // By tool, then by threads, then by round.
    let mut runs = [const { [const { Vec::new() }; 2] }; 2];
    for round in 1..=bench.options.rounds {
        for (tool, by_threads) in ["wrk", "swarm"].into_iter().zip(&mut runs) {
            for (threads, runs) in THREADS.into_iter().zip(by_threads) {
                let figures = measure(bench, tool, threads)?;
                eprintln!(
                    "round {round}: {tool} with {threads} {:>8.0} requests/s {:>7.2} µs each",
                    figures.rate(),
                    figures.cost_total()
                );
                runs.push(figures);
            }
        }
    }
    let mut table =
        "| tool | threads | requests/s | CPU a request, µs | requests/s × one thread | \
                     two threads on cores of their own |\n\
                     | --- | ---: | ---: | ---: | ---: | ---: |\n"
            .to_owned();
    for (tool, [one, two]) in ["wrk, no script", "swarm, Rust"].into_iter().zip(&runs) {
        let pairs = || one.iter().zip(two);
        let faster = median(pairs().map(|(one, two)| two.rate() / one.rate()).collect());
        let cheaper =
            median(pairs().map(|(one, two)| 2.0 * one.cost_total() / two.cost_total()).collect());
        for (threads, runs) in THREADS.into_iter().zip([one, two]) {
            let ratios = if threads == 1 {
                "| |".to_owned()
            } else {
                format!("{faster:.2} | {cheaper:.2} ×, calculated")
            };
            table += &format!(
                "| {tool} | {threads} | {} | {:.1} | {} |\n",
                thousands(median(runs.iter().map(Figures::rate).collect())),
                median(runs.iter().map(Figures::cost_total).collect()),
                ratios.trim_end_matches('|').trim_end(),
            );
        }
    }
    document::section(bench, "threads", &table)
}

fn measure(bench: &Bench<'_>, tool: &str, threads: u32) -> Result<Figures> {
    let (servers, clients) = bench.cores.two_each();
    let server = Server::start(bench.repository, &servers, 2)?;
    let url = server.url(false);
    let json = bench.folder("output")?.join("threads.json");
    let seconds = format!("{}s", measure::limit(bench));
    let mut command: Command;
    let mut summary = None;
    if tool == "wrk" {
        command = process::command("taskset", bench.repository.root());
        command.args(["--cpu-list", &clients, "wrk", "-c", CONNECTIONS, "-d", &seconds]);
        command.arg(format!("-t{threads}")).arg(format!("{url}/"));
    } else {
        command = run::command(bench, "bench", &clients, &url);
        command.args(["--users", CONNECTIONS, "--spawn-rate", "10000", "--run-time", &seconds]);
        command.args(["--threads", &threads.to_string()]).arg("--json-file").arg(&json);
        summary = Some(json.as_path());
    }
    let figures = measure::command(bench, &server, &mut command, "threads", summary)?;
    server.end(&bench.interrupt)?;
    Ok(figures)
}

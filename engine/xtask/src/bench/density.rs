//! Many users that mostly rest: what each takes.

use super::compare::thousands;
use super::run::Swarm;
use super::usage::{self, Cpu};
use super::{Bench, document};
use anyhow::{Context, Result, bail};
use std::time::{Duration, Instant};

/// Rests 1 to 5 s after each request.
const SCENARIO: &str = "website";
/// Users a second.
const SPAWN_RATE: &str = "1000";
/// How long it may take until all have a connection.
const FULL_LIMIT: Duration = Duration::from_secs(180);
/// From then on, until every user has had its first rest.
const SETTLE: Duration = Duration::from_secs(6);
/// How long the load is measured.
const WINDOW: Duration = Duration::from_secs(20);
/// How often the connections are counted.
const POLL: Duration = Duration::from_millis(100);

/// What a run took.
struct Density {
    resident_kib: u64,
    maps: usize,
    /// Percent of a core.
    busy: f64,
    rate: f64,
    lateness_ms: [f64; 3],
    failures: u64,
}

/// Measures, prints, and writes it into the document.
pub(super) fn part(bench: &Bench<'_>) -> Result<()> {
    let users = bench.options.users;
    let one = measure(bench, 1)?;
    let many = measure(bench, users)?;
    let each = many.resident_kib.saturating_sub(one.resident_kib) as f64 / users as f64;
    let maps = many.maps.saturating_sub(one.maps) as f64 / users as f64;
    let [p50, p99, max] = many.lateness_ms;
    let table = format!(
        "| users | RSS MiB | KiB a user | maps a user | % of a core | requests/s | lateness ms: \
         median, 99 %, most | failures |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n\
         | {} | {:.0} | {each:.1} | {maps:.1} | {:.1} | {} | {p50:.1}, {p99:.1}, {max:.1} | {} |\n",
        thousands(users as f64),
        many.resident_kib as f64 / 1024.0,
        many.busy,
        thousands(many.rate),
        many.failures,
    );
    document::section(bench, "density", &table)
}

fn measure(bench: &Bench<'_>, users: u64) -> Result<Density> {
    let server = bench.server()?;
    let arguments = ["--users", &users.to_string(), "--spawn-rate", SPAWN_RATE];
    let mut swarm = Swarm::start(bench, &server, SCENARIO, &arguments)?;
    let begun = Instant::now();
    // The connection that asks is none of theirs.
    while server.counts()?.connections <= users {
        if swarm.is_over()? || begun.elapsed() > FULL_LIMIT {
            bail!("{users} users do not come up; target/bench/output/run.log says why");
        }
        bench.sleep(POLL)?;
    }
    bench.sleep(SETTLE)?;
    let process = swarm.id();
    let (cpu, requests, began) = (Cpu::of(process)?, server.counts()?.requests, Instant::now());
    bench.sleep(WINDOW)?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = Cpu::of(process)? - cpu;
    let requests = server.counts()?.requests - requests - 1;
    let (resident_kib, maps) = (usage::resident(process)?, usage::maps(process)?);
    let summary = swarm.end(bench)?;
    server.end(&bench.interrupt)?;
    Ok(Density {
        resident_kib,
        maps,
        busy: 100.0 * cpu.total() / seconds,
        rate: requests as f64 / seconds,
        lateness_ms: summary.lateness_ms.context("swarm's summary has no lateness")?,
        failures: summary.failures,
    })
}

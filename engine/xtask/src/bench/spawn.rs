//! What it costs to start a user: by itself, and with its connection and its first request.

use super::compare::{median, thousands};
use super::run::Swarm;
use super::usage::Cpu;
use super::{Bench, document};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// Requests at once when it starts, then rests for at least ten seconds: within that every request
/// is a user's first.
const SCENARIO: &str = "idle";
/// Has it rest at once.
const NO_REQUESTS: [&str; 2] = ["--arg", "requests=none"];
/// As many at once as there are.
const SPAWN_RATE: &str = "1000000";
const LIMIT: Duration = Duration::from_secs(60);
/// How often the requests are counted.
const POLL: Duration = Duration::from_millis(2);
/// Users that make no requests have started when nothing was done for so long.
const STILL: Duration = Duration::from_secs(1);
/// Processor time in seconds that looking after a test takes meanwhile: less than this.
const OWN_S: f64 = 0.03;

/// How a start of all users went.
struct Spawn {
    /// From the first user's request to the last one's.
    seconds: f64,
    /// Since the process' start.
    cpu: f64,
}

/// Measures, prints, and writes it into the document.
pub(super) fn part(bench: &Bench<'_>) -> Result<()> {
    let users = bench.options.users;
    let (mut rates, mut costs, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.options.rounds {
        let one = measure(bench, 1)?;
        let many = measure(bench, users)?;
        rates.push(users as f64 / many.seconds);
        costs.push((many.cpu - one.cpu) * 1e6 / users as f64);
        bare.push((measure_bare(bench, users)? - measure_bare(bench, 1)?) * 1e6 / users as f64);
    }
    let (rate, cost, bare) = (median(rates), median(costs), median(bare));
    let table = format!(
        "| {} users at once | users/s, one core | CPU a user, µs | users a core second |\n\
         | --- | ---: | ---: | ---: |\n\
         | instance, `start`, first task | | {bare:.1} | {} |\n\
         | the same with a connection and the first request | {} | {cost:.1} | {} |\n",
        thousands(users as f64),
        thousands(1e6 / bare),
        thousands(rate),
        thousands(1e6 / cost),
    );
    document::section(bench, "spawn", &table)
}

/// Processor time until so many users that make no requests rest, in seconds.
fn measure_bare(bench: &Bench<'_>, users: u64) -> Result<f64> {
    let server = bench.server()?;
    let users = users.to_string();
    let load = ["--users", &users, "--spawn-rate", SPAWN_RATE];
    let arguments = [&load[..], &NO_REQUESTS].concat();
    let swarm = Swarm::start(bench, &server, SCENARIO, &arguments)?;
    let begun = Instant::now();
    let mut cpu = 0.0;
    loop {
        bench.sleep(STILL)?;
        let now = Cpu::of(swarm.id())?.total();
        if now - cpu < OWN_S {
            swarm.end(bench)?;
            server.end(&bench.interrupt)?;
            return Ok(now);
        }
        if begun.elapsed() > LIMIT {
            bail!("users that rest do not come to rest; target/bench/output/run.log says why");
        }
        cpu = now;
    }
}

fn measure(bench: &Bench<'_>, users: u64) -> Result<Spawn> {
    let server = bench.server()?;
    let mut own = server.counts()?.requests;
    let arguments = ["--users", &users.to_string(), "--spawn-rate", SPAWN_RATE];
    let mut swarm = Swarm::start(bench, &server, SCENARIO, &arguments)?;
    let begun = Instant::now();
    let mut first = None;
    loop {
        own += 1;
        let requests = server.counts()?.requests - own;
        if requests > 0 {
            first.get_or_insert_with(Instant::now);
        }
        if requests >= users {
            break;
        }
        if swarm.is_over()? || begun.elapsed() > LIMIT {
            bail!("{users} users do not come up; target/bench/output/run.log says why");
        }
        bench.sleep(POLL)?;
    }
    let cpu = Cpu::of(swarm.id())?.total();
    let seconds = first.map_or(0.0, |first| first.elapsed().as_secs_f64());
    swarm.end(bench)?;
    server.end(&bench.interrupt)?;
    Ok(Spawn { seconds, cpu })
}

//! From the process' start to its first request: with the scenario compiled already, and cold.

use super::compare::median;
use super::{Bench, document, run};
use crate::children::Child;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Starts of each kind, of which the median counts.
const STARTS: usize = 7;
const LIMIT: Duration = Duration::from_secs(30);
const SCENARIOS: [(&str, &str); 2] = [("bench", "Rust"), ("bench-wat", "by hand")];

/// Measures, prints, and writes it into the document.
pub(super) fn part(bench: &Bench<'_>) -> Result<()> {
    let mut table = "| scenario | compiled code | first request after, ms | least to most |\n\
                     | --- | --- | ---: | ---: |\n"
        .to_owned();
    for (scenario, title) in SCENARIOS {
        for cold in [false, true] {
            let times = times(bench, scenario, cold)?;
            let least = times.iter().copied().fold(f64::INFINITY, f64::min);
            let most = times.iter().copied().fold(0.0, f64::max);
            let state = if cold { "none" } else { "in the cache" };
            table += &format!(
                "| {title} | {state} | {:.0} | {least:.0} to {most:.0} |\n",
                median(times)
            );
        }
    }
    document::section(bench, "start", &table)
}

/// Milliseconds of each start.
fn times(bench: &Bench<'_>, scenario: &str, cold: bool) -> Result<Vec<f64>> {
    let cache = bench.folder("cache")?;
    let mut times = Vec::new();
    // The first fills the cache and is not counted.
    for start in 0..=STARTS {
        if cold {
            fs::remove_dir_all(&cache).context("failed to empty the cache")?;
        }
        let time = first_request(bench, scenario, &cache)?;
        if start > 0 {
            times.push(time.as_secs_f64() * 1e3);
        }
    }
    Ok(times)
}

fn first_request(bench: &Bench<'_>, scenario: &str, cache: &Path) -> Result<Duration> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to listen")?;
    let address = listener.local_addr().context("a listener has no address")?;
    listener.set_nonblocking(true).context("failed to set up a listener")?;
    let host = format!("http://{address}");
    let mut command = run::command(bench, scenario, &bench.cores.both, &host);
    command.args(["--users", "1"]).env("SWARM_CACHE_DIR", cache);
    let begun = Instant::now();
    // Killed when it is dropped: there is nothing to be learned from its end.
    let mut child = Child::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nonblocking(false).context("failed to set up a connection")?;
                stream.set_read_timeout(Some(LIMIT)).context("failed to set a time limit")?;
                let read = stream.read(&mut [0; 1]).context("failed to read a request")?;
                if read == 0 {
                    bail!("swarm closed its connection without a request");
                }
                return Ok(begun.elapsed());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("failed to accept a connection"),
        }
        if child.is_over()? || begun.elapsed() > LIMIT {
            bail!("swarm made no request");
        }
        if bench.interrupt.came() {
            bail!("interrupted");
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

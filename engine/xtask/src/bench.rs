//! What swarm costs beside other tools: `cargo xtask bench --help`.
//!
//! All tools run the same scenario against the same server in the same run, pinned apart from it,
//! in rounds that take turns. The figure that counts is the processor time per request, user and
//! kernel, over a window that begins when the load is up: requests by the server's own count, time
//! by the kernel's. It hardly depends on what else the machine does; requests a second do.
//!
//! # Layout
//! - [`compare`]: the tools beside each other; [`tool`]: how each is run; [`measure`]: one run.
//! - [`usage`]: what a process takes. [`run`]: swarm by itself.
//! - [`threads`], [`density`], [`spawn`], [`start`], [`soak`]: swarm's other figures.
//! - [`instructions`]: micro-benchmarks by instruction count.
//! - [`document`], [`picture`]: where the figures go.

mod compare;
mod density;
mod document;
mod instructions;
mod measure;
mod options;
mod picture;
mod run;
mod soak;
mod spawn;
mod start;
mod threads;
mod tool;
mod usage;

use crate::children::Interrupt;
use crate::nginx::Server;
use crate::repository::Repository;
use crate::setup::needs;
use crate::{dist, folder, scenarios};
use anyhow::{Context, Result, bail};
use options::{HELP, Options, Part};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What swarm runs in one part or another.
const SCENARIOS: [&str; 5] = ["bench", "bench-wat", "bench-dense", "idle", "website"];

/// What every part needs.
struct Bench<'a> {
    repository: &'a Repository,
    options: Options,
    interrupt: Interrupt,
    cores: Cores,
}

/// Who runs where.
struct Cores {
    server: String,
    client: String,
    both: String,
    all: Vec<u32>,
}

/// Runs the parts, each of which prints its table.
pub(crate) fn command(repository: &Repository, arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{HELP}");
        return Ok(());
    }
    let bench = Bench {
        repository,
        options: Options::parse(arguments)?,
        interrupt: Interrupt::listen()?,
        cores: Cores::find()?,
    };
    needs::meet(repository, &[&needs::TASKSET])?;
    if bench.options.build {
        for name in SCENARIOS {
            scenarios::build_one(repository, name)?;
        }
        dist::build(repository, &bench.interrupt)?;
    }
    for part in &bench.options.parts {
        match part {
            Part::Many | Part::One | Part::Tls => compare::part(&bench, *part)?,
            Part::Threads => threads::part(&bench)?,
            Part::Density => density::part(&bench)?,
            Part::Spawn => spawn::part(&bench)?,
            Part::Start => start::part(&bench)?,
            Part::Soak => soak::part(&bench)?,
            Part::Instructions => instructions::part(&bench)?,
        }
    }
    Ok(())
}

impl Bench<'_> {
    /// A folder for what the benchmark writes on its way, below `target`.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.repository.path("target/bench").join(name);
        folder::make(&folder)?;
        Ok(folder)
    }

    /// What the tools load: one process on a core of its own.
    fn server(&self) -> Result<Server> {
        Server::start(self.repository, &self.cores.server, 1)
    }

    /// Sleeps, unless it is interrupted.
    fn sleep(&self, time: Duration) -> Result<()> {
        const STEP: Duration = Duration::from_millis(100);
        let end = Instant::now() + time;
        loop {
            if self.interrupt.came() {
                bail!("interrupted");
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(STEP));
        }
    }
}

impl Cores {
    /// The first two that this process may use.
    fn find() -> Result<Self> {
        let status =
            fs::read_to_string("/proc/self/status").context("failed to read /proc/self/status")?;
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .context("/proc/self/status names no cores")?;
        let all = cores_of(list.trim());
        match all.as_slice() {
            [server, client, ..] => Ok(Self {
                server: server.to_string(),
                client: client.to_string(),
                both: format!("{server},{client}"),
                all,
            }),
            _ => bail!("there is one core here: server and client need one each"),
        }
    }

    /// Two for the server and two for the client; the same ones if there are fewer than four.
    fn two_each(&self) -> (String, String) {
        match self.all.as_slice() {
            [a, b, c, d, ..] => (format!("{a},{b}"), format!("{c},{d}")),
            _ => (self.both.clone(), self.both.clone()),
        }
    }
}

/// `0-2,5` as numbers.
fn cores_of(list: &str) -> Vec<u32> {
    let mut cores = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            cores.extend(first..=last);
        }
    }
    cores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_cores_is_read_as_the_kernel_writes_it() {
        assert_eq!(cores_of("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(cores_of("3"), [3]);
        assert!(cores_of("").is_empty());
    }
}

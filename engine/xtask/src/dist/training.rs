//! What the program is made to do while it counts: all that takes time in somebody's test.

use crate::children::{Child, Interrupt};
use crate::nginx::Server;
use crate::repository::Repository;
use crate::{folder, ports, process, program, scenarios};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// One thing that it is made to do.
struct Run {
    scenario: &'static str,
    users: &'static str,
    /// Further flags of `swarm run`.
    flags: &'static [&'static str],
}

const fn run(scenario: &'static str, users: &'static str) -> Run {
    Run { scenario, users, flags: &[] }
}

/// One after another, on one load thread: isolated users and dense ones, at full speed and with
/// rests, with and without a session.
const RUNS: [Run; 6] = [
    run("bench", "64"),
    run("bench-wat", "64"),
    run("bench-dense", "64"),
    run("website", "2000"),
    run("website-dense", "2000"),
    // Some of what it buys is out of stock, and a failure here is to be one of the training.
    Run { scenario: "checkout", users: "200", flags: &["--tags", "read"] },
];
/// What a cluster runs.
const CLUSTERS: Run = run("website", "2000");
/// Over TLS, which the target does not speak, but nginx does.
const OVER_TLS: Run = run("bench", "64");
/// All cores that there may be.
const ANYWHERE: &str = "0-1023";
/// Of each run.
const SECONDS: &str = "8";
/// How long a run may take in all.
const LIMIT: Duration = Duration::from_secs(120);

/// Builds what is run.
pub(super) fn scenarios(repository: &Repository) -> Result<()> {
    for run in RUNS {
        scenarios::build_one(repository, run.scenario)?;
    }
    Ok(())
}

/// A program that counts, and where it leaves its counts.
pub(super) struct Training<'a> {
    pub(super) repository: &'a Repository,
    pub(super) program: &'a Path,
    /// Emptied before. The counts are in its folder `counts`.
    pub(super) folder: &'a Path,
    pub(super) interrupt: &'a Interrupt,
}

impl Training<'_> {
    /// All runs; fails if one does.
    pub(super) fn all(&self) -> Result<()> {
        folder::make_empty(self.folder)?;
        let mut target = self.swarm("target");
        target.args(["--port", "0", "--threads", "1"]);
        let (mut target, address) = program::start_target(&mut target, self.interrupt)?;
        let host = format!("http://{address}");
        for run in &RUNS {
            self.load(run, &host)?;
        }
        self.cluster(&host)?;
        target.end(self.interrupt)?;
        let nginx = Server::start(self.repository, ANYWHERE, 1)?;
        self.load(&OVER_TLS, &nginx.url(true))?;
        nginx.end(self.interrupt)
    }

    /// A command of the program. It counts, and has no compiled scenario from before.
    fn swarm(&self, command: &str) -> Command {
        let mut swarm = process::command(self.program, self.folder);
        swarm
            .arg(command)
            .env("LLVM_PROFILE_FILE", self.folder.join("counts/%p.profraw"))
            .env("SWARM_CACHE_DIR", self.folder.join("cache"));
        swarm
    }

    fn load(&self, Run { scenario, users, flags }: &Run, host: &str) -> Result<()> {
        if self.interrupt.came() {
            bail!("interrupted");
        }
        let mut run = self.swarm("run");
        run.arg(self.repository.component(scenario));
        run.args(["--headless", "--insecure", "--host", host, "--threads", "1"]);
        run.args(["--users", users, "--spawn-rate", "1000", "--run-time", SECONDS]).args(*flags);
        eprintln!("training: {scenario}, {users} users, {host}");
        process::quiet_within(&mut run, LIMIT)
    }

    /// A master and two workers with certificates.
    fn cluster(&self, host: &str) -> Result<()> {
        let [port] = ports::free()?.map(|port| port.to_string());
        let mut certificates = self.swarm("certs");
        certificates.args(["--out", "certs", "--master-host", "127.0.0.1"]);
        process::quiet(&mut certificates)?;
        let with_certificate = |command: &str| {
            let mut swarm = self.swarm(command);
            swarm.args(["--tls-ca", "certs/ca.pem"]);
            swarm.args(["--tls-cert", &format!("certs/{command}.pem")]);
            swarm.args(["--tls-key", &format!("certs/{command}-key.pem")]);
            swarm
        };
        let mut worker = with_certificate("worker");
        worker.args(["--master-port", &port, "--threads", "1", "--loglevel", "error"]);
        let mut workers = [Child::start(&mut worker)?, Child::start(&mut worker)?];
        let Run { scenario, users, flags } = CLUSTERS;
        let mut master = with_certificate("master");
        master.arg(self.repository.component(scenario)).args(["--host", host, "--headless"]);
        master.args(["--master-bind-port", &port, "--expect-workers", "2"]).args(flags);
        master.args(["--users", users, "--spawn-rate", "1000", "--run-time", SECONDS]);
        eprintln!("training: a master and two workers, {scenario}, {users} users, {host}");
        process::quiet_within(&mut master, LIMIT)?;
        // They have ended with their master, or are about to.
        workers.iter_mut().try_for_each(|worker| worker.end(self.interrupt))
    }
}

//! The tools: how each is installed, and how it is told to run the scenario.
//!
//! The scenario: get `/` with a query that the script builds anew each time, check the status, no
//! rest. wrk, oha and vegeta have no script; they get `/` and stand for what a script costs.

use super::Bench;
use crate::process;
use crate::repository::Repository;
use crate::setup::{needs, peers, python};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A tool that makes load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Wrk,
    WrkLua,
    Oha,
    Vegeta,
    Goose,
    LocustHttp,
    LocustFast,
    Swarm,
    SwarmWat,
    SwarmDense,
    SwarmHttp,
    SwarmFast,
}

/// What is asked of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) connections: u32,
    pub(super) tls: bool,
}

/// All of them; wrk first, which the others are compared with.
pub(super) const ALL: [Tool; 12] = [
    Tool::Wrk,
    Tool::WrkLua,
    Tool::Swarm,
    Tool::SwarmWat,
    Tool::SwarmDense,
    Tool::SwarmHttp,
    Tool::SwarmFast,
    Tool::Oha,
    Tool::Goose,
    Tool::Vegeta,
    Tool::LocustFast,
    Tool::LocustHttp,
];

/// The tool that `--tools` calls by this name.
pub(super) fn by_name(name: &str) -> Result<Tool> {
    ALL.into_iter().find(|tool| tool.name() == name).with_context(|| {
        let known = ALL.map(Tool::name).join(", ");
        format!("there is no tool `{name}`; there are {known}")
    })
}

impl Tool {
    /// Its name on the command line and of its files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wrk => "wrk",
            Self::WrkLua => "wrk+lua",
            Self::Oha => "oha",
            Self::Vegeta => "vegeta",
            Self::Goose => "goose",
            Self::LocustHttp => "locust-http",
            Self::LocustFast => "locust-fast",
            Self::Swarm => "swarm",
            Self::SwarmWat => "swarm-wat",
            Self::SwarmDense => "swarm-dense",
            Self::SwarmHttp => "swarm-http",
            Self::SwarmFast => "swarm-fast",
        }
    }

    /// What the table calls it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Wrk => "wrk, no script",
            Self::WrkLua => "wrk, Lua",
            Self::Oha => "oha, no script",
            Self::Vegeta => "vegeta, no script",
            Self::Goose => "goose, Rust",
            Self::LocustHttp => "Locust HttpUser, Python",
            Self::LocustFast => "Locust FastHttpUser, Python",
            Self::Swarm => "swarm, Rust",
            Self::SwarmWat => "swarm, by hand",
            Self::SwarmDense => "swarm, Rust, dense",
            Self::SwarmHttp => "swarm HttpUser, Python",
            Self::SwarmFast => "swarm FastHttpUser, Python",
        }
    }

    /// What swarm runs: a component, or the script that Locust runs as well. `None` for the others.
    fn scenario(self, repository: &Repository) -> Option<PathBuf> {
        match self {
            Self::Swarm => Some(repository.component("bench")),
            Self::SwarmWat => Some(repository.component("bench-wat")),
            Self::SwarmDense => Some(repository.component("bench-dense")),
            Self::SwarmHttp => Some(script(repository, "http_user.py")),
            Self::SwarmFast => Some(script(repository, "fast_http_user.py")),
            _ => None,
        }
    }

    /// Is it this repository's?
    pub(super) fn is_swarm(self, repository: &Repository) -> bool {
        self.scenario(repository).is_some()
    }

    /// Its program, installed if need be.
    pub(super) fn install(self, bench: &Bench<'_>) -> Result<PathBuf> {
        let repository = bench.repository;
        match self {
            Self::Wrk | Self::WrkLua => {
                needs::meet(repository, &[&needs::WRK])?;
                process::find("wrk").context("wrk is gone again")
            }
            Self::Oha => peers::oha(repository),
            Self::Vegeta => peers::vegeta(repository),
            Self::Goose => peers::goose(repository),
            Self::LocustHttp | Self::LocustFast => python::tool(repository, &python::LOCUST),
            Self::Swarm | Self::SwarmWat | Self::SwarmDense | Self::SwarmHttp | Self::SwarmFast => {
                Ok(repository.distributed())
            }
        }
    }

    /// What is to be run: the program by itself, for `limit` seconds at most. Whoever runs it ends
    /// it before. `output` is for what it has to say of itself in a file.
    pub(super) fn command(
        self,
        bench: &Bench<'_>,
        url: &str,
        load: Load,
        limit: u64,
        output: &Path,
    ) -> Result<Command> {
        let repository = bench.repository;
        let peers = repository.path("engine/benches/peers");
        let connections = load.connections.to_string();
        let seconds = format!("{limit}s");
        let mut command = process::command("taskset", repository.root());
        command.args(["--cpu-list", &bench.cores.client]).arg(self.install(bench)?);
        match self {
            Self::Wrk | Self::WrkLua => {
                command.args(["-t1", "-c", &connections, "-d", &seconds, "--timeout", "60s"]);
                if self == Self::WrkLua {
                    command.arg("-s").arg(peers.join("wrk.lua"));
                }
                command.arg(format!("{url}/"));
            }
            Self::Oha => {
                command.args(["--no-tui", "--worker-threads", "1", "--insecure"]);
                command.args(["-c", &connections, "-z", &seconds]).arg(format!("{url}/"));
            }
            Self::Vegeta => {
                let targets = output.with_extension("targets");
                std::fs::write(&targets, format!("GET {url}/\n"))
                    .with_context(|| format!("failed to write {}", targets.display()))?;
                command.args(["attack", "-rate=0", "-insecure", "-output=/dev/null"]);
                command.args([format!("-workers={connections}"), format!("-duration={seconds}")]);
                command.arg(format!("-max-workers={connections}"));
                command.arg("-targets").arg(targets);
            }
            Self::Goose => {
                command.args(["--host", url, "--users", &connections, "--increase-rate", "1000"]);
                command.args(["--run-time", &seconds, "--no-reset-metrics", "--no-telnet"]);
                command.arg("--accept-invalid-certs");
            }
            Self::LocustHttp | Self::LocustFast => {
                let name =
                    if self == Self::LocustHttp { "http_user.py" } else { "fast_http_user.py" };
                command.arg("--locustfile").arg(script(repository, name));
                command.args(["--headless", "--only-summary", "--host", url]);
                command.args(["--users", &connections, "--spawn-rate", &connections]);
                command.args(["--run-time", &seconds]);
            }
            Self::Swarm | Self::SwarmWat | Self::SwarmDense | Self::SwarmHttp | Self::SwarmFast => {
                command.arg("run").args(self.scenario(repository));
                command.args(["--headless", "--insecure", "--host", url, "--users", &connections]);
                command.args(["--spawn-rate", "10000", "--run-time", &seconds]);
                command.arg("--json-file").arg(output);
            }
        }
        Ok(command)
    }
}

/// A script for Locust, which swarm runs as well.
fn script(repository: &Repository, name: &str) -> PathBuf {
    repository.path("engine/benches/peers/locust").join(name)
}

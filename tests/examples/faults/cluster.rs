//! Target, master and workers of one tool, each on its host.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use swarm_target::Counts;
use swarm_tests::{PATIENCE, Page, Process, Signal, binary, get, request, scenario, wait_until};

use crate::delay::Delay;
use crate::fault::Fault;
use crate::network::{Host, Link, Network};
use crate::options::Options;
use crate::page::Look;
use crate::watch::Watch;

pub(crate) const WORKERS: usize = 8;
pub(crate) const TARGET_PORT: u16 = 8080;
const MASTER_PORT: u16 = 5557;
const WEB_PORT: u16 = 8089;
/// Nobody else can reach these networks.
const TOKEN: &str = "between-these-hosts-only";
/// Name of the result's file in the cluster's folder.
const RESULT: &str = "result.json";
/// How long users may finish their tasks when the test stops.
const STOP_TIMEOUT: &str = "10";

/// A tool that makes load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Swarm,
    Locust,
    LocustRebalancing,
}

impl Tool {
    pub(crate) const ALL: [Self; 3] = [Self::Swarm, Self::Locust, Self::LocustRebalancing];

    /// As typed, and in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Swarm => "swarm",
            Self::Locust => "locust",
            Self::LocustRebalancing => "locust-rebalancing",
        }
    }
}

/// Everything of one test.
#[derive(Debug)]
pub(crate) struct Cluster<'a> {
    network: &'a Network,
    options: &'a Options,
    tool: Tool,
    folder: PathBuf,
    /// By their number; those that were killed, too.
    workers: Vec<Process>,
    pub(crate) master: Process,
    pub(crate) target: Process,
    page: Page,
    /// Between one worker and the master.
    pub(crate) delay: Option<Delay>,
}

impl<'a> Cluster<'a> {
    /// With workers that are ready. One of them reaches its master by a proxy, if that is wanted.
    #[track_caller]
    pub(crate) fn start(
        network: &'a Network,
        options: &'a Options,
        tool: Tool,
        fault: Fault,
        delayed: Option<usize>,
    ) -> Self {
        let name = format!("{}-{}", fault.name(), tool.name());
        let folder = options.root.join("target").join("faults").join(name);
        // Of an earlier run; or it is not there.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("folders can be made below target");
        let port = TARGET_PORT.to_string();
        let mut target = network.command(Host::Target, binary());
        target.args(["target", "--host", "0.0.0.0", "--port", &port]);
        let mut target = Process::spawn("target", clean(target, &folder));
        target.wait_for_value("target listening on http://");
        let master = Process::spawn("master", master(network, options, tool, &folder));
        let url = format!("http://{}:{WEB_PORT}", Host::Master.address(Link::Control));
        let delay = delayed.map(|_| {
            let master = format!("{}:{MASTER_PORT}", Host::Master.address(Link::Control));
            let master: SocketAddr = master.parse().expect("it is one of our addresses");
            Delay::start(&Host::Hub.address(Link::Control), master)
        });
        let (workers, page) = (Vec::new(), Page::new(&url));
        let mut cluster =
            Self { network, options, tool, folder, workers, master, target, page, delay };
        wait_until("the master's page answers", PATIENCE, || cluster.look().is_some());
        for number in 0..WORKERS {
            let worker = cluster.worker(number, delayed == Some(number));
            cluster.workers.push(worker);
        }
        wait_until("all workers are ready", PATIENCE, || {
            cluster.look().is_some_and(|look| look.shares.len() == WORKERS)
        });
        cluster
    }

    /// Starts a worker by this number.
    #[track_caller]
    fn worker(&self, number: usize, delayed: bool) -> Process {
        let host = Host::Worker(number);
        let (address, port) = match &self.delay {
            Some(delay) if delayed => (Host::Hub.address(Link::Control), delay.port()),
            _ => (Host::Master.address(Link::Control), MASTER_PORT),
        };
        let (port, id) = (port.to_string(), format!("w{number}"));
        let master = ["--master-host", &address, "--master-port", &port];
        let mut command = match self.tool {
            Tool::Swarm => {
                let mut command = self.network.command(host, binary());
                command.arg("worker").args(master).args(["--id", &id]);
                command
            }
            Tool::Locust | Tool::LocustRebalancing => {
                let mut command = self.network.command(host, &self.options.locust);
                command.args(["--worker", "--locustfile"]).arg(locustfile()).args(master);
                command
            }
        };
        command = clean(command, &self.folder);
        command.env("SWARM_CACHE_DIR", self.folder.join(format!("cache-{id}")));
        Process::spawn(&id, command)
    }

    /// Starts another worker in the place of one that is gone.
    #[track_caller]
    pub(crate) fn replace_worker(&mut self, number: usize) -> u32 {
        let worker = self.worker(number, false);
        let pid = worker.id();
        self.workers[number] = worker;
        pid
    }

    /// Kills the master.
    #[track_caller]
    pub(crate) fn kill_master(&mut self) {
        self.master.signal(Signal::KILL);
        self.master.wait(PATIENCE);
    }

    /// Starts the master again, by the same command.
    #[track_caller]
    pub(crate) fn restart_master(&mut self) {
        let command = master(self.network, self.options, self.tool, &self.folder);
        self.master = Process::spawn("master", command);
    }

    /// A worker's process.
    pub(crate) fn process(&mut self, number: usize) -> &mut Process {
        &mut self.workers[number]
    }

    pub(crate) fn page(&self) -> &Page {
        &self.page
    }

    /// The page now; `None` if there is none.
    pub(crate) fn look(&self) -> Option<Look> {
        let answer = request("GET", &self.stats_url(), &[], "").ok()?;
        Look::of(&serde_json::from_str(&answer.body).ok()?)
    }

    /// Starts to look at it.
    pub(crate) fn watch(&self) -> Watch {
        let pids = self.workers.iter().map(Process::id).collect::<Vec<_>>();
        Watch::start(self.target.id(), &pids, counts_url(), self.stats_url())
    }

    /// What the target has received.
    #[track_caller]
    pub(crate) fn counts(&self) -> Counts {
        serde_json::from_str(&get(&counts_url()).body).expect("the target tells its counts")
    }

    /// Ends master and workers, those that do not by themselves by force: the master's exit code.
    #[track_caller]
    pub(crate) fn finish(&mut self, patience: Duration) -> Option<i32> {
        self.master.signal(Signal::INT);
        let code = self.master.wait(PATIENCE).code();
        // swarm's workers end with their master, and say goodbye.
        std::thread::sleep(patience);
        self.keep_logs();
        self.workers.clear();
        code
    }

    /// The result that swarm's master has written.
    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        let text = std::fs::read_to_string(self.folder.join(RESULT)).expect("there is a result");
        serde_json::from_str(&text).expect("the result is JSON")
    }

    /// Writes what the processes said beside the result, for whoever wonders about a figure.
    fn keep_logs(&self) {
        let workers = self.workers.iter().enumerate();
        let workers = workers.map(|(number, worker)| (format!("w{number}"), worker));
        for (name, process) in workers.chain([("master".to_owned(), &self.master)]) {
            let text = process.out.text() + &process.err.text();
            if let Err(error) = std::fs::write(self.folder.join(format!("{name}.log")), text) {
                eprintln!("warning: cannot keep the log of {name}: {error}");
            }
        }
    }

    fn stats_url(&self) -> String {
        format!("{}/stats/requests", self.page.url())
    }
}

fn master(network: &Network, options: &Options, tool: Tool, folder: &Path) -> Command {
    let target = format!("http://{}:{TARGET_PORT}", Host::Target.address(Link::Load));
    let address = Host::Master.address(Link::Control);
    let (port, web_port) = (MASTER_PORT.to_string(), WEB_PORT.to_string());
    let both = ["--host", &target, "--stop-timeout", STOP_TIMEOUT];
    let bind = ["--master-bind-host", &address, "--master-bind-port", &port];
    let web = ["--web-host", &address, "--web-port", &web_port];
    let program = if tool == Tool::Swarm { binary() } else { options.locust.clone() };
    let mut command = network.command(Host::Master, program);
    match tool {
        Tool::Swarm => {
            command.arg("master").arg(scenario("website"));
            command.args(["--web-no-login", "--state-dir", "state", "--json-file", RESULT]);
        }
        Tool::Locust | Tool::LocustRebalancing => {
            command.args(["--master", "--locustfile"]).arg(locustfile());
        }
    }
    if tool == Tool::LocustRebalancing {
        command.arg("--enable-rebalancing");
    }
    command.args(both).args(bind).args(web);
    clean(command, folder)
}

/// In a folder, and with nothing from the environment that would change a setting.
fn clean(mut command: Command, folder: &Path) -> Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("SWARM_") || text.starts_with("LOCUST_") {
            command.env_remove(&name);
        }
    }
    command.env("SWARM_TOKEN", TOKEN).current_dir(folder);
    command
}

fn locustfile() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/faults/locustfile.py")
}

fn counts_url() -> String {
    format!("http://{}:{TARGET_PORT}/counts", Host::Target.address(Link::Load))
}

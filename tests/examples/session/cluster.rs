//! Target, master and workers, and what is known of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use swarm_target::Counts;
use swarm_tests::{
    Master, PATIENCE, Page, Process, Signal, Swarm, Target, Worker, scenario, wait_until,
};

/// Name of the result's file in the test's folder.
pub(crate) const RESULT: &str = "result.json";
/// How long users may finish their tasks when the test stops.
pub(crate) const STOP_TIMEOUT: [&str; 2] = ["-s", "30"];

/// Everything of one test. The folder is last: it is removed last.
pub(crate) struct Cluster {
    /// By their number, which is in their names too.
    pub(crate) workers: Vec<Worker>,
    pub(crate) master: Master,
    pub(crate) target: Target,
    swarm: Swarm,
}

impl Cluster {
    /// With workers that are ready, and the scenario `website`.
    #[track_caller]
    pub(crate) fn start(workers: usize) -> Self {
        let swarm = Swarm::new();
        let target = swarm.target(&[]);
        let host = local(&target);
        let arguments = [&STOP_TIMEOUT[..], &["--host", &host, "--json-file", RESULT]].concat();
        let master = swarm.master(&scenario("website"), &arguments);
        let mut cluster = Self { workers: Vec::new(), master, target, swarm };
        for _ in 0..workers {
            cluster.add_worker();
        }
        cluster.wait_until_ready(workers);
        cluster
    }

    /// Starts a further worker.
    #[track_caller]
    pub(crate) fn add_worker(&mut self) {
        let worker = self.worker(self.workers.len());
        self.workers.push(worker);
    }

    /// Starts a worker by this number. Each has a cache of its own, which is there when it comes
    /// again.
    #[track_caller]
    pub(crate) fn worker(&self, number: usize) -> Worker {
        let (id, port) = (worker_id(number), self.master.address().port().to_string());
        let mut command: Command = self.swarm.command(&["worker", "--master-host", "localhost"]);
        command.args(["--master-port", &port, "--id", &id]);
        command.env("SWARM_CACHE_DIR", self.swarm.folder().join(format!("cache-{id}")));
        Worker { process: Process::spawn(&id, command) }
    }

    pub(crate) fn page(&self) -> &Page {
        self.master.page()
    }

    pub(crate) fn view(&self) -> View {
        View::of(&self.page().stats())
    }

    /// Waits until so many workers can run users.
    #[track_caller]
    pub(crate) fn wait_until_ready(&self, count: usize) {
        wait_until(&format!("{count} workers are ready"), PATIENCE, || {
            self.view().workers.values().filter(|worker| worker.is_able()).count() == count
        });
    }

    /// Waits until all users run, evenly on so many workers.
    #[track_caller]
    pub(crate) fn wait_for_shares(&self, users: u64, workers: u64) {
        wait_until(&format!("{users} users, evenly on {workers} workers"), PATIENCE, || {
            self.view().is_even(users, workers)
        });
    }

    /// Lines of the master's log about the module: to whom it was sent, and its bytes.
    pub(crate) fn modules_sent(&self) -> Vec<(String, u64)> {
        let log = self.master.process.err.text();
        let lines = log.lines().filter_map(|line| line.split_once("sending the module ("));
        let sent = lines.filter_map(|(_, rest)| {
            let (bytes, id) = rest.split_once(" bytes) to ")?;
            Some((id.to_owned(), bytes.parse().ok()?))
        });
        sent.collect()
    }

    /// Ends the master, which ends the workers: its exit code and its result, and what the target
    /// has received.
    #[track_caller]
    pub(crate) fn finish(mut self) -> (Option<i32>, Value, Counts) {
        self.master.process.signal(Signal::INT);
        let code = self.master.process.wait(PATIENCE).code();
        (code, result(&self.swarm), self.target.counts())
    }
}

/// A worker's name.
pub(crate) fn worker_id(number: usize) -> String {
    format!("w{number}")
}

/// A target by this machine's name for itself.
pub(crate) fn local(target: &Target) -> String {
    format!("http://localhost:{}", target.address().port())
}

/// The result that was written in the test's folder.
#[track_caller]
pub(crate) fn result(swarm: &Swarm) -> Value {
    let path: PathBuf = swarm.folder().join(RESULT);
    let text = std::fs::read_to_string(path).expect("a result was written");
    serde_json::from_str(&text).expect("the result is JSON")
}

/// Requests by path, of the page's statistics or of a result's entries. A path is an entry's name.
#[track_caller]
pub(crate) fn requests_by_path(entries: &Value) -> BTreeMap<String, u64> {
    let entries = entries.as_array().expect("a list of entries").iter();
    let named = entries.filter(|entry| entry["name"] != "Aggregated");
    let row = |entry: &Value| (text(&entry["name"]), number(&entry["num_requests"]));
    named.map(row).collect()
}

/// What the page shows of the users.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) state: String,
    pub(crate) users: u64,
    pub(crate) workers: BTreeMap<String, WorkerView>,
}

/// What the page shows of a worker.
#[derive(Debug, Clone)]
pub(crate) struct WorkerView {
    pub(crate) state: String,
    pub(crate) users: u64,
}

impl View {
    pub(crate) fn of(stats: &Value) -> Self {
        let workers = stats["workers"].as_array().expect("a list of workers").iter();
        let worker = |row: &Value| {
            let (state, users) = (text(&row["state"]), number(&row["user_count"]));
            (text(&row["id"]), WorkerView { state, users })
        };
        Self {
            state: text(&stats["state"]),
            users: number(&stats["user_count"]),
            workers: workers.map(worker).collect(),
        }
    }

    /// Do all users run, evenly on so many workers?
    pub(crate) fn is_even(&self, users: u64, workers: u64) -> bool {
        let able: Vec<_> = self.workers.values().filter(|worker| worker.is_able()).collect();
        self.state == "running"
            && self.users == users
            && able.len() as u64 == workers
            && able.iter().all(|worker| worker.users.abs_diff(users / workers) <= 1)
            && able.iter().map(|worker| worker.users).sum::<u64>() == users
    }
}

impl WorkerView {
    /// Can it run users?
    pub(crate) fn is_able(&self) -> bool {
        ["ready", "spawning", "running", "stopping"].contains(&self.state.as_str())
    }
}

/// A number that is there.
#[track_caller]
pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().expect("a whole number")
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

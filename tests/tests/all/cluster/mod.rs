//! A master and workers as real processes: nothing is lost, nothing counts twice, whatever comes
//! and goes.
//!
//! # Layout
//! - this file: a cluster to test with, and what it says at its end.
//! - `shares`: who gets how many users, and that all figures are true.
//! - `shipping`: modules on their way to workers.
//! - `losses`: workers that crash, freeze, leave.
//! - `masters`: masters that come late, go, come back; waiting for workers.
//! - `restarts`: masters that are killed and go on from their state directory.
//! - `state_dirs`: state directories that cannot be used, and disks that are full.
//! - `clocks`: system clocks that are a day off.
//! - `control`: the page's commands.

mod clocks;
mod control;
mod losses;
mod masters;
mod restarts;
mod shares;
mod shipping;
mod state_dirs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use swarm_target::Counts;
use swarm_tests::{
    Master, PATIENCE, Process, Signal, Swarm, Target, Worker, scenario, wait_for, wait_until,
};

/// A target, a master with a page, and workers. The folder is last: it is removed last.
struct Cluster {
    workers: Vec<Worker>,
    master: Master,
    target: Target,
    swarm: Swarm,
}

impl Cluster {
    /// Of the website scenario, with workers `w0`, `w1`... of one thread each, that are ready.
    fn start(workers: usize) -> Self {
        Self::of(workers, |_| scenario("website"))
    }

    fn of(workers: usize, scenario: impl FnOnce(&Swarm) -> PathBuf) -> Self {
        let swarm = Swarm::new();
        let target = swarm.target(&["--threads", "1"]);
        let master = master_of(&scenario(&swarm), 0, &swarm, &target);
        let mut cluster = Self { workers: Vec::new(), master, target, swarm };
        cluster.add_workers(workers);
        cluster.wait_until_ready(workers);
        cluster
    }

    /// Starts further workers.
    fn add_workers(&mut self, count: usize) {
        for _ in 0..count {
            self.add_worker(&[]);
        }
    }

    fn add_worker(&mut self, arguments: &[&str]) {
        let id = format!("w{}", self.workers.len());
        let arguments = [&["--id", &id, "--threads", "1"], arguments].concat();
        self.workers.push(self.swarm.worker(&self.master, &arguments));
    }

    /// Waits until this many workers can run users.
    #[track_caller]
    fn wait_until_ready(&self, count: usize) {
        let able = ["ready", "spawning", "running", "stopping"];
        wait_until(&format!("{count} workers are able to run users"), PATIENCE, || {
            let states = self.view().workers;
            states.values().filter(|(state, _)| able.contains(&state.as_str())).count() == count
        });
    }

    fn view(&self) -> View {
        View::of(&self.master.page().stats())
    }

    /// Waits until all users run and are spread evenly over this many workers, and there were
    /// never more than that.
    #[track_caller]
    fn wait_for_shares(&self, users: u64, workers: u64) {
        let all = self.wait_for_view(&format!("{users} users, evenly on {workers}"), |view| {
            assert!(view.users <= users, "too many users: {view:?}");
            let shares: Vec<u64> = view.present().collect();
            let even = |share: &u64| share.abs_diff(users / workers) <= 1;
            view.state == "running"
                && view.users == users
                && shares.len() as u64 == workers
                && shares.iter().all(even)
        });
        assert_eq!(all.present().sum::<u64>(), users, "{all:?}");
    }

    /// Waits until the view is as wanted.
    #[track_caller]
    fn wait_for_view(&self, what: &str, wanted: impl Fn(&View) -> bool) -> View {
        let mut last = None;
        wait_for(what, PATIENCE, || {
            let view = self.view();
            if last.as_ref() != Some(&view) {
                println!("{view:?}");
            }
            let found = wanted(&view).then(|| view.clone());
            last = Some(view);
            found
        })
    }

    /// Waits for so many requests more than now.
    #[track_caller]
    fn wait_for_more_requests(&self, count: u64) {
        self.target.wait_for_requests(self.target.counts().total + count);
    }

    /// Waits until no request arrives any more.
    #[track_caller]
    fn wait_until_quiet(&self) {
        let mut before = self.target.counts().total;
        wait_until("the target is left in peace", PATIENCE, || {
            std::thread::sleep(std::time::Duration::from_secs(2));
            before == std::mem::replace(&mut before, self.target.counts().total)
        });
    }

    /// Stops the test on the page and waits for its end.
    #[track_caller]
    fn stop(&self) {
        self.master.page().stop();
        self.master.page().wait_for_state("stopped");
    }

    /// Ends the master, which ends the workers. What is left of it all.
    #[track_caller]
    fn finish(mut self) -> Finished {
        self.master.process.signal(Signal::INT);
        let code = self.master.process.wait(PATIENCE).code();
        for worker in &mut self.workers {
            if worker.process.is_running() {
                let status = worker.process.wait(PATIENCE);
                assert_eq!(status.code(), Some(0), "a worker's end is no error");
            }
        }
        let read = std::fs::read_to_string(result_file(&self.swarm));
        let text = read.expect("the master has written its result");
        let summary = serde_json::from_str(&text).expect("the result is JSON");
        let log = self.master.process.err.text();
        Finished { code, summary, log, counts: self.target.counts(), _swarm: self.swarm }
    }
}

fn result_file(swarm: &Swarm) -> PathBuf {
    swarm.folder().join("result.json")
}

/// A master of the website scenario with a page, for workers at a port; 0 takes a free one.
#[track_caller]
fn master_at(port: u16, swarm: &Swarm, target: &Target) -> Master {
    master_of(&scenario("website"), port, swarm, target)
}

#[track_caller]
fn master_of(scenario: &Path, port: u16, swarm: &Swarm, target: &Target) -> Master {
    let json = result_file(swarm);
    let json = json.to_str().expect("temporary folders have plain names");
    let arguments = ["--host", &target.url(), "-s", "10", "--json-file", json, "--csv", "result"];
    swarm.master_at(port, scenario, &arguments)
}

/// A worker with a folder of its own for modules.
#[track_caller]
fn worker_with_cache(cluster: &Cluster, id: &str, cache: &Path) -> Worker {
    let address = cluster.master.address();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let arguments = ["worker", "--master-host", &host, "--master-port", &port, "--id", id];
    let mut command: Command = cluster.swarm.command(&arguments);
    command.env("SWARM_CACHE_DIR", cache);
    Worker { process: Process::spawn(id, command) }
}

/// What the page shows of the users.
#[derive(Debug, Clone, PartialEq, Eq)]
struct View {
    state: String,
    users: u64,
    /// State and users of each worker, those that are gone included.
    workers: BTreeMap<String, (String, u64)>,
}

impl View {
    fn of(stats: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let number = |value: &Value| value.as_u64().expect("a number");
        let workers =
            stats["workers"].as_array().expect("a list of workers").iter().map(|worker| {
                (text(&worker["id"]), (text(&worker["state"]), number(&worker["user_count"])))
            });
        Self {
            state: text(&stats["state"]),
            users: number(&stats["user_count"]),
            workers: workers.collect(),
        }
    }

    /// The users of each worker that is there.
    fn present(&self) -> impl Iterator<Item = u64> {
        let gone = ["lost", "left"];
        let there = self.workers.values().filter(move |(state, _)| !gone.contains(&&**state));
        there.map(|&(_, users)| users)
    }
}

/// What is left of a cluster.
struct Finished {
    /// The master's exit code.
    code: Option<i32>,
    /// The JSON file.
    summary: Value,
    /// The master's log.
    log: String,
    /// What the target has received.
    counts: Counts,
    _swarm: Swarm,
}

impl Finished {
    /// Every request that the target has received is in the result, once, and nothing failed.
    #[track_caller]
    fn assert_exact(&self) {
        assert_eq!(self.code, Some(0), "{}", self.log);
        assert_eq!(requests_by_path(&self.summary["entries"]), self.counts.paths);
        assert_eq!((&self.summary["interrupted"], &self.summary["unsent"]), (&0.into(), &0.into()));
        let connections = &self.summary["connections"];
        let taken = |what: &str| connections[what].as_u64().expect("a number");
        let given = taken("opened") + taken("reused") - taken("resent");
        assert_eq!(given, self.total(), "no request is redirected: {connections}");
        assert!(self.workers().all(|worker| worker["lost"] == false), "{}", self.summary);
        self.assert_consistent();
    }

    /// The parts of the result add up.
    #[track_caller]
    fn assert_consistent(&self) {
        let total = self.total();
        assert_eq!(self.summary["total"]["num_failures"], 0, "{}", self.summary["errors"]);
        assert_eq!(sum(self.workers(), "num_requests"), total, "by worker");
        assert_eq!(sum(self.rows("entries"), "num_requests"), total, "by entry");
        assert_eq!(sum(self.rows("seconds"), "requests"), total, "by second");
        assert_eq!(self.summary["exceptions"], serde_json::json!([]));
    }

    /// Requests that were reported.
    fn total(&self) -> u64 {
        self.summary["total"]["num_requests"].as_u64().expect("a number")
    }

    fn rows(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.summary[name].as_array().expect("a list").iter()
    }

    fn workers(&self) -> impl Iterator<Item = &Value> {
        self.rows("workers")
    }

    fn worker(&self, id: &str) -> &Value {
        self.workers().find(|worker| worker["id"] == id).expect("it has taken part")
    }

    #[track_caller]
    fn assert_notice(&self, text: &str) {
        let found =
            self.rows("notices").any(|notice| notice.as_str().is_some_and(|it| it.contains(text)));
        assert!(found, "no notice of {text:?}: {}", self.summary["notices"]);
    }
}

fn sum<'a>(rows: impl Iterator<Item = &'a Value>, field: &str) -> u64 {
    rows.map(|row| row[field].as_u64().expect("a number")).sum()
}

/// From the entries of a result, or of a page's statistics without the aggregate.
fn requests_by_path(entries: &Value) -> BTreeMap<String, u64> {
    let entries = entries.as_array().expect("a list").iter();
    let named = entries.filter(|entry| entry["name"] != "Aggregated");
    let count = |entry: &Value| entry["num_requests"].as_u64().expect("a number");
    named.map(|entry| (entry["name"].as_str().expect("a name").to_owned(), count(entry))).collect()
}

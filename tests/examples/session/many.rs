//! 100,000 users of one machine with the system's default limits: target and worker both run as
//! several processes, the users come from several addresses.

use std::thread::sleep;
use std::time::{Duration, Instant};

use swarm_tests::{Process, Signal, Swarm, scenario, wait_until};

use crate::cluster::{RESULT, STOP_TIMEOUT, View};
use crate::crowd::{self, LONG};
use crate::options::Options;
use crate::report::{Report, mebibytes};
use crate::usage::{Usage, children};

/// Users for each one of the session's.
const USERS_FACTOR: u32 = 10;
/// Processes of the target, and of the worker: each may have 20,000 files open here.
const PROCESSES: &str = "6";
/// Each address brings about 28,000 local ports.
const SOURCES: &str = "127.0.0.2-127.0.0.9";
/// In which all users are due, in seconds: well before `crowd` wants them running.
const RAMP_S: f64 = 40.0;
/// The longest rest of the scenario: after that each user has visited again.
const REST: Duration = Duration::from_secs(30);

/// What the users are.
pub(crate) struct Kind {
    scenario: &'static str,
    /// Most memory of the worker's processes together.
    rss_max: u64,
}

/// Each in an instance of its own.
pub(crate) const ISOLATED: Kind = Kind { scenario: "idle", rss_max: 4 << 30 };
/// All of a load thread in one.
pub(crate) const DENSE: Kind = Kind { scenario: "idle-dense", rss_max: 1229 << 20 };

pub(crate) fn run(kind: &Kind, options: &Options, report: &mut Report) {
    let users = options.users * USERS_FACTOR;
    let swarm = Swarm::new();
    let target = swarm.target(&["--processes", PROCESSES]);
    let url = target.url();
    let arguments = [&STOP_TIMEOUT[..], &["--host", &url, "--json-file", RESULT]].concat();
    let mut master = swarm.master(&scenario(kind.scenario), &arguments);
    let arguments = ["--processes", PROCESSES, "--source-address", SOURCES];
    let mut worker = swarm.worker(&master, &arguments);
    let processes: usize = PROCESSES.parse().expect("a number");
    wait_until("the processes are ready", LONG, || {
        let view = View::of(&master.page().stats());
        view.workers.values().filter(|worker| worker.is_able()).count() == processes
    });

    let begun = Instant::now();
    master.page().start(users, f64::from(users) / RAMP_S);
    wait_until("all users run", LONG, || {
        let view = View::of(&master.page().stats());
        view.state == "running" && view.users == u64::from(users)
    });
    crowd::started(users, begun, report);
    report.step(format_args!("measuring for {:?}", REST * 2));
    sleep(REST);
    let before = usage(&worker.process);
    sleep(REST);
    let after = usage(&worker.process);
    tell(&before, &after, users, kind.rss_max, report);

    master.page().stop();
    master.page().wait_for_state("stopped");
    let counts = target.counts();
    master.process.signal(Signal::INT);
    let status = master.process.wait(LONG);
    worker.process.wait(LONG);
    crowd::ended(users, status, &swarm, &counts, report);
}

/// Of the worker's processes, not of the one that started them.
fn usage(worker: &Process) -> Vec<Usage> {
    children(worker.id()).into_iter().map(Usage::of).collect()
}

fn tell(before: &[Usage], after: &[Usage], users: u32, rss_max: u64, report: &mut Report) {
    let rss: u64 = after.iter().map(|usage| usage.rss).sum();
    let cores: f64 = before.iter().zip(after).map(|(from, to)| to.cores_since(*from)).sum();
    let each = rss as f64 / f64::from(users) / 1024.0;
    report.table(
        &["processes", "RSS in all", "RSS a user", "CPU (% of a core)"],
        &[vec![
            after.len().to_string(),
            mebibytes(rss),
            format!("{each:.1} KiB"),
            format!("{:.1} %", cores * 100.0),
        ]],
    );
    crowd::memory(rss, rss_max, report);
}

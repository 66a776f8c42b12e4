//! 1,000,000 users in one process: dense ones, that share the connections of their load thread.

use std::thread::sleep;
use std::time::{Duration, Instant};

use swarm_tests::{Signal, Swarm, scenario, wait_until};

use crate::cluster::{RESULT, STOP_TIMEOUT};
use crate::crowd::{self, LONG};
use crate::options::Options;
use crate::report::{Report, mebibytes};
use crate::usage::Usage;

/// Users for each one of the session's.
const USERS_FACTOR: u32 = 100;
/// Shared by the users of a load thread.
const CONNECTIONS: &str = "shared:64";
/// In which all users are due, in seconds: well before `crowd` wants them running.
const RAMP_S: f64 = 50.0;
/// Memory of the one process: master, worker and page.
const RSS_MAX: u64 = 3 << 29;
/// The longest rest of `website-dense`: after that each user has visited again.
const REST: Duration = Duration::from_secs(120);

pub(crate) fn run(options: &Options, report: &mut Report) {
    let users = options.users * USERS_FACTOR;
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let (host, connections) = (target.url(), ["--connections", CONNECTIONS]);
    let more = ["--host", &host, "--json-file", RESULT];
    let mut run =
        swarm.run(&scenario("website-dense"), &[&STOP_TIMEOUT[..], &connections, &more].concat());

    let begun = Instant::now();
    run.page().start(users, f64::from(users) / RAMP_S);
    wait_until("all users run", LONG, || {
        let stats = run.page().stats();
        stats["state"] == "running" && stats["user_count"] == users
    });
    crowd::started(users, begun, report);
    report.step(format_args!("measuring for {REST:?}"));
    let (before, received) = (Usage::of(run.process.id()), target.counts().total);
    sleep(REST);
    let (after, received) = (Usage::of(run.process.id()), target.counts().total - received);
    report.table(
        &["RSS", "RSS a user", "CPU (% of a core)", "requests a second"],
        &[vec![
            mebibytes(after.rss),
            format!("{:.2} KiB", after.rss as f64 / f64::from(users) / 1024.0),
            format!("{:.1} %", after.cores_since(before) * 100.0),
            format!("{:.0}", received as f64 / after.time_since(before).as_secs_f64()),
        ]],
    );
    crowd::memory(after.rss, RSS_MAX, report);

    run.page().stop();
    run.page().wait_for_state("stopped");
    let counts = target.counts();
    run.process.signal(Signal::INT);
    let status = run.process.wait(LONG);
    crowd::ended(users, status, &swarm, &counts, report);
}

//! 1,000,000 users in one process: dense ones, that share the connections of their load thread.

use std::thread::sleep;
use std::time::{Duration, Instant};

use swarm_tests::{Signal, Swarm, scenario, wait_until};

use crate::cluster::{RESULT, STOP_TIMEOUT, requests_by_path, result};
use crate::options::Options;
use crate::plateau::lateness;
use crate::report::{Report, mebibytes};
use crate::usage::Usage;

/// Users for each one of the session's.
const USERS_FACTOR: u32 = 100;
/// Shared by the users of a load thread.
const CONNECTIONS: &str = "shared:64";
/// From the start to all users running.
const START_MAX: Duration = Duration::from_secs(60);
/// Users a second: all are due well before that.
const RAMP_S: f64 = 50.0;
/// Memory of the one process: master, worker and page.
const RSS_MAX: u64 = 3 << 29;
/// The longest rest of `website-dense`: after that each user has visited again.
const REST: Duration = Duration::from_secs(120);
/// How long anything else may take with so many users.
const LONG: Duration = Duration::from_secs(120);

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
    let started = begun.elapsed();
    report.bar(
        format!("{users} users started"),
        format!("{:.1} s", started.as_secs_f64()),
        format!("at most {} s", START_MAX.as_secs()),
        started <= START_MAX,
    );
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
    let most = format!("at most {}", mebibytes(RSS_MAX));
    report.bar("memory of the process", mebibytes(after.rss), most, after.rss <= RSS_MAX);

    run.page().stop();
    run.page().wait_for_state("stopped");
    let counts = target.counts();
    run.process.signal(Signal::INT);
    let code = run.process.wait(LONG).code();
    report.bar("exit code", format!("{code:?}"), "Some(0)", code == Some(0));
    let result = result(&swarm);
    let reported = requests_by_path(&result["entries"]);
    report.bar(
        "requests by path",
        format!("{reported:?}"),
        format!("{:?}", counts.paths),
        reported == counts.paths && counts.total >= u64::from(users) * 2,
    );
    report.bar("failures", &result["errors"], "[]", result["errors"] == serde_json::json!([]));
    report.table(&["lateness"], &[vec![lateness(&result)]]);
}

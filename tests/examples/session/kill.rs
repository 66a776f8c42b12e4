//! One of ten workers is killed.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use swarm_target::Counts;
use swarm_tests::{PATIENCE, Signal};

use crate::cluster::{Cluster, number, requests_by_path, worker_id};
use crate::options::Options;
use crate::plateau::SETTLE;
use crate::report::Report;

const WORKERS: usize = 10;
const VICTIM: usize = 4;
/// Users a second.
const SPAWN_RATE: f64 = 2000.0;
/// Pause between two looks at the page.
const LOOK: Duration = Duration::from_millis(20);
/// From the kill to all users on the others, at most; and how long that is waited for.
const BACK_MAX: Duration = Duration::from_secs(5);
const BACK_LIMIT: Duration = Duration::from_secs(60);
/// How much of a worker's work may be lost with it.
const LOST_S_MAX: f64 = 1.5;
/// The shortest cycle of `website` on the average: its rest.
const CYCLE_S: f64 = 3.0;

pub(crate) fn run(options: &Options, report: &mut Report) {
    let users = u64::from(options.users);
    let mut cluster = Cluster::start(WORKERS);
    cluster.page().start(options.users, SPAWN_RATE);
    cluster.wait_for_shares(users, WORKERS as u64);
    sleep(SETTLE);

    report.step(format_args!("killing {}", worker_id(VICTIM)));
    cluster.workers[VICTIM].process.signal(Signal::KILL);
    let killed = Instant::now();
    cluster.workers[VICTIM].process.wait(PATIENCE);
    let (noticed, back, fewest) = recovery(&cluster, users, killed);
    report.table(
        &["loss on the page after", "all users back after", "fewest users"],
        &[vec![millis(noticed), millis(back), fewest.to_string()]],
    );
    report.note("The page is brought up to date every 0.5 s: it shows both up to that much late.");
    let met = back.is_some_and(|time| time <= BACK_MAX);
    report.bar("all users back", millis(back), format!("at most {}", millis(Some(BACK_MAX))), met);

    sleep(SETTLE);
    cluster.page().stop();
    cluster.page().wait_for_state("stopped");
    let (code, result, counts) = cluster.finish();
    let met = code == Some(9);
    report.bar("exit code", format!("{code:?}"), "Some(9): samples are missing", met);
    losses(&result, report);
    missing(&result, &counts, users, report);
}

/// When the loss was on the page, when all users were back on the others, and the fewest between.
fn recovery(
    cluster: &Cluster,
    users: u64,
    killed: Instant,
) -> (Option<Duration>, Option<Duration>, u64) {
    let (mut noticed, mut back, mut fewest) = (None, None, users);
    while back.is_none() && killed.elapsed() < BACK_LIMIT {
        let view = cluster.view();
        let now = killed.elapsed();
        fewest = fewest.min(view.users);
        if !view.workers[&worker_id(VICTIM)].is_able() {
            noticed.get_or_insert(now);
            back = view.is_even(users, WORKERS as u64 - 1).then_some(now);
        }
        sleep(LOOK);
    }
    (noticed, back, fewest)
}

/// The result names the worker that was lost, and no other.
fn losses(result: &Value, report: &mut Report) {
    let workers = result["workers"].as_array().expect("a list of workers").iter();
    let lost: Vec<_> = workers.filter(|worker| worker["lost"] == true).collect();
    let details = lost.iter().map(|worker| {
        let detail = worker["lost_detail"].as_str().unwrap_or("no detail");
        format!("{}: {detail}", worker["id"].as_str().unwrap_or_default())
    });
    let details = details.collect::<Vec<_>>().join("; ");
    let met = lost.len() == 1 && lost[0]["id"] == worker_id(VICTIM).as_str();
    report.bar("lost workers in the result", details, worker_id(VICTIM), met);
}

/// What the target has received and nobody reported was the lost worker's last; all else adds up.
fn missing(result: &Value, counts: &Counts, users: u64, report: &mut Report) {
    let total = number(&result["total"]["num_requests"]);
    let interrupted = number(&result["interrupted"]);
    let missing = i128::from(counts.total) - i128::from(total);
    let a_second = (users / WORKERS as u64) as f64 / CYCLE_S;
    let most = (a_second * LOST_S_MAX).ceil();
    report.bar(
        "requests that nobody reported",
        format!("{missing}, that is {:.2} s of a worker", missing as f64 / a_second),
        format!("from 0 to {most}, that is {LOST_S_MAX} s"),
        missing >= 0 && missing as f64 <= most,
    );
    let by_path = requests_by_path(&result["entries"]);
    let within = by_path.iter().all(|(path, n)| counts.paths.get(path).is_some_and(|m| n <= m));
    report.bar(
        "requests by path",
        format!("{by_path:?}"),
        format!("at most {:?}", counts.paths),
        within && !by_path.is_empty(),
    );
    let sum = |rows: &str, field: &str| -> u64 {
        let rows = result[rows].as_array().expect("a list").iter();
        rows.map(|row| number(&row[field])).sum()
    };
    let sums = [sum("workers", "num_requests"), sum("entries", "num_requests")];
    report.bar(
        "requests by worker, and by entry",
        format!("{sums:?}"),
        format!("{:?}", [total, total]),
        sums == [total, total],
    );
    let failures = number(&result["total"]["num_failures"]);
    report.bar(
        "failures, and requests that were interrupted",
        format!("{:?}", (failures, interrupted)),
        "(0, 0)",
        (failures, interrupted) == (0, 0),
    );
}

fn millis(time: Option<Duration>) -> String {
    time.map_or("never".to_owned(), |time| format!("{} ms", time.as_millis()))
}

//! A master, ten workers, a person at the page.

use std::thread::sleep;

use swarm_tests::PATIENCE;

use crate::browser;
use crate::cluster::{Cluster, number, worker_id};
use crate::options::Options;
use crate::plateau::{SETTLE, compare_counts, lateness, measure};
use crate::report::Report;

const WORKERS: usize = 10;

pub(crate) fn run(options: &Options, report: &mut Report) {
    let mut cluster = Cluster::start(WORKERS);
    report.step(format_args!("{WORKERS} workers are ready; the page starts the test"));
    browser::start(cluster.page(), options);
    sleep(SETTLE);
    shares(&cluster, options, report);

    report.step(format_args!("measuring for {:?}", options.plateau));
    let processes = processes(&cluster);
    let plateau = measure(cluster.page(), &cluster.target, &processes, options.plateau);
    plateau.tell("ten workers", options.users, report);

    browser::stop(cluster.page(), options);
    report.step(format_args!("pictures of the page are in {}", options.shots.display()));
    let (stats, counts) = (cluster.page().stats(), cluster.target.counts());
    compare_counts("ten workers", &stats, &counts, report);

    modules(&mut cluster, report);
    let (code, result, counts) = cluster.finish();
    let total = number(&result["total"]["num_requests"]);
    let interrupted = number(&result["interrupted"]);
    report.bar(
        "result of the master",
        format!("exit code {code:?}, {total} requests, {interrupted} interrupted"),
        format!("exit code Some(0), {} requests, 0 interrupted", counts.total),
        code == Some(0) && total == counts.total && interrupted == 0,
    );
    report.table(&["lateness"], &[vec![lateness(&result)]]);
}

fn shares(cluster: &Cluster, options: &Options, report: &mut Report) {
    let (view, users) = (cluster.view(), u64::from(options.users));
    report.bar("users", view.users, users, view.users == users);
    let shares: Vec<u64> = view.workers.values().map(|worker| worker.users).collect();
    let wanted = vec![users / WORKERS as u64; WORKERS];
    let met = shares == wanted;
    report.bar("users of each worker", format!("{shares:?}"), format!("{wanted:?}"), met);
}

/// Names for people, and process ids.
fn processes(cluster: &Cluster) -> Vec<(String, u32)> {
    let workers = cluster.workers.iter().enumerate();
    let workers = workers.map(|(number, worker)| (worker_id(number), worker.process.id()));
    let master = ("master".to_owned(), cluster.master.process.id());
    let target = ("target".to_owned(), cluster.target.process.id());
    [master].into_iter().chain(workers).chain([target]).collect()
}

/// The module goes to each cache once, and not again to a worker that comes back.
fn modules(cluster: &mut Cluster, report: &mut Report) {
    let mut sent = cluster.modules_sent();
    sent.sort_unstable();
    let rows: Vec<_> = sent.iter().map(|(id, bytes)| vec![id.clone(), bytes.to_string()]).collect();
    report.table(&["worker", "bytes of the module"], &rows);
    let mut ids: Vec<&str> = sent.iter().map(|(id, _)| id.as_str()).collect();
    ids.dedup();
    let once = sent.len() == WORKERS && ids.len() == WORKERS;
    let wanted = format!("{WORKERS} times, to {WORKERS} workers");
    let times = format!("{} times, to {} workers", sent.len(), ids.len());
    report.bar("module sent", times, wanted, once);

    cluster.workers[0].leave(PATIENCE);
    cluster.wait_until_ready(WORKERS - 1);
    cluster.workers[0] = cluster.worker(0);
    cluster.wait_until_ready(WORKERS);
    let again = cluster.modules_sent().len() - sent.len();
    report.bar("module sent again to a worker that comes back", again, 0, again == 0);
}

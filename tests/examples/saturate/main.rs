//! How many workers a master takes: the real `swarm master`, and workers that only report. Prints
//! Markdown, and judges nothing.
//!
//! ```sh
//! cargo run --release -p swarm-tests --example saturate -- [journal] [WORKERS...]
//! ```
//!
//! With `journal` the master has a state directory, in the temporary folder.
//!
//! Each worker is the real client side of the protocol on a connection of its own. It takes orders,
//! gives a sign of life each second, and each second reports the samples of 100 names, ten samples
//! each. Meanwhile page, statistics and live stream are asked for as people do.
//!
//! # Layout
//! - this file: the steps, and what is printed of them.
//! - `workers`: the workers, all on one thread.
//! - `probe`: how long the master's page takes to answer.
//! - `threads`: computing time of the master's threads.

mod probe;
mod threads;
mod workers;

use std::time::Duration;

use swarm_tests::{Swarm, scenario, wait_for};

use probe::Probe;
use threads::Threads;
use workers::Workers;

/// Steps without arguments.
const WORKERS: [usize; 6] = [100, 500, 1_000, 2_000, 3_000, 4_000];

/// Until everything has its pace: histograms are grown, the windows of ten seconds are full.
const WARM_UP: Duration = Duration::from_secs(14);

/// How long is measured.
const MEASURED: Duration = Duration::from_secs(10);

/// From this share of a core on the control thread does nothing else any more.
const SATURATED: f64 = 0.95;

/// Reports that are answered later than this have begun to pile up.
const BEHIND: Duration = Duration::from_secs(1);

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let journal = arguments.next_if(|argument| argument == "journal").is_some();
    let arguments: Vec<usize> = arguments
        .map(|text| text.parse().unwrap_or_else(|_| panic!("not a number of workers: {text}")))
        .collect();
    let steps = if arguments.is_empty() { WORKERS.to_vec() } else { arguments };
    println!(
        "| workers | reports/s | master, cores | control thread | RSS MiB | report answered \
         p50/p99/max ms | `/` p50/max ms | `/stats/requests` p50/max ms | live events/s, \
         longest gap ms | workers lost |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    for workers in steps {
        if !step(workers, journal) {
            println!("\nsaturated at {workers} workers");
            return;
        }
    }
}

/// Measures one number of workers; `false` when it was too many.
fn step(count: usize, journal: bool) -> bool {
    let swarm = Swarm::new();
    let state: &[&str] = if journal { &["--state-dir", "state"] } else { &[] };
    let host = ["--host", "http://127.0.0.1:9"];
    let master = swarm.master(&scenario("website"), &[&host, state].concat());
    let workers = Workers::start(master.address(), count);
    wait_for(&format!("{count} workers"), Duration::from_secs(60), || {
        (workers.registered() == count).then_some(())
    });
    let users = u32::try_from(count).expect("a number of workers");
    master.page().start(users, f64::from(users));
    std::thread::sleep(WARM_UP);

    workers.measure();
    let pid = master.process.id();
    let before = Threads::of(pid);
    let probe = Probe::run(master.page().url(), MEASURED);
    let after = Threads::of(pid);
    let answered = workers.answered();
    let spent = after.since(&before);
    println!(
        "| {count} | {:.0} | {:.2} | {:.2} | {} | {} | {} | {} | {:.1}, {:.0} | {} |",
        answered.count() as f64 / MEASURED.as_secs_f64(),
        spent.all,
        spent.control,
        after.rss_mib(),
        answered.figures(&[50.0, 99.0, 100.0]),
        probe.page.figures(&[50.0, 100.0]),
        probe.statistics.figures(&[50.0, 100.0]),
        probe.events_per_second,
        probe.longest_gap.as_secs_f64() * 1_000.0,
        workers.lost(),
    );
    answered.at(99.0) < BEHIND && spent.control < SATURATED && workers.lost() == 0
}

//! How many workers a master takes: the real `swarm master`, and workers that only report. Prints
//! Markdown, says from how many workers on the master is saturated, and fails when a bar is missed.
//!
//! ```sh
//! cargo xtask saturate [journal] [WORKERS...]
//! ```
//!
//! With `journal` the master has a state directory, in the temporary folder.
//!
//! Each worker is the real client side of the protocol on a connection of its own. It takes orders,
//! gives a sign of life each second, and each second reports the samples of 100 names, ten samples
//! each. Meanwhile page, statistics and live stream are asked for as people do.
//!
//! # Layout
//! - this file: the steps, what is printed of them, and the bars.
//! - `workers`: the workers, all on one thread.
//! - `probe`: how long the master's page takes to answer.
//! - `threads`: computing time of the master's threads.

mod probe;
mod threads;
mod workers;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use swarm_tests::{Swarm, scenario, wait_for};

use probe::{Probe, Times};
use threads::{Spent, Threads};
use workers::Workers;

const USAGE: &str = "Usage: cargo xtask saturate [journal] [WORKERS...]";

/// Steps without arguments.
const WORKERS: [usize; 5] = [1_000, 2_000, 3_000, 4_000, 6_000];

/// Up to so many workers the bars hold.
const BARS_WORKERS_MAX: usize = 2_000;

/// Bar: how long all of them may take to join.
const JOIN_BAR: Duration = Duration::from_secs(30);

/// Bar: computing time of the whole master, in parts of one core's.
const MASTER_CORES_BAR: f64 = 1.0;

/// Bar: how long page and statistics may take to answer, of a hundred times all but one.
const PAGE_BAR: Duration = Duration::from_millis(50);

/// No step waits longer for its workers to join.
const JOIN_MAX: Duration = Duration::from_secs(60);

/// Until everything has its pace: histograms are grown, the windows of ten seconds are full.
const WARM_UP: Duration = Duration::from_secs(14);

/// How long is measured.
const MEASURED: Duration = Duration::from_secs(10);

/// From this share of a core on the control thread does nothing else any more.
const SATURATED: f64 = 0.95;

/// Reports that are answered later than this have begun to pile up.
const BEHIND: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let (journal, steps) = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(what) => {
            eprintln!("error: {what}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    println!(
        "| workers | joined in s | reports/s | master, cores | control thread | workers, cores | \
         RSS MiB | report answered p50 / p99 / max ms | `/` p50 / p99 ms | `/stats/requests` p50 / \
         p99 ms | live events/s, longest gap ms | workers lost |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    let mut missed = Vec::new();
    for workers in steps {
        let step = Step::measure(workers, journal);
        step.print();
        missed.extend(step.missed());
        if let Some(why) = step.saturated() {
            println!("\nsaturated at {workers} workers: {why}");
            break;
        }
    }
    missed.iter().for_each(|missed| println!("\nmissed: {missed}"));
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Is there a journal, and the numbers of workers, one for each step.
fn arguments(given: impl Iterator<Item = String>) -> Result<(bool, Vec<usize>), String> {
    let mut given = given.peekable();
    let journal = given.next_if(|argument| argument == "journal").is_some();
    let number = |text: String| {
        let number = text.parse().ok().filter(|&workers| workers > 0);
        number.ok_or_else(|| format!("`{text}` is not a number of workers"))
    };
    let steps: Vec<usize> = given.map(number).collect::<Result<_, _>>()?;
    Ok((journal, if steps.is_empty() { WORKERS.to_vec() } else { steps }))
}

/// What was measured with one number of workers.
struct Step {
    count: usize,
    joined: Duration,
    master: Spent,
    /// Computing time of all workers, which are one thread: at a whole core it is them that are
    /// measured.
    workers_cores: f64,
    rss_mib: u64,
    answered: Times,
    probe: Probe,
    lost: usize,
}

impl Step {
    fn measure(count: usize, journal: bool) -> Self {
        let swarm = Swarm::new();
        let state: &[&str] = if journal { &["--state-dir", "state"] } else { &[] };
        let host = ["--host", "http://127.0.0.1:9"];
        let master = swarm.master(&scenario("website"), &[&host, state].concat());
        let begin = Instant::now();
        let workers = Workers::start(master.address(), count);
        let all = || (workers.joined() == count).then_some(());
        wait_for(&format!("{count} workers"), JOIN_MAX, all);
        let joined = begin.elapsed();
        let users = u32::try_from(count).expect("a number of workers");
        master.page().start(users, f64::from(users));
        std::thread::sleep(WARM_UP);

        workers.measure();
        let pids = [master.process.id(), std::process::id()];
        let before = pids.map(Threads::of);
        let probe = Probe::run(master.page().url(), MEASURED);
        let [after, ours] = pids.map(Threads::of);
        Self {
            count,
            joined,
            master: after.since(&before[0]),
            workers_cores: ours.since(&before[1]).all,
            rss_mib: after.rss_mib(),
            answered: workers.answered(),
            probe,
            lost: workers.lost(),
        }
    }

    fn print(&self) {
        println!(
            "| {} | {:.1} | {:.0} | {:.2} | {:.2} | {:.2} | {} | {} | {} | {} \
             | {:.1}, {:.0} | {} |",
            self.count,
            self.joined.as_secs_f64(),
            self.answered.count() as f64 / MEASURED.as_secs_f64(),
            self.master.all,
            self.master.control,
            self.workers_cores,
            self.rss_mib,
            self.answered.figures(&[50.0, 99.0, 100.0]),
            self.probe.page.figures(&[50.0, 99.0]),
            self.probe.statistics.figures(&[50.0, 99.0]),
            self.probe.events_per_second,
            self.probe.longest_gap.as_secs_f64() * 1_000.0,
            self.lost,
        );
    }

    /// Why there were too many, if so.
    fn saturated(&self) -> Option<String> {
        let late = self.answered.at(99.0);
        if self.lost > 0 {
            return Some(format!("{} workers were lost", self.lost));
        }
        if self.master.control >= SATURATED {
            let share = self.master.control * 100.0;
            return Some(format!("the control thread takes {share:.0} % of a core"));
        }
        (late >= BEHIND).then(|| format!("1 % of the reports are answered after {late:.1?}"))
    }

    /// The bars that it missed.
    fn missed(&self) -> Vec<String> {
        if self.count > BARS_WORKERS_MAX {
            return Vec::new();
        }
        let Self { count, joined, master, probe, .. } = self;
        let late = |what: &str, times: &Times| {
            let p99 = times.at(99.0);
            let text = format!("with {count} workers {what} answers after {p99:.1?}");
            (p99 >= PAGE_BAR).then_some(text)
        };
        let missed = [
            (*joined >= JOIN_BAR).then(|| format!("{count} workers joined in {joined:.1?}")),
            (master.all >= MASTER_CORES_BAR)
                .then(|| format!("with {count} workers the master takes {:.2} cores", master.all)),
            late("the page", &probe.page),
            late("/stats/requests", &probe.statistics),
            self.saturated().map(|why| format!("with {count} workers {why}")),
        ];
        missed.into_iter().flatten().collect()
    }
}

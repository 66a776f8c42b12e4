//! Seven workers join three in the middle of a test.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, View, worker_id};
use crate::options::Options;
use crate::plateau::compare_counts;
use crate::report::Report;

const FIRST: usize = 3;
const JOINING: usize = 7;
const ALL: usize = FIRST + JOINING;
/// Users a second.
const SPAWN_RATE: f64 = 2000.0;

/// How long the load runs before and after.
const BEFORE: Duration = Duration::from_secs(5);
const AFTER: Duration = Duration::from_secs(10);
/// How often the page is asked.
const LOOK: Duration = Duration::from_millis(100);
/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(60);
/// From a worker's being ready to its full share, at most.
const SHARE_MAX: Duration = Duration::from_secs(2);

/// When a worker was first seen so, since the start of its process.
#[derive(Debug, Default)]
struct Seen {
    joined: Option<Duration>,
    ready: Option<Duration>,
    full: Option<Duration>,
}

/// What the page showed while they joined.
#[derive(Debug)]
struct Watched {
    workers: BTreeMap<String, Seen>,
    users_min: u64,
    users_max: u64,
}

pub(crate) fn run(options: &Options, report: &mut Report) {
    let users = u64::from(options.users);
    let mut cluster = Cluster::start(FIRST);
    cluster.page().start(options.users, SPAWN_RATE);
    cluster.wait_for_shares(users, FIRST as u64);
    sleep(BEFORE);

    report.step(format_args!("{JOINING} workers join"));
    let mut started = BTreeMap::new();
    for number in FIRST..ALL {
        started.insert(worker_id(number), Instant::now());
        cluster.add_worker();
    }
    let watched = watch(&cluster, &started, users);
    tell(&watched, report);

    sleep(AFTER);
    cluster.page().stop();
    cluster.page().wait_for_state("stopped");
    let (stats, counts) = (cluster.page().stats(), cluster.target.counts());
    compare_counts("seven join three", &stats, &counts, report);
    let (code, ..) = cluster.finish();
    report.bar("exit code", format!("{code:?}"), "Some(0)", code == Some(0));
}

/// Looks at the page until all have their share, or for [`LIMIT`].
fn watch(cluster: &Cluster, started: &BTreeMap<String, Instant>, users: u64) -> Watched {
    let workers = started.keys().map(|id| (id.clone(), Seen::default())).collect();
    let mut watched = Watched { workers, users_min: u64::MAX, users_max: 0 };
    let begun = Instant::now();
    while begun.elapsed() < LIMIT {
        let view = cluster.view();
        watched.look(&view, started, users / ALL as u64);
        if view.is_even(users, ALL as u64) {
            break;
        }
        sleep(LOOK);
    }
    watched
}

impl Watched {
    fn look(&mut self, view: &View, started: &BTreeMap<String, Instant>, share: u64) {
        self.users_min = self.users_min.min(view.users);
        self.users_max = self.users_max.max(view.users);
        for (id, seen) in &mut self.workers {
            let Some(worker) = view.workers.get(id) else { continue };
            let now = started[id].elapsed();
            seen.joined.get_or_insert(now);
            if worker.is_able() {
                seen.ready.get_or_insert(now);
            }
            if worker.users >= share {
                seen.full.get_or_insert(now);
            }
        }
    }
}

fn tell(watched: &Watched, report: &mut Report) {
    let rows: Vec<_> = watched.workers.iter().map(|(id, seen)| row(id, seen)).collect();
    let head = ["worker", "start to joined", "start to ready", "start to full share"];
    let more = ["joined to full share", "ready to full share"];
    report.table(&[&head[..], &more[..]].concat(), &rows);
    report.note("The page is brought up to date every 0.5 s: each time may be that much off.");

    let times = watched.workers.values().map(|seen| Some(seen.full?.saturating_sub(seen.ready?)));
    let longest = times.collect::<Option<Vec<_>>>().and_then(|times| times.into_iter().max());
    report.bar(
        "longest time from ready to full share",
        longest.map_or("not all within a minute".to_owned(), |time| time_text(Some(time))),
        format!("at most {}", time_text(Some(SHARE_MAX))),
        longest.is_some_and(|time| time <= SHARE_MAX),
    );
    let (most, least) = (watched.users_max, watched.users_min);
    // No bar: workers tell of a user that moves at different moments, up to 0.1 s apart.
    report.table(
        &["fewest users in all while they joined", "most"],
        &[vec![least.to_string(), most.to_string()]],
    );
}

fn row(id: &str, seen: &Seen) -> Vec<String> {
    let between = |from: Option<Duration>| Some(seen.full?.saturating_sub(from?));
    let times = [seen.joined, seen.ready, seen.full, between(seen.joined), between(seen.ready)];
    [id.to_owned()].into_iter().chain(times.map(time_text)).collect()
}

/// More digits would say nothing.
fn time_text(time: Option<Duration>) -> String {
    time.map_or("never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
}

//! One fault with one tool, from the start of its cluster to its end.

use std::collections::BTreeMap;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use serde_json::Value;
use swarm_tests::request;

use crate::cluster::{Cluster, Tool};
use crate::fault::Fault;
use crate::happen::{Episode, Scene, VICTIM, band};
use crate::network::Network;
use crate::options::Options;
use crate::outcome::{Figures, Outcome, Reported};
use crate::page::by_path;
use crate::series::{Point, rate};
use crate::watch::Watch;

/// Users a second.
const SPAWN_RATE: f64 = 2000.0;
/// How long all users may take to be there.
const RAMP_MAX: Duration = Duration::from_secs(120);
/// How long the load is constant before anything happens: until nothing is left of the wave in
/// which all users began.
const PLATEAU: Duration = Duration::from_secs(12);
/// How long a test may take to stop.
const STOP_MAX: Duration = Duration::from_secs(45);
/// Locust's workers report each 3 s; the last report may come after the end of the test.
const LAST_REPORTS: Duration = Duration::from_secs(4);
/// swarm's workers end with their master.
const GOODBYE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(100);

/// Starts a cluster, lets the fault happen, stops the test, counts.
#[track_caller]
pub(crate) fn run(network: &Network, tool: Tool, fault: Fault, options: &Options) -> Outcome {
    let users = options.users(tool);
    // Only here something lies between a worker and its master that could be slow.
    let delayed = (fault == Fault::Slow).then_some(VICTIM);
    let cluster = Cluster::start(network, options, tool, fault, delayed);
    cluster.page().start(users, SPAWN_RATE);
    let (watch, workers) = (cluster.watch(), crate::cluster::WORKERS);
    let users = u64::from(users);
    let up = watch.wait(Duration::ZERO, RAMP_MAX, |seen, page| {
        band(users).contains(&seen) && page.is_even(users, workers)
    });
    assert!(up, "{} does not carry {users} users: {:?}", tool.name(), watch.users().last());
    sleep(PLATEAU);

    let mut scene = Scene { network, cluster, watch, users };
    let plateau = scene.watch.now();
    let episodes = match fault {
        Fault::Random => scene.row(options.seed),
        fault => vec![scene.happen(fault, VICTIM, fault.length())],
    };
    let Scene { mut cluster, watch, .. } = scene;
    stop(&cluster);
    let before = plateau.saturating_sub(PLATEAU)..plateau;
    let usual = rate(&watch.requests(), before).expect("the target was looked at before");
    let figures = figures(&watch, &episodes, users, usual);
    drop(watch);
    let (code, reported) = end(&mut cluster, tool);
    let received = cluster.counts().paths;
    Outcome { fault, tool, users, usual, episodes, figures, received, reported, code }
}

/// Of all that has happened, from its beginning to when all was well.
fn figures(watch: &Watch, episodes: &[Episode], users: u64, usual: f64) -> Vec<Figures> {
    let (seen, requests) = (watch.users(), watch.requests());
    let figures = |episode: &Episode| {
        let pages = watch.pages(&(episode.begin..episode.until));
        Figures::of(episode, users, &seen, &requests, &pages, usual)
    };
    episodes.iter().map(figures).collect()
}

/// Stops the test and waits for its end. A tool that does not stop is counted as it is.
fn stop(cluster: &Cluster<'_>) {
    let url = format!("{}/stop", cluster.page().url());
    // Locust answers when it has stopped, and that may take longer than a client waits.
    spawn(move || match request("POST", &url, &[], "") {
        Ok(answer) if answer.status == 200 => {}
        answer => eprintln!("/stop is answered with {answer:?}"),
    });
    let begun = Instant::now();
    // A master that was started again may know of no test.
    let ended = |state: &str| state == "stopped" || state == "ready";
    while !cluster.look().is_some_and(|look| ended(&look.state)) {
        if begun.elapsed() > STOP_MAX {
            eprintln!("the test has not stopped after {STOP_MAX:?}");
            return;
        }
        sleep(LOOK);
    }
}

/// Ends the master and all workers: its exit code, and what it has reported.
#[track_caller]
fn end(cluster: &mut Cluster<'_>, tool: Tool) -> (Option<i32>, Reported) {
    match tool {
        Tool::Swarm => {
            let code = cluster.finish(GOODBYE);
            (code, Reported::of_result(&cluster.result()).expect("a result as swarm writes it"))
        }
        Tool::Locust | Tool::LocustRebalancing => {
            sleep(LAST_REPORTS);
            let look = cluster.look();
            let code = cluster.finish(Duration::ZERO);
            let reported = look.map(|look| Reported {
                paths: look.requests,
                failures: look.failures,
                ..Reported::default()
            });
            (code, reported.unwrap_or_default())
        }
    }
}

impl Reported {
    /// Of the JSON that swarm's master writes.
    fn of_result(result: &Value) -> Option<Self> {
        let entries: Vec<&Value> = result["entries"].as_array()?.iter().collect();
        let workers = result["workers"].as_array()?.iter();
        let lost = workers.filter(|worker| worker["lost"] == true);
        let lost = lost.map(|worker| {
            let detail = worker["lost_detail"].as_str().unwrap_or("no detail");
            Some((worker["id"].as_str()?.to_owned(), detail.to_owned()))
        });
        Some(Self {
            paths: by_path(&entries)?,
            failures: result["total"]["num_failures"].as_u64()?,
            interrupted: result["interrupted"].as_u64()?,
            lost: lost.collect::<Option<BTreeMap<_, _>>>()?,
        })
    }
}

/// The page's users, as a series.
pub(crate) fn users_of(pages: &[(Duration, crate::page::Look)]) -> Vec<Point> {
    pages.iter().map(|(at, look)| Point { at: *at, value: look.users }).collect()
}

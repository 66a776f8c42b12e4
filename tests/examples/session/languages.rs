//! What a scenario costs in each language: size, start, memory a user, CPU a request.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use swarm_target::{Running, TargetConfig};
use swarm_tests::{PATIENCE, Page, Process, Signal, Swarm, scenario, wait_until};

use crate::options::Options;
use crate::report::{Report, mebibytes};
use crate::usage::Usage;

/// Scenarios, and for how many users' memory and requests their weight allows: each takes its part
/// of the whole test's users.
const LANGUAGES: [Language; 7] = [
    Language::light("minimal-wat"),
    Language::light("website"),
    Language::light("website-c"),
    Language { name: "website-go", memory: 50, requests: 50 },
    Language::light("website-js"),
    Language::light("website-py"),
    Language::light("checkout"),
];

/// Starts that are timed; the median is told.
const STARTS: usize = 3;
/// How often it is looked whether the first request has come. It costs next to nothing: the target
/// is in this process.
const LOOK: Duration = Duration::from_millis(1);
/// How long a start may take, with everything to be compiled.
const START_MAX: Duration = Duration::from_secs(300);
/// Users a second.
const SPAWN_RATE: f64 = 200.0;
/// Longer than any scenario rests: after it each user has made a request and keeps a connection.
const SETTLE: Duration = Duration::from_secs(6);
/// How long an idle process is watched, and a busy one.
const IDLE: Duration = Duration::from_secs(5);
const BUSY: Duration = Duration::from_secs(12);

struct Language {
    name: &'static str,
    /// Users whose memory is measured: the whole test's by this.
    memory: u32,
    /// Users whose requests are measured: the whole test's by this.
    requests: u32,
}

impl Language {
    const fn light(name: &'static str) -> Self {
        Self { name, memory: 10, requests: 5 }
    }
}

pub(crate) fn run(options: &Options, report: &mut Report) {
    let mut rows = Vec::new();
    for language in LANGUAGES {
        report.step(language.name);
        let component = scenario(language.name);
        let size = std::fs::metadata(&component).expect("the component is there").len();
        let (cold, warm) = starts(&component);
        let cost = cost(&component, &language, options, report);
        rows.push(vec![
            language.name.to_owned(),
            format!("{:.1} KiB", size as f64 / 1024.0),
            format!("{} ms", cold.as_millis()),
            format!("{} ms", warm.as_millis()),
            mebibytes(cost.rss_of_one),
            format!("{:.1} KiB", cost.user_bytes / 1024.0),
            format!("{:.0} µs", cost.request_us),
            format!("{} / {}", options.users / language.memory, cost.requests),
        ]);
    }
    let head = ["scenario", "component", "cold start", "warm start", "RSS with 1 user"];
    let more = ["RSS a user", "CPU a request", "users / requests for these"];
    report.table(&[&head[..], &more[..]].concat(), &rows);
    report.note(
        "Starts: from the process to its first request at the target, the median of three. RSS a \
         user: what each user after the first adds, its connection included. CPU a request: all \
         that the process computes under load, less what it does when idle.",
    );
}

/// From the start of the process to the first request at the target, with an empty cache and with
/// what that has left there.
#[track_caller]
fn starts(component: &Path) -> (Duration, Duration) {
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        // A folder of its own, with an empty cache.
        let swarm = Swarm::new();
        cold.push(start(&swarm, component));
        warm.push(start(&swarm, component));
    }
    (median(cold), median(warm))
}

#[track_caller]
fn start(swarm: &Swarm, component: &Path) -> Duration {
    let target = target();
    let (component, host) = (plain(component), url(target.local_addr()));
    let test = ["--headless", "-u", "1", "-r", "1", "-t", "1h"];
    let command = swarm.command(&[&["run", &component, "--host", &host][..], &test].concat());
    let begun = Instant::now();
    let mut process = Process::spawn("run", command);
    while target.counts().total == 0 {
        assert!(begun.elapsed() < START_MAX, "no request came within {START_MAX:?}");
        assert!(process.is_running(), "the run has ended without a request");
        sleep(LOOK);
    }
    let time = begun.elapsed();
    drop(process);
    target.stop().expect("the target's threads have not panicked");
    time
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// What users and requests cost.
struct Cost {
    /// Bytes.
    rss_of_one: u64,
    /// Bytes that a further user adds.
    user_bytes: f64,
    /// CPU time of a request and all that belongs to it, less what an idle process takes.
    request_us: f64,
    /// Requests in the time measured.
    requests: u64,
}

#[track_caller]
fn cost(component: &Path, language: &Language, options: &Options, report: &mut Report) -> Cost {
    let (swarm, target) = (Swarm::new(), target());
    let (component, host) = (plain(component), url(target.local_addr()));
    let test = ["--host", &host, "--web-port", "0", "-s", "30"];
    let mut process =
        Process::spawn("run", swarm.command(&[&["run", &component][..], &test].concat()));
    let page = Page::new(&process.wait_for_value("web interface on "));
    let usage = || Usage::of(process.id());

    sleep(SETTLE);
    let before = usage();
    sleep(IDLE);
    let idle_cores = usage().cores_since(before);

    grow(&page, &target, 1);
    let rss_of_one = usage().rss;
    let users = options.users / language.memory;
    grow(&page, &target, users);
    let user_bytes = (usage().rss as f64 - rss_of_one as f64) / f64::from(users - 1);

    grow(&page, &target, options.users / language.requests);
    let (before, received) = (usage(), target.counts().total);
    sleep(BUSY);
    let (after, requests) = (usage(), target.counts().total - received);
    let idle = idle_cores * after.time_since(before).as_secs_f64();
    let busy = after.cpu_since(before).as_secs_f64() - idle;
    let request_us = busy * 1e6 / requests as f64;

    page.stop();
    page.wait_for_state("stopped");
    let stats = page.stats();
    let rows = stats["stats"].as_array().expect("a list of entries");
    let total = rows.last().expect("the aggregate is last");
    let (reported, received) = (total["num_requests"].as_u64(), target.counts().total);
    let met = reported == Some(received);
    let reported = reported.unwrap_or_default();
    report.bar(format!("{}: requests", language.name), reported, received, met);
    process.signal(Signal::INT);
    process.wait(PATIENCE);
    target.stop().expect("the target's threads have not panicked");
    Cost { rss_of_one, user_bytes, request_us, requests }
}

/// Starts the test or lets it grow, and waits until each user has made a request and keeps a
/// connection.
#[track_caller]
fn grow(page: &Page, target: &Running, users: u32) {
    page.start(users, SPAWN_RATE);
    wait_until(&format!("{users} users run"), PATIENCE, || {
        let stats = page.stats();
        stats["state"] == "running" && stats["user_count"] == users
    });
    wait_until(&format!("{users} connections are open"), PATIENCE, || {
        target.counts().open >= u64::from(users)
    });
    sleep(SETTLE);
}

/// A target in this process, so that it can be asked at any time.
#[track_caller]
fn target() -> Running {
    let config = TargetConfig { host: "127.0.0.1".to_owned(), port: 0, threads: NonZeroUsize::MIN };
    let target = swarm_target::Target::bind(&config).expect("a free port can be opened");
    target.spawn().expect("the target can start its threads")
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn plain(path: &Path) -> String {
    let path: PathBuf = path.to_owned();
    path.into_os_string().into_string().expect("built scenarios have plain names")
}

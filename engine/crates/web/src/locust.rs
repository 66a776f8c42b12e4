//! The shapes that Locust gives its JSON, filled from a [`View`]. Every table has all of its rows:
//! a script would not notice that some are missing.

use std::collections::BTreeMap;

use serde::Serialize;
use swarm_core::task_ratio::TaskRatio;
use swarm_stats::snapshot::{EntrySnapshot, Snapshot};

use crate::view::{TestState, View, WorkerPhase, WorkerView};

/// `GET /stats/requests`.
#[derive(Debug, Serialize)]
pub(crate) struct Requests<'a> {
    stats: Vec<Row<'a>>,
    errors: Vec<ErrorRow<'a>>,
    /// Mean since the start of the test.
    total_rps: f64,
    /// Mean since the start of the test.
    total_fail_per_sec: f64,
    /// Of the last ten seconds.
    current_rps: f64,
    /// Of the last ten seconds.
    current_fail_per_sec: f64,
    total_avg_response_time: f64,
    /// From 0 to 1.
    fail_ratio: f64,
    current_response_time_percentiles: CurrentPercentiles,
    state: TestState,
    user_count: u32,
    #[serde(flatten)]
    workers: Option<Workers<'a>>,
}

/// Locust tells of workers only when they are elsewhere.
#[derive(Debug, Serialize)]
struct Workers<'a> {
    workers: Vec<WorkerRow<'a>>,
    worker_count: usize,
}

impl<'a> Requests<'a> {
    /// A row for each name, and the aggregate as the last.
    pub(crate) fn new(view: &'a View) -> Self {
        let stats = &*view.stats;
        let total = &stats.total;
        let rows = stats.entries.iter().chain([total]);
        Self {
            stats: rows.map(Row::new).collect(),
            errors: error_rows(view.clock_origin_unix_ms, stats),
            total_rps: total.rps,
            total_fail_per_sec: total.fail_per_sec,
            current_rps: total.current_rps,
            current_fail_per_sec: total.current_fail_per_sec,
            total_avg_response_time: total.response_time_ms.mean,
            fail_ratio: ratio(total.num_failures, total.num_requests),
            current_response_time_percentiles: CurrentPercentiles {
                p50: total.current_ms.map(|(p50, _)| p50),
                p95: total.current_ms.map(|(_, p95)| p95),
            },
            state: view.state,
            user_count: view.user_count,
            workers: (!view.is_local).then(|| Workers {
                workers: view.workers.iter().map(WorkerRow::new).collect(),
                worker_count: worker_count(view),
            }),
        }
    }
}

/// One name; times in milliseconds.
#[derive(Debug, Serialize)]
struct Row<'a> {
    method: &'a str,
    name: &'a str,
    num_requests: u64,
    num_failures: u64,
    median_response_time: f64,
    avg_response_time: f64,
    min_response_time: f64,
    max_response_time: f64,
    current_rps: f64,
    current_fail_per_sec: f64,
    total_rps: f64,
    total_fail_per_sec: f64,
    /// In bytes.
    avg_content_length: f64,
    #[serde(rename = "response_time_percentile_0.95")]
    p95: f64,
    #[serde(rename = "response_time_percentile_0.99")]
    p99: f64,
}

impl<'a> Row<'a> {
    fn new(entry: &'a EntrySnapshot) -> Self {
        let times = &entry.response_time_ms;
        Self {
            method: &entry.method,
            name: &entry.name,
            num_requests: entry.num_requests,
            num_failures: entry.num_failures,
            median_response_time: times.median,
            avg_response_time: times.mean,
            min_response_time: times.min,
            max_response_time: times.max,
            current_rps: entry.current_rps,
            current_fail_per_sec: entry.current_fail_per_sec,
            total_rps: entry.rps,
            total_fail_per_sec: entry.fail_per_sec,
            avg_content_length: ratio(entry.bytes, entry.num_requests),
            p95: times.p95,
            p99: times.p99,
        }
    }
}

#[derive(Debug, Serialize)]
struct ErrorRow<'a> {
    method: &'a str,
    name: &'a str,
    error: &'a str,
    occurrences: u64,
    /// Unix time in seconds.
    first_seen: f64,
    /// Unix time in seconds.
    last_seen: f64,
}

fn error_rows(origin_unix_ms: u64, stats: &Snapshot) -> Vec<ErrorRow<'_>> {
    let unix_s = |at_ms: u64| origin_unix_ms.saturating_add(at_ms) as f64 / 1_000.0;
    stats
        .errors
        .iter()
        .map(|error| ErrorRow {
            method: &error.method,
            name: &error.name,
            error: &error.error,
            occurrences: error.occurrences,
            first_seen: unix_s(error.first_ms),
            last_seen: unix_s(error.last_ms),
        })
        .collect()
}

/// Of the last ten seconds; in milliseconds.
#[derive(Debug, Serialize)]
struct CurrentPercentiles {
    #[serde(rename = "response_time_percentile_0.5")]
    p50: Option<f64>,
    #[serde(rename = "response_time_percentile_0.95")]
    p95: Option<f64>,
}

#[derive(Debug, Serialize)]
struct WorkerRow<'a> {
    id: &'a str,
    state: WorkerPhase,
    user_count: u32,
    cpu_usage: f32,
    memory_usage: u64,
}

impl<'a> WorkerRow<'a> {
    fn new(worker: &'a WorkerView) -> Self {
        Self {
            id: &worker.id,
            state: worker.state,
            user_count: worker.user_count,
            cpu_usage: worker.cpu_usage,
            memory_usage: worker.memory_usage,
        }
    }
}

/// `GET /exceptions`.
#[derive(Debug, Serialize)]
pub(crate) struct Exceptions<'a> {
    exceptions: Vec<ExceptionRow<'a>>,
}

#[derive(Debug, Serialize)]
struct ExceptionRow<'a> {
    count: u64,
    msg: &'a str,
    traceback: &'a str,
    nodes: String,
}

impl<'a> Exceptions<'a> {
    /// Most frequent first.
    pub(crate) fn new(view: &'a View) -> Self {
        let rows = view.stats.exceptions.iter().map(|exception| ExceptionRow {
            count: exception.count,
            msg: &exception.message,
            traceback: &exception.trace,
            nodes: exception.nodes.join(", "),
        });
        Self { exceptions: rows.collect() }
    }
}

/// `GET /tasks`: the share of each class in the users alive, all 0 without a user, and of each task
/// in the choices of its set.
#[derive(Debug, Serialize)]
pub(crate) struct Tasks<'a> {
    /// Shares of tasks are of their own class or set.
    per_class: BTreeMap<&'a str, Share<'a>>,
    /// Shares of tasks are of all users.
    total: BTreeMap<&'a str, Share<'a>>,
}

#[derive(Debug, Serialize)]
struct Share<'a> {
    /// From 0 to 1.
    ratio: f64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tasks: BTreeMap<&'a str, Share<'a>>,
}

impl<'a> Tasks<'a> {
    /// Of the classes that get users.
    pub(crate) fn new(view: &'a View) -> Self {
        let users = view.classes.iter().map(|class| u64::from(class.user_count)).sum();
        let classes = |of_all: bool| {
            let classes = view.classes.iter().enumerate().filter(|(_, class)| class.runs);
            classes
                .map(|(index, class)| {
                    let share = ratio(u64::from(class.user_count), users);
                    let tasks = view.tasks.get(index).map(Vec::as_slice).unwrap_or_default();
                    let tasks = task_shares(tasks, of_all.then_some(share));
                    (class.name.as_str(), Share { ratio: share, tasks })
                })
                .collect()
        };
        Self { per_class: classes(false), total: classes(true) }
    }
}

/// The tasks of a set; `of` is the share of the whole that enters it, `None` to tell of nothing but
/// the set.
fn task_shares(tasks: &[TaskRatio], of: Option<f64>) -> BTreeMap<&str, Share<'_>> {
    let share = |task: &'_ TaskRatio| of.unwrap_or(1.0) * task.ratio;
    tasks
        .iter()
        .map(|task| {
            let ratio = share(task);
            let tasks = task_shares(&task.tasks, of.map(|_| ratio));
            (task.name.as_str(), Share { ratio, tasks })
        })
        .collect()
}

/// Workers elsewhere that are there; as in Locust, a test in one process has none.
pub(crate) fn worker_count(view: &View) -> usize {
    let gone = |worker: &WorkerView| matches!(worker.state, WorkerPhase::Left | WorkerPhase::Lost);
    let there = view.workers.iter().filter(|worker| !gone(worker));
    if view.is_local { 0 } else { there.count() }
}

/// A share or a mean; 0 of nothing.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

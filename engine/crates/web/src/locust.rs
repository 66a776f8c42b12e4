//! The shapes that Locust gives its JSON, filled from a [`View`].

use std::collections::BTreeMap;

use serde::Serialize;
use swarm_stats::snapshot::{EntrySnapshot, Snapshot};

use crate::view::{TestState, View, WorkerPhase, WorkerView};

/// Most rows of one table in an answer; the CSV files have all.
pub(crate) const ROWS_MAX: usize = 500;

/// `GET /stats/requests`.
#[derive(Debug, Serialize)]
pub(crate) struct Requests<'a> {
    stats: Vec<Row<'a>>,
    errors: Vec<ErrorRow<'a>>,
    total_rps: f64,
    total_fail_per_sec: f64,
    current_rps: f64,
    current_fail_per_sec: f64,
    total_avg_response_time: f64,
    /// From 0 to 1.
    fail_ratio: f64,
    current_response_time_percentiles: CurrentPercentiles,
    state: TestState,
    user_count: u32,
    workers: Vec<WorkerRow<'a>>,
    worker_count: usize,
}

impl<'a> Requests<'a> {
    /// At most [`ROWS_MAX`] rows and the aggregate as the last.
    pub(crate) fn new(view: &'a View) -> Self {
        let stats = &*view.stats;
        let total = &stats.total;
        let rows = stats.entries.iter().take(ROWS_MAX).chain([total]);
        Self {
            stats: rows.map(Row::new).collect(),
            errors: error_rows(view.clock_origin_unix_ms, stats),
            total_rps: total.current_rps,
            total_fail_per_sec: total.current_fail_per_sec,
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
            workers: view.workers.iter().map(WorkerRow::new).collect(),
            worker_count: worker_count(view),
        }
    }
}

/// One name; times in milliseconds.
#[derive(Debug, Serialize)]
struct Row<'a> {
    method: &'a str,
    name: &'a str,
    /// The name, fit to stand in HTML.
    safe_name: String,
    num_requests: u64,
    num_failures: u64,
    median_response_time: f64,
    avg_response_time: f64,
    min_response_time: f64,
    max_response_time: f64,
    current_rps: f64,
    current_fail_per_sec: f64,
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
            safe_name: escape(&entry.name),
            num_requests: entry.num_requests,
            num_failures: entry.num_failures,
            median_response_time: times.median,
            avg_response_time: times.mean,
            min_response_time: times.min,
            max_response_time: times.max,
            current_rps: entry.current_rps,
            current_fail_per_sec: entry.current_fail_per_sec,
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
        .take(ROWS_MAX)
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
    /// At most [`ROWS_MAX`], most frequent first.
    pub(crate) fn new(view: &'a View) -> Self {
        let rows = view.stats.exceptions.iter().take(ROWS_MAX).map(|exception| ExceptionRow {
            count: exception.count,
            msg: &exception.message,
            traceback: &exception.trace,
            nodes: exception.nodes.join(", "),
        });
        Self { exceptions: rows.collect() }
    }
}

/// `GET /tasks`: the share of each class in the users alive, all 0 without a user.
#[derive(Debug, Serialize)]
pub(crate) struct Tasks<'a> {
    per_class: BTreeMap<&'a str, Share>,
    total: BTreeMap<&'a str, Share>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Share {
    /// From 0 to 1.
    ratio: f64,
}

impl<'a> Tasks<'a> {
    pub(crate) fn new(view: &'a View) -> Self {
        let users = view.classes.iter().map(|class| u64::from(class.user_count)).sum();
        let shares: BTreeMap<_, _> = view
            .classes
            .iter()
            .map(|class| {
                let ratio = ratio(u64::from(class.user_count), users);
                (class.name.as_str(), Share { ratio })
            })
            .collect();
        Self { per_class: shares.clone(), total: shares }
    }
}

/// Workers that are there.
pub(crate) fn worker_count(view: &View) -> usize {
    let there = |worker: &&WorkerView| worker.state != WorkerPhase::Lost;
    view.workers.iter().filter(there).count()
}

/// A share or a mean; 0 of nothing.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// As Python's `html.escape(text, quote=False)`.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

//! The four CSV files, with the columns of Locust: `PREFIX_stats.csv`, `PREFIX_stats_history.csv`,
//! `PREFIX_failures.csv`, `PREFIX_exceptions.csv`.
//!
//! Behind Locust's columns are our own, so that who reads by position finds what was there before.
//!
//! Response times are in milliseconds with microseconds as decimals (Locust rounds them). An
//! entry without samples has `N/A` for its percentiles. `First Seen` and `Last Seen` are RFC 3339
//! texts in UTC; `Timestamp` is a Unix time in seconds.

use std::io::Write;

use csv::Writer;

use crate::report::{decimals, percent, rfc3339};
use crate::snapshot::{EntrySnapshot, PERCENTILES, Snapshot};
use crate::times::mean;

const STATS: [&str; 11] = [
    "Type",
    "Name",
    "Request Count",
    "Failure Count",
    "Median Response Time",
    "Average Response Time",
    "Min Response Time",
    "Max Response Time",
    "Average Content Size",
    "Requests/s",
    "Failures/s",
];

/// Our own columns, behind the percentiles.
const STATS_OWN: [&str; 2] = ["Resent Count", "Unanswered Count"];

const HISTORY: [&str; 6] = ["Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"];

const HISTORY_TOTALS: [&str; 7] = [
    "Total Request Count",
    "Total Failure Count",
    "Total Median Response Time",
    "Total Average Response Time",
    "Total Min Response Time",
    "Total Max Response Time",
    "Total Average Content Size",
];

const FAILURES: [&str; 6] = ["Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen"];

const EXCEPTIONS: [&str; 4] = ["Count", "Message", "Traceback", "Nodes"];

/// Writes the statistics: a line for each entry, then the aggregate.
///
/// # Errors
/// If `out` fails.
pub fn write_stats(out: impl Write, snapshot: &Snapshot) -> csv::Result<()> {
    let mut writer = Writer::from_writer(out);
    let (first, own) = (STATS.map(str::to_owned), STATS_OWN.map(str::to_owned));
    writer.write_record(first.into_iter().chain(PERCENTILES.map(percent)).chain(own))?;
    for entry in snapshot.entries.iter().chain([&snapshot.total]) {
        let times = &entry.response_time_ms;
        let figures = [
            entry.method.clone(),
            entry.name.clone(),
            entry.num_requests.to_string(),
            entry.num_failures.to_string(),
            decimals(times.median, 3),
            decimals(times.mean, 3),
            decimals(times.min, 3),
            decimals(times.max, 3),
            content_size(entry),
            decimals(entry.rps, 6),
            decimals(entry.fail_per_sec, 6),
        ];
        let own = [entry.num_resent.to_string(), entry.num_unanswered.to_string()];
        writer.write_record(figures.into_iter().chain(percentiles(entry)).chain(own))?;
    }
    Ok(writer.flush()?)
}

/// Writes the failures. `clock_origin_unix_ms` is the Unix time of the origin of the master's
/// clock.
///
/// # Errors
/// If `out` fails.
pub fn write_failures(
    out: impl Write,
    snapshot: &Snapshot,
    clock_origin_unix_ms: u64,
) -> csv::Result<()> {
    let mut writer = Writer::from_writer(out);
    writer.write_record(FAILURES)?;
    let unix = |clock_ms: u64| rfc3339(clock_origin_unix_ms.saturating_add(clock_ms));
    for error in &snapshot.errors {
        writer.write_record([
            &error.method,
            &error.name,
            &error.error,
            &error.occurrences.to_string(),
            &unix(error.first_ms),
            &unix(error.last_ms),
        ])?;
    }
    Ok(writer.flush()?)
}

/// Writes the exceptions.
///
/// # Errors
/// If `out` fails.
pub fn write_exceptions(out: impl Write, snapshot: &Snapshot) -> csv::Result<()> {
    let mut writer = Writer::from_writer(out);
    writer.write_record(EXCEPTIONS)?;
    for exception in &snapshot.exceptions {
        writer.write_record([
            &exception.count.to_string(),
            &exception.message,
            &exception.trace,
            &exception.nodes.join(", "),
        ])?;
    }
    Ok(writer.flush()?)
}

/// Writes the head of the history.
///
/// # Errors
/// If `out` fails.
pub fn write_history_head(out: impl Write) -> csv::Result<()> {
    let mut writer = Writer::from_writer(out);
    let first = HISTORY.map(str::to_owned).into_iter();
    let last = HISTORY_TOTALS.map(str::to_owned);
    writer.write_record(first.chain(PERCENTILES.map(percent)).chain(last))?;
    Ok(writer.flush()?)
}

/// Writes the present figures as lines of the history: of the aggregate and, if `full`, of each
/// entry before it.
///
/// # Errors
/// If `out` fails.
pub fn write_history(
    out: impl Write,
    snapshot: &Snapshot,
    users: u32,
    unix_ms: u64,
    full: bool,
) -> csv::Result<()> {
    let mut writer = Writer::from_writer(out);
    let entries: &[EntrySnapshot] = if full { &snapshot.entries } else { &[] };
    for entry in entries.iter().chain([&snapshot.total]) {
        writer.write_record(history_record(entry, users, unix_ms))?;
    }
    Ok(writer.flush()?)
}

/// One line of the history: rates of the last complete seconds, and percentiles of the whole test
/// so far.
fn history_record(entry: &EntrySnapshot, users: u32, unix_ms: u64) -> impl Iterator<Item = String> {
    let times = &entry.response_time_ms;
    let now = [
        (unix_ms / 1000).to_string(),
        users.to_string(),
        entry.method.clone(),
        entry.name.clone(),
        decimals(entry.current_rps, 6),
        decimals(entry.current_fail_per_sec, 6),
    ];
    let so_far = [
        entry.num_requests.to_string(),
        entry.num_failures.to_string(),
        decimals(times.median, 3),
        decimals(times.mean, 3),
        decimals(times.min, 3),
        decimals(times.max, 3),
        content_size(entry),
    ];
    now.into_iter().chain(percentiles(entry)).chain(so_far)
}

fn percentiles(entry: &EntrySnapshot) -> [String; PERCENTILES.len()] {
    if entry.num_requests == 0 {
        return PERCENTILES.map(|_| "N/A".to_owned());
    }
    entry.response_time_ms.percentiles.map(|time_ms| decimals(time_ms, 3))
}

fn content_size(entry: &EntrySnapshot) -> String {
    decimals(mean(entry.bytes, entry.num_requests), 3)
}

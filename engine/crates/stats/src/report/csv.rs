//! The four CSV files, with the columns of Locust: `PREFIX_stats.csv`, `PREFIX_stats_history.csv`,
//! `PREFIX_failures.csv`, `PREFIX_exceptions.csv`.
//!
//! Behind Locust's columns are our own, so that who reads by position finds what was there before.
//!
//! Response times are in milliseconds with microseconds as decimals (Locust rounds them). An
//! entry without samples has `N/A` for its percentiles. `First Seen` and `Last Seen` are RFC 3339
//! texts in UTC; `Timestamp` is a Unix time in seconds.
//!
//! Names, errors and messages come from the scenario and the target, and a spreadsheet would run
//! one that begins like a formula. Such a text has an apostrophe before it; see [`harmless`].

use std::borrow::Cow;
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
            harmless(&entry.method).into_owned(),
            harmless(&entry.name).into_owned(),
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
            &*harmless(&error.method),
            &*harmless(&error.name),
            &*harmless(&error.error),
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
            &*exception.count.to_string(),
            &*harmless(&exception.message),
            &*harmless(&exception.trace),
            &*harmless(&exception.nodes.join(", ")),
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

/// Writes the present figures as lines of the history. If `full` there is one for each entry, whose
/// percentiles are of the last seconds; else there is one for the aggregate, whose percentiles are
/// of the whole test so far. Both are as in Locust.
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
        let percentiles = if full { current_percentiles(entry) } else { percentiles(entry) };
        writer.write_record(history_record(entry, percentiles, users, unix_ms))?;
    }
    Ok(writer.flush()?)
}

/// One line of the history: rates of the last complete seconds, these percentiles, and the totals
/// of the test so far.
fn history_record(
    entry: &EntrySnapshot,
    percentiles: [String; PERCENTILES.len()],
    users: u32,
    unix_ms: u64,
) -> impl Iterator<Item = String> {
    let times = &entry.response_time_ms;
    let now = [
        (unix_ms / 1000).to_string(),
        users.to_string(),
        harmless(&entry.method).into_owned(),
        harmless(&entry.name).into_owned(),
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
    now.into_iter().chain(percentiles).chain(so_far)
}

fn percentiles(entry: &EntrySnapshot) -> [String; PERCENTILES.len()] {
    if entry.num_requests == 0 {
        return PERCENTILES.map(|_| "N/A".to_owned());
    }
    entry.response_time_ms.percentiles.map(|time_ms| decimals(time_ms, 3))
}

/// Of the last complete seconds; 0 when nothing has been requested in them.
fn current_percentiles(entry: &EntrySnapshot) -> [String; PERCENTILES.len()] {
    if entry.num_requests == 0 {
        return PERCENTILES.map(|_| "N/A".to_owned());
    }
    let times = entry.current_percentiles_ms.unwrap_or_default();
    times.map(|time_ms| decimals(time_ms, 3))
}

/// What a spreadsheet might take for the beginning of a formula, also in their full-width forms, or
/// skip before it looks for one.
const FORMULA_SIGNS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A text as a cell that no spreadsheet takes for a formula: one that begins like a formula gets
/// an apostrophe before it. A number stays as it is.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    let is_number = || text.parse::<f64>().is_ok_and(f64::is_finite);
    if text.starts_with(FORMULA_SIGNS) && !is_number() {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn content_size(entry: &EntrySnapshot) -> String {
    decimals(mean(entry.bytes, entry.num_requests), 3)
}

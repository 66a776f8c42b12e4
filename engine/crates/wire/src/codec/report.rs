//! Reports: the statistics of one interval.

use swarm_core::limits::SETTINGS_LIST_MAX;
use swarm_stats::ConnectionCounts;
use swarm_stats::delta::{Delta, EntryDelta, ErrorDelta, ExceptionDelta, LatenessDelta, Report};
use swarm_stats::times::HIGHEST_US;

use super::field::{Result, at_most, holds, item, list_len, read_text, sound, text};
use super::histogram::{Encoder, Range, decode};
use super::{addresses, metric};
use crate::error::FieldError;
use crate::generated::swarm_capnp::{delta, entry, error_kind, exception_kind, lateness, report};
use crate::limits::{
    CLOCK_MS_MAX, CORES_MAX, COUNT_MAX, MESSAGE_BYTES_MAX, METHOD_BYTES_MAX, NAME_BYTES_MAX,
    REPORT_ADDRESSES_MAX, REPORT_ENTRIES_MAX, REPORT_ERRORS_MAX, REPORT_EXCEPTIONS_MAX,
    REPORT_METRICS_MAX, REPORT_SHARDS_MAX, SUM_MAX, TRACE_BYTES_MAX,
};

/// Bytes of a message that are not the report: the call around it.
const CALL_BYTES_MAX: usize = 4 * 1024;

pub(crate) fn write(report: &Report, mut to: report::Builder<'_>) -> Result<()> {
    check(report)?;
    to.set_stream(report.stream);
    to.set_sequence(report.sequence);
    to.set_from_ms(report.from_ms);
    to.set_to_ms(report.to_ms);
    to.set_test(report.test);
    write_delta(&report.delta, to.reborrow().init_delta()).map_err(|e| e.within("delta"))?;
    let size = sound("delta", to.into_reader().total_size())?;
    let bytes_max = (MESSAGE_BYTES_MAX - CALL_BYTES_MAX) as u64;
    at_most("delta", size.word_count * 8, bytes_max, "bytes long")
}

pub(crate) fn read(from: report::Reader<'_>) -> Result<Report> {
    let delta = sound("delta", from.get_delta())?;
    let report = Report {
        stream: from.get_stream(),
        sequence: from.get_sequence(),
        from_ms: from.get_from_ms(),
        to_ms: from.get_to_ms(),
        test: from.get_test(),
        delta: read_delta(delta).map_err(|error| error.within("delta"))?,
    };
    check(&report)?;
    Ok(report)
}

fn check(report: &Report) -> Result<()> {
    holds("sequence", report.sequence > 0, "is 0, the first is 1")?;
    at_most("toMs", report.to_ms, CLOCK_MS_MAX, "ms")?;
    holds("fromMs", report.from_ms <= report.to_ms, "is later than toMs")
}

fn write_delta(delta: &Delta, mut to: delta::Builder<'_>) -> Result<()> {
    let mut encoder = Encoder::default();
    check_totals(delta)?;
    let len = list_len("entries", delta.entries.len(), REPORT_ENTRIES_MAX)?;
    let mut list = to.reborrow().init_entries(len);
    for (i, entry) in (0..).zip(&delta.entries) {
        write_entry(entry, list.reborrow().get(i), &mut encoder)
            .map_err(|error| error.within(item("entries", i)))?;
    }
    let len = list_len("errors", delta.errors.len(), REPORT_ERRORS_MAX)?;
    let mut list = to.reborrow().init_errors(len);
    for (i, error) in (0..).zip(&delta.errors) {
        write_error(error, list.reborrow().get(i)).map_err(|e| e.within(item("errors", i)))?;
    }
    let len = list_len("exceptions", delta.exceptions.len(), REPORT_EXCEPTIONS_MAX)?;
    let mut list = to.reborrow().init_exceptions(len);
    for (i, exception) in (0..).zip(&delta.exceptions) {
        write_exception(exception, list.reborrow().get(i))
            .map_err(|error| error.within(item("exceptions", i)))?;
    }
    let len = list_len("metrics", delta.metrics.len(), REPORT_METRICS_MAX)?;
    let mut list = to.reborrow().init_metrics(len);
    for (i, metric) in (0..).zip(&delta.metrics) {
        metric::write(metric, list.reborrow().get(i), &mut encoder)
            .map_err(|error| error.within(item("metrics", i)))?;
    }
    to.set_interrupted(delta.interrupted);
    to.set_unsent(delta.unsent);
    to.set_names_overflowed(delta.names_overflowed);
    let ConnectionCounts { opened, reused, failed, resent } = delta.connections;
    to.set_opened(opened);
    to.set_reused(reused);
    to.set_connects_failed(failed);
    to.set_resent(resent);
    let len = list_len("lateness", delta.lateness.len(), REPORT_SHARDS_MAX)?;
    let mut list = to.reborrow().init_lateness(len);
    for (i, late) in (0..).zip(&delta.lateness) {
        write_lateness(late, list.reborrow().get(i), &mut encoder)
            .map_err(|error| error.within(item("lateness", i)))?;
    }
    let len = list_len("addresses", delta.addresses.len(), REPORT_ADDRESSES_MAX)?;
    let mut list = to.reborrow().init_addresses(len);
    for (i, row) in (0..).zip(&delta.addresses) {
        addresses::write(row, list.reborrow().get(i))
            .map_err(|error| error.within(item("addresses", i)))?;
    }
    let len = list_len("argsRead", delta.args_read.len(), SETTINGS_LIST_MAX)?;
    let mut list = to.init_args_read(len);
    (0..).zip(&delta.args_read).for_each(|(i, place)| list.set(i, *place));
    Ok(())
}

fn read_delta(from: delta::Reader<'_>) -> Result<Delta> {
    let delta = Delta {
        entries: read_list("entries", from.get_entries(), REPORT_ENTRIES_MAX, read_entry)?,
        errors: read_list("errors", from.get_errors(), REPORT_ERRORS_MAX, read_error)?,
        exceptions: read_list(
            "exceptions",
            from.get_exceptions(),
            REPORT_EXCEPTIONS_MAX,
            read_exception,
        )?,
        metrics: read_list("metrics", from.get_metrics(), REPORT_METRICS_MAX, metric::read)?,
        connections: ConnectionCounts {
            opened: from.get_opened(),
            reused: from.get_reused(),
            failed: from.get_connects_failed(),
            resent: from.get_resent(),
        },
        interrupted: from.get_interrupted(),
        unsent: from.get_unsent(),
        names_overflowed: from.get_names_overflowed(),
        lateness: read_list("lateness", from.get_lateness(), REPORT_SHARDS_MAX, read_lateness)?,
        args_read: read_args_read(from)?,
        addresses: read_list(
            "addresses",
            from.get_addresses(),
            REPORT_ADDRESSES_MAX,
            addresses::read,
        )?,
    };
    check_totals(&delta)?;
    Ok(delta)
}

fn read_args_read(from: delta::Reader<'_>) -> Result<Vec<u32>> {
    let list = sound("argsRead", from.get_args_read())?;
    at_most("argsRead", u64::from(list.len()), u64::from(SETTINGS_LIST_MAX), "items long")?;
    Ok(list.iter().collect())
}

/// Reads a list of structures of at most `max` items.
fn read_list<'a, S: capnp::traits::OwnedStruct, T>(
    field: &str,
    list: capnp::Result<capnp::struct_list::Reader<'a, S>>,
    max: u32,
    mut read: impl FnMut(S::Reader<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let list = sound(field, list)?;
    at_most(field, u64::from(list.len()), u64::from(max), "items long")?;
    let mut items = Vec::with_capacity(list.len() as usize);
    for (i, from) in (0..).zip(list) {
        items.push(read(from).map_err(|error| error.within(item(field, i)))?);
    }
    Ok(items)
}

fn check_totals(delta: &Delta) -> Result<()> {
    at_most("interrupted", delta.interrupted, COUNT_MAX, "requests")?;
    at_most("unsent", delta.unsent, COUNT_MAX, "requests")?;
    let ConnectionCounts { opened, reused, failed, resent } = delta.connections;
    at_most("opened", opened, COUNT_MAX, "connections")?;
    at_most("reused", reused, COUNT_MAX, "requests")?;
    at_most("connectsFailed", failed, COUNT_MAX, "attempts")?;
    at_most("resent", resent, COUNT_MAX, "requests")?;
    at_most("namesOverflowed", delta.names_overflowed, COUNT_MAX, "samples")?;
    let rising = delta.lateness.is_sorted_by(|a, b| a.shard < b.shard);
    holds("lateness", rising, "is not in the order of the load threads, each once")?;
    let rising = delta.addresses.is_sorted_by(|a, b| a.address < b.address);
    holds("addresses", rising, "is not in the order of the addresses, each once")?;
    let last = delta.args_read.last().copied().unwrap_or(0);
    at_most("argsRead", u64::from(last), u64::from(SETTINGS_LIST_MAX - 1), "as a place")?;
    let rising = delta.args_read.is_sorted_by(|a, b| a < b);
    holds("argsRead", rising, "is not in the order of the arguments, each once")
}

fn write_lateness(
    late: &LatenessDelta,
    mut to: lateness::Builder<'_>,
    encoder: &mut Encoder,
) -> Result<()> {
    check_lateness(late)?;
    to.set_shard(late.shard);
    to.set_times(encoder.encode("times", &late.times, Range::Time)?);
    to.set_max_us(late.max_us);
    Ok(())
}

fn read_lateness(from: lateness::Reader<'_>) -> Result<LatenessDelta> {
    let late = LatenessDelta {
        shard: from.get_shard(),
        times: decode("times", from.get_times(), Range::Time)?,
        max_us: from.get_max_us(),
    };
    check_lateness(&late)?;
    Ok(late)
}

fn check_lateness(late: &LatenessDelta) -> Result<()> {
    at_most("shard", u64::from(late.shard), u64::from(CORES_MAX - 1), "as a number")?;
    at_most("maxUs", late.max_us, SUM_MAX, "µs")?;
    let largest = late.times.ends_with(late.max_us, HIGHEST_US);
    holds("maxUs", largest, "is not the largest of times")
}

fn write_entry(
    entry: &EntryDelta,
    mut to: entry::Builder<'_>,
    encoder: &mut Encoder,
) -> Result<()> {
    check_entry(entry)?;
    to.set_method(text("method", &entry.method, METHOD_BYTES_MAX)?);
    to.set_name(text("name", &entry.name, NAME_BYTES_MAX)?);
    to.set_requests(entry.requests);
    to.set_failures(entry.failures);
    to.set_unanswered(entry.unanswered);
    to.set_resent(entry.resent);
    to.set_bytes(entry.bytes);
    to.set_times(encoder.encode("times", &entry.times, Range::Time)?);
    to.set_sum_us(entry.sum_us);
    to.set_min_us(entry.min_us);
    to.set_max_us(entry.max_us);
    Ok(())
}

fn read_entry(from: entry::Reader<'_>) -> Result<EntryDelta> {
    let entry = EntryDelta {
        method: read_text("method", from.get_method(), METHOD_BYTES_MAX)?,
        name: read_text("name", from.get_name(), NAME_BYTES_MAX)?,
        requests: from.get_requests(),
        failures: from.get_failures(),
        unanswered: from.get_unanswered(),
        resent: from.get_resent(),
        bytes: from.get_bytes(),
        times: decode("times", from.get_times(), Range::Time)?,
        sum_us: from.get_sum_us(),
        min_us: from.get_min_us(),
        max_us: from.get_max_us(),
    };
    check_entry(&entry)?;
    Ok(entry)
}

/// Figures that contradict each other would make the result of the whole test wrong.
fn check_entry(entry: &EntryDelta) -> Result<()> {
    let EntryDelta { requests, failures, sum_us, min_us, max_us, .. } = *entry;
    at_most("requests", requests, COUNT_MAX, "requests")?;
    at_most("failures", failures, requests, "failures")?;
    at_most("unanswered", entry.unanswered, failures, "failures")?;
    at_most("resent", entry.resent, COUNT_MAX, "requests")?;
    at_most("bytes", entry.bytes, SUM_MAX, "bytes")?;
    let recorded = entry.times.samples();
    if recorded != requests {
        let problem = format_args!("holds {recorded} samples, requests says {requests}");
        return Err(FieldError::new("times", problem));
    }
    if requests == 0 {
        holds("minUs", min_us == u64::MAX, "is given without a sample")?;
        holds("maxUs", max_us == 0, "is given without a sample")?;
        return holds("sumUs", sum_us == 0, "is given without a sample");
    }
    at_most("sumUs", sum_us, SUM_MAX, "µs")?;
    holds("minUs", min_us <= max_us, "is larger than maxUs")?;
    let [others, sum_us, min_us, max_us] = [requests - 1, sum_us, min_us, max_us].map(u128::from);
    let possible = min_us * others + max_us..=max_us * others + min_us;
    holds("sumUs", possible.contains(&sum_us), "cannot be with these minUs, maxUs and requests")?;
    let EntryDelta { min_us, max_us, .. } = *entry;
    holds("minUs", entry.times.begins_with(min_us, HIGHEST_US), "is not the smallest of times")?;
    holds("maxUs", entry.times.ends_with(max_us, HIGHEST_US), "is not the largest of times")
}

fn write_error(error: &ErrorDelta, mut to: error_kind::Builder<'_>) -> Result<()> {
    check_error(error)?;
    to.set_method(text("method", &error.method, METHOD_BYTES_MAX)?);
    to.set_name(text("name", &error.name, NAME_BYTES_MAX)?);
    to.set_error(text("error", &error.error, NAME_BYTES_MAX)?);
    to.set_occurrences(error.occurrences);
    to.set_first_ms(error.first_ms);
    to.set_last_ms(error.last_ms);
    Ok(())
}

fn read_error(from: error_kind::Reader<'_>) -> Result<ErrorDelta> {
    let error = ErrorDelta {
        method: read_text("method", from.get_method(), METHOD_BYTES_MAX)?,
        name: read_text("name", from.get_name(), NAME_BYTES_MAX)?,
        error: read_text("error", from.get_error(), NAME_BYTES_MAX)?,
        occurrences: from.get_occurrences(),
        first_ms: from.get_first_ms(),
        last_ms: from.get_last_ms(),
    };
    check_error(&error)?;
    Ok(error)
}

fn check_error(error: &ErrorDelta) -> Result<()> {
    at_most("occurrences", error.occurrences, COUNT_MAX, "occurrences")?;
    at_most("lastMs", error.last_ms, CLOCK_MS_MAX, "ms")?;
    holds("firstMs", error.first_ms <= error.last_ms, "is later than lastMs")
}

fn write_exception(exception: &ExceptionDelta, mut to: exception_kind::Builder<'_>) -> Result<()> {
    at_most("occurrences", exception.occurrences, COUNT_MAX, "occurrences")?;
    to.set_message(text("message", &exception.message, TRACE_BYTES_MAX)?);
    to.set_trace(text("trace", &exception.trace, TRACE_BYTES_MAX)?);
    to.set_occurrences(exception.occurrences);
    Ok(())
}

fn read_exception(from: exception_kind::Reader<'_>) -> Result<ExceptionDelta> {
    let occurrences = from.get_occurrences();
    at_most("occurrences", occurrences, COUNT_MAX, "occurrences")?;
    Ok(ExceptionDelta {
        message: read_text("message", from.get_message(), TRACE_BYTES_MAX)?,
        trace: read_text("trace", from.get_trace(), TRACE_BYTES_MAX)?,
        occurrences,
    })
}

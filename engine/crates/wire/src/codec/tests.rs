//! Every message survives the way there and back; hostile ones end in an error.

mod any;
mod hostile;

use capnp::message::{Builder, ReaderOptions};
use capnp::serialize;
use capnp::traits::Owned;
use hdrhistogram::Histogram;
use proptest::prelude::*;

use super::field::Result;
use super::histogram::{Decoder, Encoder, Range};
use super::{heartbeat, info, order, report};
use crate::generated::swarm_capnp as wire;
use crate::limits::{HISTOGRAM_TIME_US_MAX, NESTING_MAX, TRAVERSAL_WORDS_MAX};

/// The bytes of a message that `write` fills.
fn bytes_of<O: Owned>(write: impl FnOnce(O::Builder<'_>) -> Result<()>) -> Result<Vec<u8>> {
    let mut message = Builder::new_default();
    write(message.init_root())?;
    Ok(serialize::write_message_to_words(&message))
}

/// What `read` makes of a message's bytes; `None` when they are no message at all.
fn read_bytes<O: Owned, T>(
    bytes: &[u8],
    read: impl FnOnce(O::Reader<'_>) -> Result<T>,
) -> Option<Result<T>> {
    let mut options = ReaderOptions::new();
    options.traversal_limit_in_words(Some(TRAVERSAL_WORDS_MAX)).nesting_limit(NESTING_MAX);
    let message = serialize::read_message(bytes, options).ok()?;
    Some(read(message.get_root().ok()?))
}

proptest! {
    #[test]
    fn worker_info_round_trip(value in any::worker_info()) {
        let bytes = bytes_of::<wire::worker_info::Owned>(|to| info::write_worker(&value, to));
        let read = read_bytes::<wire::worker_info::Owned, _>(&bytes.unwrap(), info::read_worker);
        prop_assert_eq!(read.unwrap().unwrap(), value);
    }

    #[test]
    fn order_round_trip(value in any::order()) {
        let bytes = bytes_of::<wire::order::Owned>(|to| order::write(&value, to));
        let read = read_bytes::<wire::order::Owned, _>(&bytes.unwrap(), order::read);
        prop_assert_eq!(read.unwrap().unwrap(), value);
    }

    #[test]
    fn heartbeat_round_trip(value in any::heartbeat()) {
        let bytes = bytes_of::<wire::heartbeat::Owned>(|to| heartbeat::write(&value, to));
        let read = read_bytes::<wire::heartbeat::Owned, _>(&bytes.unwrap(), heartbeat::read);
        prop_assert_eq!(read.unwrap().unwrap(), value);
    }

    #[test]
    fn report_round_trip(value in any::report()) {
        let bytes = bytes_of::<wire::report::Owned>(|to| report::write(&value, to));
        let read = read_bytes::<wire::report::Owned, _>(&bytes.unwrap(), report::read);
        prop_assert_eq!(read.unwrap().unwrap(), value);
    }

    /// Adding what was received gives the same as adding what was sent, to the last cell.
    #[test]
    fn received_histograms_add_up(parts in prop::collection::vec(any::times(), 1..5)) {
        let mut sent = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3).unwrap();
        let mut received = sent.clone();
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        for part in &parts {
            let bytes = encoder.encode("times", part, Range::Time).unwrap();
            received += decoder.decode("times", Ok(bytes), Range::Time).unwrap();
            sent += part;
        }
        prop_assert_eq!(received, sent);
    }
}

#[test]
fn one_hour_is_the_longest_time() {
    let times = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3).unwrap();
    assert_eq!(HISTOGRAM_TIME_US_MAX, times.highest_equivalent(3_600_000_000));
}

/// The receiver allocates cells for what is there, not for what could have been.
#[test]
fn histograms_travel_trimmed() {
    let mut times = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3).unwrap();
    times.record(1_500).unwrap();
    let mut encoder = Encoder::new();
    let bytes = encoder.encode("times", &times, Range::Time).unwrap();
    let received = Decoder::new().decode("times", Ok(bytes), Range::Time).unwrap();
    assert_eq!(received.high(), 1_500);
    assert_eq!(received.distinct_values(), 2_048, "the smallest number of cells");
    assert_eq!(received, times);
}

/// A trend has no upper limit but that of its numbers.
#[test]
fn trends_hold_the_largest_values() {
    let mut values = Histogram::<u64>::new(3).unwrap();
    for value in [0, 1, u64::MAX / 4, u64::MAX / 2] {
        values.record(value).unwrap();
    }
    let mut encoder = Encoder::new();
    let bytes = encoder.encode("values", &values, Range::Any).unwrap();
    let received = Decoder::new().decode("values", Ok(bytes), Range::Any).unwrap();
    assert_eq!(received, values);
}

#[test]
fn writing_names_the_field_that_is_too_long() {
    let mut value = any::sample_report();
    value.delta.entries[1].name = "n".repeat(crate::limits::NAME_BYTES_MAX + 1);
    let error = bytes_of::<wire::report::Owned>(|to| report::write(&value, to)).unwrap_err();
    assert_eq!(error.to_string(), "delta.entries[1].name is 16385 bytes long, the most is 16384");
}

/// Each text keeps its limit, all together they break that of a message.
#[test]
fn a_report_that_is_too_large_is_not_written() {
    let mut value = any::sample_report();
    let exception = value.delta.exceptions[0].clone();
    value.delta.exceptions = vec![exception; 200];
    for exception in &mut value.delta.exceptions {
        exception.trace = "t".repeat(crate::limits::TRACE_BYTES_MAX);
    }
    let error = bytes_of::<wire::report::Owned>(|to| report::write(&value, to)).unwrap_err();
    assert_eq!(error.path(), "delta");
}

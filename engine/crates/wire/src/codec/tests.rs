//! Every message survives the way there and back; hostile ones end in an error.

mod any;
mod hostile;

use proptest::prelude::*;
use swarm_stats::Histogram;
use swarm_stats::histogram::BUCKETS;
use swarm_stats::times::HIGHEST_US;

use super::histogram::{Encoder, Range, decode};
use super::whole::{bytes_of, read_bytes};
use super::{heartbeat, info, order, report};
use crate::generated::swarm_capnp as wire;
use crate::limits::{COUNT_MAX, HISTOGRAM_BYTES_MAX, HISTOGRAM_TIME_US_MAX};

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

    /// The sender cuts what it has to send by this bound.
    #[test]
    fn a_report_takes_no_more_than_was_said(value in any::report()) {
        const REPORT_ITSELF: usize = 128;
        let bytes = bytes_of::<wire::report::Owned>(|to| report::write(&value, to)).unwrap();
        prop_assert!(bytes.len() <= value.delta.message_bytes() + REPORT_ITSELF);
    }

    /// Adding what was received gives the same as adding what was sent, to the last bucket.
    #[test]
    fn received_histograms_add_up(parts in prop::collection::vec(any::times(), 1..5)) {
        let (mut sent, mut received) = (Histogram::new(), Histogram::new());
        let mut encoder = Encoder::default();
        for part in &parts {
            let bytes = encoder.encode("times", part, Range::Time).unwrap();
            received.add(&decode("times", Ok(bytes), Range::Time).unwrap());
            sent.add(part);
        }
        prop_assert_eq!(received, sent);
    }
}

/// The limit is that of the buckets, so that nothing which can be recorded is refused.
#[test]
fn one_hour_is_the_longest_time() {
    let mut times = Histogram::new();
    times.record(HIGHEST_US, 1);
    assert_eq!(times.max(), Some(HISTOGRAM_TIME_US_MAX));
    let mut encoder = Encoder::default();
    assert!(encoder.encode("times", &times, Range::Time).is_ok());
    times.record(HISTOGRAM_TIME_US_MAX + 1, 1);
    assert!(encoder.encode("times", &times, Range::Time).is_err());
}

/// What a load thread records of one name in a second costs a few bytes, not its whole range.
#[test]
fn histograms_travel_by_their_buckets() {
    let mut times = Histogram::new();
    for time_us in [1_500, 1_500, 2_000, 950_000] {
        times.record(time_us, 1);
    }
    let mut encoder = Encoder::default();
    let bytes = encoder.encode("times", &times, Range::Time).unwrap();
    assert_eq!(bytes.len(), 9);
    assert_eq!(decode("times", Ok(bytes), Range::Time).unwrap(), times);
}

/// Every bucket full of as many samples as it can hold with the others.
#[test]
fn the_largest_histogram_is_within_the_limits() {
    let each = COUNT_MAX / u64::from(BUCKETS);
    let all = Histogram::from_buckets((0..BUCKETS).map(|bucket| (bucket, each)).collect()).unwrap();
    let mut encoder = Encoder::default();
    let bytes = encoder.encode("values", &all, Range::Any).unwrap();
    assert!(bytes.len() <= HISTOGRAM_BYTES_MAX, "{} bytes", bytes.len());
    assert_eq!(decode("values", Ok(bytes), Range::Any).unwrap(), all);
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

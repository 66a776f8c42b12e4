//! Messages that no honest peer sends.

use hdrhistogram::Histogram;
use proptest::prelude::*;
use swarm_stats::delta::Report;

use super::{any, bytes_of, read_bytes};
use crate::codec::field::Result;
use crate::codec::histogram::{Decoder, Encoder, Range};
use crate::codec::{heartbeat, info, order, report};
use crate::generated::swarm_capnp as wire;
use crate::limits::{COUNT_MAX, ORDER_IDS_MAX, REPORT_ENTRIES_MAX};

fn report_bytes(report: &Report) -> Vec<u8> {
    bytes_of::<wire::report::Owned>(|to| report::write(report, to)).unwrap()
}

/// Reads bytes as every message there is; what is accepted must keep the rules of sending too.
fn read_as_everything(bytes: &[u8]) {
    if let Some(Ok(read)) = read_bytes::<wire::report::Owned, _>(bytes, report::read) {
        bytes_of::<wire::report::Owned>(|to| report::write(&read, to)).unwrap();
    }
    if let Some(Ok(read)) = read_bytes::<wire::order::Owned, _>(bytes, order::read) {
        bytes_of::<wire::order::Owned>(|to| order::write(&read, to)).unwrap();
    }
    if let Some(Ok(read)) = read_bytes::<wire::heartbeat::Owned, _>(bytes, heartbeat::read) {
        bytes_of::<wire::heartbeat::Owned>(|to| heartbeat::write(&read, to)).unwrap();
    }
    if let Some(Ok(read)) = read_bytes::<wire::worker_info::Owned, _>(bytes, info::read_worker) {
        bytes_of::<wire::worker_info::Owned>(|to| info::write_worker(&read, to)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn garbage_is_no_message(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        read_as_everything(&bytes);
    }

    /// Framed as one segment, so that the pointers inside are followed.
    #[test]
    fn garbage_in_a_frame(words in prop::collection::vec(any::<u64>(), 1..200)) {
        let mut bytes = vec![0; 4];
        bytes.extend(u32::try_from(words.len()).unwrap().to_le_bytes());
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        read_as_everything(&bytes);
    }

    #[test]
    fn flipped_bytes(
        value in any::report(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = report_bytes(&value);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_as_everything(&bytes);
    }

    #[test]
    fn flipped_bytes_of_an_order(
        value in any::order(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = bytes_of::<wire::order::Owned>(|to| order::write(&value, to)).unwrap();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_as_everything(&bytes);
    }

    #[test]
    fn histogram_payloads(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let read = decode(&histogram_bytes(1, 3, 3_600_000_000, &payload));
        if let Ok(histogram) = read {
            prop_assert!(histogram.len() <= COUNT_MAX);
        }
    }
}

#[test]
fn truncated_messages() {
    let bytes = report_bytes(&any::sample_report());
    for len in 0..bytes.len() {
        let read = read_bytes::<wire::report::Owned, _>(&bytes[..len], report::read);
        assert!(read.is_none(), "a report cut at byte {len} was read");
    }
}

/// A frame that is whole, around a message that is not: the missing words read as nothing.
#[test]
fn messages_with_the_end_missing() {
    let bytes = report_bytes(&any::sample_report());
    for words in 0..bytes.len() / 8 - 1 {
        let mut short = bytes[..8 + words * 8].to_vec();
        short[4..8].copy_from_slice(&u32::try_from(words).unwrap().to_le_bytes());
        read_as_everything(&short);
    }
}

fn report_error(change: impl FnOnce(wire::report::Builder<'_>)) -> String {
    let bytes = bytes_of::<wire::report::Owned>(|mut to| {
        report::write(&any::sample_report(), to.reborrow())?;
        change(to);
        Ok(())
    });
    let read = read_bytes::<wire::report::Owned, _>(&bytes.unwrap(), report::read);
    read.expect("it is a message").expect_err("it keeps no rule").to_string()
}

fn entry_error(change: impl FnOnce(wire::entry::Builder<'_>)) -> String {
    report_error(|report| {
        change(report.get_delta().unwrap().get_entries().unwrap().get(1));
    })
}

#[test]
fn figures_that_contradict_each_other() {
    assert_eq!(
        entry_error(|mut entry| entry.set_requests(4)),
        "delta.entries[1].times holds 3 samples, requests says 4"
    );
    assert_eq!(
        entry_error(|mut entry| entry.set_failures(4)),
        "delta.entries[1].failures is 4 failures, the most is 3"
    );
    assert_eq!(
        entry_error(|mut entry| entry.set_requests(u64::MAX)),
        "delta.entries[1].requests is 18446744073709551615 requests, the most is 1099511627776"
    );
    assert_eq!(
        entry_error(|mut entry| entry.set_min_us(53_000)),
        "delta.entries[1].minUs is larger than maxUs"
    );
    // 900 + 900 + 52,000 is the least that three samples between these can make.
    assert_eq!(
        entry_error(|mut entry| entry.set_sum_us(53_799)),
        "delta.entries[1].sumUs cannot be with these minUs, maxUs and requests"
    );
    assert!(entry_error(|mut entry| entry.set_max_us(u64::MAX)).contains("sumUs cannot be"));
    assert_eq!(report_error(|mut report| report.set_sequence(0)), "sequence is 0, the first is 1");
}

#[test]
fn fields_that_are_not_what_they_should_be() {
    assert!(
        report_error(|report| {
            let mut value = report.get_delta().unwrap().get_metrics().unwrap().get(0).init_value();
            value.reborrow().init_count().set_sum(f64::NAN);
        })
        .starts_with("delta.metrics[0].sum is NaN")
    );
    let not_utf8 = entry_error(|entry| {
        entry.init_name(2).as_bytes_mut().copy_from_slice(&[0xff, 0xfe]);
    });
    assert!(not_utf8.starts_with("delta.entries[1].name is malformed"), "{not_utf8}");
}

#[test]
fn lists_that_are_too_long() {
    let error = report_error(|report| {
        report.get_delta().unwrap().init_entries(REPORT_ENTRIES_MAX + 1);
    });
    assert_eq!(error, "delta.entries is 10001 items long, the most is 10000");

    let bytes = bytes_of::<wire::order::Owned>(|mut to| {
        to.set_module(&[0; 32]);
        let mut users = to.init_users(2);
        users.reborrow().get(0).init_ids(ORDER_IDS_MAX);
        users.get(1).init_ids(1);
        Ok(())
    });
    let error = read_bytes::<wire::order::Owned, _>(&bytes.unwrap(), order::read);
    assert_eq!(
        error.unwrap().unwrap_err().to_string(),
        "users[1].ids is 1000001 long, all classes together, the most is 1000000"
    );
}

/// An order whose list of users has structures of no size: any number takes three words.
fn order_of_nothing(items: u64) -> String {
    let words: [u64; 6] = [
        // The root: no data, three pointers: to the module, the users, the settings.
        3 << 48,
        0,
        // A list of structures right after the settings, no words long.
        (1 << 2) | 1 | (7 << 32),
        0,
        // Its tag: so many structures of no words.
        items << 2,
        0,
    ];
    let mut bytes = vec![0, 0, 0, 0, 6, 0, 0, 0];
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    let read = read_bytes::<wire::order::Owned, _>(&bytes, order::read_users);
    read.unwrap().unwrap_err().to_string()
}

#[test]
fn lists_of_nothing() {
    let error = order_of_nothing(1_000_000);
    assert_eq!(error, "users is 1000000 items long, the most is 10000");
    let error = order_of_nothing((1 << 29) - 1);
    assert!(error.starts_with("users is malformed"), "{error}");
}

/// A histogram as the encoding has it, with a header of one's choice.
fn histogram_bytes(low: u64, digits: u32, high: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = 0x1c84_9313u32.to_be_bytes().to_vec();
    bytes.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(0u32.to_be_bytes());
    bytes.extend(digits.to_be_bytes());
    bytes.extend(low.to_be_bytes());
    bytes.extend(high.to_be_bytes());
    bytes.extend(1f64.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn decode(bytes: &[u8]) -> Result<Histogram<u64>> {
    Decoder::new().decode("times", Ok(bytes), Range::Time)
}

fn decode_error(bytes: &[u8]) -> String {
    decode(bytes).expect_err("it keeps no rule").to_string()
}

#[test]
fn histograms_of_other_shapes() {
    assert!(decode(&histogram_bytes(1, 3, 1_000, &[2])).is_ok(), "one sample in the first cell");
    assert!(decode_error(&histogram_bytes(1, 5, 1_000, &[2])).contains("keeps 5 digits"));
    assert!(decode_error(&histogram_bytes(2, 3, 1_000, &[2])).contains("lowest value 2"));
    assert!(decode_error(&histogram_bytes(1, 3, 1, &[2])).contains("no room"));
    assert!(decode_error(&histogram_bytes(1, 3, u64::MAX, &[2])).contains("largest value"));
}

#[test]
fn histograms_that_lie_about_their_size() {
    let mut bytes = histogram_bytes(1, 3, 1_000, &[2]);
    assert!(decode_error(&bytes[..39]).contains("cut off"));
    assert!(decode_error(&bytes[..40]).contains("another length"));
    bytes[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(decode_error(&bytes).contains("another length"));
    // The first number skips a million cells, the second is a sample in the next.
    let skips = histogram_bytes(1, 3, 1_000, &[0xff, 0x88, 0x7a, 2]);
    assert!(decode_error(&skips).contains("malformed"));
    assert!(decode_error(b"GET / HTTP/1.1\r\nHost: localhost:5557\r\n\r\n").contains("not a V2"));
    assert!(decode_error(&vec![0; 600 * 1024]).contains("bytes long"));
}

#[test]
fn histograms_whose_counts_overflow() {
    // The one number whose negation does not fit.
    let smallest = histogram_bytes(1, 3, 1_000, &[0xff; 9]);
    assert!(decode_error(&smallest).contains("a count above"));
    // Many counts that each are in the limit and together are not.
    let mut many = Histogram::<u64>::new(3).unwrap();
    many.record_n(1, COUNT_MAX).unwrap();
    many.record_n(2, COUNT_MAX).unwrap();
    let mut encoder = Encoder::new();
    assert!(encoder.encode("times", &many, Range::Time).is_err(), "not sent either");
    let mut bytes = Vec::new();
    let mut serializer = hdrhistogram::serialization::V2Serializer::new();
    hdrhistogram::serialization::Serializer::serialize(&mut serializer, &many, &mut bytes).unwrap();
    assert!(decode_error(&bytes).contains("samples"));
}

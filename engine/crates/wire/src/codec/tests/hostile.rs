//! Messages that no honest peer sends.

use proptest::prelude::*;
use swarm_stats::Histogram;
use swarm_stats::delta::Report;

use super::{any, bytes_of, read_bytes};
use crate::codec::field::Result;
use crate::codec::histogram::{Encoder, Range, decode};
use crate::codec::ids::Budget;
use crate::codec::{heartbeat, info, order, report};
use crate::generated::swarm_capnp as wire;
use crate::limits::{COUNT_MAX, ORDER_RUNS_MAX, REPORT_ENTRIES_MAX};

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
        if let Ok(histogram) = decode_time(&payload) {
            prop_assert!(histogram.samples() <= COUNT_MAX);
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
    assert_eq!(
        entry_error(|mut entry| entry.set_min_us(901)),
        "delta.entries[1].minUs is not the smallest of times"
    );
    assert_eq!(
        entry_error(|mut entry| entry.set_max_us(51_900)),
        "delta.entries[1].maxUs is not the largest of times"
    );
    assert_eq!(
        entry_error(|mut entry| entry.set_unanswered(2)),
        "delta.entries[1].unanswered is 2 failures, the most is 1"
    );
    assert_eq!(report_error(|mut report| report.set_sequence(0)), "sequence is 0, the first is 1");
}

#[test]
fn figures_of_connections_and_arguments_that_cannot_be() {
    let delta_error = |change: fn(wire::delta::Builder<'_>)| {
        report_error(|report| change(report.get_delta().unwrap()))
    };
    type Spoil = fn(wire::delta::Builder<'_>);
    let counts: [(Spoil, &str); 5] = [
        (|mut delta| delta.set_opened(COUNT_MAX + 1), "opened is 1099511627777 connections"),
        (|mut delta| delta.set_reused(u64::MAX), "reused is 18446744073709551615 requests"),
        (|mut delta| delta.set_connects_failed(u64::MAX), "connectsFailed is"),
        (|mut delta| delta.set_resent(u64::MAX), "resent is"),
        (|mut delta| delta.set_unsent(u64::MAX), "unsent is"),
    ];
    for (spoil, begin) in counts {
        let error = delta_error(spoil);
        assert!(error.starts_with(&format!("delta.{begin}")), "{error}");
    }
    let places: [(&[u32], &str); 3] = [
        (&[3, 3], "delta.argsRead is not in the order of the arguments, each once"),
        (&[4, 2], "delta.argsRead is not in the order of the arguments, each once"),
        (&[10_000], "delta.argsRead is 10000 as a place, the most is 9999"),
    ];
    for (places, expected) in places {
        let error = report_error(|report| {
            let len = u32::try_from(places.len()).unwrap();
            let mut list = report.get_delta().unwrap().init_args_read(len);
            (0..).zip(places).for_each(|(i, place)| list.set(i, *place));
        });
        assert_eq!(error, expected);
    }
}

#[test]
fn addresses_that_cannot_be() {
    let error = |texts: &[&str], failures: u64| {
        report_error(|report| {
            let len = u32::try_from(texts.len()).unwrap();
            let mut list = report.get_delta().unwrap().init_addresses(len);
            for (i, text) in (0..).zip(texts) {
                let mut row = list.reborrow().get(i);
                row.set_address(text);
                row.set_requests(3);
                row.set_failures(failures);
            }
        })
    };
    let text = error(&["", "10.0.0.1"], 0);
    assert_eq!(text, "delta.addresses[1].address is \"10.0.0.1\", not an address and a port");
    for order in [["10.0.0.1:80", ""], ["[::1]:80", "10.0.0.1:80"], ["[::1]:80", "[::1]:80"]] {
        let text = error(&order, 0);
        assert_eq!(text, "delta.addresses is not in the order of the addresses, each once");
    }
    let text = error(&["[::1]:80"], 4);
    assert_eq!(text, "delta.addresses[0].failures is 4 failures, the most is 3");
    assert!(error(&["1"; 10_001], 0).starts_with("delta.addresses is 10001 items long"));
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
    assert!(
        report_error(|report| {
            let mut value = report.get_delta().unwrap().get_metrics().unwrap().get(0).init_value();
            value.reborrow().init_trend().set_max(f64::NAN);
        })
        .starts_with("delta.metrics[0].max is NaN")
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
        let mut ids = users.reborrow().get(0).init_ids(ORDER_RUNS_MAX);
        for i in 0..ORDER_RUNS_MAX {
            ids.reborrow().get(i).set_first(2 * i);
            ids.reborrow().get(i).set_last(2 * i);
        }
        users.get(1).init_ids(1);
        Ok(())
    });
    assert_eq!(
        order_error(&bytes.unwrap()),
        "users[1].ids is 1000001 runs long, with those before, the most is 1000000"
    );
}

fn order_error(bytes: &[u8]) -> String {
    let read = read_bytes::<wire::order::Owned, _>(bytes, order::read);
    read.unwrap().unwrap_err().to_string()
}

/// The error of an order with these runs of ids, each list of a class of its own.
fn runs_error(lists: &[&[(u32, u32)]]) -> String {
    let bytes = bytes_of::<wire::order::Owned>(|mut to| {
        to.set_module(&[0; 32]);
        let mut users = to.init_users(u32::try_from(lists.len()).unwrap());
        for (class, runs) in (0..).zip(lists) {
            let mut to = users.reborrow().get(class);
            to.set_class(class);
            let mut ids = to.init_ids(u32::try_from(runs.len()).unwrap());
            for (i, &(first, last)) in (0..).zip(*runs) {
                ids.reborrow().get(i).set_first(first);
                ids.reborrow().get(i).set_last(last);
            }
        }
        Ok(())
    });
    order_error(&bytes.unwrap())
}

/// A few bytes must not become users without end, nor one user two.
#[test]
fn runs_of_ids_that_are_no_sets() {
    assert_eq!(
        runs_error(&[&[(0, 9)], &[(10, u32::MAX)]]),
        "users[1].ids is 4294967296 users, with those before, the most is 10000000"
    );
    for runs in [[(5, 9), (9, 12)], [(5, 9), (1, 2)], [(0, 1), (4, 3)]] {
        assert_eq!(runs_error(&[&runs]), "users[0].ids do not ascend");
    }
    assert_eq!(
        runs_error(&[&[(0, 9)], &[(12, 20), (30, 31)], &[(20, 20)]]),
        "users have an id in two classes"
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
    let read = read_bytes::<wire::order::Owned, _>(&bytes, |order| {
        order::read_users(order, &mut Budget::default())
    });
    read.unwrap().unwrap_err().to_string()
}

#[test]
fn lists_of_nothing() {
    let error = order_of_nothing(1_000_000);
    assert_eq!(error, "users is 1000000 items long, the most is 10000");
    let error = order_of_nothing((1 << 29) - 1);
    assert!(error.starts_with("users is malformed"), "{error}");
}

fn decode_time(bytes: &[u8]) -> Result<Histogram> {
    decode("times", Ok(bytes), Range::Time)
}

fn decode_error(bytes: &[u8]) -> String {
    decode_time(bytes).expect_err("it keeps no rule").to_string()
}

#[test]
fn histograms_that_are_none() {
    assert!(decode_time(&[]).is_ok_and(|histogram| histogram.is_empty()));
    assert!(decode_time(&[0, 1]).is_ok_and(|histogram| histogram.count_at(0) == 1));
    assert_eq!(decode_error(&[0]), "times is cut off in a number");
    assert_eq!(decode_error(&[0x80, 0x80]), "times is cut off in a number");
    assert_eq!(decode_error(&[0, 0]), "times has nothing in bucket 0");
    assert_eq!(decode_error(&[0xff; 20]), "times has a number of more than 64 bits");
    // The skip fits a number and leads beyond every bucket.
    let far = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1];
    assert_eq!(decode_error(&far), "times has bucket 4294967295, the last is 56319");
    // Bucket 30,000 exists, for more than an hour.
    assert!(decode_error(&[0xb0, 0xea, 0x01, 1]).contains("as the largest value"));
    assert!(decode_error(&vec![0; 600 * 1024]).contains("bytes long"));
}

#[test]
fn histograms_whose_counts_overflow() {
    // Two counts that each fit 64 bits and together do not.
    let mut bytes = vec![0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    bytes.extend([0, 1]);
    assert_eq!(
        decode_error(&bytes),
        "times is 18446744073709551615 samples, the most is 1099511627776"
    );
    // Many counts that each are in the limit and together are not.
    let mut many = Histogram::new();
    many.record(1, COUNT_MAX);
    many.record(2, 1);
    assert!(Encoder::default().encode("times", &many, Range::Time).is_err(), "not sent either");
    let mut bytes = vec![1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
    assert!(decode_time(&bytes).is_ok());
    bytes.extend([0, 1]);
    assert!(decode_error(&bytes).contains("samples"));
}

fn lateness_error(change: impl FnOnce(wire::lateness::Builder<'_>)) -> String {
    report_error(|report| {
        change(report.get_delta().unwrap().get_lateness().unwrap().get(0));
    })
}

#[test]
fn lateness_that_contradicts_itself() {
    assert_eq!(
        lateness_error(|mut late| late.set_max_us(4)),
        "delta.lateness[0].maxUs is not the largest of times"
    );
    assert!(lateness_error(|mut late| late.set_shard(u32::MAX)).contains("lateness[0].shard"));
    let twice = report_error(|report| {
        let mut list = report.get_delta().unwrap().init_lateness(2);
        for i in 0..2 {
            let mut late = list.reborrow().get(i);
            late.set_times(&[1, 1]);
            late.set_max_us(1);
        }
    });
    assert_eq!(twice, "delta.lateness is not in the order of the load threads, each once");
}

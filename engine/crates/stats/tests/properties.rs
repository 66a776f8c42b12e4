//! What must hold for all samples: nothing lost, nothing doubled, percentiles as if every sample
//! had been recorded in one place.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hdrhistogram::iterators::IterationValue;
use proptest::prelude::*;
use swarm_stats::delta::{Delta, EntryDelta, Report};
use swarm_stats::snapshot::{AddressSnapshot, Snapshot};
use swarm_stats::times::HIGHEST_US;
use swarm_stats::{
    Accept, AddressCounts, ConnectionCounts, Ledger, Limits, Recorder, Sample, Totals,
};

const NAMES: [&str; 3] = ["/", "/cart", "/a/rather/long/name"];
const ERRORS: [Option<&str>; 3] = [None, Some("status 500"), Some("timeout")];
/// The error of those without a response.
const UNANSWERED: usize = 2;

#[derive(Debug, Clone)]
struct Event {
    /// Which of the recorders.
    recorder: usize,
    name: usize,
    error: usize,
    time_us: u64,
    bytes: u64,
    /// Opened, reused, failed, resent.
    connections: [u64; 4],
    /// Is the recorder drained after this one?
    drain: bool,
}

impl Event {
    fn sample(&self, at_ms: u64) -> Sample<'static> {
        let Self { time_us, bytes, error, .. } = *self;
        Sample {
            response_time_us: time_us,
            bytes,
            error: ERRORS[error],
            unanswered: error == UNANSWERED,
            connections: self.connections(),
            at_ms,
        }
    }

    fn connections(&self) -> ConnectionCounts {
        let [opened, reused, failed, resent] = self.connections;
        ConnectionCounts { opened, reused, failed, resent }
    }
}

/// In the order in which they are shown.
const ADDRESSES: [&str; 3] = ["10.0.0.1:80", "[2001:db8::1]:80", "(other)"];

impl Event {
    fn address(&self) -> Option<SocketAddr> {
        ADDRESSES[self.name].parse().ok()
    }

    fn address_counts(&self) -> AddressCounts {
        let [opened, _, failed, _] = self.connections;
        AddressCounts { opened, failed, requests: 1, failures: u64::from(self.error > 0) }
    }
}

/// The figures of one address, made from the events themselves.
fn expected_of_address(events: &[Event], at: usize) -> Option<AddressSnapshot> {
    let mut counts = AddressCounts::default();
    events.iter().filter(|event| event.name == at).for_each(|e| counts.add(&e.address_counts()));
    let AddressCounts { opened, failed, requests: num_requests, failures: num_failures } = counts;
    let address = ADDRESSES[at].to_owned();
    let row = AddressSnapshot { address, opened, failed, num_requests, num_failures };
    (num_requests > 0).then_some(row)
}

fn time_us() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 200_u64..50_000,
        2 => 0_u64..2_100,
        1 => 50_000_u64..HIGHEST_US,
        1 => HIGHEST_US..2 * HIGHEST_US,
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let sizes = (time_us(), 0_u64..9_999, [0_u64..3, 0..3, 0..2, 0..2]);
    let event = (0_usize..4, 0_usize..3, 0_usize..3, sizes, 0_u8..8).prop_map(
        |(recorder, name, error, (time_us, bytes, connections), drain)| Event {
            recorder,
            name,
            error,
            time_us,
            bytes,
            connections,
            drain: drain == 0,
        },
    );
    prop::collection::vec(event, 0..600)
}

/// Deltas of four recorders that are drained now and then.
fn record(events: &[Event]) -> Vec<Delta> {
    let mut recorders: Vec<_> = (0..4).map(|_| Recorder::new(Limits::default())).collect();
    let mut deltas = Vec::new();
    for (at_ms, event) in (0..).zip(events) {
        let recorder = &mut recorders[event.recorder];
        let entry = recorder.intern("GET", NAMES[event.name]);
        recorder.record(entry, event.sample(at_ms));
        recorder.address(event.address(), event.address_counts());
        if event.drain {
            deltas.push(recorder.drain());
        }
    }
    deltas.extend(recorders.iter_mut().map(Recorder::drain));
    deltas
}

/// The figures of one name, made from the samples themselves.
fn expected(events: &[Event], name: usize) -> EntryDelta {
    let mut entry = EntryDelta::new("GET", NAMES[name]);
    for event in events.iter().filter(|event| event.name == name) {
        entry.requests += 1;
        entry.failures += u64::from(event.error > 0);
        entry.unanswered += u64::from(event.error == UNANSWERED);
        entry.resent += event.connections().resent;
        entry.bytes += event.bytes;
        entry.sum_us += event.time_us;
        entry.min_us = entry.min_us.min(event.time_us);
        entry.max_us = entry.max_us.max(event.time_us);
        entry.times.record(event.time_us.min(HIGHEST_US), 1);
    }
    entry
}

fn merge(deltas: Vec<Delta>) -> Delta {
    let mut merged = Delta::default();
    for delta in deltas {
        merged.merge(delta);
    }
    merged.entries.sort_by(|a, b| a.name.cmp(&b.name));
    merged.errors.sort_by(|a, b| (&a.name, &a.error).cmp(&(&b.name, &b.error)));
    merged
}

/// The library's histogram of the same samples: (largest value of the bucket, count).
fn library_buckets(events: &[Event], name: usize) -> Vec<(u64, u64)> {
    let mut histogram = hdrhistogram::Histogram::<u64>::new(3).expect("three digits");
    for event in events.iter().filter(|event| event.name == name) {
        histogram.record(event.time_us.min(HIGHEST_US)).expect("it grows");
    }
    let bucket =
        |bucket: IterationValue<u64>| (bucket.value_iterated_to(), bucket.count_at_value());
    histogram.iter_recorded().map(bucket).collect()
}

/// `PERCENTILES` in hundredths of a percent.
const LEVELS: [usize; 11] =
    [5_000, 6_600, 7_500, 8_000, 9_000, 9_500, 9_800, 9_900, 9_990, 9_999, 10_000];

/// The smallest of the sorted times with at least this share of all at or below it.
fn oracle_us(sorted: &[u64], level: usize) -> u64 {
    sorted[(level * sorted.len()).div_ceil(10_000) - 1]
}

fn assert_percentiles(found_ms: [f64; 11], mut times_us: Vec<u64>) {
    times_us.sort_unstable();
    for (level, found_ms) in LEVELS.into_iter().zip(found_ms) {
        let found_us = found_ms * 1000.0;
        let oracle_us = oracle_us(&times_us, level) as f64;
        if level == 10_000 {
            assert_eq!(found_ms, oracle_us / 1000.0);
        } else if oracle_us <= HIGHEST_US as f64 {
            let within = (oracle_us - 0.01)..=(oracle_us * 1.001 + 0.01);
            assert!(within.contains(&found_us), "{level}: {found_us} for {oracle_us}");
        } else {
            assert!(found_us >= HIGHEST_US as f64, "{level}: {found_us} for {oracle_us}");
        }
    }
}

fn total_of(snapshot: &Snapshot) -> (u64, u64, u64) {
    let total = &snapshot.total;
    (total.num_requests, total.num_failures, total.bytes)
}

proptest! {
    #[test]
    fn merging_equals_recording_in_one_place(
        events in events(),
        order in any::<prop::sample::Index>(),
    ) {
        let mut deltas = record(&events);
        let shift = order.index(deltas.len());
        deltas.rotate_left(shift);
        if shift % 2 == 0 {
            deltas.reverse();
        }
        let merged = merge(deltas);

        for entry in &merged.entries {
            let name = NAMES.iter().position(|name| *name == entry.name).unwrap();
            let expected = expected(&events, name);
            prop_assert_eq!(entry, &expected);
            let library = library_buckets(&events, name);
            prop_assert_eq!(entry.times.buckets().len(), library.len());
            for (&(_, count), (value, library_count)) in entry.times.buckets().iter().zip(library) {
                prop_assert_eq!((count, entry.times.count_at(value)), (library_count, count));
            }
        }
        let names = (0..3).filter(|name| events.iter().any(|event| event.name == *name));
        prop_assert_eq!(merged.entries.len(), names.count());

        let mut errors = BTreeMap::new();
        for (at_ms, event) in (0_u64..).zip(&events) {
            if let Some(error) = ERRORS[event.error] {
                let seen = errors.entry((NAMES[event.name], error)).or_insert((0, at_ms, at_ms));
                *seen = (seen.0 + 1, seen.1, at_ms);
            }
        }
        let found: BTreeMap<_, _> = merged
            .errors
            .iter()
            .map(|error| {
                let figures = (error.occurrences, error.first_ms, error.last_ms);
                ((error.name.as_str(), error.error.as_str()), figures)
            })
            .collect();
        prop_assert_eq!(found, errors);
    }

    #[test]
    fn totals_show_what_the_samples_say(events in events()) {
        let mut totals = Totals::new(Limits::default());
        totals.start(0);
        let mut now_ms = 0;
        for (number, delta) in record(&events).into_iter().enumerate() {
            // Intervals that begin anywhere within a second.
            let from_ms = number as u64 * 137;
            now_ms = from_ms + 1_000;
            let (stream, sequence) = (number as u64, 1);
            let report = Report { stream, sequence, from_ms, to_ms: now_ms, test: 1, delta };
            totals.set_users(now_ms, 1);
            totals.apply(["a", "b", "c"][number % 3], &report);
        }
        totals.stop(now_ms);
        let snapshot = totals.snapshot(now_ms);

        for entry in &snapshot.entries {
            let name = NAMES.iter().position(|name| *name == entry.name).unwrap();
            let expected = expected(&events, name);
            let found = (entry.num_requests, entry.num_failures, entry.bytes);
            prop_assert_eq!(found, (expected.requests, expected.failures, expected.bytes));
            let found = (entry.num_unanswered, entry.num_resent);
            prop_assert_eq!(found, (expected.unanswered, expected.resent));
            let times = &entry.response_time_ms;
            prop_assert_eq!(times.min, expected.min_us as f64 / 1000.0);
            prop_assert_eq!(times.max, expected.max_us as f64 / 1000.0);
            let mean = expected.sum_us as f64 / expected.requests as f64 / 1000.0;
            prop_assert!((times.mean - mean).abs() <= mean * 1e-12);
            let of_name = events.iter().filter(|event| event.name == name);
            assert_percentiles(times.percentiles, of_name.map(|event| event.time_us).collect());
        }
        if !events.is_empty() {
            let all = events.iter().map(|event| event.time_us).collect();
            assert_percentiles(snapshot.total.response_time_ms.percentiles, all);
        }
        let failures = events.iter().filter(|event| event.error > 0).count() as u64;
        let bytes = events.iter().map(|event| event.bytes).sum();
        prop_assert_eq!(total_of(&snapshot), (events.len() as u64, failures, bytes));
        let mut connections = ConnectionCounts::default();
        events.iter().for_each(|event| connections.add(&event.connections()));
        prop_assert_eq!(snapshot.connections, connections);
        prop_assert_eq!(snapshot.total.num_resent, connections.resent);
        let addresses = (0..ADDRESSES.len()).filter_map(|at| expected_of_address(&events, at));
        prop_assert_eq!(&snapshot.addresses, &addresses.collect::<Vec<_>>());
        prop_assert_eq!(totals.is_answered(), events.iter().any(|e| e.error != UNANSWERED));
        let in_seconds = snapshot.seconds.iter().map(|second| second.requests).sum::<u64>();
        prop_assert_eq!(in_seconds, events.len() as u64);
        for second in &snapshot.seconds {
            prop_assert!(second.failures <= second.requests);
            prop_assert_eq!(second.p50_p95_ms.is_some(), second.requests > 0);
        }
        let of_workers: u64 = ["a", "b", "c"].map(|id| totals.requests_of(id)).iter().sum();
        prop_assert_eq!(of_workers, events.len() as u64);
    }

    /// Reports are sent again and again, out of order, over a link that loses acknowledgements.
    #[test]
    fn each_report_counts_once(
        counts in prop::collection::vec((0_u64..3, 1_u64..50), 1..40),
        mut sends in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
    ) {
        let mut sequences = [0; 3];
        let mut reports = Vec::new();
        for (number, (stream, samples)) in (0_u64..).zip(&counts) {
            let mut recorder = Recorder::new(Limits::default());
            let entry = recorder.intern("GET", "/");
            for _ in 0..*samples {
                let sample = Sample { response_time_us: 1_000, bytes: 1, ..Sample::default() };
                recorder.record(entry, sample);
            }
            let sequence = &mut sequences[usize::try_from(*stream).unwrap()];
            *sequence += 1;
            reports.push(Report {
                stream: *stream,
                sequence: *sequence,
                from_ms: number * 1_000,
                to_ms: number * 1_000 + 1_000,
                test: 1,
                delta: recorder.drain(),
            });
        }
        let mut ledger = Ledger::new();
        let mut totals = Totals::new(Limits::default());
        let mut send = |report: &Report| {
            let accepted = ledger.accept(report.stream, report.sequence);
            if accepted == Accept::New {
                totals.apply("worker", report);
            }
            accepted
        };
        for index in sends.drain(..) {
            let report = &reports[index.index(reports.len())];
            if let Accept::Gap(awaited) = send(report) {
                assert!(awaited < report.sequence);
            }
        }
        // In the end the worker sends all that it has, in order.
        for report in &reports {
            assert!(!matches!(send(report), Accept::Gap(_)));
        }
        let samples = counts.iter().map(|(_, samples)| samples).sum::<u64>();
        prop_assert_eq!(total_of(&totals.snapshot(0)), (samples, 0, samples));
    }
}

//! The recorder: limits, texts, metrics, and what a drain holds.

use swarm_stats::delta::{Delta, MetricValue};
use swarm_stats::limits::{OTHER_ERRORS, OTHER_EXCEPTIONS, OTHER_NAME};
use swarm_stats::{ConnectionCounts, Limits, MetricError, MetricKind, Recorder, Sample};

fn sample(response_time_us: u64) -> Sample<'static> {
    Sample { response_time_us, bytes: 10, at_ms: 5, ..Sample::default() }
}

fn failed(error: &str, at_ms: u64) -> Sample<'_> {
    Sample { response_time_us: 1_000, error: Some(error), at_ms, ..Sample::default() }
}

fn small() -> Limits {
    Limits {
        names_max: 2,
        name_bytes_max: 8,
        errors_max: 2,
        error_bytes_max: 12,
        exceptions_max: 1,
        trace_bytes_max: 10,
        metrics_max: 2,
        workers_max: 1,
        addresses_max: 1,
    }
}

#[test]
fn a_drain_holds_what_came_since_the_last() {
    let mut recorder = Recorder::new(Limits::default());
    let home = recorder.intern("GET", "/");
    let cart = recorder.intern("POST", "/cart");
    assert_eq!(recorder.intern("GET", "/"), home);
    assert_ne!(recorder.intern("PUT", "/cart"), cart, "methods tell names apart");
    assert!(recorder.drain().is_empty());

    recorder.record(cart, sample(2_500));
    recorder.record(home, sample(7));
    recorder.record(cart, failed("status 500", 9));
    let delta = recorder.drain();
    assert_eq!((delta.entries.len(), delta.requests()), (2, 3));
    let entry = &delta.entries[0];
    assert_eq!((entry.method.as_str(), entry.name.as_str()), ("POST", "/cart"));
    assert_eq!((entry.requests, entry.failures, entry.bytes), (2, 1, 10));
    assert_eq!((entry.sum_us, entry.min_us, entry.max_us), (3_500, 1_000, 2_500));
    assert_eq!((entry.times.samples(), delta.errors[0].occurrences), (2, 1));

    recorder.record(home, sample(9));
    let delta = recorder.drain();
    assert_eq!((delta.entries.len(), delta.entries[0].times.samples()), (1, 1));
    assert_eq!((delta.entries[0].name.as_str(), delta.entries[0].min_us), ("/", 9));
    assert!(recorder.drain().is_empty());
}

#[test]
fn names_above_the_limit_share_an_entry() {
    let mut recorder = Recorder::new(small());
    for name in ["/a", "/b", "/c", "/d", "/a", "/c"] {
        let entry = recorder.intern("GET", name);
        recorder.record(entry, sample(1_000));
    }
    let delta = recorder.drain();
    let counts: Vec<_> =
        delta.entries.iter().map(|entry| (entry.name.as_str(), entry.requests)).collect();
    assert_eq!(counts, [("/a", 2), ("/b", 1), (OTHER_NAME, 3)]);
    assert_eq!(delta.names_overflowed, 3);
    assert_eq!(recorder.drain(), Delta::default());
}

#[test]
fn an_id_of_another_recorder_does_no_harm() {
    let mut other = Recorder::new(Limits::default());
    let ids: Vec<_> = (0..9).map(|name| other.intern("GET", &name.to_string())).collect();
    let mut recorder = Recorder::new(small());
    recorder.record(ids[8], sample(1));
    assert_eq!(recorder.drain().entries[0].name, OTHER_NAME);
}

#[test]
fn long_names_are_cut_and_stay_one_entry() {
    let mut recorder = Recorder::new(small());
    let entry = recorder.intern("GET", "/products/1");
    assert_eq!(recorder.intern("GET", "/products/2"), entry);
    recorder.record(entry, sample(1));
    assert_eq!(recorder.drain().entries[0].name, "/prod…");
}

#[test]
fn errors_are_limited_and_counted() {
    let mut recorder = Recorder::new(small());
    let entry = recorder.intern("GET", "/");
    for (at_ms, error) in (1..).zip(["a", "b", "c", "a", "an endless story", "d"]) {
        recorder.record(entry, failed(error, at_ms));
    }
    let delta = recorder.drain();
    let errors: Vec<_> = delta
        .errors
        .iter()
        .map(|error| (error.error.as_str(), error.occurrences, error.first_ms, error.last_ms))
        .collect();
    assert_eq!(errors, [("a", 2, 1, 4), ("b", 1, 2, 2), (OTHER_ERRORS, 3, 3, 6)]);
    assert_eq!(delta.entries[0].failures, 6);

    recorder.record(entry, failed("an endless story", 7));
    assert_eq!(recorder.drain().errors[0].error, "an endles…", "the limit is one of each drain");
}

#[test]
fn exceptions_are_limited_and_counted() {
    let mut recorder = Recorder::new(small());
    recorder.exception("out of\nluck", "at a long place");
    recorder.exception("out of\nluck", "at a long place");
    recorder.exception("another", "");
    recorder.exception("third", "");
    let delta = recorder.drain();
    let exceptions: Vec<_> = delta
        .exceptions
        .iter()
        .map(|exception| {
            (exception.message.as_str(), exception.trace.as_str(), exception.occurrences)
        })
        .collect();
    assert_eq!(exceptions, [("out of luck", "at a lo…", 2), (OTHER_EXCEPTIONS, "", 2)]);
}

#[test]
fn metrics_record_by_kind() {
    let mut recorder = Recorder::new(Limits::default());
    recorder.count("orders", 2.0).unwrap();
    recorder.count("orders", 0.5).unwrap();
    recorder.gauge("queue", 7.0, 10).unwrap();
    recorder.gauge("queue", -1.0, 10).unwrap();
    recorder.trend("size", 1.5).unwrap();
    recorder.trend("size", 0.0).unwrap();
    recorder.check("signed in", true).unwrap();
    recorder.check("signed in", false).unwrap();
    let values: Vec<_> = recorder.drain().metrics.into_iter().map(|metric| metric.value).collect();
    assert_eq!(values[0], MetricValue::Count { sum: 2.5, updates: 2 });
    assert_eq!(values[1], MetricValue::Gauge { last: -1.0, last_ms: 10, min: -1.0, max: 7.0 });
    let MetricValue::Trend { values: sizes, sum, min, max } = &values[2] else {
        panic!("{:?} is no trend", values[2]);
    };
    assert_eq!((sizes.samples(), sizes.count_at(1_500), *sum, *min, *max), (2, 1, 1.5, 0.0, 1.5));
    assert_eq!(values[3], MetricValue::Check { passes: 1, fails: 1 });
    assert!(recorder.drain().metrics.is_empty());
}

#[test]
fn metrics_refuse_what_they_cannot_hold() {
    let mut recorder = Recorder::new(small());
    recorder.trend("a", f64::MAX).unwrap();
    recorder.count("b", 1.0).unwrap();
    recorder.drain();
    let name = || "a".to_owned();
    let other_kind =
        MetricError::OtherKind { name: name(), first: MetricKind::Trend, now: MetricKind::Count };
    assert_eq!(recorder.count("a", 1.0), Err(other_kind), "also after a drain");
    assert_eq!(recorder.trend("a", -0.5), Err(MetricError::Negative { name: name(), value: -0.5 }));
    assert!(matches!(recorder.gauge("b", f64::NAN, 0), Err(MetricError::NotFinite { .. })));
    assert!(matches!(recorder.count("b", f64::INFINITY), Err(MetricError::NotFinite { .. })));
    let too_many = recorder.check("c", true).unwrap_err();
    assert_eq!(too_many.to_string(), "metric `c` is one too many: there are 2 names already");
    assert!(recorder.drain().metrics.is_empty());
}

#[test]
fn metrics_of_recorders_that_disagree_are_both_kept() {
    let (mut one, mut other) = (Recorder::new(small()), Recorder::new(small()));
    one.count("x", 1.0).unwrap();
    other.gauge("x", 4.0, 2).unwrap();
    let mut merged = one.drain();
    merged.merge(other.drain());
    one.count("x", 2.0).unwrap();
    merged.merge(one.drain());
    assert_eq!(merged.metrics.len(), 2);
    assert_eq!(merged.metrics[0].value, MetricValue::Count { sum: 3.0, updates: 2 });
}

#[test]
fn merging_adds_the_rest() {
    let (mut one, mut other) = (Recorder::new(small()), Recorder::new(small()));
    one.lateness(0);
    one.lateness(2_000_000);
    other.lateness(40);
    let connections = ConnectionCounts { opened: 1, reused: 2, failed: 3, resent: 4 };
    one.interrupted(&connections);
    other.interrupted(&connections);
    one.unsent();
    for (recorder, places) in [(&mut one, [7, 2]), (&mut other, [7, 9])] {
        places.into_iter().for_each(|place| recorder.arg_read(place));
    }
    one.exception("boom", "trace");
    other.exception("boom", "trace");
    for (recorder, value, at_ms) in [(&mut one, 3.0, 20), (&mut other, 9.0, 10)] {
        recorder.gauge("g", value, at_ms).unwrap();
        recorder.trend("t", value).unwrap();
    }
    let mut merged = other.drain();
    merged.merge(one.drain());
    assert_eq!((merged.interrupted, merged.unsent, merged.exceptions[0].occurrences), (2, 1, 2));
    let connections = ConnectionCounts { opened: 2, reused: 4, failed: 6, resent: 8 };
    assert_eq!((merged.connections, &*merged.args_read), (connections, &[2, 7, 9][..]));
    let [late] = &merged.lateness[..] else { panic!("of one shard: {:?}", merged.lateness) };
    let counts = [0, 40].map(|late_us| late.times.count_at(late_us));
    assert_eq!((late.times.samples(), counts, late.max_us), (3, [1, 1], 2_000_000));
    let gauge = MetricValue::Gauge { last: 3.0, last_ms: 20, min: 3.0, max: 9.0 };
    assert_eq!(merged.metrics[0].value, gauge);
    let MetricValue::Trend { values, .. } = &merged.metrics[1].value else { panic!("a trend") };
    assert_eq!(values.samples(), 2);
}

#[test]
fn load_threads_keep_their_lateness_apart() {
    let late = |shard, late_us| {
        let mut recorder = Recorder::new(small());
        recorder.lateness(late_us);
        recorder.drain().of_shard(shard)
    };
    let mut merged = late(2, 30);
    for (shard, late_us) in [(0, 10), (1, 20), (2, u64::MAX), (0, 11)] {
        merged.merge(late(shard, late_us));
    }
    let found: Vec<_> =
        merged.lateness.iter().map(|of| (of.shard, of.times.samples(), of.max_us)).collect();
    assert_eq!(found, [(0, 2, 11), (1, 1, 20), (2, 2, u64::MAX)]);
    assert_eq!(merged.lateness[2].times.count_at(swarm_stats::times::HIGHEST_US), 1);
}

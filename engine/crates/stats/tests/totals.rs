//! The totals: windows, the series, late reports, reset, limits.

use swarm_stats::delta::{Delta, Report};
use swarm_stats::limits::{OTHER_NAME, OTHER_WORKERS};
use swarm_stats::snapshot::{MetricFigures, Second};
use swarm_stats::{AddressCounts, Applied, ConnectionCounts, Limits, Recorder, Sample, Totals};

/// A delta of requests to `/`, each of this time; the first `failures` of them failed.
fn delta(requests: u64, failures: u64, time_us: u64) -> Delta {
    let mut recorder = Recorder::new(Limits::default());
    let entry = recorder.intern("GET", "/");
    for number in 0..requests {
        let error = (number < failures).then_some("status 500");
        let sample =
            Sample { response_time_us: time_us, bytes: 100, error, at_ms: 1, ..Sample::default() };
        recorder.record(entry, sample);
    }
    recorder.drain()
}

fn report(from_ms: u64, to_ms: u64, delta: Delta) -> Report {
    Report { stream: 1, sequence: 1, from_ms, to_ms, test: 1, delta }
}

fn started(at_ms: u64) -> Totals {
    let mut totals = Totals::new(Limits::default());
    totals.start(at_ms);
    totals
}

#[test]
fn nothing_yet_is_all_zeros() {
    let mut totals = Totals::new(Limits::default());
    let snapshot = totals.snapshot(5_000);
    assert_eq!((snapshot.total.rps, snapshot.total.current_rps), (0.0, 0.0));
    assert_eq!(snapshot.total.response_time_ms.min, 0.0);
    assert_eq!((snapshot.total.current_ms, snapshot.lateness_ms), (None, None));
    assert!(snapshot.entries.is_empty());
}

#[test]
fn current_figures_are_of_the_last_ten_complete_seconds() {
    let mut totals = started(500);
    for second in 0..20 {
        let from_ms = 500 + second * 1_000;
        totals.set_users(from_ms, 3);
        // The time tells the second: 1 ms in the first, 20 ms in the last.
        totals.apply("w", &report(from_ms, from_ms + 1_000, delta(10, 2, (second + 1) * 1_000)));
    }
    // Twenty seconds have passed, eighteen are complete: the window is that of the times 9 to 18.
    let snapshot = totals.snapshot(20_500);
    for line in [&snapshot.total, &snapshot.entries[0]] {
        assert_eq!((line.current_rps, line.current_fail_per_sec), (10.0, 2.0));
        let (p50, p95) = line.current_ms.unwrap();
        assert!((p50 - 13.0).abs() < 0.02 && (p95 - 18.0).abs() < 0.02, "{p50} {p95}");
        assert_eq!((line.rps, line.fail_per_sec), (10.0, 2.0));
    }
    assert_eq!(snapshot.seconds.len(), 18);
    let second = &snapshot.seconds[17];
    assert_eq!((second.at_ms, second.users, second.requests), (17_500, 3, 10));

    let later = totals.snapshot(60_000);
    assert_eq!((later.total.current_rps, later.total.current_ms), (0.0, None));
    assert_eq!(later.total.rps, 10.0, "rates of the test end with its last report");
}

#[test]
fn a_young_test_is_divided_by_its_own_seconds() {
    let mut totals = started(0);
    for second in 0..3 {
        totals.apply("w", &report(second * 1_000, second * 1_000 + 1_000, delta(30, 0, 1_000)));
    }
    assert_eq!(totals.snapshot(1_999).total.current_rps, 0.0);
    assert_eq!(totals.snapshot(3_000).total.current_rps, 30.0);
    assert_eq!(totals.snapshot(5_000).total.current_rps, 30.0);
}

#[test]
fn a_late_report_goes_to_its_own_second() {
    let mut totals = started(0);
    for second in 0..100 {
        totals.set_users(second * 1_000, 1);
        totals.apply("w", &report(second * 1_000, second * 1_000 + 1_000, delta(5, 0, 2_000)));
    }
    let before = totals.snapshot(100_000);
    assert_eq!(
        totals.apply("late", &report(90_000, 91_000, delta(50, 0, 9_000))),
        Applied::Counted
    );
    assert_eq!(
        totals.apply("late", &report(10_000, 11_000, delta(50, 0, 9_000))),
        Applied::Counted
    );
    let after = totals.snapshot(100_000);

    assert_eq!(after.total.num_requests, 600);
    assert_eq!(after.total.rps, 6.0, "over the same hundred seconds");
    assert_eq!(after.total.current_rps, before.total.current_rps + 5.0);
    assert_eq!((after.seconds[90].requests, after.seconds[10].requests), (55, 55));
    let p95 = |second: &Second| second.p50_p95_ms.unwrap().1;
    assert!(p95(&after.seconds[90]) > 8.9);
    assert!(p95(&after.seconds[10]) < 2.1, "its histogram is gone, its percentiles stay");
    assert_eq!(totals.requests_of("late"), 100);
    assert_eq!(totals.requests_of("w"), 500);
    assert_eq!(totals.requests_of("nobody"), 0);
}

#[test]
fn a_wrong_clock_counts_in_the_totals_only() {
    let mut totals = started(0);
    totals.apply("w", &report(0, 1_000, delta(5, 0, 2_000)));
    let ahead = report(u64::MAX - 1, u64::MAX, delta(5, 0, 2_000));
    assert_eq!(totals.apply("w", &ahead), Applied::TotalsOnly);
    let snapshot = totals.snapshot(3_000);
    assert_eq!((snapshot.total.num_requests, snapshot.total.rps), (10, 10.0));
    assert_eq!(snapshot.seconds.iter().map(|second| second.requests).sum::<u64>(), 5);
}

#[test]
fn reset_forgets_all_but_the_users() {
    let mut totals = started(0);
    totals.set_users(0, 7);
    totals.apply("w", &report(0, 1_000, delta(100, 50, 1_000)));
    totals.reset(1_400);
    assert_eq!(totals.apply("w", &report(700, 1_700, delta(9, 0, 1_000))), Applied::BeforeReset);
    assert_eq!(totals.apply("w", &report(900, 1_900, delta(4, 0, 1_000))), Applied::Counted);
    let snapshot = totals.snapshot(5_400);
    assert_eq!((snapshot.total.num_requests, snapshot.total.rps), (4, 8.0));
    assert!(snapshot.errors.is_empty());
    assert_eq!((snapshot.seconds[0].users, snapshot.seconds[0].requests), (7, 4));
    assert_eq!(snapshot.seconds[0].at_ms, 1_400);
    assert_eq!((totals.requests_of("w"), totals.users_max()), (4, 7));
}

#[test]
fn after_the_stop_time_stands_still() {
    let mut totals = started(0);
    totals.set_users(0, 7);
    totals.apply("w", &report(0, 1_000, delta(100, 0, 1_000)));
    totals.apply("w", &report(1_000, 2_000, Delta::default()));
    totals.set_users(2_500, 0);
    totals.stop(2_500);
    totals.set_users(9_000, 99);
    totals.apply("w", &report(8_000, 9_000, Delta::default()));
    let snapshot = totals.snapshot(60_000);
    assert_eq!((totals.length_ms(), totals.users_max()), (2_500, 7));
    assert_eq!(snapshot.total.rps, 40.0);
    let users: Vec<_> = snapshot.seconds.iter().map(|second| second.users).collect();
    assert_eq!(users, [7, 7, 0]);
}

#[test]
fn names_and_workers_above_the_limit_share_a_line() {
    let limits = Limits { names_max: 1, workers_max: 1, errors_max: 1, ..Limits::default() };
    let mut totals = Totals::new(limits);
    totals.start(0);
    for (worker, name) in [("a", "/"), ("b", "/x"), ("c", "/y"), ("a", "/")] {
        let mut recorder = Recorder::new(Limits::default());
        let entry = recorder.intern("GET", name);
        let sample =
            Sample { response_time_us: 5, error: Some(name), at_ms: 3, ..Sample::default() };
        recorder.record(entry, sample);
        totals.apply(worker, &report(0, 1_000, recorder.drain()));
    }
    let snapshot = totals.snapshot(9_000);
    let lines: Vec<_> =
        snapshot.entries.iter().map(|line| (line.name.as_str(), line.num_requests)).collect();
    assert_eq!(lines, [(OTHER_NAME, 2), ("/", 2)]);
    assert_eq!((snapshot.names_overflowed, snapshot.total.num_requests), (2, 4));
    assert_eq!((totals.requests_of("a"), totals.requests_of(OTHER_WORKERS)), (2, 2));
    assert_eq!(snapshot.errors.iter().map(|error| error.occurrences).sum::<u64>(), 4);
}

#[test]
fn exceptions_say_who_saw_them_and_metrics_add_up() {
    let mut totals = started(0);
    for worker in ["b", "a", "b"] {
        let mut recorder = Recorder::new(Limits::default());
        recorder.exception("boom", "at main");
        recorder.trend("size", if worker == "a" { 2.5 } else { 1.0 }).unwrap();
        recorder.lateness(1_500);
        recorder.interrupted(&ConnectionCounts::default());
        totals.apply(worker, &report(0, 1_000, recorder.drain()));
    }
    let snapshot = totals.snapshot(3_000);
    let exception = &snapshot.exceptions[0];
    assert_eq!(
        (exception.count, exception.nodes.as_slice()),
        (3, ["a", "b"].map(String::from).as_slice())
    );
    let MetricFigures::Trend { values, min, mean, max, percentiles } = &snapshot.metrics[0].value
    else {
        panic!("{:?} is no trend", snapshot.metrics[0]);
    };
    assert_eq!((*values, *min, *mean, *max), (3, 1.0, 1.5, 2.5));
    assert_eq!((percentiles[0], percentiles[10]), (1.0, 2.5));
    assert_eq!((snapshot.interrupted, snapshot.lateness_ms), (3, Some((1.5, 1.5, 1.5))));
}

/// Percentiles of a trend come from buckets; of whole numbers they are whole.
#[test]
fn a_trend_of_whole_numbers_has_whole_percentiles() {
    let mut recorder = Recorder::new(Limits::default());
    (1..=9).for_each(|value| recorder.trend("items", f64::from(value)).unwrap());
    (0..80).for_each(|_| recorder.trend("items", 3.0).unwrap());
    recorder.trend("items", 1_234.0).unwrap();
    let mut totals = started(0);
    totals.apply("w", &report(0, 1_000, recorder.drain()));
    let snapshot = totals.snapshot(3_000);
    let MetricFigures::Trend { percentiles, .. } = &snapshot.metrics[0].value else {
        panic!("{:?} is no trend", snapshot.metrics[0]);
    };
    assert_eq!(percentiles[..4], [3.0; 4]);
    assert!(percentiles.iter().all(|value| value.fract() == 0.0), "{percentiles:?}");
    assert_eq!(percentiles[10], 1_234.0);
}

#[test]
fn the_limits_that_were_passed_are_told() {
    let limits = Limits {
        names_max: 2,
        name_bytes_max: 20,
        errors_max: 2,
        error_bytes_max: 30,
        exceptions_max: 2,
        trace_bytes_max: 40,
        metrics_max: 1,
        workers_max: 1,
        addresses_max: 1,
    };
    let passed = |worker: &str, record: &dyn Fn(&mut Recorder)| {
        let mut recorder = Recorder::new(Limits::default());
        record(&mut recorder);
        let mut totals = Totals::new(limits.clone());
        totals.start(0);
        totals.apply("first", &report(0, 1_000, Delta::default()));
        totals.apply(worker, &report(0, 1_000, recorder.drain()));
        totals.limits_passed()
    };
    let request = |recorder: &mut Recorder, name: &str, error: Option<&str>| {
        let entry = recorder.intern("GET", name);
        recorder.record(
            entry,
            Sample { response_time_us: 1, bytes: 1, error, at_ms: 1, ..Sample::default() },
        );
    };
    let within = passed("first", &|recorder| {
        request(recorder, "/a", Some("status 500"));
        request(recorder, "/b", Some("status 501"));
        recorder.exception("boom", "at main");
        recorder.exception("bang", "at main");
        recorder.trend("size", 1.0).unwrap();
    });
    assert_eq!(within, [""; 0]);
    let names: &dyn Fn(&mut Recorder) =
        &|recorder| ["/a", "/b", "/c"].iter().for_each(|name| request(recorder, name, None));
    let errors: &dyn Fn(&mut Recorder) =
        &|recorder| ["1", "2", "3"].iter().for_each(|text| request(recorder, "/", Some(text)));
    let exceptions: &dyn Fn(&mut Recorder) =
        &|recorder| ["1", "2", "3"].iter().for_each(|text| recorder.exception(text, ""));
    let metrics: &dyn Fn(&mut Recorder) =
        &|recorder| ["1", "2"].iter().for_each(|name| recorder.trend(name, 1.0).unwrap());
    for (record, part) in [
        (names, "more than 2 names"),
        (errors, "more than 2 different failures"),
        (exceptions, "more than 2 different exceptions"),
        (metrics, "more than 1 metrics"),
    ] {
        let told = passed("first", record);
        assert!(told.len() == 1 && told[0].contains(part), "{part}: {told:?}");
    }
    let told = passed("second", &|_| {});
    assert!(told.len() == 1 && told[0].contains("more than 1 workers"), "{told:?}");
    assert!(Totals::new(limits.clone()).limits_passed().is_empty());

    // A text is cut where it is recorded.
    let cut = |record: &dyn Fn(&mut Recorder)| {
        let mut recorder = Recorder::new(limits.clone());
        record(&mut recorder);
        let mut totals = Totals::new(limits.clone());
        totals.apply("w", &report(0, 1_000, recorder.drain()));
        totals.limits_passed().join("; ")
    };
    let long = "x".repeat(50);
    assert!(cut(&|recorder| request(recorder, &long, None)).contains("longer than 20 bytes"));
    let text = cut(&|recorder| request(recorder, "/", Some(&long)));
    assert!(text.contains("longer than 30 bytes"), "{text}");
    assert!(cut(&|recorder| recorder.exception(&long, "")).contains("longer than 30 bytes"));
    assert!(cut(&|recorder| recorder.exception("x", &long)).contains("longer than 40 bytes"));
}

#[test]
fn lateness_is_told_for_each_worker_and_starts_anew_with_a_reset() {
    let mut totals = started(0);
    let late = |shard: u32, late_us: u64| {
        let mut recorder = Recorder::new(Limits::default());
        (0..100).for_each(|_| recorder.lateness(late_us));
        recorder.drain().of_shard(shard)
    };
    totals.apply("calm", &report(0, 1_000, late(0, 300)));
    for shard in 0..8 {
        totals.apply("busy", &report(0, 1_000, late(shard, if shard == 5 { 400_000 } else { 9 })));
    }
    let calm = totals.lateness_of("calm").unwrap();
    assert_eq!((calm.all.p99, calm.all.max, calm.worst_shard), (0.3, 0.3, 0));
    let busy = totals.lateness_of("busy").unwrap();
    assert_eq!((busy.worst_shard, busy.worst.p99), (5, 400.0));
    assert_eq!(totals.lateness_of("nobody"), None);
    assert_eq!(totals.snapshot(3_000).lateness_ms, Some((0.009, 400.0, 400.0)));

    totals.reset(2_000);
    assert_eq!(totals.lateness_of("busy"), None);
    totals.apply("busy", &report(2_000, 3_000, late(1, 7)));
    assert_eq!(totals.lateness_of("busy").unwrap().all.max, 0.007);
}

/// A reset forgets figures. That there were answers, and who has asked for what, is of the test.
#[test]
fn a_reset_does_not_forget_that_there_were_answers_nor_which_arguments_were_read() {
    let mut totals = started(0);
    let with = |unanswered: bool, place: u32| {
        let mut recorder = Recorder::new(Limits::default());
        let entry = recorder.intern("GET", "/");
        let error = unanswered.then_some("connection refused");
        recorder.record(entry, Sample { error, unanswered, ..Sample::default() });
        recorder.arg_read(place);
        recorder.drain()
    };
    totals.apply("w", &report(0, 1_000, with(true, 1)));
    assert!(!totals.is_answered(), "a failure without a response is no answer");
    totals.apply("w", &report(1_000, 2_000, with(false, 4)));
    assert!(totals.is_answered());
    totals.reset(2_000);
    assert_eq!(totals.snapshot(2_000).total.num_requests, 0);
    assert!(totals.is_answered());
    assert_eq!(totals.apply("w", &report(1_000, 2_000, with(true, 6))), Applied::BeforeReset);
    let read: Vec<_> = (0..9).filter(|place| totals.is_arg_read(*place)).collect();
    assert_eq!(read, [1, 4, 6]);
    totals.start(3_000);
    assert!(!totals.is_answered() && !totals.is_arg_read(1), "another test");
}

#[test]
fn addresses_above_the_limit_are_counted_together_and_told() {
    let limits = Limits { addresses_max: 2, ..Limits::default() };
    let mut recorder = Recorder::new(limits.clone());
    let mut totals = Totals::new(limits);
    totals.start(0);
    let counts = AddressCounts { opened: 1, failed: 2, requests: 3, failures: 1 };
    let mut apply = |last: &[u8]| {
        for last in last {
            recorder.address(Some(([10, 0, 0, *last], 80).into()), counts);
        }
        totals.apply("w", &report(0, 1_000, recorder.drain()));
        let rows = totals.snapshot(5_000).addresses;
        let rows: Vec<_> = rows.into_iter().map(|row| (row.address, row.opened)).collect();
        (rows, totals.limits_passed())
    };
    let row = |text: &str, opened| (text.to_owned(), opened);
    let own = [row("10.0.0.1:80", 1), row("10.0.0.2:80", 2)];
    assert_eq!(apply(&[2, 1, 2]), (own.to_vec(), vec![]));
    // The recorder had room for the third one since it was drained, the totals have not.
    let (rows, told) = apply(&[3, 1, 4, 5]);
    assert_eq!(rows, [row("10.0.0.1:80", 2), row("10.0.0.2:80", 2), row("(other)", 3)]);
    assert!(told.len() == 1 && told[0].contains("more than 2 addresses"), "{told:?}");
}

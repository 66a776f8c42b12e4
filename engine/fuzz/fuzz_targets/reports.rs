//! Statistics of workers that lie: reports one after the other, as bytes, merged as the master
//! does it.
#![no_main]

use swarm_stats::{Accept, Ledger, Limits, Totals};
use swarm_wire::fuzz::{report, report_bytes};

use swarm_fuzz::conversation::{messages, mutate as mutate_messages};

libfuzzer_sys::fuzz_target!(
    init: swarm_fuzz::write_seeds(&seeds()),
    |data: &[u8]| run(data)
);
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed)
});

/// Reports of one input.
const REPORTS_MAX: usize = 40;

/// Panics when figures that belong together differ.
fn run(data: &[u8]) {
    let Some((&mode, bytes)) = data.split_first() else { return };
    let mut totals = Totals::new(limits(mode));
    let mut ledger = Ledger::new();
    let (mut requests, mut failures, mut now_ms) = (0_u64, 0_u64, 0);
    for message in messages(bytes).into_iter().take(REPORTS_MAX) {
        let Some(Ok(read)) = report(message) else { continue };
        let again = report(&report_bytes(&read).expect("what was taken can be sent"));
        assert!(again == Some(Ok(read.clone())), "it reads otherwise");
        if ledger.take(read.stream, read.sequence) == Accept::Repeated {
            continue;
        }
        if mode & 2 != 0 && read.test % 16 == 7 {
            totals.reset(read.from_ms);
            (requests, failures) = (0, 0);
        }
        let before = totals.requests_of("w0") + totals.requests_of("w1");
        let worker = ["w0", "w1"][usize::from(read.stream % 2 == 1)];
        match totals.apply(worker, &read) {
            swarm_stats::Applied::BeforeReset => {
                let after = totals.requests_of("w0") + totals.requests_of("w1");
                assert_eq!(before, after, "a report from before the reset has counted");
            }
            _ => {
                requests += read.delta.requests();
                failures += read.delta.entries.iter().map(|entry| entry.failures).sum::<u64>();
            }
        }
        now_ms = read.to_ms;
    }
    let by_worker = totals.requests_of("w0") + totals.requests_of("w1");
    let shown = totals.snapshot(now_ms);
    let sum = |figure: fn(&swarm_stats::snapshot::EntrySnapshot) -> u64| {
        shown.entries.iter().map(figure).sum::<u64>()
    };
    assert_eq!(by_worker, requests, "by worker");
    assert_eq!(shown.total.num_requests, requests, "in all");
    assert_eq!(sum(|entry| entry.num_requests), requests, "by name");
    assert_eq!(shown.total.num_failures, failures, "failures in all");
    assert_eq!(sum(|entry| entry.num_failures), failures, "failures by name");
}

/// Small ones are reached soon.
fn limits(mode: u8) -> Limits {
    match mode & 1 {
        0 => Limits::default(),
        _ => Limits {
            names_max: 2,
            errors_max: 2,
            exceptions_max: 2,
            addresses_max: 1,
            ..Limits::default()
        },
    }
}

/// Changes messages as wholes and from within.
fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    mutate_messages(data, size, max_size, seed, 1)
}

/// Small and large.
fn seeds() -> Vec<Vec<u8>> {
    let bytes = |stream, sequence| {
        let report = made(stream, sequence);
        report_bytes(&report).expect("it keeps all rules")
    };
    let of = |numbers: &[(u64, u64)]| -> Vec<u8> {
        numbers.iter().flat_map(|&(stream, sequence)| bytes(stream, sequence)).collect()
    };
    let one = of(&[(1, 1)]);
    let some = of(&[(1, 1), (2, 1), (1, 2), (1, 2), (2, 5)]);
    (0..4).flat_map(|mode| [[&[mode], &one[..]].concat(), [&[mode], &some[..]].concat()]).collect()
}

/// A report with everything that there is in one.
fn made(stream: u64, sequence: u64) -> swarm_stats::delta::Report {
    let mut recorder = swarm_stats::Recorder::new(Limits::default());
    let connections = swarm_stats::ConnectionCounts { opened: 1, reused: 2, failed: 0, resent: 1 };
    for (name, error) in [("/", None), ("/cart", Some("status 503")), ("/c", None)] {
        let entry = recorder.intern("GET", name);
        let sample = swarm_stats::Sample {
            at_ms: 1_000 * sequence,
            response_time_us: 1_234 * sequence,
            bytes: 5,
            error,
            unanswered: error.is_some(),
            connections,
        };
        recorder.record(entry, sample);
    }
    recorder.exception("trap", "at f");
    recorder.lateness(500);
    recorder.interrupted(&connections);
    recorder.unsent();
    recorder.arg_read(2);
    for last in 1..=2 {
        let counts = swarm_stats::AddressCounts { opened: 1, failed: 1, requests: 3, failures: 2 };
        recorder.address(Some(([10, 0, 0, last], 80).into()), counts);
    }
    recorder.count("n", 1.5).expect("a metric");
    recorder.gauge("g", 2.5, 1_000).expect("a metric");
    recorder.trend("t", 3.5).expect("a metric");
    recorder.check("c", true).expect("a metric");
    let (from_ms, to_ms) = (1_000 * sequence, 1_000 * sequence + 1_000);
    let delta = recorder.drain();
    swarm_stats::delta::Report { stream, sequence, from_ms, to_ms, test: 1, delta }
}

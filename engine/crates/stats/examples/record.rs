//! What recording and merging cost on this machine. Prints, and judges nothing.
//!
//! `cargo run --release -p swarm-stats --example record`

use std::hint::black_box;
use std::time::Instant;

use swarm_stats::delta::{Delta, Report};
use swarm_stats::{ConnectionCounts, Limits, Recorder, Sample, Totals};

const NAMES: usize = 100;
const SAMPLES: usize = 4_000_000;
const REPORTS: u64 = 1_000;

/// Times between 5 and 50 ms, the same in every run.
struct Times(u64);

impl Times {
    fn next_us(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        5_000 + self.0 % 45_000
    }
}

fn main() {
    let names: Vec<_> = (0..NAMES).map(|name| format!("/api/v1/resource/{name}")).collect();
    let mut times = Times(88_172_645_463_325_252);
    let mut recorder = Recorder::new(Limits::default());
    let error = "status 503 Service Unavailable";

    let ids: Vec<_> = names.iter().map(|name| recorder.intern("GET", name)).collect();
    per_op("record, id known", SAMPLES, |at| {
        recorder.record(ids[at % NAMES], sample(times.next_us(), None));
    });
    per_op("intern and record", SAMPLES, |at| {
        let id = recorder.intern("GET", &names[at % NAMES]);
        recorder.record(id, sample(times.next_us(), None));
    });
    per_op("intern and record, failed", SAMPLES, |at| {
        let id = recorder.intern("GET", &names[at % NAMES]);
        recorder.record(id, sample(times.next_us(), Some(error)));
    });
    black_box(recorder.drain());

    for samples in [1, 10, 100, 1_000] {
        println!("{NAMES} names with {samples} samples each:");
        let began = Instant::now();
        for _ in 0..20 {
            black_box(fill(&mut recorder, &names, &mut times, samples));
        }
        println!("  fill and drain      {:>9.1} µs", micros(began) / 20.0);
        fill(&mut recorder, &names, &mut times, 0);
        let mut merged = fill(&mut recorder, &names, &mut times, samples);
        let deltas: Vec<_> =
            (0..20).map(|_| fill(&mut recorder, &names, &mut times, samples)).collect();
        let began = Instant::now();
        for delta in deltas {
            merged.merge(delta);
        }
        println!("  merge a delta       {:>9.1} µs", micros(began) / 20.0);
        totals(&fill(&mut recorder, &names, &mut times, samples));
    }
}

fn totals(delta: &Delta) {
    let mut totals = Totals::new(Limits::default());
    totals.start(0);
    for (label, shift_ms) in [("apply, on the second", 0), ("apply, across two   ", 400)] {
        let mut report =
            Report { stream: 1, sequence: 1, from_ms: 0, to_ms: 0, test: 1, delta: delta.clone() };
        let began = Instant::now();
        for number in 0..REPORTS {
            // As if a hundred workers reported each second.
            report.from_ms = number / 100 * 1_000 + shift_ms;
            report.to_ms = report.from_ms + 1_000;
            totals.apply("worker", &report);
        }
        println!("  {label}{:>9.1} µs", micros(began) / REPORTS as f64);
    }
    let began = Instant::now();
    for _ in 0..20 {
        black_box(totals.snapshot(13_000));
    }
    println!("  snapshot            {:>9.1} µs", micros(began) / 20.0);
}

fn sample(response_time_us: u64, error: Option<&str>) -> Sample<'_> {
    // As nearly all do.
    let connections = ConnectionCounts { reused: 1, ..ConnectionCounts::default() };
    let unanswered = error.is_some();
    Sample { response_time_us, bytes: 512, error, unanswered, connections, at_ms: 1 }
}

fn fill(recorder: &mut Recorder, names: &[String], times: &mut Times, samples: u64) -> Delta {
    for name in names {
        let id = recorder.intern("GET", name);
        for _ in 0..samples {
            recorder.record(id, sample(times.next_us(), None));
        }
    }
    recorder.drain()
}

fn per_op(label: &str, count: usize, mut op: impl FnMut(usize)) {
    let began = Instant::now();
    for at in 0..count {
        op(at);
    }
    println!("{label:<26} {:>6.1} ns", micros(began) * 1_000.0 / count as f64);
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000_000.0
}

//! What `cargo xtask bench instructions` counts of this crate: a case, so many times.
//!
//! ```text
//! cost_stats record|name|merge TIMES
//! ```

use std::hint::black_box;

use swarm_stats::delta::{Delta, Report};
use swarm_stats::{Limits, Recorder, Sample, Totals};

const NAMES: u64 = 100;
/// Samples of each name in a report.
const SAMPLES: u64 = 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().ok_or("usage: cost_stats record|name|merge TIMES")?;
    let times: u64 = arguments.next().ok_or("how many times?")?.parse()?;
    let names: Vec<_> = (0..NAMES).map(|name| format!("/api/v1/resource/{name}")).collect();
    let mut recorder = Recorder::new(Limits::default());
    match case.as_str() {
        "record" => {
            let id = recorder.intern("GET", "/");
            (0..times).for_each(|at| recorder.record(id, sample(at)));
        }
        "name" => {
            let names = names.iter().cycle();
            for (at, name) in (0..times).zip(names) {
                let id = recorder.intern("GET", name);
                recorder.record(id, sample(at));
            }
        }
        "merge" => merge(&report(&mut recorder, &names), times),
        _ => return Err(format!("there is no case `{case}`").into()),
    }
    black_box(recorder.drain());
    Ok(())
}

/// As if a hundred workers reported each second.
fn merge(delta: &Delta, times: u64) {
    let mut totals = Totals::new(Limits::default());
    totals.start(0);
    for number in 0..times {
        let from_ms = number / 100 * 1000;
        let (to_ms, delta) = (from_ms + 1000, delta.clone());
        let report = Report { stream: 1, sequence: 1, from_ms, to_ms, test: 1, delta };
        totals.apply("worker", &report);
    }
    black_box(totals.snapshot(times * 10));
}

fn report(recorder: &mut Recorder, names: &[String]) -> Delta {
    for name in names {
        let id = recorder.intern("GET", name);
        (0..SAMPLES).for_each(|at| recorder.record(id, sample(at)));
    }
    recorder.drain()
}

/// Times between 5 and 50 ms.
fn sample(at: u64) -> Sample<'static> {
    let response_time_us = 5_000 + at.wrapping_mul(6_364_136_223_846_793_005) % 45_000;
    Sample { response_time_us, bytes: 512, at_ms: 1, ..Sample::default() }
}

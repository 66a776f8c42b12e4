//! Figures of a constant load.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use swarm_target::Counts;
use swarm_tests::{Page, Target};

use crate::cluster::{number, requests_by_path};
use crate::report::{Report, mebibytes};
use crate::usage::Usage;

/// After the ramp the last users begin all at once; a few rests later nothing is left of that.
pub(crate) const SETTLE: Duration = Duration::from_secs(15);
/// Mean rest of `website` between two requests: between 1 and 5 s.
const REST_S: f64 = 3.0;
/// How far the rate may be from what the scenario says, in parts of it.
const RATE_ERROR_MAX: f64 = 0.03;

/// What was measured.
pub(crate) struct Plateau {
    /// Requests that the target received in a second.
    pub(crate) rate: f64,
    /// Mean response time in milliseconds, as reported.
    pub(crate) mean_ms: f64,
    rows: Vec<Vec<String>>,
}

/// Measures a load that is constant for `length`; processes are named for people.
#[track_caller]
pub(crate) fn measure(
    page: &Page,
    target: &Target,
    processes: &[(String, u32)],
    length: Duration,
) -> Plateau {
    let usages = || processes.iter().map(|(_, pid)| Usage::of(*pid)).collect::<Vec<_>>();
    let (mut before, usage_before) = (Reported::of(&page.stats()), usages());
    let (begun, received) = (Instant::now(), target.counts().total);
    sleep(length);
    let (time, received) = (begun.elapsed(), target.counts().total - received);
    let (after, usage_after) = (Reported::of(&page.stats()), usages());
    // Everything that was reported before is taken away from the mean.
    before.requests = after.requests - before.requests;
    let mean_ms = (after.sum_ms - before.sum_ms) / before.requests as f64;
    let rows = processes.iter().zip(usage_before.iter().zip(&usage_after));
    let rows = rows.map(|((name, _), (before, after))| {
        let percent = after.cores_since(*before) * 100.0;
        vec![name.clone(), mebibytes(after.rss), format!("{percent:.1} %")]
    });
    Plateau { rate: received as f64 / time.as_secs_f64(), mean_ms, rows: rows.collect() }
}

/// Sums over the test so far, as reported.
struct Reported {
    requests: u64,
    sum_ms: f64,
}

impl Reported {
    #[track_caller]
    fn of(stats: &Value) -> Self {
        let rows = stats["stats"].as_array().expect("a list of entries");
        let total = rows.last().expect("the aggregate is last");
        let requests = number(&total["num_requests"]);
        let mean_ms = total["avg_response_time"].as_f64().expect("a mean");
        Self { requests, sum_ms: mean_ms * requests as f64 }
    }
}

impl Plateau {
    /// Prints memory and CPU, and holds the rate against the one that the scenario says.
    pub(crate) fn tell(&self, what: &str, users: u32, report: &mut Report) {
        report.table(&[what, "RSS", "CPU (% of a core)"], &self.rows);
        let wanted = f64::from(users) / (REST_S + self.mean_ms / 1000.0);
        let error = self.rate / wanted - 1.0;
        report.bar(
            format!("{what}: requests a second"),
            format!("{:.1} ({:+.2} %), mean {:.2} ms", self.rate, error * 100.0, self.mean_ms),
            format!("{wanted:.1} ± {:.0} %", RATE_ERROR_MAX * 100.0),
            error.abs() <= RATE_ERROR_MAX,
        );
    }
}

/// Holds what a stopped page says against what the target has received, by path.
#[track_caller]
pub(crate) fn compare_counts(what: &str, stats: &Value, counts: &Counts, report: &mut Report) {
    let reported = requests_by_path(&stats["stats"]);
    let failures: u64 = stats["stats"]
        .as_array()
        .expect("a list of entries")
        .iter()
        .filter(|entry| entry["name"] != "Aggregated")
        .map(|entry| number(&entry["num_failures"]))
        .sum();
    report.bar(
        format!("{what}: requests by path"),
        format!("{reported:?}"),
        format!("{:?}", counts.paths),
        !reported.is_empty() && reported == counts.paths,
    );
    report.bar(format!("{what}: failures"), failures, 0, failures == 0);
}

/// How late the generator was, of a result.
pub(crate) fn lateness(result: &Value) -> String {
    let ms = |index: usize| result["lateness_ms"][index].as_f64();
    match (ms(0), ms(1), ms(2)) {
        (Some(p50), Some(p99), Some(max)) => {
            format!("median {p50:.2} ms, 99 % {p99:.2} ms, most {max:.1} ms")
        }
        _ => "not measured".to_owned(),
    }
}

//! Full speed for a long time, with many names: does anything grow?

use super::compare::{median, thousands};
use super::run::Swarm;
use super::{Bench, document, measure, usage};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

const USERS: &str = "64";
/// Names in the statistics.
const NAMES: &str = "names=200";
/// Growth counts from here on: until then the statistics' window fills. Of a short run, a half.
const SETTLED: Duration = Duration::from_secs(120);
/// How often is looked.
const STEP: Duration = Duration::from_secs(5);

/// What there was at one moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    minutes: f64,
    resident_kib: f64,
    descriptors: usize,
    maps: usize,
}

/// Measures, prints, and writes it into the document.
pub(super) fn part(bench: &Bench<'_>) -> Result<()> {
    let server = bench.server()?;
    let mut own = server.counts()?.requests;
    let arguments = ["--users", USERS, "--spawn-rate", "10000", "--arg", NAMES];
    let mut swarm = Swarm::start(bench, &server, "bench", &arguments)?;
    let begun = Instant::now();
    let mut looks = Vec::new();
    while begun.elapsed() < bench.options.soak {
        bench.sleep(STEP)?;
        if swarm.is_over()? {
            bail!("it ended by itself; target/bench/output/run.log says why");
        }
        let process = swarm.id();
        looks.push(Look {
            minutes: begun.elapsed().as_secs_f64() / 60.0,
            resident_kib: usage::resident(process)? as f64,
            descriptors: usage::descriptors(process)?,
            maps: usage::maps(process)?,
        });
    }
    let summary = swarm.end(bench)?;
    own += 1;
    measure::true_numbers(&summary, server.counts()?.requests - own)?;
    server.end(&bench.interrupt)?;
    let from = SETTLED.min(bench.options.soak / 2).as_secs_f64() / 60.0;
    looks.retain(|look| look.minutes >= from);
    let (Some(first), Some(last)) = (looks.first(), looks.last()) else {
        bail!("too short to say anything");
    };
    let table = format!(
        "| minutes | requests | RSS MiB from minute {from:.0} on: least, median, most | slope, \
         KiB a minute: all, second half | descriptors | maps |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: |\n\
         | {:.0} | {} | {} | {:+.1}, {:+.1} | {} to {} | {} to {} |\n",
        last.minutes,
        thousands(summary.requests as f64),
        spread(&looks),
        slope(&looks),
        // What grows for ever grows as fast in it.
        slope(&looks[looks.len() / 2..]),
        first.descriptors,
        last.descriptors,
        first.maps,
        last.maps,
    );
    document::section(bench, "soak", &table)
}

fn spread(looks: &[Look]) -> String {
    let mib: Vec<f64> = looks.iter().map(|look| look.resident_kib / 1024.0).collect();
    let least = mib.iter().copied().fold(f64::INFINITY, f64::min);
    let most = mib.iter().copied().fold(0.0, f64::max);
    format!("{least:.1}, {:.1}, {most:.1}", median(mib))
}

/// KiB a minute, by least squares.
fn slope(looks: &[Look]) -> f64 {
    let count = looks.len() as f64;
    let mean_x = looks.iter().map(|look| look.minutes).sum::<f64>() / count;
    let mean_y = looks.iter().map(|look| look.resident_kib).sum::<f64>() / count;
    let (mut covariance, mut variance) = (0.0, 0.0);
    for look in looks {
        covariance += (look.minutes - mean_x) * (look.resident_kib - mean_y);
        variance += (look.minutes - mean_x).powi(2);
    }
    if variance > 0.0 { covariance / variance } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(minutes: f64, resident_kib: f64) -> Look {
        Look { minutes, resident_kib, descriptors: 9, maps: 9 }
    }

    #[test]
    fn growth_is_a_slope() {
        let at = |at| look(f64::from(at), 100.0 + f64::from(at) * 3.0);
        let growing: Vec<_> = (0..9).map(at).collect();
        assert!((slope(&growing) - 3.0).abs() < 1e-9);
        assert_eq!(slope(&[look(0.0, 5.0), look(1.0, 5.0), look(2.0, 5.0)]), 0.0);
        assert_eq!(slope(&[look(1.0, 5.0)]), 0.0);
    }
}

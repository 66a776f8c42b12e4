//! The tools beside each other.

use super::measure::{self, Figures};
use super::options::Part;
use super::tool::{self, Load, Tool};
use super::{Bench, document, picture};
use anyhow::Result;

/// Tools whose cost over TLS is compared.
const OVER_TLS: [Tool; 7] = [
    Tool::Wrk,
    Tool::WrkLua,
    Tool::Swarm,
    Tool::SwarmWat,
    Tool::SwarmDense,
    Tool::Oha,
    Tool::Goose,
];

/// Connections where there are many.
const MANY: u32 = 64;

/// What a tool came to in all rounds: medians, and ratios to wrk's of the same round.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) tool: Tool,
    pub(super) rate: f64,
    pub(super) rate_min: f64,
    pub(super) rate_max: f64,
    pub(super) user: f64,
    pub(super) system: f64,
    pub(super) cost: f64,
    /// Of wrk's; `None` when wrk was not run.
    pub(super) cost_ratio: Option<f64>,
    pub(super) rate_ratio: Option<f64>,
    /// Percent of their cores.
    pub(super) busy: f64,
    pub(super) server_busy: f64,
    pub(super) resident_mib: f64,
}

/// Measures one part, prints it, and writes it into the document.
pub(super) fn part(bench: &Bench<'_>, part: Part) -> Result<()> {
    let load = match part {
        Part::One => Load { connections: 1, tls: false },
        Part::Tls => Load { connections: MANY, tls: true },
        _ => Load { connections: MANY, tls: false },
    };
    let all = if load.tls { &OVER_TLS[..] } else { &tool::ALL };
    let chosen = |tool: &Tool| bench.options.tools.as_ref().is_none_or(|t| t.contains(tool));
    let tools: Vec<Tool> = all.iter().copied().filter(chosen).collect();
    // Before the first round: installing would disturb it.
    for tool in &tools {
        tool.install(bench)?;
    }
    let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); tools.len()];
    for round in 1..=bench.options.rounds {
        for (tool, runs) in tools.iter().zip(&mut runs) {
            let figures = measure::tool(bench, *tool, load)?;
            eprintln!(
                "round {round}: {:<12} {:>8.0} requests/s  {:>7.2} µs each",
                tool.name(),
                figures.rate(),
                figures.cost_total()
            );
            runs.push(figures);
        }
    }
    let wrk = tools.iter().position(|tool| *tool == Tool::Wrk).map(|at| runs[at].clone());
    let lines: Vec<Line> =
        tools.iter().zip(&runs).map(|(tool, runs)| line(*tool, runs, wrk.as_deref())).collect();
    let name = match part {
        Part::One => "one",
        Part::Tls => "tls",
        _ => "many",
    };
    let table = table(&lines);
    document::section(bench, name, &table)?;
    if part == Part::Many && bench.options.write {
        picture::write(bench, &lines)?;
    }
    Ok(())
}

fn line(tool: Tool, runs: &[Figures], wrk: Option<&[Figures]>) -> Line {
    let rates = of(runs, Figures::rate);
    let ratio = |figure: fn(&Figures) -> f64| {
        let pairs = wrk?.iter().zip(runs);
        Some(median(pairs.map(|(wrk, run)| figure(run) / figure(wrk)).collect()))
    };
    Line {
        tool,
        rate: median(rates.clone()),
        rate_min: rates.iter().copied().fold(f64::INFINITY, f64::min),
        rate_max: rates.iter().copied().fold(0.0, f64::max),
        user: median(of(runs, |run| run.cost().0)),
        system: median(of(runs, |run| run.cost().1)),
        cost: median(of(runs, Figures::cost_total)),
        cost_ratio: ratio(Figures::cost_total),
        rate_ratio: ratio(Figures::rate),
        busy: median(of(runs, |run| 100.0 * run.cpu.total() / run.seconds)),
        server_busy: median(of(runs, |run| 100.0 * run.server.total() / run.seconds)),
        resident_mib: median(of(runs, |run| run.resident_kib as f64 / 1024.0)),
    }
}

fn of(runs: &[Figures], figure: impl Fn(&Figures) -> f64) -> Vec<f64> {
    runs.iter().map(figure).collect()
}

/// The middle one, or the mean of the two in the middle; NaN of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

fn table(lines: &[Line]) -> String {
    let mut table = "\
| tool | CPU a request, µs | user + kernel | × wrk | requests/s | min to max | × wrk | core | \
server's core | RSS MiB |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"
    .to_owned();
    let ratio =
        |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    for line in lines {
        table += &format!(
            "| {} | {:.1} | {:.1} + {:.1} | {} | {} | {} to {} | {} | {:.0} % | {:.0} % | {:.0} \
             |\n",
            line.tool.title(),
            line.cost,
            line.user,
            line.system,
            ratio(line.cost_ratio),
            thousands(line.rate),
            thousands(line.rate_min),
            thousands(line.rate_max),
            ratio(line.rate_ratio),
            line.busy,
            line.server_busy,
            line.resident_mib,
        );
    }
    table
}

/// A whole number with a comma between thousands.
pub(super) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::usage::Cpu;

    fn run(requests: u64, cpu: f64) -> Figures {
        let cpu = Cpu { user: cpu / 4.0, system: cpu * 0.75 };
        Figures { requests, seconds: 2.0, cpu, server: cpu, resident_kib: 2048 }
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        // The machine is half as fast in the second round; the ratios stay.
        let wrk = [run(100_000, 1.0), run(50_000, 1.0), run(100_000, 1.0)];
        let other = [run(50_000, 1.0), run(25_000, 1.0), run(50_000, 1.0)];
        let line = line(Tool::Goose, &other, Some(&wrk));
        assert_eq!((line.cost_ratio, line.rate_ratio), (Some(2.0), Some(0.5)));
        assert!((line.cost - 20.0).abs() < 1e-9 && (line.user - 5.0).abs() < 1e-9);
        assert_eq!((line.rate, line.rate_min, line.rate_max), (25_000.0, 12_500.0, 25_000.0));
    }

    #[test]
    fn without_wrk_there_is_no_ratio() {
        let lines = [line(Tool::Swarm, &[run(1_000, 0.5)], None)];
        assert_eq!(lines[0].cost_ratio, None);
        assert!(table(&lines).contains("| swarm, Rust | 500.0 | 125.0 + 375.0 | - | 500 |"));
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(["7", "1,234", "123,456"], [7.0, 1234.0, 123_456.0].map(thousands).as_slice());
    }
}

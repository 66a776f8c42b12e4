//! A picture of the processor time per request, as SVG.

use super::Bench;
use super::compare::Line;
use anyhow::{Context, Result};
use std::fs;

const PICTURE: &str = "engine/benchmarks.svg";

const TITLE: &str = "Processor time per request, µs (× wrk)";
const SUBTITLE: &str = "one core, 64 connections, nginx on another core; less is better";

/// Pixels.
const WIDTH: f64 = 760.0;
const BAR: f64 = 22.0;
const STEP: f64 = 34.0;
const TOP: f64 = 56.0;
const LABELS: f64 = 220.0;
/// Right of the longest bar, for its figure.
const FIGURES: f64 = 130.0;

/// Draws the tools, cheapest first.
pub(super) fn write(bench: &Bench<'_>, lines: &[Line]) -> Result<()> {
    let bars: Vec<_> = lines.iter().map(|l| (l.tool.title(), l.cost, l.cost_ratio)).collect();
    fs::write(bench.repository.path(PICTURE), svg(bars))
        .with_context(|| format!("failed to write {PICTURE}"))
}

/// One bar for each of (name, microseconds, ratio to wrk). The scale is linear: a bar twice as long
/// is twice the cost.
fn svg(mut bars: Vec<(&str, f64, Option<f64>)>) -> String {
    bars.sort_by(|a, b| a.1.total_cmp(&b.1));
    let longest = bars.last().map_or(1.0, |bar| bar.1);
    let height = TOP + STEP * bars.len() as f64 + 12.0;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"
  font-family="system-ui, sans-serif" font-size="14" fill="#1f2328">
<title>Processor time per request</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="26" font-size="16" font-weight="600">{TITLE}</text>
<text x="16" y="44" font-size="12" fill="#59636e">{SUBTITLE}</text>
"##
    );
    for (at, (name, cost, ratio)) in bars.iter().enumerate() {
        let y = TOP + STEP * at as f64;
        let width = (WIDTH - LABELS - FIGURES) * cost / longest;
        let color = if name.starts_with("swarm") { "#0969da" } else { "#8c959f" };
        let ratio = ratio.map_or_else(String::new, |ratio| format!(" ({ratio:.2} ×)"));
        let middle = y + BAR / 2.0 + 5.0;
        svg += &format!(
            r##"<text x="{:.0}" y="{middle:.0}" text-anchor="end">{name}</text>
<rect x="{LABELS:.0}" y="{y:.0}" width="{width:.1}" height="{BAR:.0}" fill="{color}"/>
<text x="{:.1}" y="{middle:.0}">{cost:.1}{ratio}</text>
"##,
            LABELS - 10.0,
            LABELS + width + 8.0,
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_its_room_and_others_are_to_scale() {
        let svg = svg(vec![("goose", 40.0, Some(4.0)), ("swarm, Rust", 10.0, None)]);
        let full = WIDTH - LABELS - FIGURES;
        assert!(svg.contains(&format!("width=\"{full:.1}\"")), "{svg}");
        assert!(svg.contains(&format!("width=\"{:.1}\"", full / 4.0)), "{svg}");
        assert!(svg.contains("40.0 (4.00 ×)"), "{svg}");
        let swarm = svg.find("swarm, Rust").unwrap();
        assert!(swarm < svg.find("goose").unwrap(), "the cheapest comes first");
    }
}

//! The table, on standard output and in `engine/FAULTS.md`.
//!
//! In the document it stands between two marks. Rows that were not measured anew stay.

use std::time::Duration;

use swarm_tests::{markdown, processor};

use crate::cluster::Tool;
use crate::fault::Fault;
use crate::options::Options;
use crate::outcome::{Figures, Outcome};

const DOCUMENT: &str = "engine/FAULTS.md";
const BEGIN: &str = "<!-- faults -->\n";
const END: &str = "<!-- /faults -->";
/// The line begins so that tells the seed.
const SEED: &str = "`random` by `--seed ";
/// Cells that say what a row is about.
const KEYS: usize = 2;
const HEAD: [&str; 18] = [
    "fault",
    "tool",
    "users",
    "back",
    "back, by its page",
    "back after its end",
    "even after its end",
    "fewest",
    "under 99 %",
    "most",
    "over 101 %",
    "busiest second",
    "received",
    "missing",
    "in excess",
    "failed, cut off",
    "exit code, lost",
    "bars",
];

/// One fault with one tool.
#[derive(Debug)]
pub(crate) struct Row {
    cells: Vec<String>,
    /// Every bar was met.
    pub(crate) met: bool,
    /// Those that were not.
    pub(crate) missed: Vec<String>,
}

/// All rows.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

impl Row {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let missed = outcome.missed();
        let verdict = match (outcome.tool, missed.len()) {
            (Tool::Swarm, 0) => "met".to_owned(),
            (Tool::Swarm, count) => format!("**{count} MISSED**"),
            _ => "–".to_owned(),
        };
        let mut cells = vec![
            outcome.fault.name().to_owned(),
            outcome.tool.name().to_owned(),
            outcome.users.to_string(),
        ];
        match Figures::worst(&outcome.figures) {
            Some(figures) => cells.extend(watched(&figures)),
            None => cells.extend(vec!["–".to_owned(); 9]),
        }
        let reported = &outcome.reported;
        let lost: Vec<_> = reported.lost.keys().map(String::as_str).collect();
        let code = outcome.code.map_or("none".to_owned(), |code| code.to_string());
        cells.extend([
            outcome.received.values().sum::<u64>().to_string(),
            outcome.missing().to_string(),
            outcome.excess().to_string(),
            format!("{}, {}", reported.failures, reported.interrupted),
            format!("{code} {}", lost.join(" ")).trim_end().to_owned(),
            verdict,
        ]);
        Self { cells, met: missed.is_empty(), missed }
    }

    /// Of a test that did not come to its end.
    pub(crate) fn failed(fault: Fault, tool: Tool) -> Self {
        let mut cells = vec![fault.name().to_owned(), tool.name().to_owned()];
        cells.resize(HEAD.len() - 1, "–".to_owned());
        cells.push("**DID NOT END**".to_owned());
        let missed = vec!["it did not come to its end, see above".to_owned()];
        Self { cells, met: tool != Tool::Swarm, missed }
    }
}

fn watched(figures: &Figures) -> [String; 9] {
    [
        seconds(figures.back),
        seconds(figures.back_page),
        if figures.lasts { seconds(figures.back_after) } else { "–".to_owned() },
        seconds(figures.even),
        figures.fewest.to_string(),
        seconds(Some(figures.under)),
        figures.most.to_string(),
        seconds(Some(figures.over)),
        format!("{:.0} %", figures.busiest * 100.0),
    ]
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or("never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
}

impl Table {
    /// As Markdown.
    pub(crate) fn text(&self, options: &Options) -> String {
        let rows: Vec<_> = self.rows.iter().map(|row| row.cells.clone()).collect();
        format!("\n{}{}", measured_on(&self.seed(options)), formatted(&rows))
    }

    /// Puts the rows into the document.
    pub(crate) fn write(&self, options: &Options) -> Result<(), String> {
        let path = options.root.join(DOCUMENT);
        let told = |error: std::io::Error| format!("{DOCUMENT}: {error}");
        let old = std::fs::read_to_string(&path).map_err(told)?;
        let rows: Vec<_> = self.rows.iter().map(|row| row.cells.clone()).collect();
        let new = replaced(&old, &rows, &self.seed(options))?;
        std::fs::write(&path, new).map_err(told)
    }

    /// What the faults that came at random were drawn from; nothing if there were none.
    fn seed(&self, options: &Options) -> String {
        let random = options.faults.contains(&Fault::Random);
        if random { format!("{SEED}{}`.", options.seed) } else { String::new() }
    }
}

/// The document with these rows in place of the ones about the same.
fn replaced(document: &str, new: &[Vec<String>], seed: &str) -> Result<String, String> {
    let missing = || format!("{DOCUMENT} has no place for the table: add {}{END}", BEGIN.trim());
    let (before, rest) = document.split_once(BEGIN).ok_or_else(missing)?;
    let (old, after) = rest.split_once(END).ok_or_else(missing)?;
    // Rows stay, and with them what they were drawn from.
    let old_seed = old.lines().find(|line| line.starts_with(SEED)).unwrap_or_default();
    let head = measured_on(if seed.is_empty() { old_seed } else { seed });
    let old: Vec<Vec<String>> = old.lines().filter_map(cells).collect();
    let mut rows = Vec::new();
    for fault in Fault::ALL {
        for tool in Tool::ALL {
            let about = |row: &&Vec<String>| row[..KEYS] == [fault.name(), tool.name()];
            rows.extend(new.iter().find(about).or_else(|| old.iter().find(about)).cloned());
        }
    }
    Ok(format!("{before}{BEGIN}{head}{}{END}{after}", formatted(&rows)))
}

/// Of a line of the table.
fn cells(line: &str) -> Option<Vec<String>> {
    let line = line.strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<_> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
    (cells.len() == HEAD.len()).then_some(cells)
}

fn formatted(rows: &[Vec<String>]) -> String {
    markdown(&HEAD.map(ToOwned::to_owned), rows)
}

/// Machine and seed, before the table.
fn measured_on(seed: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let name = processor().unwrap_or("unknown".to_owned());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let machine = format!("Measured on {cores} cores ({name}), Linux {}.", kernel.trim());
    format!("{machine}\n{seed}").trim_end().to_owned() + "\n\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fault: &str, tool: &str, users: &str) -> Vec<String> {
        let mut row = vec![fault.to_owned(), tool.to_owned(), users.to_owned()];
        row.resize(HEAD.len(), "–".to_owned());
        row
    }

    #[test]
    fn rows_that_were_not_measured_anew_stay() {
        let document = format!("# Text\n\n{BEGIN}{END}\n\nMore.\n");
        let first = [row("kill", "locust", "800"), row("freeze", "swarm", "800")];
        let document = replaced(&document, &first, "`random` by `--seed 7`.").unwrap();
        let second = [row("freeze", "swarm", "8000"), row("kill", "swarm", "8000")];
        let document = replaced(&document, &second, "").unwrap();
        let rows: Vec<_> = document.lines().filter_map(cells).skip(2).collect();
        let wanted =
            [row("kill", "swarm", "8000"), row("kill", "locust", "800"), second[0].clone()];
        assert_eq!(rows, wanted);
        assert!(document.starts_with("# Text\n\n<!-- faults -->\nMeasured on "), "{document}");
        assert!(document.contains(".\n`random` by `--seed 7`.\n\n| fault"), "{document}");
        assert!(document.ends_with(&format!("{END}\n\nMore.\n")), "{document}");
        assert!(replaced("no marks", &[], "").unwrap_err().contains("<!-- faults -->"));
    }
}

//! What is printed: tables, and bars that are met or missed.

use std::fmt::Display;
use std::time::Instant;

use swarm_tests::{markdown, processor};

use crate::options::Options;

/// The tables are printed at once, the bars at the end.
#[derive(Debug)]
pub(crate) struct Report {
    begun: Instant,
    part: &'static str,
    bars: Vec<Bar>,
}

#[derive(Debug)]
struct Bar {
    part: &'static str,
    what: String,
    measured: String,
    wanted: String,
    met: bool,
}

impl Report {
    /// Prints what the figures were measured on.
    pub(crate) fn new(options: &Options) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let processor = processor().unwrap_or("processor unknown".to_owned());
        println!("# Session: {} users on {cores} cores ({processor})", options.users);
        Self { begun: Instant::now(), part: "", bars: Vec::new() }
    }

    /// A part begins.
    pub(crate) fn begin(&mut self, part: &'static str) {
        self.part = part;
        println!("\n## {part}");
    }

    /// Says how far it is, to whoever watches.
    pub(crate) fn step(&self, text: impl Display) {
        eprintln!("[{:>5.0} s] {}: {text}", self.begun.elapsed().as_secs_f64(), self.part);
    }

    /// Prints a table.
    pub(crate) fn table(&self, head: &[&str], rows: &[Vec<String>]) {
        let head: Vec<String> = head.iter().map(ToString::to_string).collect();
        print!("\n{}", markdown(&head, rows));
    }

    /// Prints what one has to know to read a table.
    pub(crate) fn note(&self, text: &str) {
        println!("\n{text}");
    }

    /// A bar that is met or missed.
    pub(crate) fn bar(
        &mut self,
        what: impl Display,
        measured: impl Display,
        wanted: impl Display,
        met: bool,
    ) {
        let (what, measured, wanted) = (what.to_string(), measured.to_string(), wanted.to_string());
        self.step(format_args!("{} {what}: {measured}", if met { "met:" } else { "MISSED:" }));
        self.bars.push(Bar { part: self.part, what, measured, wanted, met });
    }

    /// Prints the bars. Whether all were met.
    pub(crate) fn finish(self) -> bool {
        println!("\n## Bars");
        let rows: Vec<_> = self.bars.into_iter().map(Bar::row).collect();
        let met = rows.iter().all(|(met, _)| *met);
        let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
        let head = ["part", "bar", "measured", "wanted", ""].map(ToOwned::to_owned);
        println!("\n{}", markdown(&head, &rows));
        println!("{:.0} s in all", self.begun.elapsed().as_secs_f64());
        met
    }
}

impl Bar {
    fn row(self) -> (bool, Vec<String>) {
        let verdict = if self.met { "met" } else { "**MISSED**" }.to_owned();
        (self.met, vec![self.part.to_owned(), self.what, self.measured, self.wanted, verdict])
    }
}

/// A number of bytes for people.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

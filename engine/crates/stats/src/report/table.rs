//! The console tables: plain text, no colour codes. All end with a line break; a table without
//! lines is empty text.

use crate::connections::ConnectionCounts;
use crate::report::{decimals, percent};
use crate::snapshot::{EntrySnapshot, MetricFigures, PERCENTILES, Snapshot};

/// Most characters of a name; longer ones are cut.
pub const NAME_WIDTH_MAX: usize = 60;

/// Most characters of an error text or a message.
pub const TEXT_WIDTH_MAX: usize = 160;

/// Which rates the statistics show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rates {
    /// Of the last ten complete seconds: while a test runs.
    Current,
    /// Of the whole test: at its end.
    Whole,
}

/// What the progress line says beside the statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Since the start of the test, in milliseconds.
    pub elapsed_ms: u64,
    /// What the test is doing.
    pub state: &'a str,
    /// Users alive.
    pub users: u32,
    /// Requests on their way.
    pub in_flight: u64,
}

/// One line about a running test.
#[must_use]
pub fn progress(progress: &Progress<'_>, snapshot: &Snapshot) -> String {
    let seconds = progress.elapsed_ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let total = &snapshot.total;
    let times = total.current_ms.map_or_else(String::new, |(p50, p95)| {
        format!(", median {} ms, 95% {} ms", milliseconds(p50), milliseconds(p95))
    });
    format!(
        "{hours:02}:{minutes:02}:{seconds:02} {}: {} users, {} requests, {} failed, \
         {} on their way, {} req/s{times}\n",
        progress.state,
        progress.users,
        total.num_requests,
        failures(total),
        progress.in_flight,
        decimals(total.current_rps, 1),
    )
}

/// The statistics of all entries and their aggregate. Times are in milliseconds. How often requests
/// were sent again is a column when there were any.
#[must_use]
pub fn statistics(snapshot: &Snapshot, rates: Rates) -> String {
    let mut columns = vec![
        ("Type", Align::Left),
        ("Name", Align::Left),
        ("# reqs", Align::Right),
        ("# fails", Align::Bar),
        ("Avg", Align::Right),
        ("Min", Align::Right),
        ("Max", Align::Right),
        ("Med", Align::Bar),
        ("req/s", Align::Right),
        ("failures/s", Align::Right),
    ];
    // Rare, and never silent.
    let has_resent = snapshot.total.num_resent > 0;
    columns.extend(has_resent.then_some(("# resent", Align::Right)));
    let mut grid = Grid::new(&columns);
    grid.entries(snapshot, |entry| {
        let times = &entry.response_time_ms;
        let (rps, fail_per_sec) = match rates {
            Rates::Current => (entry.current_rps, entry.current_fail_per_sec),
            Rates::Whole => (entry.rps, entry.fail_per_sec),
        };
        let mut cells = vec![
            entry.num_requests.to_string(),
            failures(entry),
            milliseconds(times.mean),
            milliseconds(times.min),
            milliseconds(times.max),
            milliseconds(times.median),
            format!("{rps:.2}"),
            format!("{fail_per_sec:.2}"),
        ];
        cells.extend(has_resent.then(|| entry.num_resent.to_string()));
        cells
    });
    grid.render()
}

/// What the requests took of connections; empty if there was no connection, nor an attempt at one.
#[must_use]
pub fn connections(snapshot: &Snapshot) -> String {
    let ConnectionCounts { opened, reused, failed, resent } = snapshot.connections;
    if snapshot.connections.is_empty() {
        return String::new();
    }
    format!(
        "Connections: {opened} opened, {reused} times reused, {failed} failed; {resent} requests \
         sent again\n"
    )
}

/// The response time percentiles of all entries with samples, in milliseconds.
#[must_use]
pub fn percentiles(snapshot: &Snapshot) -> String {
    let levels = PERCENTILES.map(percent);
    let mut columns = vec![("Type", Align::Left), ("Name", Align::Left)];
    columns.extend(levels.iter().map(|level| (level.as_str(), Align::Right)));
    columns.push(("# reqs", Align::Right));
    let mut grid = Grid::new(&columns);
    grid.entries(snapshot, |entry| {
        let mut cells: Vec<_> =
            entry.response_time_ms.percentiles.iter().map(|&ms| milliseconds(ms)).collect();
        cells.push(entry.num_requests.to_string());
        cells
    });
    format!("Response time percentiles (ms)\n{}", grid.render())
}

/// The failures; empty if there are none.
#[must_use]
pub fn errors(snapshot: &Snapshot) -> String {
    if snapshot.errors.is_empty() {
        return String::new();
    }
    let mut grid = Grid::new(&[
        ("# occurrences", Align::Right),
        ("Type", Align::Left),
        ("Name", Align::Left),
        ("Error", Align::Left),
    ]);
    for error in &snapshot.errors {
        grid.rows.push(vec![
            error.occurrences.to_string(),
            shown(&error.method, NAME_WIDTH_MAX),
            shown(&error.name, NAME_WIDTH_MAX),
            shown(&error.error, TEXT_WIDTH_MAX),
        ]);
    }
    format!("Error report\n{}", grid.render())
}

/// The exceptions, each with its trace below it; empty if there are none.
#[must_use]
pub fn exceptions(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for exception in &snapshot.exceptions {
        let nodes = exception.nodes.iter().map(|node| shown(node, NAME_WIDTH_MAX));
        let nodes: Vec<_> = nodes.collect();
        let message = shown(&exception.message, TEXT_WIDTH_MAX);
        text += &format!("{} x {message} [{}]\n", exception.count, nodes.join(", "));
        for line in exception.trace.lines() {
            text += &format!("    {}\n", shown(line, TEXT_WIDTH_MAX));
        }
    }
    if text.is_empty() { text } else { format!("Exceptions\n{text}") }
}

/// The metrics of the guest's own; empty if there are none.
#[must_use]
pub fn metrics(snapshot: &Snapshot) -> String {
    if snapshot.metrics.is_empty() {
        return String::new();
    }
    let mut grid =
        Grid::new(&[("Metric", Align::Left), ("Kind", Align::Left), ("Figures", Align::Left)]);
    for metric in &snapshot.metrics {
        let (kind, figures) = figures(&metric.value);
        grid.rows.push(vec![shown(&metric.name, NAME_WIDTH_MAX), kind.to_owned(), figures]);
    }
    grid.render()
}

fn figures(value: &MetricFigures) -> (&'static str, String) {
    let number = |value: f64| decimals(value, 3);
    match value {
        MetricFigures::Count { sum, updates } => {
            ("count", format!("sum {} of {updates}", number(*sum)))
        }
        MetricFigures::Gauge { last, min, max } => {
            ("gauge", format!("last {}, min {}, max {}", number(*last), number(*min), number(*max)))
        }
        MetricFigures::Trend { values, min, mean, max, percentiles } => {
            let [median, .., p95, _, _, _, _, _] = percentiles;
            let [min, mean, max] = [*min, *mean, *max].map(number);
            let [median, p95] = [*median, *p95].map(number);
            let text = format!("avg {mean}, min {min}, med {median}, 95% {p95}, max {max}");
            ("trend", format!("{text} of {values}"))
        }
        MetricFigures::Check { passes, fails } => {
            let share = share_percent(*passes, passes.saturating_add(*fails));
            ("check", format!("{share} held, {passes} yes, {fails} no"))
        }
    }
}

/// `12(0.34%)`: failures and their share of the requests.
fn failures(entry: &EntrySnapshot) -> String {
    let share = share_percent(entry.num_failures, entry.num_requests);
    format!("{}({share})", entry.num_failures)
}

fn share_percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", crate::times::mean(part, whole) * 100.0)
}

/// Three digits or more: enough to compare, short enough for a column.
fn milliseconds(time_ms: f64) -> String {
    let places = match time_ms {
        time_ms if time_ms < 9.995 => 2,
        time_ms if time_ms < 99.95 => 1,
        _ => 0,
    };
    format!("{time_ms:.places$}")
}

/// Text as a terminal may show it: one line, no control characters, at most `width_max` characters.
fn shown(text: &str, width_max: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(width_max + 1)
        .map(|character| if character.is_control() { '?' } else { character })
        .collect();
    if shown.chars().count() > width_max {
        shown = shown.chars().take(width_max.saturating_sub(1)).chain(['…']).collect();
    }
    shown
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
    /// Right, with a bar behind the column.
    Bar,
}

/// Columns as wide as their widest cell.
struct Grid<'a> {
    columns: Vec<(&'a str, Align)>,
    rows: Vec<Vec<String>>,
    /// Rows below a second line: the aggregate.
    footer: Vec<Vec<String>>,
}

impl<'a> Grid<'a> {
    fn new(columns: &[(&'a str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new(), footer: Vec::new() }
    }

    /// A row for each entry, and the aggregate as footer.
    fn entries(&mut self, snapshot: &Snapshot, cells: impl Fn(&EntrySnapshot) -> Vec<String>) {
        let row = |entry: &EntrySnapshot| {
            let names = [&entry.method, &entry.name].map(|text| shown(text, NAME_WIDTH_MAX));
            names.into_iter().chain(cells(entry)).collect()
        };
        self.rows = snapshot.entries.iter().map(row).collect();
        self.footer = vec![row(&snapshot.total)];
    }

    fn render(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().chain(&self.footer).map(|row| row[column].chars().count());
            cells.fold(self.columns[column].0.chars().count(), usize::max)
        };
        let widths: Vec<_> = (0..self.columns.len()).map(width).collect();
        let header: Vec<_> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut text = self.line(&header, &widths, ' ');
        let rule = self.line(&vec![String::new(); widths.len()], &widths, '-');
        text += &rule;
        for row in &self.rows {
            text += &self.line(row, &widths, ' ');
        }
        if !self.footer.is_empty() {
            text += &rule;
        }
        for row in &self.footer {
            text += &self.line(row, &widths, ' ');
        }
        text
    }

    fn line(&self, cells: &[String], widths: &[usize], fill: char) -> String {
        let mut line = String::new();
        for (position, ((cell, width), (_, align))) in
            cells.iter().zip(widths).zip(&self.columns).enumerate()
        {
            if position > 0 {
                line.extend([fill; 2]);
            }
            let padding = std::iter::repeat_n(fill, width - cell.chars().count());
            if *align == Align::Left {
                line.push_str(cell);
                line.extend(padding);
            } else {
                line.extend(padding);
                line.push_str(cell);
            }
            if *align == Align::Bar {
                line.extend([fill, '|']);
            }
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
}

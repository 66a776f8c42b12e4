//! The console tables. All end with a line break; a table without lines is empty text.

use anstyle::{AnsiColor, Style};

use crate::connections::ConnectionCounts;
use crate::report::grid::{Align, Cell, Column, Fit, Grid};
use crate::report::{decimals, percent};
use crate::snapshot::{EntrySnapshot, MetricFigures, PERCENTILES, Snapshot};

/// What has failed.
const BAD: Style = AnsiColor::Red.on_default();

/// What sums up, and what is a title.
const BOLD: Style = Style::new().bold();

/// What a table has to fit in. The default is for whoever reads it later: everything in full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Layout {
    /// Columns of the terminal: names are cut in their middle, long texts wrapped, and columns
    /// left out that say the least. `None` for as wide as need be.
    pub width: Option<usize>,
    /// With ANSI colours.
    pub styled: bool,
    /// Most names; those with the fewest requests are left out. `None` for all.
    pub names_max: Option<usize>,
}

impl Layout {
    fn style(self, style: Style) -> Style {
        if self.styled { style } else { Style::new() }
    }

    fn title(self, text: &str) -> String {
        let bold = self.style(BOLD);
        format!("{bold}{text}{bold:#}\n")
    }
}

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
pub fn progress(progress: &Progress<'_>, snapshot: &Snapshot, layout: Layout) -> String {
    let seconds = progress.elapsed_ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let total = &snapshot.total;
    let times = total.current_ms.map_or_else(String::new, |(p50, p95)| {
        format!(", median {} ms, 95% {} ms", milliseconds(p50), milliseconds(p95))
    });
    let bad = layout.style(if total.num_failures > 0 { BAD } else { Style::new() });
    format!(
        "{hours:02}:{minutes:02}:{seconds:02} {}: {} users, {} requests, {bad}{} failed{bad:#}, \
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
pub fn statistics(snapshot: &Snapshot, rates: Rates, layout: Layout) -> String {
    let column = Column::new;
    let mut columns = vec![
        column("Type", Align::Left, Fit::Cut),
        column("Name", Align::Left, Fit::Cut),
        column("# reqs", Align::Right, Fit::Keep),
        column("# fails", Align::Bar, Fit::Keep),
        column("Avg", Align::Right, Fit::Drop(3)),
        column("Min", Align::Right, Fit::Drop(1)),
        column("Max", Align::Right, Fit::Drop(2)),
        column("Med", Align::Bar, Fit::Keep),
        column("req/s", Align::Right, Fit::Keep),
        column("failures/s", Align::Right, Fit::Drop(0)),
    ];
    // Rare, and never silent: where there is no room for the column, the sum is below the table.
    let has_resent = snapshot.total.num_resent > 0;
    columns.extend(has_resent.then(|| column("# resent", Align::Right, Fit::Drop(4))));
    let mut grid = Grid::new(columns);
    entries(&mut grid, snapshot, layout, |entry| {
        let times = &entry.response_time_ms;
        let (rps, fail_per_sec) = match rates {
            Rates::Current => (entry.current_rps, entry.current_fail_per_sec),
            Rates::Whole => (entry.rps, entry.fail_per_sec),
        };
        let failed = if entry.num_failures > 0 { BAD } else { Style::new() };
        let mut cells = vec![
            entry.num_requests.to_string().into(),
            Cell::styled(failures(entry), failed),
            milliseconds(times.mean).into(),
            milliseconds(times.min).into(),
            milliseconds(times.max).into(),
            milliseconds(times.median).into(),
            format!("{rps:.2}").into(),
            format!("{fail_per_sec:.2}").into(),
        ];
        cells.extend(has_resent.then(|| entry.num_resent.to_string().into()));
        cells
    });
    grid.render(layout.width, layout.styled)
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

/// What came of each address of the target; empty if nobody asked for it, or there was none.
#[must_use]
pub fn addresses(snapshot: &Snapshot, layout: Layout) -> String {
    if snapshot.addresses.is_empty() {
        return String::new();
    }
    let column = Column::new;
    let mut grid = Grid::new(vec![
        column("Address", Align::Left, Fit::Cut),
        column("# opened", Align::Right, Fit::Keep),
        column("# failed", Align::Bar, Fit::Keep),
        column("# reqs", Align::Right, Fit::Keep),
        column("# fails", Align::Right, Fit::Keep),
    ]);
    let bad =
        |count: u64| Cell::styled(count.to_string(), if count > 0 { BAD } else { Style::new() });
    for row in &snapshot.addresses {
        grid.rows.push(vec![
            row.address.clone().into(),
            row.opened.to_string().into(),
            bad(row.failed),
            row.num_requests.to_string().into(),
            bad(row.num_failures),
        ]);
    }
    layout.title("Connections by address") + &grid.render(layout.width, layout.styled)
}

/// Which percentiles say the least, the first one first: those of the others are near.
const LEAST_SAID: [f64; 7] = [66.0, 80.0, 98.0, 75.0, 99.99, 99.9, 90.0];

/// The response time percentiles of all entries with samples, in milliseconds.
#[must_use]
pub fn percentiles(snapshot: &Snapshot, layout: Layout) -> String {
    let column = Column::new;
    let fit = |level: f64| {
        let rank = LEAST_SAID.iter().position(|&least| least.total_cmp(&level).is_eq());
        rank.and_then(|rank| u8::try_from(rank + 1).ok()).map_or(Fit::Keep, Fit::Drop)
    };
    let mut columns =
        vec![column("Type", Align::Left, Fit::Cut), column("Name", Align::Left, Fit::Cut)];
    let levels = PERCENTILES.map(|level| (percent(level), fit(level)));
    columns.extend(levels.map(|(level, fit)| Column::new(level, Align::Right, fit)));
    columns.push(column("# reqs", Align::Right, Fit::Drop(0)));
    let mut grid = Grid::new(columns);
    entries(&mut grid, snapshot, layout, |entry| {
        let times = entry.response_time_ms.percentiles.iter().map(|&ms| milliseconds(ms));
        times.chain([entry.num_requests.to_string()]).map(Cell::from).collect()
    });
    let title = layout.title("Response time percentiles (ms)");
    title + &grid.render(layout.width, layout.styled)
}

/// The failures, the most frequent first; empty if there are none.
#[must_use]
pub fn errors(snapshot: &Snapshot, layout: Layout) -> String {
    if snapshot.errors.is_empty() {
        return String::new();
    }
    let column = Column::new;
    let mut grid = Grid::new(vec![
        column("# occurrences", Align::Right, Fit::Keep),
        column("Type", Align::Left, Fit::Cut),
        column("Name", Align::Left, Fit::Cut),
        column("Error", Align::Left, Fit::Wrap),
    ]);
    let mut errors: Vec<_> = snapshot.errors.iter().collect();
    // Stable: those that are as frequent stay sorted by name.
    errors.sort_by_key(|error| std::cmp::Reverse(error.occurrences));
    for error in errors {
        grid.rows.push(vec![
            Cell::styled(error.occurrences.to_string(), BAD),
            shown(&error.method).into(),
            shown(&error.name).into(),
            shown(&error.error).into(),
        ]);
    }
    layout.title("Error report") + &grid.render(layout.width, layout.styled)
}

/// The exceptions, each with its trace below it; empty if there are none.
#[must_use]
pub fn exceptions(snapshot: &Snapshot, layout: Layout) -> String {
    let (mut text, bad) = (String::new(), layout.style(BAD));
    for exception in &snapshot.exceptions {
        let nodes: Vec<_> = exception.nodes.iter().map(|node| shown(node)).collect();
        let (count, message) = (exception.count, shown(&exception.message));
        text += &format!("{bad}{count} x {message}{bad:#} [{}]\n", nodes.join(", "));
        for line in exception.trace.lines() {
            text += &format!("    {}\n", shown(line));
        }
    }
    if text.is_empty() { text } else { layout.title("Exceptions") + &text }
}

/// The metrics of the guest's own; empty if there are none.
#[must_use]
pub fn metrics(snapshot: &Snapshot, layout: Layout) -> String {
    if snapshot.metrics.is_empty() {
        return String::new();
    }
    let column = Column::new;
    let mut grid = Grid::new(vec![
        column("Metric", Align::Left, Fit::Cut),
        column("Kind", Align::Left, Fit::Keep),
        column("Figures", Align::Left, Fit::Wrap),
    ]);
    for metric in &snapshot.metrics {
        let (kind, figures) = figures(&metric.value);
        let cells = [shown(&metric.name), kind.to_owned(), figures];
        grid.rows.push(cells.map(Cell::from).to_vec());
    }
    grid.render(layout.width, layout.styled)
}

/// A row for each entry, and the aggregate as footer.
fn entries(
    grid: &mut Grid,
    snapshot: &Snapshot,
    layout: Layout,
    cells: impl Fn(&EntrySnapshot) -> Vec<Cell>,
) {
    let row = |entry: &EntrySnapshot| {
        let names = [&entry.method, &entry.name].map(|text| shown(text).into());
        names.into_iter().chain(cells(entry)).collect::<Vec<Cell>>()
    };
    let (kept, left_out) = busiest(&snapshot.entries, layout.names_max);
    grid.rows = kept.into_iter().map(row).collect();
    if left_out > 0 {
        let mut more = vec![Cell::from(String::new()); grid.columns.len()];
        more[1] = Cell::from(format!("({left_out} more names)"));
        grid.rows.push(more);
    }
    let total = row(&snapshot.total).into_iter();
    grid.footer = vec![total.map(Cell::bold).collect()];
}

/// Those with the most requests, in their order, and how many others there are.
fn busiest(entries: &[EntrySnapshot], max: Option<usize>) -> (Vec<&EntrySnapshot>, usize) {
    let mut order: Vec<_> = entries.iter().enumerate().collect();
    let max = max.unwrap_or(usize::MAX);
    if order.len() > max {
        order.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.num_requests));
        order.truncate(max);
        order.sort_by_key(|(at, _)| *at);
    }
    let left_out = entries.len() - order.len();
    (order.into_iter().map(|(_, entry)| entry).collect(), left_out)
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

/// Text as a terminal may show it: one line, no control characters.
fn shown(text: &str) -> String {
    let plain = |character: char| if character.is_control() { '?' } else { character };
    text.chars().map(plain).collect()
}

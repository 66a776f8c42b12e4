//! What is printed about a test: how it goes while it runs, tables at its end.

use anstyle::{AnsiColor, Style};
use swarm_stats::report::json::Summary;
use swarm_stats::report::table::{self, Layout, Progress, Rates};
use swarm_web::view::{TestState, View};

use crate::cli::TestArgs;
use crate::terminal::Stream;

/// Where it cannot be shown in place it is printed each so many ticks of a second.
const TICKS_PER_PRINT: u32 = 2;

/// Most names that are printed while a test runs. At its end all are.
const NAMES_MAX: usize = 50;

/// Rows of a terminal that live statistics leave to something else: their head and foot, the line
/// of progress, and the log.
const OTHER_ROWS: usize = 10;

/// What is shown while a test runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// That it has begun, and so on.
    Changes,
    /// One line as well, where it can be shown in place.
    Line,
    /// And the statistics by name.
    Names,
}

/// What has been shown so far.
#[derive(Debug)]
pub(crate) struct Console {
    stream: Stream,
    look: Look,
}

/// What decides, without the stream.
#[derive(Debug)]
struct Look {
    shows: Shows,
    ticks: u32,
    notices: usize,
    last_state: Option<TestState>,
}

/// What is new: text to be added, and lines to be shown in place.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    text: String,
    live: Vec<String>,
}

impl Console {
    /// Shows a test on a stream.
    pub(crate) fn new(stream: &Stream, args: &TestArgs) -> Self {
        let shows = match args {
            TestArgs { only_summary: true, .. } => Shows::Changes,
            TestArgs { headless: true, .. } | TestArgs { print_stats: true, .. } => Shows::Names,
            // Who has the page open looks there.
            _ => Shows::Line,
        };
        Self { stream: stream.clone(), look: Look::new(shows) }
    }

    /// Shows what is new. To be called once a second.
    pub(crate) fn tick(&mut self, view: &View) {
        for notice in view.notices.iter().skip(self.look.notices) {
            tracing::warn!("{}", notice.text);
        }
        self.look.notices = view.notices.len();
        let news = self.look.tick(view, self.stream.size(), self.stream.has_colours());
        self.stream.live(news.live);
        self.stream.print(news.text);
    }
}

impl Look {
    fn new(shows: Shows) -> Self {
        Self { shows, ticks: 0, notices: 0, last_state: None }
    }

    /// `size` is columns and rows, of a terminal.
    fn tick(&mut self, view: &View, size: Option<(usize, usize)>, styled: bool) -> News {
        let busy = view.state.is_busy();
        let changed = self.last_state.replace(view.state) != Some(view.state);
        self.ticks += 1;
        let mut news = News::default();
        let Some(start_ms) = view.test_start_ms else { return news };
        let progress = Progress {
            elapsed_ms: view.now_ms.saturating_sub(start_ms),
            state: view.state.name(),
            users: view.user_count,
            in_flight: view.in_flight,
        };
        let layout = Layout { styled, width: size.map(|(columns, _)| columns), names_max: None };
        let line = table::progress(&progress, &view.stats, layout);
        let names = |names_max: usize| {
            let layout = Layout { names_max: Some(names_max), ..layout };
            table::statistics(&view.stats, Rates::Current, layout)
        };
        let is_live = size.is_some() && self.shows != Shows::Changes;
        if changed && !(busy && is_live) {
            news.text.clone_from(&line);
        }
        match (self.shows, size) {
            _ if !busy => {}
            (Shows::Names, None) if self.ticks.is_multiple_of(TICKS_PER_PRINT) => {
                news.text = format!("{}{line}\n", names(NAMES_MAX));
            }
            (Shows::Names, Some((_, rows))) if rows > OTHER_ROWS => {
                let text = format!("\n{}{line}", names(rows.saturating_sub(OTHER_ROWS)));
                news.live = text.lines().map(str::to_owned).collect();
            }
            (Shows::Names | Shows::Line, Some(_)) => news.live = vec![line.trim_end().to_owned()],
            (Shows::Changes, _) | (Shows::Line | Shows::Names, None) => {}
        }
        news
    }
}

/// Prints the result of the last test, if there was one.
pub(crate) fn finish(stream: &Stream, summary: &Summary) {
    if summary.started_at.is_empty() {
        return;
    }
    let width = stream.size().map(|(columns, _)| columns);
    let layout = Layout { width, styled: stream.has_colours(), names_max: None };
    let plain = Style::new();
    let warning = if layout.styled { AnsiColor::Yellow.on_default() } else { plain };
    let snapshot = summary.clone().into_statistics();
    for part in [
        format!("\n{}", table::statistics(&snapshot, Rates::Whole, layout)),
        table::percentiles(&snapshot, layout),
        table::connections(&snapshot),
        table::addresses(&snapshot, layout),
        table::errors(&snapshot, layout),
        table::exceptions(&snapshot, layout),
        table::metrics(&snapshot, layout),
    ] {
        if !part.is_empty() {
            stream.print_result(part + "\n");
        }
    }
    if summary.interrupted > 0 {
        stream.print_result(format!(
            "{} requests were cut off on their way and are in no other figure\n",
            summary.interrupted
        ));
    }
    if summary.unsent > 0 {
        stream.print_result(format!(
            "{} requests were given up before a connection had them and are in no other figure
",
            summary.unsent
        ));
    }
    if let Some((p50, p99, max)) = summary.lateness_ms {
        let (style, warning) = if summary.late { (warning, "warning: ") } else { (plain, "") };
        stream.print_result(format!(
            "{style}{warning}lateness of the generator: median {p50:.1} ms, 99% {p99:.1} ms, max \
             {max:.1} ms{style:#}\n"
        ));
    }
    for notice in &summary.notices {
        stream.print_result(format!("{warning}note: {notice}{warning:#}\n"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use swarm_stats::snapshot::{EntrySnapshot, Snapshot};

    use super::*;

    fn view(state: TestState, names: usize) -> View {
        let entry = |number| EntrySnapshot { name: format!("/{number}"), ..Default::default() };
        let total = EntrySnapshot { name: "Aggregated".into(), ..Default::default() };
        let entries = (0..names).map(entry).collect();
        let stats = Arc::new(Snapshot { total, entries, ..Default::default() });
        View { state, test_start_ms: Some(0), now_ms: 5_000, stats, ..Default::default() }
    }

    #[test]
    fn a_file_gets_the_names_every_other_second_and_no_control_codes() {
        let mut look = Look::new(Shows::Names);
        assert_eq!(look.tick(&View::default(), None, false), News::default());
        let texts: Vec<_> =
            (0..4).map(|_| look.tick(&view(TestState::Running, 80), None, false).text).collect();
        assert_eq!(texts.iter().filter(|text| text.contains("/49 ")).count(), 2, "{texts:?}");
        assert!(texts[0].contains("(30 more names)"), "{}", texts[0]);
        assert!(texts[0].ends_with("req/s\n\n"), "{:?}", texts[0]);
        assert!(!texts.concat().contains('\u{1b}'));
        let end = look.tick(&view(TestState::Stopped, 80), None, false).text;
        assert!(end.starts_with("00:00:05 stopped: ") && !end.contains("/49"), "{end}");
    }

    #[test]
    fn a_terminal_shows_them_in_place_and_as_many_as_it_has_rows_for() {
        let mut look = Look::new(Shows::Names);
        for rows in [5, 11, 24, 60] {
            let news = look.tick(&view(TestState::Running, 80), Some((100, rows)), true);
            assert!(news.live.len() < rows, "{rows} rows: {:#?}", news.live);
            assert!(news.live.last().is_some_and(|line| line.contains("running: ")));
        }
        assert_eq!(look.tick(&view(TestState::Stopped, 80), Some((100, 24)), true).live, [""; 0]);
    }

    #[test]
    fn with_the_page_open_a_line_in_place_is_enough() {
        let mut look = Look::new(Shows::Line);
        let begin = look.tick(&view(TestState::Running, 3), None, false);
        assert!(begin.text.starts_with("00:00:05 running: "), "{begin:?}");
        assert_eq!(look.tick(&view(TestState::Running, 3), None, false), News::default());
        let shown = look.tick(&view(TestState::Running, 3), Some((100, 24)), false);
        assert_eq!((shown.live.len(), shown.text.as_str()), (1, ""));
        let mut quiet = Look::new(Shows::Changes);
        quiet.tick(&view(TestState::Running, 3), None, false);
        assert_eq!(
            quiet.tick(&view(TestState::Running, 3), Some((100, 24)), false),
            News::default()
        );
    }
}

//! What is printed on standard output: a line while a test runs, tables at its end.

use swarm_stats::report::json::Summary;
use swarm_stats::report::table::{self, Progress, Rates};
use swarm_web::view::{TestState, View};

/// A progress line each so many ticks of a second.
const TICKS_PER_LINE: u32 = 2;

/// What has been printed so far.
#[derive(Debug, Default)]
pub(crate) struct Console {
    ticks: u32,
    notices: usize,
    last_state: Option<TestState>,
}

impl Console {
    /// Prints what is new. To be called once a second.
    pub(crate) fn tick(&mut self, view: &View) {
        for notice in view.notices.iter().skip(self.notices) {
            tracing::warn!("{}", notice.text);
        }
        self.notices = view.notices.len();
        let busy = view.state.is_busy();
        let changed = self.last_state.replace(view.state) != Some(view.state);
        self.ticks += 1;
        if (busy && self.ticks.is_multiple_of(TICKS_PER_LINE))
            || (changed && view.test_start_ms.is_some())
        {
            let start_ms = view.test_start_ms.unwrap_or(view.now_ms);
            let progress = Progress {
                elapsed_ms: view.now_ms.saturating_sub(start_ms),
                state: view.state.name(),
                users: view.user_count,
                in_flight: view.in_flight,
            };
            print!("{}", table::progress(&progress, &view.stats));
        }
    }
}

/// Prints the result of the last test, if there was one.
pub(crate) fn finish(summary: &Summary) {
    if summary.started_at.is_empty() {
        return;
    }
    let snapshot = summary.clone().into_statistics();
    println!("\n{}", table::statistics(&snapshot, Rates::Whole));
    println!("{}", table::percentiles(&snapshot));
    print!("{}", table::connections(&snapshot));
    for part in [table::errors(&snapshot), table::exceptions(&snapshot), table::metrics(&snapshot)]
    {
        if !part.is_empty() {
            println!("{part}");
        }
    }
    if summary.interrupted > 0 {
        println!(
            "{} requests were cut off on their way and are in no other figure",
            summary.interrupted
        );
    }
    if summary.unsent > 0 {
        println!(
            "{} requests were given up before a connection had them and are in no other figure",
            summary.unsent
        );
    }
    if let Some((p50, p99, max)) = summary.lateness_ms {
        println!("lateness of the generator: median {p50:.1} ms, 99% {p99:.1} ms, max {max:.1} ms");
    }
    for notice in &summary.notices {
        println!("note: {notice}");
    }
}

//! The files that a test writes.

use std::path::PathBuf;

use swarm_node::master::Outcome;
use swarm_stats::report::csv::CsvFiles;
use swarm_web::view::View;

use crate::cli::TestArgs;
use crate::exit::{Exit, Failure, OrExit};

/// The CSV tables are written anew each so many ticks of a second.
const TICKS_PER_TABLES: u32 = 5;

/// The files asked for.
#[derive(Debug)]
pub(crate) struct Files {
    json: Option<PathBuf>,
    csv: Option<CsvFiles>,
    ticks: u32,
}

impl Files {
    /// Makes sure that the files can be written, before anything is started.
    pub(crate) fn open(args: &TestArgs) -> Result<Self, Failure> {
        if let Some(path) = &args.json_file {
            // Opened, not truncated: an old result stays until there is a new one.
            let open = std::fs::File::options().create(true).append(true).open(path);
            open.or_exit(Exit::Output, || format!("cannot write --json-file {}", path.display()))?;
        }
        let csv =
            args.csv.as_ref().map(|prefix| CsvFiles::create(&prefix.to_string_lossy(), false));
        let csv = csv.transpose().or_exit(Exit::Output, || "cannot write --csv".to_owned())?;
        Ok(Self { json: args.json_file.clone(), csv, ticks: 0 })
    }

    /// Brings the CSV files up to date. To be called once a second.
    pub(crate) fn tick(&mut self, view: &View) {
        let Some(csv) = &mut self.csv else { return };
        if !view.state.is_busy() {
            return;
        }
        self.ticks += 1;
        let unix_ms = view.clock_origin_unix_ms + view.now_ms;
        let mut written = csv.add_history(&view.stats, view.user_count, unix_ms);
        if written.is_ok() && self.ticks.is_multiple_of(TICKS_PER_TABLES) {
            written = csv.write_tables(&view.stats, view.clock_origin_unix_ms);
        }
        if let Err(error) = written {
            // The result itself is safe; it is written, or refused, at the end.
            tracing::error!("the CSV files are not up to date: {error}");
        }
    }

    /// Writes the result.
    pub(crate) fn finish(&mut self, outcome: &Outcome) -> Result<(), Failure> {
        let summary = &outcome.summary;
        if summary.started_at.is_empty() {
            // There was no test, and an older result is better than an empty one.
            return Ok(());
        }
        if let Some(csv) = &self.csv {
            let snapshot = summary.clone().into_statistics();
            let written = csv.write_tables(&snapshot, summary.clock_origin_unix_ms);
            written.or_exit(Exit::Output, || "cannot write the CSV files".to_owned())?;
        }
        if let Some(path) = &self.json {
            let written = std::fs::write(path, summary.to_json());
            written.or_exit(Exit::Output, || format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

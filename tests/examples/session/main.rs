//! The acceptance at full size: `cargo xtask session`, by hand, on a machine that does nothing
//! else.
//!
//! Prints what it measures as Markdown, each part as it ends, and last all bars that were to be
//! met. Ends with 1 if one was missed or a part did not come to its end.
//!
//! # Layout
//! - `options`: the command line.
//! - `report`: tables and bars.
//! - `cluster`: target, master and workers, and what the page says of them.
//! - `plateau`: figures of a constant load. `usage`: what a process takes of the machine.
//! - `browser`: a person at the page.
//! - `classic`, `joins`, `kill`, `single`, `languages`, `many`, `million`: the parts.
//! - `crowd`: what `many` and `million` have in common.

mod browser;
mod classic;
mod cluster;
mod crowd;
mod joins;
mod kill;
mod languages;
mod many;
mod million;
mod options;
mod plateau;
mod report;
mod single;
mod usage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use options::{HELP, Options};
use report::Report;

fn main() -> ExitCode {
    let options = match swarm_tests::options(HELP, Options::parse) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut report = Report::new(&options);
    for part in &options.parts {
        report.begin(part.name());
        // The harness panics where something does not work at all. Other parts may.
        let run = AssertUnwindSafe(|| part.run(&options, &mut report));
        let ended = catch_unwind(run).is_ok();
        if !ended {
            report.bar("comes to its end", "no, see above", "yes", false);
        }
    }
    if report.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

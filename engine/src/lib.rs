//! swarm: a WebAssembly-scripted, distributed HTTP load engine. This crate is the program; the
//! parts are in `crates/`, and `ARCHITECTURE.md` says how they fit.
//!
//! # Layout
//! - `cli`: flags as typed, then as checked.
//! - `commands`: one file for each subcommand.
//! - `scenario`: reading and compiling a scenario, or taking the embedded one. `source`: files that
//!   have to be compiled first.
//! - `secure`: tokens and certificates, and who may come in.
//! - `session`: a master's life around its test: page, headless runs, interrupts.
//! - `processes`: several processes as one.
//! - `console`, `output`: what is printed, and the files that are written.
//! - [`exit`]: exit codes.
#![forbid(unsafe_code)]

mod cli;
mod commands;
mod console;
pub mod exit;
mod logging;
mod output;
mod processes;
mod scenario;
mod secure;
mod session;
mod source;

pub use cli::Cli;
use exit::{Exit, Failure};

/// Runs one command to its end.
///
/// # Errors
/// What went wrong, with its exit code. Bad input is found before a port is opened or a user
/// started.
pub fn run(cli: Cli) -> Result<Exit, Failure> {
    logging::start(cli.log_level);
    for note in &cli.notes {
        match note {
            cli::Note::Info(text) => tracing::info!("{text}"),
            cli::Note::Warning(text) => tracing::warn!("{text}"),
        }
    }
    match cli.command {
        cli::Command::Run(args) => commands::run::run(&args),
        cli::Command::Master(args) => commands::master::run(&args),
        cli::Command::Worker(args) => commands::worker::run(args),
        cli::Command::Certs(args) => commands::certs::run(&args),
        cli::Command::Check(args) => commands::check::run(&args),
        cli::Command::Target(args) => commands::target::run(&args),
    }
}

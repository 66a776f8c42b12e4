//! swarm: a WebAssembly-scripted, distributed HTTP load engine. This crate is the program; the
//! parts are in `crates/`, and `ARCHITECTURE.md` says how they fit.
//!
//! # Layout
//! - `cli`: flags as typed, then as checked.
//! - `commands`: one file for each subcommand.
//! - `scenario`: reading and compiling a scenario, or taking the embedded one. `script`: scenarios
//!   of scripts. `source`: files that have to be compiled first. `cache`: the folder of what has
//!   been compiled.
//! - `secure`: tokens and certificates, and who may come in.
//! - `session`: a master's life around its test: page, headless runs, the end.
//! - `signals`: being told to end.
//! - `processes`: several processes as one.
//! - `terminal`: standard output and standard error. `console`: what is printed there, `logging`:
//!   what is logged.
//! - `output`: the files that are written.
//! - [`exit`]: exit codes.
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod cache;
mod cli;
mod commands;
mod console;
pub mod exit;
mod logging;
mod output;
mod processes;
mod scenario;
mod script;
mod secure;
mod session;
mod signals;
mod source;
mod terminal;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use anyhow::anyhow;

use cli::{Cli, Command, Note};
use exit::{Exit, Failure};
use signals::Interrupts;
use terminal::Terminal;

/// The program: parse, run, say what went wrong and why, exit code. Bad input is found before a
/// port is opened or a user started.
#[must_use]
pub fn main() -> ExitCode {
    // Before there is a second thread.
    let offset = logging::local_offset();
    let cli = Cli::read();
    let terminal = match Terminal::start(cli.command.takes_stdout()) {
        Ok(terminal) => terminal,
        Err(error) => return without_threads(&error),
    };
    let is_one_process = matches!(cli.command, Command::Run(_));
    logging::start(cli.log_level, &terminal.log, offset, is_one_process);
    logging::log_panics(&terminal.log);
    for note in &cli.notes {
        match note {
            Note::Info(text) => tracing::info!("{text}"),
            Note::Warning(text) => tracing::warn!("{text}"),
        }
    }
    // It has been printed.
    let panicked = |_| Err(Failure::new(Exit::Internal, anyhow!("the main thread has panicked")));
    let ended = catch_unwind(AssertUnwindSafe(|| run(cli.command, &terminal)));
    let exit = ended.unwrap_or_else(panicked).unwrap_or_else(|failure| {
        terminal.log.print(format!("error: {failure}\n"));
        failure.exit
    });
    terminal.finish();
    exit.into()
}

/// Runs one command to its end.
fn run(command: Command, terminal: &Terminal) -> Result<Exit, Failure> {
    let interrupts = || Interrupts::watch(terminal);
    match command {
        Command::Run(args) => commands::run::run(&args, terminal, interrupts()?),
        Command::Master(args) => commands::master::run(&args, terminal, interrupts()?),
        Command::Worker(args) => commands::worker::run(args, interrupts()?),
        Command::Certs(args) => commands::certs::run(&args),
        Command::Check(args) => commands::check::run(&args, terminal),
        Command::Target(args) => commands::target::run(&args, terminal),
    }
}

#[expect(clippy::print_stderr, reason = "there is no other way, and nothing that could wait")]
fn without_threads(error: &std::io::Error) -> ExitCode {
    eprintln!("error: cannot start the threads that print\n  because: {error}");
    Exit::Internal.into()
}

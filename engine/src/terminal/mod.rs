//! Standard output and standard error. Printing never waits for a reader, and a reader that goes
//! away ends nothing.
//!
//! # Layout
//! - this file: the two streams, and which of them gets what.
//! - `printer`: the thread that writes a stream. `queue`: what waits for it.
//! - `screen`: live lines at the bottom of a terminal.

mod printer;
mod queue;
mod screen;

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use rustix::fs::fstat;

use printer::Printer;

/// At the end what has been printed is waited for as long as it is being read: so long may pass
/// without a byte.
const STALL_MAX: Duration = Duration::from_secs(2);

/// And so long in all.
const END_MAX: Duration = Duration::from_secs(20);

/// A stream to print to.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    printer: Printer,
    colours: bool,
}

impl Stream {
    /// Prints a text that has its line breaks. Never waits; what is not read in time is left out,
    /// and that is told.
    pub(crate) fn print(&self, text: impl Into<String>) {
        self.printer.print(text.into());
    }

    /// Shows lines below all text in place of those before. Only a terminal does.
    pub(crate) fn live(&self, lines: Vec<String>) {
        self.printer.live(lines);
    }

    /// Prints a part of a result: waits until the parts before have been read, for as long as
    /// somebody reads.
    pub(crate) fn print_result(&self, text: impl Into<String>) {
        self.printer.make_room(STALL_MAX, END_MAX);
        self.print(text);
    }

    /// Columns and rows of a terminal.
    pub(crate) fn size(&self) -> Option<(usize, usize)> {
        self.printer.size()
    }

    /// Does somebody look at it?
    pub(crate) fn is_terminal(&self) -> bool {
        self.printer.is_terminal()
    }

    /// Is it to have colours? Not in a pipe, and not with `NO_COLOR`.
    pub(crate) fn has_colours(&self) -> bool {
        self.colours
    }

    fn finish(&self, stall_max: Duration) -> bool {
        self.printer.live(Vec::new());
        self.printer.drain(stall_max, END_MAX)
    }
}

/// The streams of this process.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    /// For what a test has to tell: progress and tables. Standard output, or standard error where
    /// that is wanted for something else.
    pub(crate) report: Stream,
    /// Standard error, for log lines and errors.
    pub(crate) log: Stream,
}

impl Terminal {
    /// Starts the threads that write. With `stdout_is_taken` nothing is printed to standard output.
    ///
    /// # Errors
    /// When there are no threads, or no files for them.
    pub(crate) fn start(stdout_is_taken: bool) -> io::Result<Self> {
        let (out, err) = (io::stdout(), io::stderr());
        // Log lines about the log would have nowhere to go.
        let printer = Printer::start(duplicate(&err)?, "stderr", Box::new(|_| {}))?;
        let colours = AutoStream::choice(&err) != ColorChoice::Never;
        let log = Stream { printer, colours };
        if stdout_is_taken {
            return Ok(Self { report: log.clone(), log });
        }
        let colours = AutoStream::choice(&out) != ColorChoice::Never;
        if is_same(&out, &err) {
            // One thread, so that lines keep their order and live lines stay at the bottom.
            let report = Stream { colours, ..log.clone() };
            return Ok(Self { report, log });
        }
        let printer = Printer::start(duplicate(&out)?, "stdout", Box::new(tell))?;
        Ok(Self { report: Stream { printer, colours }, log })
    }

    /// Waits until all has been read, not for ever.
    pub(crate) fn finish(&self) {
        if !self.report.finish(STALL_MAX) {
            tracing::warn!("what is printed was not read in time: its end is missing there");
        }
        self.log.finish(STALL_MAX);
    }

    /// As [`Self::finish`], for the log alone, when there is no time.
    pub(crate) fn finish_log_within(&self, time: Duration) {
        self.log.finish(time);
    }
}

/// A file of our own, without the buffer and the lock of the standard library's.
fn duplicate(stream: &impl AsFd) -> io::Result<File> {
    Ok(File::from(stream.as_fd().try_clone_to_owned()?))
}

/// Do both lead to the same terminal, pipe or file?
fn is_same(one: &impl AsFd, other: &impl AsFd) -> bool {
    match (fstat(one), fstat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

fn tell(error: &io::Error) {
    if error.kind() == ErrorKind::BrokenPipe {
        tracing::info!("nobody reads standard output any more; everything else goes on");
    } else {
        tracing::warn!("standard output cannot be written; everything else goes on: {error}");
    }
}

//! How the program ends: one exit code for each cause.

use std::fmt;
use std::process::ExitCode;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Success,
    /// The test ran; requests failed or tasks ended with exceptions. The code is
    /// `--exit-code-on-error`.
    Failures(u8),
    /// The command line is wrong (also clap's own code).
    Usage,
    /// The scenario cannot be read, is not one, or its plan is not sound.
    Scenario,
    /// A setting is wrong or does not fit the scenario: a host, a tag.
    Settings,
    /// An address or port cannot be opened.
    Bind,
    /// The master cannot be reached, or was not there for too long.
    Unreachable,
    /// The master refused the worker, or the worker does not trust the master.
    Refused,
    /// Fewer workers than expected came.
    WorkersMissing,
    /// The test ran, but samples of a lost worker are missing in the result.
    SamplesMissing,
    /// A result file cannot be written.
    Output,
    /// The test ran, but nothing was answered or no user was started: it says nothing about the
    /// target.
    NothingAnswered,
    /// The state directory is in use, damaged, or of something else.
    State,
    /// Ended by a second interrupt, before the test had stopped.
    Interrupted,
    /// One of several processes that run as one ended with this code, the highest of all.
    Part(u8),
    /// A fault of this program or of the machine.
    Internal,
}

impl Exit {
    /// The code.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failures(code) | Self::Part(code) => code,
            Self::Usage => 2,
            Self::Scenario => 3,
            Self::Settings => 4,
            Self::Bind => 5,
            Self::Unreachable => 6,
            Self::Refused => 7,
            Self::WorkersMissing => 8,
            Self::SamplesMissing => 9,
            Self::Output => 10,
            Self::NothingAnswered => 11,
            Self::State => 12,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Why the program ended, with its exit code.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    cause: anyhow::Error,
}

impl Failure {
    /// Wraps a cause.
    pub fn new(exit: Exit, cause: impl Into<anyhow::Error>) -> Self {
        Self { exit, cause: cause.into() }
    }
}

impl fmt::Display for Failure {
    /// The cause and its causes, a line each; one that its parent has quoted is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.cause.to_string();
        write!(f, "{said}")?;
        for cause in self.cause.chain().skip(1) {
            let text = cause.to_string();
            if !said.ends_with(&text) {
                write!(f, "\n  because: {text}")?;
            }
            said = text;
        }
        Ok(())
    }
}

/// Gives an error its exit code and says what was being done.
pub trait OrExit<T> {
    /// As [`anyhow::Context::with_context`], with an exit code.
    fn or_exit(self, exit: Exit, doing: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit, doing: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error.into().context(doing())))
    }
}

//! How the program ends: one exit code for each cause.

use std::fmt;
use std::io;
use std::process::ExitCode;

use rustix::io::Errno;

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
    /// A result cannot be written; all others have been.
    Output,
    /// The test ran, but nothing was answered or no user was started: it says nothing about the
    /// target.
    NothingAnswered,
    /// The state directory is in use, damaged, or of something else.
    State,
    /// Ended by a second interrupt, before the test had stopped; or by the first one, before there
    /// could be a test.
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
        let remedy = self.cause.chain().find_map(|cause| remedy(cause.downcast_ref()?));
        if let Some(remedy) = remedy {
            write!(f, "\n  remedy: {remedy}")?;
        }
        Ok(())
    }
}

/// What helps when the system has given all that this process may have.
fn remedy(error: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        // Of a thread or a process: nothing else that ends this program says so.
        Errno::AGAIN => Some(
            "raise the limit of processes and threads: `ulimit -u`, or pids.max of the container",
        ),
        Errno::MFILE => Some("raise the limit of open files: `ulimit -n`"),
        Errno::NFILE => Some("raise the limit of open files of the machine: `sysctl fs.file-max`"),
        Errno::NOMEM => {
            Some("raise the limit of memory: `ulimit -v unlimited`, or the container's")
        }
        _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_has_run_out_of_has_a_remedy() {
        for (errno, part) in
            [(Errno::AGAIN, "`ulimit -u`"), (Errno::MFILE, "`ulimit -n`"), (Errno::NOMEM, "-v")]
        {
            let failed: Result<(), io::Error> = Err(errno.into());
            let failure = failed.or_exit(Exit::Internal, || "start a thread".to_owned());
            let text = failure.unwrap_err().to_string();
            assert!(text.contains("remedy: ") && text.contains(part), "{text}");
        }
        let failed: Result<(), io::Error> = Err(Errno::ACCESS.into());
        let failure = failed.or_exit(Exit::Output, || "write".to_owned()).unwrap_err();
        assert!(!failure.to_string().contains("remedy"), "{failure}");
    }

    const README: &str = include_str!("../../README.md");

    /// What the README's table says of an exit code. One that is missing here does not compile.
    fn meaning(exit: Exit) -> Option<&'static str> {
        Some(match exit {
            Exit::Success => "all went well",
            Exit::Failures(_) => {
                "requests failed or tasks ended with exceptions (`--exit-code-on-error`)"
            }
            Exit::Usage => "wrong command line",
            Exit::Scenario => "the scenario cannot be read, is none, or its plan is not sound",
            Exit::Settings => "a setting is wrong or does not fit the scenario",
            Exit::Bind => "an address or port cannot be opened",
            Exit::Unreachable => "the master cannot be reached (`--master-max-wait`)",
            Exit::Refused => {
                "master and worker do not accept each other: token, certificate, protocol, id"
            }
            Exit::WorkersMissing => {
                "fewer workers than expected came (`--expect-workers-max-wait`)"
            }
            Exit::SamplesMissing => {
                "samples are missing: a worker was lost, or could not hand over its last samples"
            }
            Exit::Output => {
                "a result cannot be written; those of other files are, and all of it is printed"
            }
            Exit::NothingAnswered => {
                "nothing was answered, or no user was started: the test says nothing about the \
                 target"
            }
            Exit::State => {
                "the state directory is in use, damaged, or of something else (`--state-dir`)"
            }
            // The worst of its parts, which are in the table.
            Exit::Part(_) => return None,
            Exit::Internal => "a fault of swarm or of the machine",
            Exit::Interrupted => {
                "interrupted twice, before the test had stopped, or before the scenario was \
                 compiled"
            }
        })
    }

    const ALL: [Exit; 15] = [
        Exit::Success,
        Exit::Failures(1),
        Exit::Usage,
        Exit::Scenario,
        Exit::Settings,
        Exit::Bind,
        Exit::Unreachable,
        Exit::Refused,
        Exit::WorkersMissing,
        Exit::SamplesMissing,
        Exit::Output,
        Exit::NothingAnswered,
        Exit::State,
        Exit::Internal,
        Exit::Interrupted,
    ];

    #[test]
    fn the_readme_lists_every_exit_code() {
        let table = README.split("| exit code | why |\n| --- | --- |\n").nth(1);
        let table = table.and_then(|rest| rest.split("\n\n").next()).expect("the table is there");
        let listed: Vec<_> = table.lines().collect();
        let wanted = ALL.map(|exit| {
            let meaning = meaning(exit).expect("it is not a part's");
            format!("| {} | {meaning} |", exit.code())
        });
        assert_eq!(listed, wanted);
    }
}

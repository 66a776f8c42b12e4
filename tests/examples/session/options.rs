//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::report::Report;
use crate::{classic, joins, kill, languages, many, million, single};

pub(crate) const HELP: &str = "\
Usage: cargo xtask session [PART...] [OPTIONS]

Parts, all of them by default:
  classic    ten workers, the page in Chromium, memory, CPU, bytes of the module
  joins      seven workers join three in the middle of a test
  kill       one of ten workers is killed
  single     the same load from one process, with a scenario and with the embedded one
  languages  size, start, memory a user and CPU a request of the same scenario in each language
  many       ten times the users, that rest most of the time, with default limits
  dense      the same of users that share an instance, each with its connection
  million    a hundred times the users in one process, with shared connections

Options:
  --users N          users of the whole test, a multiple of 100 [default: 10000]
  --plateau SECONDS  how long a constant load is measured [default: 60]
  --shots FOLDER     where pictures of the page go [default: target/session]
";

/// Users of the whole test, unless told otherwise.
const USERS: u32 = 10_000;
/// Users are shared evenly by ten workers, and `languages` takes a twentieth or less.
const USERS_STEP: u32 = 100;
/// Length of the constant load, unless told otherwise.
const PLATEAU: Duration = Duration::from_secs(60);
/// A shorter one would not tell 3 % apart.
const PLATEAU_S_MIN: u64 = 5;

/// What to do.
#[derive(Debug)]
pub(crate) struct Options {
    /// In this order.
    pub(crate) parts: Vec<Part>,
    /// Users of the whole test.
    pub(crate) users: u32,
    /// Length of a measured constant load.
    pub(crate) plateau: Duration,
    /// Folder for pictures of the page.
    pub(crate) shots: PathBuf,
}

/// A part of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Classic,
    Joins,
    Kill,
    Single,
    Languages,
    Many,
    Dense,
    Million,
}

impl Part {
    const ALL: [Self; 8] = [
        Self::Classic,
        Self::Joins,
        Self::Kill,
        Self::Single,
        Self::Languages,
        Self::Many,
        Self::Dense,
        Self::Million,
    ];

    /// As typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Joins => "joins",
            Self::Kill => "kill",
            Self::Single => "single",
            Self::Languages => "languages",
            Self::Many => "many",
            Self::Dense => "dense",
            Self::Million => "million",
        }
    }

    pub(crate) fn run(self, options: &Options, report: &mut Report) {
        match self {
            Self::Classic => classic::run(options, report),
            Self::Joins => joins::run(options, report),
            Self::Kill => kill::run(options, report),
            Self::Single => single::run(options, report),
            Self::Languages => languages::run(options, report),
            Self::Many => many::run(&many::ISOLATED, options, report),
            Self::Dense => many::run(&many::DENSE, options, report),
            Self::Million => million::run(options, report),
        }
    }
}

impl Options {
    /// From the words after the command.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let root = root.expect("the package is in a folder of the repository");
        let shots = root.join("target").join("session");
        let mut options = Self { parts: Vec::new(), users: USERS, plateau: PLATEAU, shots };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--users" => options.users = users(value()?)?,
                "--plateau" => options.plateau = plateau(value()?)?,
                "--shots" => options.shots = PathBuf::from(value()?),
                name => {
                    let part = Part::ALL.into_iter().find(|part| part.name() == name);
                    options.parts.push(part.ok_or_else(|| format!("there is no part `{name}`"))?);
                }
            }
        }
        if options.parts.is_empty() {
            options.parts = Part::ALL.to_vec();
        }
        options.shots = std::path::absolute(&options.shots).map_err(|error| error.to_string())?;
        Ok(options)
    }
}

fn users(text: &str) -> Result<u32, String> {
    let users = text.parse().ok().filter(|users| *users > 0 && users % USERS_STEP == 0);
    users.ok_or_else(|| format!("--users takes a multiple of {USERS_STEP}, not `{text}`"))
}

fn plateau(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds >= PLATEAU_S_MIN);
    let wrong = || format!("--plateau takes seconds, at least {PLATEAU_S_MIN}, not `{text}`");
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

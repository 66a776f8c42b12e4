//! What the environment says: a variable for each flag, Locust's where they mean the same, and
//! those that mean nothing.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};
use swarm_core::limits::shown;

use super::parse::Note;

/// Ours, and Locust's.
const PREFIX: &str = "SWARM_";
const LOCUST_PREFIX: &str = "LOCUST_";

/// Variables without a flag: a folder, and secrets.
const WITHOUT_FLAG: [&str; 3] = ["SWARM_CACHE_DIR", "SWARM_TOKEN", "SWARM_WEB_TOKEN"];

/// Variables of the tools that build and test swarm.
const OF_TOOLS: [&str; 9] = [
    "SWARM_BIN",
    "SWARM_BLESS",
    "SWARM_COMMIT",
    "SWARM_FAULTS_WITHIN",
    "SWARM_FUZZ_SEEDS",
    "SWARM_LOCUST",
    "SWARM_RECORD",
    "SWARM_SHOTS",
    "SWARM_WRITE_BINDINGS",
];

/// Variables of one `NAME=VALUE` a line, which flags replace by their names: the arguments of the
/// scenario, and its environment.
const LINES: [&str; 2] = ["SWARM_ARGS", "SWARM_ENV"];

/// Locust's variables that mean the same as ours, without their prefixes. A variable of ours that
/// no flag of the command reads has no counterpart.
const LOCUSTS: [(&str, &str); 24] = [
    ("AUTOSTART", "AUTOSTART"),
    ("CSV", "CSV"),
    ("CSV_FULL_HISTORY", "CSV_FULL_HISTORY"),
    ("EXCLUDE_TAGS", "EXCLUDE_TAGS"),
    ("EXIT_CODE_ON_ERROR", "EXIT_CODE_ON_ERROR"),
    ("EXPECT_WORKERS", "EXPECT_WORKERS"),
    ("EXPECT_WORKERS_MAX_WAIT", "EXPECT_WORKERS_MAX_WAIT"),
    ("HEADLESS", "HEADLESS"),
    ("HOST", "HOST"),
    ("LOGLEVEL", "LOGLEVEL"),
    ("MASTER_BIND_HOST", "MASTER_BIND_HOST"),
    ("MASTER_BIND_PORT", "MASTER_BIND_PORT"),
    ("MASTER_NODE_HOST", "MASTER_HOST"),
    ("MASTER_NODE_PORT", "MASTER_PORT"),
    ("ONLY_SUMMARY", "ONLY_SUMMARY"),
    ("PROCESSES", "PROCESSES"),
    ("RUN_TIME", "RUN_TIME"),
    ("SPAWN_RATE", "SPAWN_RATE"),
    ("STOP_TIMEOUT", "STOP_TIMEOUT"),
    ("TAGS", "TAGS"),
    ("USERS", "USERS"),
    ("WEB_BASE_PATH", "WEB_BASE_PATH"),
    ("WEB_HOST", "WEB_HOST"),
    ("WEB_PORT", "WEB_PORT"),
];

/// Names that are less alike than this are not suggested; 1 is equal.
const LIKENESS_MIN: f64 = 0.8;

/// Variables that concern us. An empty one is as if it were not there.
#[derive(Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, OsString>);

/// The words that variables stand for.
#[derive(Debug, Default)]
pub(super) struct Injected {
    /// Where they belong among the words of the command line.
    pub(super) place: usize,
    pub(super) words: Vec<OsString>,
    /// By flag or argument: the variable.
    pub(super) from: Vec<(String, String)>,
    /// Variables of Locust's that the command cannot use.
    pub(super) not_understood: Vec<String>,
}

impl Injected {
    /// The variable that a flag's value is from.
    pub(super) fn variable_of(&self, flag: &str) -> Option<&str> {
        let found = self.from.iter().find(|(known, _)| known == flag);
        found.map(|(_, variable)| variable.as_str())
    }

    /// Does the value of a flag look as if Kubernetes had set it?
    pub(super) fn is_service(&self, flag: &str) -> bool {
        let prefix = format!("{flag}=tcp://");
        self.words.iter().any(|word| word.to_string_lossy().starts_with(&prefix))
    }

    /// Says which of Locust's variables have been read, and which cannot be.
    pub(super) fn note(&self) -> Option<Note> {
        let variables = self.from.iter().map(|(_, variable)| variable.as_str());
        let mut read: Vec<_> = variables.filter(|name| name.starts_with(LOCUST_PREFIX)).collect();
        read.sort_unstable();
        let order = "flags and SWARM_... variables come first";
        let read = (!read.is_empty())
            .then(|| format!("read from the environment: {} ({order})", read.join(", ")));
        let rest = (!self.not_understood.is_empty())
            .then(|| format!("not understood: {}", self.not_understood.join(", ")));
        match (read, rest) {
            (None, None) => None,
            (Some(read), None) => Some(Note::Info(read)),
            (read, Some(rest)) => {
                let texts: Vec<_> = read.into_iter().chain([rest]).collect();
                Some(Note::Warning(texts.join("; ")))
            }
        }
    }
}

impl Environment {
    /// That of this process.
    pub(crate) fn of_process() -> Self {
        Self::of(std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            Some((name, value))
        }))
    }

    /// One with these variables.
    pub(super) fn of(variables: impl IntoIterator<Item = (String, OsString)>) -> Self {
        let ours = |name: &str| name.starts_with(PREFIX) || name.starts_with(LOCUST_PREFIX);
        let variables = variables.into_iter();
        Self(variables.filter(|(name, value)| ours(name) && !value.is_empty()).collect())
    }

    /// The words that the variables stand for among those of a subcommand. `given` says which of
    /// its arguments the command line has, by id, and `names` which names the values of an
    /// argument.
    pub(super) fn stand_for(
        &self,
        subcommand: &Command,
        given: &dyn Fn(&str) -> bool,
        names: &dyn Fn(&str) -> Vec<String>,
    ) -> Result<Injected, String> {
        let variable = |arg: &Arg| arg.get_env().and_then(OsStr::to_str).map(ToOwned::to_owned);
        let known = subcommand.get_arguments().filter_map(|arg| Some((arg, variable(arg)?)));
        let known: Vec<_> = known.collect();
        let mut injected = Injected::default();
        if known.iter().any(|(_, name)| name == "SWARM_HOST" || name == "SWARM_MASTER_HOST") {
            injected.not_understood = self.foreign();
        }
        let mut set: Vec<&str> = Vec::new();
        for locusts in [false, true] {
            for (arg, name) in &known {
                let id = arg.get_id().as_str();
                let taken = !LINES.contains(&name.as_str()) && given(id) || set.contains(&id);
                let loses = subcommand.get_arguments().any(|other| {
                    let id = other.get_id().as_str();
                    (given(id) || locusts && set.contains(&id))
                        && contradict(subcommand, arg, other)
                });
                if taken || loses {
                    continue;
                }
                let found = if locusts { self.of_locust(name) } else { self.of_swarm(name) };
                let Some((name, value)) = found else { continue };
                let words = words(arg, &name, &value, names)?;
                if !words.is_empty() {
                    injected.words.extend(words);
                    injected.from.push((flag(arg), name));
                    set.push(id);
                }
            }
        }
        Ok(injected)
    }

    fn of_swarm(&self, name: &str) -> Option<(String, OsString)> {
        self.0.get(name).map(|value| (name.to_owned(), value.clone()))
    }

    /// The variable of Locust's that means what `name` means.
    fn of_locust(&self, name: &str) -> Option<(String, OsString)> {
        let (locusts, _) = LOCUSTS.iter().find(|(_, ours)| is(name, ours))?;
        let variable = format!("{LOCUST_PREFIX}{locusts}");
        let value = self.0.get(&variable)?.clone();
        let value = if locusts.ends_with("TAGS") { tags(&value) } else { value };
        Some((variable, value))
    }

    /// Variables of Locust's without a counterpart.
    fn foreign(&self) -> Vec<String> {
        let bare = self.0.keys().filter_map(|name| Some((name, name.strip_prefix(LOCUST_PREFIX)?)));
        let foreign = bare.filter(|(_, bare)| LOCUSTS.iter().all(|(locusts, _)| locusts != bare));
        foreign.map(|(name, _)| name.clone()).collect()
    }

    /// Variables of ours that nothing reads, each a sentence for the operator.
    pub(super) fn unknown(&self, described: &Command) -> Vec<String> {
        let arguments = described.get_subcommands().flat_map(Command::get_arguments);
        let flags = arguments.filter_map(Arg::get_env).filter_map(OsStr::to_str);
        let known: Vec<&str> = flags.chain(WITHOUT_FLAG).collect();
        let read = |name: &str| known.contains(&name) || OF_TOOLS.contains(&name);
        let unknown = self.0.iter().filter(|(name, value)| {
            name.starts_with(PREFIX) && !read(name) && !is_of_kubernetes(name, value)
        });
        let told = unknown.map(|(name, _)| {
            let bare = |name: &str| name[PREFIX.len()..].to_owned();
            let bare_name = bare(name).to_uppercase();
            let likeness = |known: &str| strsim::jaro_winkler(&bare_name, &bare(known));
            let like = known.iter().map(|known| (likeness(known), *known));
            match like.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
                Some((likeness, known)) if likeness >= LIKENESS_MIN => {
                    format!("{name} is set, and nothing reads it: is {known} meant?")
                }
                _ => format!("{name} is set, and nothing reads it"),
            }
        });
        told.collect()
    }
}

/// Must not both be given?
fn contradict(command: &Command, one: &Arg, other: &Arg) -> bool {
    let excludes = |one: &Arg, other: &Arg| {
        let excluded = command.get_arg_conflicts_with(one);
        excluded.iter().any(|arg| arg.get_id() == other.get_id())
    };
    excludes(one, other) || excludes(other, one)
}

/// Is this our variable of that name?
fn is(variable: &str, name: &str) -> bool {
    variable.strip_prefix(PREFIX) == Some(name)
}

/// Kubernetes sets variables for each service of the namespace; one may be called `swarm-master`.
fn is_of_kubernetes(name: &str, value: &OsStr) -> bool {
    let of_port = |rest: &str| rest.starts_with(|char: char| char.is_ascii_digit());
    name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.rsplit_once("_PORT_").is_some_and(|(_, rest)| of_port(rest))
        || name.ends_with("_PORT") && value.to_string_lossy().contains("://")
}

/// The flag, or the argument, as `clap` names it in errors.
fn flag(arg: &Arg) -> String {
    arg.get_long().map_or_else(|| arg.to_string(), |long| format!("--{long}"))
}

/// What a variable stands for.
fn words(
    arg: &Arg,
    variable: &str,
    value: &OsStr,
    names: &dyn Fn(&str) -> Vec<String>,
) -> Result<Vec<OsString>, String> {
    let flag = flag(arg);
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return Ok(if truth(variable, value)? { vec![flag.into()] } else { Vec::new() });
    }
    let is_path = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    if value.to_str().is_none() && !is_path {
        return Err(format!("{variable} is not UTF-8: {}", shown(&value.to_string_lossy())));
    }
    let word = |value: &OsStr| {
        let mut word = OsString::from(&flag);
        word.push("=");
        word.push(value);
        word
    };
    if LINES.contains(&variable) {
        let text = value.to_string_lossy();
        let taken = names(arg.get_id().as_str());
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let name = |line: &str| line.split('=').next().map(ToOwned::to_owned);
        let free = lines.filter(|line| name(line).is_none_or(|name| !taken.contains(&name)));
        return Ok(free.map(|line| word(OsStr::new(line))).collect());
    }
    let is_flag = arg.get_long().is_some();
    Ok(vec![if is_flag { word(value) } else { value.to_owned() }])
}

/// What a variable says of a flag that is there or not.
fn truth(variable: &str, value: &OsStr) -> Result<bool, String> {
    let text = value.to_string_lossy();
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "yes" | "on" | "true" => Ok(true),
        "0" | "no" | "off" | "false" => Ok(false),
        _ => Err(format!(
            "{variable} is `{text}`, which is neither yes nor no: write 1, yes, on or true, or 0, \
             no, off or false"
        )),
    }
}

/// Locust's lists of tags: `a`, `a b`, or `[a, b]`.
fn tags(value: &OsStr) -> OsString {
    let text = value.to_string_lossy();
    let separates = |char: char| char == ',' || char.is_whitespace();
    let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
    let tags = inner.split(separates).map(|tag| tag.trim_matches(['"', '\'']));
    tags.filter(|tag| !tag.is_empty()).collect::<Vec<_>>().join(",").into()
}

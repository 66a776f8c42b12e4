//! What to do instead, for flags that other tools have, and for words in the wrong place.

use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};

use super::environment::Injected;

/// Flags of Locust, k6 and others that swarm has under another name or not at all.
const FOREIGN: [(&[&str], &str); 26] = [
    (
        &["-f", "--locustfile"],
        "a scenario needs no flag: `swarm run locustfile.py`, `swarm run SCENARIO.wasm`",
    ),
    (
        &["--html", "--html-file"],
        "there is no HTML report: --json-file FILE and --csv PREFIX write the result, and the web \
         page shows it",
    ),
    (
        &["--config"],
        "there are no configuration files: each flag is also an environment variable, such as \
         SWARM_USERS for --users",
    ),
    (&["--json", "--summary-export", "--out", "-o"], "--json-file FILE writes the result as JSON"),
    (&["--master"], "`swarm master SCENARIO.wasm` coordinates workers"),
    (&["--worker", "--slave"], "`swarm worker --master-host HOST` runs users for a master"),
    (&["--clients", "-c", "--vus", "--concurrency"], "--users N says how many users there are"),
    (&["--hatch-rate"], "--spawn-rate N says how many users start in a second"),
    (&["--no-web", "--no-ui"], "--headless runs without the web page"),
    (&["--duration", "-d"], "--run-time TIME says how long a test lasts"),
    (
        &["--iterations", "-i", "-n", "--num-requests"],
        "a test ends after --run-time, or when all its users have finished by themselves",
    ),
    (
        &["--stage", "--stages", "--step-load", "--step-users", "--step-time"],
        "there are no stages: --users and --spawn-rate are the load, and it can be changed on the \
         web page while the test runs",
    ),
    (
        &["--rps", "--rate", "-q"],
        "there is no rate of requests: it follows from --users, their rests and the target's \
         answers",
    ),
    (&["--insecure-skip-tls-verify", "-k"], "--insecure accepts any certificate of the target"),
    (&["--local-ips"], "--source-address ADDRESS,... says where users connect from"),
    (&["--timeout"], "--request-timeout TIME is the time limit of a request"),
    (&["--logfile"], "log lines go to standard error: redirect it, as by `2> FILE`"),
    (&["--skip-log-setup", "--skip-log", "--quiet"], "--loglevel off prints no log lines"),
    (
        &["--list", "-l", "--show-task-ratio", "--show-task-ratio-json"],
        "`swarm check SCENARIO.wasm` prints classes, tasks and ratios, with --json as JSON",
    ),
    (
        &["--reset-stats"],
        "the statistics begin with the test; the web page and /stats/reset can reset them",
    ),
    (
        &["--class-picker", "--config-users", "--equal-weights"],
        "classes and their weights are those of the scenario; --tags selects tasks",
    ),
    (
        &["--autoquit"],
        "with --headless the program ends with the test; with the page it ends by Ctrl-C",
    ),
    (&["--web-login"], "--web-token-file FILE demands a login of the web page"),
    (
        &["--enable-rebalancing"],
        "users move to even out the workers unless --no-rebalance is given",
    ),
    (&["--profile", "--otel"], "there is nothing that stands for it"),
    (&["--tag"], "--tags TAG,... runs only tasks with one of these tags"),
];

/// Adds to an error what its reader needs to mend it.
pub(super) fn explain(mut error: Error, described: &Command, injected: &Injected) -> Error {
    let named = names(&error);
    let mut tips: Vec<String> = Vec::new();
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let word = named.first().map_or("", String::as_str);
            let advice =
                foreign(word).map(ToOwned::to_owned).or_else(|| elsewhere(word, described));
            if advice.is_some() {
                error.remove(ContextKind::SuggestedArg);
            }
            // That one could be a value is not what anybody wants to know.
            error.remove(ContextKind::Suggested);
            tips.extend(advice);
        }
        ErrorKind::InvalidSubcommand => {
            if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) {
                tips.extend(scenario(word));
            }
        }
        ErrorKind::MissingRequiredArgument => {
            if named.iter().any(|name| name == "<SCENARIO>") {
                tips.push(
                    "give a file, such as target/scenarios/website.wasm; `swarm run` has a \
                     scenario of its own"
                        .to_owned(),
                );
            }
            // What needs them may be one of these.
            let from = injected.from.iter().map(|(flag, variable)| format!("{flag} by {variable}"));
            let from: Vec<_> = from.collect();
            if !from.is_empty() {
                tips.push(format!("the environment gives {}", from.join(", ")));
            }
        }
        _ => {}
    }
    for name in &named {
        let flag = name.split([' ', '=']).next().unwrap_or_default();
        if let Some(variable) = injected.variable_of(flag) {
            tips.push(format!("the value of {flag} is that of {variable} in the environment"));
            if injected.is_service(flag) {
                tips.push(format!(
                    "Kubernetes sets {variable} for a service of that name: give {flag}, or set \
                     enableServiceLinks to false"
                ));
            }
        }
    }
    if !tips.is_empty() {
        let tips = tips.into_iter().map(Into::into).collect();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    error
}

/// The arguments that an error is about.
fn names(error: &Error) -> Vec<String> {
    let kinds = [ContextKind::InvalidArg, ContextKind::PriorArg];
    let values = kinds.into_iter().filter_map(|kind| error.get(kind));
    let texts = values.flat_map(|value| match value {
        ContextValue::String(text) => vec![text.clone()],
        ContextValue::Strings(texts) => texts.clone(),
        _ => Vec::new(),
    });
    texts.collect()
}

fn foreign(word: &str) -> Option<&'static str> {
    let flag = word.split('=').next().unwrap_or_default();
    let found = FOREIGN.iter().find(|(flags, _)| flags.contains(&flag));
    found.map(|(_, advice)| *advice)
}

/// Says which other commands have the flag.
fn elsewhere(word: &str, described: &Command) -> Option<String> {
    let flag = word.split('=').next().unwrap_or_default();
    let has = |arg: &Arg| {
        let short = arg.get_short().map(|short| format!("-{short}"));
        let long = arg.get_long().map(|long| format!("--{long}"));
        !arg.is_hide_set() && (short.as_deref() == Some(flag) || long.as_deref() == Some(flag))
    };
    let commands = described.get_subcommands().filter(|command| command.get_arguments().any(has));
    let names: Vec<_> = commands.map(|command| format!("`swarm {}`", command.get_name())).collect();
    (!names.is_empty()).then(|| format!("{flag} is a flag of {}", names.join(" and ")))
}

/// A scenario in the place of a command.
fn scenario(word: &str) -> Option<String> {
    let path = Path::new(word);
    let is_source = path.extension().is_some_and(|extension| {
        ["wasm", "wat", "py", "js", "ts"].iter().any(|known| extension == *known)
    });
    (is_source || path.is_file()).then(|| format!("`swarm run {word}` runs a scenario"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Cli;
    use super::*;

    #[test]
    fn no_flag_of_ours_is_said_not_to_be_there() {
        let mut described = Cli::command();
        described.build();
        // Those that mean something else here, where they are not.
        let others = ["--json", "--out", "--master", "--worker", "--config", "--rate"];
        for flag in FOREIGN.iter().flat_map(|(flags, _)| *flags) {
            let ours = elsewhere(flag, &described);
            assert!(ours.is_none() || others.contains(flag), "{flag}: {ours:?}");
        }
    }
}

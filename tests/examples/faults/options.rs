//! The command line.

use std::path::{Path, PathBuf};

use crate::cluster::{Tool, WORKERS};
use crate::fault::Fault;

pub(crate) const HELP: &str = "\
Usage: cargo xtask faults [OPTIONS]

What faults do to a master, a target and eight workers in network namespaces of their own. Needs
root. All faults take about 12 minutes for each tool.

Options:
  --only NAME,...       these faults: kill, leave, freeze, cable-10, cable-90, cables, to-master,
                        from-master, slow, restart, random; engine/FAULTS.md says what each is
  --tools NAME,...      swarm, locust, locust-rebalancing [default: swarm,locust]
  --users N             users of the whole test, a multiple of 8 [default: 8000]
  --locust-users N      the same for Locust [default: as --users]
  --seed N              of the faults that come at random [default: by the clock]
  --write               put the rows into engine/FAULTS.md; others there stay
";

/// Users of the whole test, unless told otherwise.
const USERS: u32 = 8_000;
/// Where Locust is, unless `SWARM_LOCUST` says otherwise.
const LOCUST: &str = "target/tools/python/bin/locust";

/// What to do.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) faults: Vec<Fault>,
    pub(crate) tools: Vec<Tool>,
    users: u32,
    locust_users: Option<u32>,
    pub(crate) seed: u64,
    pub(crate) write: bool,
    /// The repository.
    pub(crate) root: PathBuf,
    /// Locust's program.
    pub(crate) locust: PathBuf,
}

impl Options {
    /// From the words after the command.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let root = root.expect("the package is in a folder of the repository").to_owned();
        let mut options = Self {
            faults: Fault::ALL.to_vec(),
            tools: vec![Tool::Swarm, Tool::Locust],
            users: USERS,
            locust_users: None,
            seed: by_the_clock(),
            write: false,
            locust: std::env::var_os("SWARM_LOCUST")
                .map_or_else(|| root.join(LOCUST), PathBuf::from),
            root,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--only" => options.faults = named(value()?, &Fault::ALL, Fault::name, "fault")?,
                "--tools" => options.tools = named(value()?, &Tool::ALL, Tool::name, "tool")?,
                "--users" => options.users = users(argument, value()?)?,
                "--locust-users" => options.locust_users = Some(users(argument, value()?)?),
                "--seed" => options.seed = seed(value()?)?,
                "--write" => options.write = true,
                other => return Err(format!("there is no option `{other}`")),
            }
        }
        if options.tools.iter().any(|tool| *tool != Tool::Swarm) && !options.locust.is_file() {
            return Err(format!(
                "there is no {}: `cargo xtask faults` installs it, or set SWARM_LOCUST",
                options.locust.display()
            ));
        }
        Ok(options)
    }

    /// Users of the whole test.
    pub(crate) fn users(&self, tool: Tool) -> u32 {
        match tool {
            Tool::Swarm => self.users,
            Tool::Locust | Tool::LocustRebalancing => self.locust_users.unwrap_or(self.users),
        }
    }
}

/// Those of `all` that a list names, in the order of `all`.
fn named<T: Copy>(
    list: &str,
    all: &[T],
    name: fn(T) -> &'static str,
    what: &str,
) -> Result<Vec<T>, String> {
    let words: Vec<&str> = list.split(',').map(str::trim).collect();
    if let Some(unknown) = words.iter().find(|word| !all.iter().any(|one| name(*one) == **word)) {
        let known: Vec<_> = all.iter().map(|one| name(*one)).collect();
        return Err(format!("there is no {what} `{unknown}`; there are {}", known.join(", ")));
    }
    Ok(all.iter().copied().filter(|one| words.contains(&name(*one))).collect())
}

fn users(option: &str, text: &str) -> Result<u32, String> {
    let step = u32::try_from(WORKERS).expect("there are few workers");
    let users = text.parse().ok().filter(|users| *users > 0 && users % step == 0);
    users.ok_or_else(|| format!("{option} takes a multiple of {step}, not `{text}`"))
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("--seed takes a whole number, not `{text}`"))
}

fn by_the_clock() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(1, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, String> {
        Options::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn lists_are_taken_in_the_order_of_the_table() {
        let options = parse(&["--tools", "swarm", "--only", "freeze,kill"]).unwrap();
        assert_eq!(options.faults, [Fault::Kill, Fault::Freeze]);
        assert_eq!(options.users(Tool::Swarm), USERS);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (words, part) in [
            (["--only", "fire"], "`fire`; there are kill, leave"),
            (["--tools", "k6"], "`k6`; there are swarm, locust"),
            (["--users", "9"], "multiple of 8"),
            (["--seed", "x"], "whole number"),
            (["--fast", "x"], "`--fast`"),
        ] {
            let error = parse(&words).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}

//! The command line of the benchmark.

use super::tool::{self, Tool};
use anyhow::{Context, Result, bail};
use std::time::Duration;

/// What `--help` prints.
pub(super) const HELP: &str = "\
Usage: cargo xtask bench [PART...] [OPTIONS]

Parts (many, one and tls unless named):
  many          all tools with 64 connections
  one           all tools with one connection
  tls           those that are quick enough to tell, with 64 connections over TLS
  threads       two load threads beside one
  density       10,000 users that rest 1 to 5 s: memory, processor time, lateness
  spawn         what starting a user costs
  start         from the process' start to its first request
  soak          full speed with 200 names: does anything grow?
  instructions  micro-benchmarks by instruction count

Options:
  --tools LIST  only these, with commas: wrk, wrk+lua, oha, vegeta, goose, locust-http,
                locust-fast, swarm, swarm-wat, swarm-dense, swarm-http, swarm-fast (the
                last two are the scripts of Locust). Nothing is written then
  --seconds S   the measured time of each run (8)
  --rounds N    rounds, of which the median counts (5)
  --users N     users of density and spawn (10000)
  --minutes M   length of soak (15)
  --built       take swarm and the scenarios as they are built
  --print       write nothing: engine/BENCHMARKS.md stays as it is

`cargo xtask bench many --tools wrk,swarm --seconds 5` says within a minute where swarm stands.
";

const SECONDS: u64 = 8;
const SECONDS_MAX: u64 = 600;
const ROUNDS: u64 = 5;
const ROUNDS_MAX: u64 = 100;
const USERS: u64 = 10_000;
const USERS_MAX: u64 = 19_000;
const MINUTES: u64 = 15;
const MINUTES_MAX: u64 = 24 * 60;

/// A thing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Many,
    One,
    Tls,
    Threads,
    Density,
    Spawn,
    Start,
    Soak,
    Instructions,
}

impl Part {
    const ALL: [(&str, Self); 9] = [
        ("many", Self::Many),
        ("one", Self::One),
        ("tls", Self::Tls),
        ("threads", Self::Threads),
        ("density", Self::Density),
        ("spawn", Self::Spawn),
        ("start", Self::Start),
        ("soak", Self::Soak),
        ("instructions", Self::Instructions),
    ];
}

/// What is wanted.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) parts: Vec<Part>,
    /// None is all.
    pub(super) tools: Option<Vec<Tool>>,
    pub(super) window: Duration,
    pub(super) rounds: u64,
    pub(super) users: u64,
    pub(super) soak: Duration,
    /// Is everything built anew that has changed?
    pub(super) build: bool,
    /// Do the figures go into the document?
    pub(super) write: bool,
}

impl Options {
    /// Reads the arguments.
    pub(super) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            parts: Vec::new(),
            tools: None,
            window: Duration::from_secs(SECONDS),
            rounds: ROUNDS,
            users: USERS,
            soak: Duration::from_secs(MINUTES * 60),
            build: true,
            write: true,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().with_context(|| format!("`{argument}` needs a value after it"));
            match argument.as_str() {
                "--tools" => {
                    options.tools = Some(tools(value()?)?);
                    options.write = false;
                }
                "--seconds" => {
                    options.window = Duration::from_secs(number(argument, value()?, SECONDS_MAX)?);
                }
                "--rounds" => options.rounds = number(argument, value()?, ROUNDS_MAX)?,
                "--users" => options.users = number(argument, value()?, USERS_MAX)?,
                "--minutes" => {
                    options.soak =
                        Duration::from_secs(60 * number(argument, value()?, MINUTES_MAX)?);
                }
                "--built" => options.build = false,
                "--print" => options.write = false,
                name => options.parts.push(part(name)?),
            }
        }
        if options.parts.is_empty() {
            options.parts = vec![Part::Many, Part::One, Part::Tls];
        }
        Ok(options)
    }
}

fn part(name: &str) -> Result<Part> {
    let found = Part::ALL.iter().find(|(known, _)| *known == name);
    found.map(|(_, part)| *part).with_context(|| {
        let known = Part::ALL.map(|(name, _)| name).join(", ");
        format!("there is no part `{name}`; there are {known}")
    })
}

fn tools(list: &str) -> Result<Vec<Tool>> {
    list.split(',').map(tool::by_name).collect()
}

fn number(flag: &str, text: &str, max: u64) -> Result<u64> {
    match text.parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        _ => bail!("`{flag}` takes a whole number from 1 to {max}, not `{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_not_named_has_its_default() {
        let options = parse("").unwrap();
        assert_eq!(options.parts, [Part::Many, Part::One, Part::Tls]);
        assert!(options.tools.is_none() && options.write);
        assert_eq!((options.window.as_secs(), options.rounds), (SECONDS, ROUNDS));
    }

    #[test]
    fn a_choice_of_tools_is_no_complete_result() {
        let options = parse("many --tools wrk,swarm --seconds 5 --rounds 1").unwrap();
        assert_eq!(options.tools, Some(vec![Tool::Wrk, Tool::Swarm]));
        assert_eq!((options.window.as_secs(), options.rounds), (5, 1));
        assert!(!options.write);
        assert!(!parse("density --print").unwrap().write);
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (line, named) in [
            ("--seconds", "--seconds"),
            ("--seconds 0", "`0`"),
            ("--rounds x", "`x`"),
            ("--tools wrk,ab", "`ab`"),
            ("fast", "`fast`"),
            ("--users 20000", "`20000`"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}

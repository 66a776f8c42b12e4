//! Fuzzers: builds those of `engine/fuzz`, runs them for a time, keeps what they have found.
//!
//! A target begins with the corpus that is kept in the repository and with seeds that it makes
//! itself. What it adds goes to `target/fuzz/corpus`, what it fails at to `target/fuzz/crashes`.

use crate::repository::Repository;
use crate::setup::needs;
use crate::{folder, process};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const HELP: &str = "\
Usage: cargo xtask fuzz [TARGET...] [OPTIONS]
       cargo xtask fuzz TARGET --replay FILE
       cargo xtask fuzz [TARGET...] --keep

Targets (all unless named): rpc, reports, modules, guests, journal, http_api, client

Options:
  --minutes M    how long each of them runs (10)
  --replay FILE  gives a target one input, such as a crash
  --keep         puts inputs that reach what has been reached into engine/fuzz/corpus, as
                 far as there is room

The first build takes minutes: the compiler of guests is part of it. No other toolchain is needed.
";

/// Names, and the longest input of each in bytes.
const TARGETS: [(&str, u32); 7] = [
    ("rpc", 16 << 10),
    ("reports", 16 << 10),
    ("modules", 32 << 10),
    ("guests", 1 << 10),
    ("journal", 4 << 10),
    ("http_api", 4 << 10),
    ("client", 4 << 10),
];

const MINUTES: u64 = 10;
const MINUTES_MAX: u64 = 7 * 24 * 60;

/// Limits of a run: memory in all and in one piece, in MiB; time for one input in seconds.
const LIMITS: [&str; 3] = ["-rss_limit_mb=1024", "-malloc_limit_mb=256", "-timeout=10"];

/// Inputs of a target's corpus in the repository, and bytes that they may take.
const KEPT_MAX: usize = 200;
const KEPT_BYTES_MAX: u64 = 150 << 10;

#[derive(Debug, Default)]
struct Options {
    targets: Vec<(&'static str, u32)>,
    minutes: u64,
    replay: Option<PathBuf>,
    keep: bool,
}

impl Options {
    /// `None`: help is wanted.
    fn parse(arguments: &[String]) -> Result<Option<Self>> {
        let mut options = Self { minutes: MINUTES, ..Self::default() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--minutes" => {
                    let minutes = value()?.parse().ok();
                    let known = minutes.filter(|minutes| (1..=MINUTES_MAX).contains(minutes));
                    options.minutes = known
                        .with_context(|| format!("--minutes is a number up to {MINUTES_MAX}"))?;
                }
                "--replay" => options.replay = Some(value()?.into()),
                "--keep" => options.keep = true,
                name => {
                    let known = TARGETS.into_iter().find(|(target, _)| *target == name);
                    options.targets.push(known.with_context(|| {
                        let names = TARGETS.map(|(name, _)| name).join(", ");
                        format!("there is no target or option `{name}`; targets are {names}")
                    })?);
                }
            }
        }
        if options.replay.is_some() && options.targets.len() != 1 {
            bail!("--replay needs the one target that the input is for");
        }
        if options.targets.is_empty() {
            options.targets = TARGETS.to_vec();
        }
        Ok(Some(options))
    }
}

/// Where the parts of a target are.
struct Target {
    name: &'static str,
    input_bytes_max: u32,
    program: PathBuf,
    kept: PathBuf,
    found: PathBuf,
    seeds: PathBuf,
    crashes: PathBuf,
}

impl Target {
    fn new(repository: &Repository, name: &'static str, input_bytes_max: u32) -> Self {
        let below = repository.path("target/fuzz");
        Self {
            name,
            input_bytes_max,
            program: below.join("release").join(name),
            kept: repository.path("engine/fuzz/corpus").join(name),
            found: below.join("corpus").join(name),
            seeds: below.join("seeds").join(name),
            crashes: below.join("crashes").join(name),
        }
    }

    /// Builds it, and makes its folders and its seeds.
    fn prepare(&self, repository: &Repository) -> Result<()> {
        let mut cargo = process::command("cargo", &repository.path("engine/fuzz"));
        process::run(cargo.args(["build", "--release", "--locked", "--bin", self.name]))?;
        for folder in [&self.kept, &self.found, &self.seeds, &self.crashes] {
            folder::make(folder)?;
        }
        let mut seeds = process::command(&self.program, repository.root());
        process::quiet(seeds.env("SWARM_FUZZ_SEEDS", &self.seeds))
    }

    /// The program with its limits. Paths with a slash at their end are folders to it.
    fn command(&self, repository: &Repository) -> Command {
        let mut command = process::command(&self.program, repository.root());
        command.args(LIMITS).arg(format!("-max_len={}", self.input_bytes_max));
        command.arg(format!("-artifact_prefix={}/", self.crashes.display()));
        command
    }

    /// Runs it for some minutes. An error is a finding.
    fn run(&self, repository: &Repository, minutes: u64) -> Result<Tally> {
        let mut command = self.command(repository);
        command.arg(format!("-max_total_time={}", 60 * minutes)).arg("-print_final_stats=1");
        command.args([&self.found, &self.kept, &self.seeds]).stderr(Stdio::piped());
        eprintln!("$ {}", process::line(&command));
        let mut child = command.spawn().with_context(|| {
            format!("failed to start {}, which was just built", self.program.display())
        })?;
        let mut tally = Tally::default();
        let said = child.stderr.take().context("its standard error is a pipe")?;
        for line in BufReader::new(said).lines() {
            // What is no text comes from an input that it shows.
            let Ok(line) = line else { continue };
            if !tally.take(&line) {
                eprintln!("{line}");
            }
        }
        let status = child.wait().context("failed to wait for the fuzzer")?;
        if !status.success() {
            bail!(
                "{} has found something ({status}); the input is in {}, and `cargo xtask fuzz {} \
                 --replay FILE` shows it again",
                self.name,
                self.crashes.display(),
                self.name
            );
        }
        Ok(tally)
    }

    /// Inputs that reach everything, as far as there is room for them.
    fn keep(&self, repository: &Repository) -> Result<()> {
        let merged = self.found.with_extension("merged");
        folder::make_empty(&merged)?;
        let mut merge = self.command(repository);
        merge.arg("-merge=1").args([&merged, &self.kept, &self.found, &self.seeds]);
        process::quiet(&mut merge)?;
        let mut inputs = files(&merged)?;
        inputs.sort();
        for (_, old) in files(&self.kept)? {
            fs::remove_file(&old).with_context(|| format!("failed to remove {}", old.display()))?;
        }
        let (mut count, mut bytes) = (0, 0);
        // Small and large ones, when there are too many.
        let step = inputs.len().div_ceil(KEPT_MAX).max(1);
        for (size, input) in inputs.into_iter().step_by(step) {
            if bytes + size > KEPT_BYTES_MAX {
                break;
            }
            (count, bytes) = (count + 1, bytes + size);
            let name = input.file_name().context("a file has a name")?;
            fs::copy(&input, self.kept.join(name))
                .with_context(|| format!("failed to copy {}", input.display()))?;
        }
        println!("{:<10} {count} inputs, {bytes} bytes", self.name);
        Ok(())
    }
}

/// Sizes and paths of a folder's files.
fn files(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let list = || {
        let file = |entry: std::io::Result<fs::DirEntry>| -> std::io::Result<(u64, PathBuf)> {
            let entry = entry?;
            Ok((entry.metadata()?.len(), entry.path()))
        };
        fs::read_dir(folder)?.map(file).collect::<std::io::Result<_>>()
    };
    list().with_context(|| format!("failed to list {}", folder.display()))
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    executions: u64,
    /// Edges of the program that were reached by what there was, and in the end.
    covered: (u64, u64),
}

impl Tally {
    /// Takes a line that the fuzzer writes; says whether it was of no other interest.
    fn take(&mut self, line: &str) -> bool {
        if let Some(number) = line.strip_prefix("stat::number_of_executed_units:") {
            self.executions = number.trim().parse().unwrap_or_default();
            return true;
        }
        let progress = line.strip_prefix('#').filter(|rest| rest.starts_with(char::is_numeric));
        let Some((_, rest)) = progress.and_then(|rest| rest.split_once("cov: ")) else {
            return line.starts_with("stat::");
        };
        let covered = rest.split(' ').next().and_then(|number| number.parse().ok());
        let covered: u64 = covered.unwrap_or_default();
        if line.contains("INITED") {
            self.covered.0 = covered;
        }
        self.covered.1 = self.covered.1.max(covered);
        !line.contains("INITED") && !line.contains("pulse") && !line.contains("DONE")
    }
}

/// Builds what is named, and runs it, shows an input to it, or keeps its corpus.
pub(crate) fn command(repository: &Repository, arguments: &[String]) -> Result<()> {
    let Some(options) = Options::parse(arguments)? else {
        print!("{HELP}");
        return Ok(());
    };
    needs::meet(repository, &[&needs::CXX])?;
    let mut rows = Vec::new();
    for (name, input_bytes_max) in options.targets {
        let target = Target::new(repository, name, input_bytes_max);
        target.prepare(repository)?;
        if let Some(input) = &options.replay {
            process::run(target.command(repository).arg(input))?;
        } else if options.keep {
            target.keep(repository)?;
        } else {
            let tally = target.run(repository, options.minutes)?;
            let Tally { executions, covered: (before, after) } = tally;
            rows.push(format!("| {name} | {executions} | {before} | {after} |"));
        }
    }
    if !rows.is_empty() {
        println!("\n| target | inputs | edges before | edges after |\n| --- | --: | --: | --: |");
        println!("{}", rows.join("\n"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_summed_up() {
        let mut tally = Tally::default();
        for (line, boring) in [
            ("INFO: Loaded 1 modules   (46289 inline 8-bit counters)", false),
            ("#31\tINITED cov: 911 ft: 1200 corp: 30/12Kb exec/s: 0 rss: 60Mb", false),
            ("#77\tNEW    cov: 915 ft: 1210 corp: 31/12Kb lim: 512 exec/s: 0 rss: 61Mb", true),
            ("#1024\tDONE   cov: 1001 ft: 1300 corp: 40/12Kb lim: 512 exec/s: 9 rss: 61Mb", false),
            ("stat::number_of_executed_units: 1024", true),
            ("stat::peak_rss_mb:             61", true),
            ("thread 'main' panicked at here", false),
        ] {
            assert_eq!(tally.take(line), boring, "{line}");
        }
        assert_eq!(tally, Tally { executions: 1024, covered: (911, 1001) });
    }

    #[test]
    fn the_command_line_is_checked() {
        let parse = |line: &str| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            Options::parse(&words).map_err(|error| error.to_string())
        };
        let options = parse("rpc client --minutes 3").unwrap().unwrap();
        assert_eq!((options.targets.len(), options.minutes), (2, 3));
        assert_eq!(parse("").unwrap().unwrap().targets.len(), TARGETS.len());
        assert!(parse("--help").unwrap().is_none());
        for (line, part) in [
            ("rcp", "targets are rpc, reports"),
            ("--minutes", "--minutes needs a value"),
            ("--minutes 0", "a number up to"),
            ("--replay x", "the one target"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}

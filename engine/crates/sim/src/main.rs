//! Simulates clusters, a seed each; `cargo xtask sim` runs it.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use swarm_sim::{Failure, LOG_LINES, Seen, run_logged};

const HELP: &str = "\
Usage: cargo xtask sim [--from SEED | --fresh] [--seeds N] [--seconds S] [--jobs J] [--lines L]

Simulates a cluster for each of N seeds (100) from SEED (0) on, S seconds each (200), on J threads
(1), and ends with the first rule that does not hold and the L lines (80) of the log before it. With
--fresh the first seed is drawn from the time of day, so that each run simulates other clusters.
";

/// Seeds between the first ones of two fresh runs that begin a second apart.
const FRESH_SEEDS: u64 = 1_000_000;

struct Arguments {
    from: u64,
    seeds: u64,
    seconds: u64,
    jobs: u64,
    lines: u64,
}

fn parse(arguments: &[String]) -> Result<Arguments, String> {
    let mut parsed =
        Arguments { from: 0, seeds: 100, seconds: 200, jobs: 1, lines: LOG_LINES as u64 };
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        if name == "--fresh" {
            parsed.from = fresh_seed();
            continue;
        }
        let value = match name.as_str() {
            "--from" => &mut parsed.from,
            "--seeds" => &mut parsed.seeds,
            "--seconds" => &mut parsed.seconds,
            "--jobs" => &mut parsed.jobs,
            "--lines" => &mut parsed.lines,
            other => return Err(format!("there is no option `{other}`; `--help` names them")),
        };
        let text = rest.next().ok_or_else(|| format!("{name} needs a number"))?;
        *value = text.parse().map_err(|_| format!("{name} {text}: no number"))?;
    }
    if parsed.jobs == 0 {
        return Err("--jobs 0: choose at least 1".to_owned());
    }
    Ok(parsed)
}

/// The first of seeds that no run before has had, unless it began in the same second.
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs().saturating_mul(FRESH_SEEDS)
}

/// Runs the seeds; the failure of the lowest seed that has one.
fn simulate(arguments: &Arguments) -> (Seen, u64, Option<Box<Failure>>) {
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from.saturating_add(arguments.seeds);
    let found = Mutex::new((Seen::default(), 0, None::<Box<Failure>>));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || found.lock().is_ok_and(|found| found.2.is_some()) {
                        return;
                    }
                    let lines = usize::try_from(arguments.lines).unwrap_or(usize::MAX);
                    let time = Duration::from_secs(arguments.seconds);
                    let result = run_logged(seed, time, lines);
                    let mut found = found.lock().expect("nobody panics with it");
                    match result {
                        Ok(seen) => {
                            found.0.add(seen);
                            found.1 += 1;
                        }
                        Err(failure) => {
                            if found.2.as_ref().is_none_or(|other| other.seed > failure.seed) {
                                found.2 = Some(failure);
                            }
                        }
                    }
                }
            });
        }
    });
    found.into_inner().expect("nobody panics with it")
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let arguments = match parse(&arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let begun = Instant::now();
    println!("{} seeds from {} on", arguments.seeds, arguments.from);
    let (seen, seeds, failure) = simulate(&arguments);
    let (took, seconds) = (begun.elapsed().as_secs_f64(), seen.seconds());
    println!(
        "{seeds} seeds, {seconds} simulated seconds in {took:.1} s; {} faults, in order {} times, \
         {} samples, {} events",
        seen.faults, seen.settled, seen.samples, seen.events
    );
    match failure {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            eprintln!("{failure}");
            if let Ok(commit) = std::env::var("SWARM_COMMIT") {
                eprintln!("commit {commit}");
            }
            ExitCode::FAILURE
        }
    }
}

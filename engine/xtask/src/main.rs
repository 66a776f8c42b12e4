//! The one front door of the repository: `cargo xtask --help`.
//!
//! # Layout
//! - [`bench`]: what swarm costs, beside other tools.
//! - [`demo`]: sets up, builds, and starts a load test against a server of its own.
//! - [`dist`]: builds what is distributed.
//! - [`faults`]: what faults do to a cluster on real networks.
//! - [`test`]: every check there is, as [`steps`] that build on each other.
//! - [`session`]: the acceptance at full size.
//! - [`saturate`]: how many workers a master takes.
//! - [`sim`]: clusters in virtual time, from seeds.
//! - [`fuzz`]: bytes from others, given to the parts that read them.
//! - [`scenarios`]: builds the scenarios. [`runtimes`]: builds the runtimes of scripting languages.
//! - [`setup`]: installs what is missing.
//! - [`dependencies`], [`tidy`], [`page`]: checks that `test` runs.
//! - [`children`], [`fingerprint`], [`folder`], [`nginx`], [`ports`], [`process`], [`program`],
//!   [`repository`]: what these need.

mod bench;
mod children;
mod demo;
mod dependencies;
mod dist;
mod faults;
mod fingerprint;
mod folder;
mod fuzz;
mod nginx;
mod page;
mod ports;
mod process;
mod program;
mod repository;
mod runtimes;
mod saturate;
mod scenarios;
mod session;
mod setup;
mod sim;
mod steps;
mod test;
mod tidy;

use anyhow::{Result, bail};
use repository::Repository;
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  demo [--web-port PORT]  build from source, start a server and a load test against it
  test [STEP...]          every check there is, or these: set-up, format, tidy, build,
                          scenarios, runtimes, tests, doctests, planted, page, lints,
                          licences, advisories
  dist                    build what is distributed, program and runtimes: target/distributed
  bench [PART...]         what swarm costs beside other tools; `bench --help` says more
  session [PART...]       the acceptance at full size, by hand; `session --help` says more
  faults [OPTION...]      what faults do to a cluster in network namespaces, swarm beside Locust,
                          by hand and as root; `faults --help` says more
  saturate [journal] [WORKERS...]
                          how many workers a master takes, by hand
  sim [--from SEED | --fresh] [--seeds N] [--seconds S] [--jobs J] [--lines L]
                          clusters in virtual time, one for each seed
  fuzz [TARGET...]        hostile bytes, for minutes; `fuzz --help` says more
  scenarios [NAME...]     build the scenarios, or these, to target/scenarios/NAME.wasm
  runtimes [NAME...]      build the runtimes of scripting languages, or these, to
                          target/runtimes/NAME.wasm and target/runtimes/NAME
  setup                   install all that the tests need

Each command installs what it needs and says so; nothing is done twice.
What is installed for this repository alone goes to target/tools.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let repository = Repository::here();
    let Some((command, rest)) = arguments.split_first() else {
        bail!(
            "no command; there are demo, test, dist, bench, session, faults, saturate, sim, fuzz, \
             scenarios, runtimes, setup; `cargo xtask --help` says more"
        );
    };
    match (command.as_str(), rest) {
        ("demo", arguments) => demo::command(&repository, arguments),
        ("test", steps) => test::command(&repository, steps),
        ("dist", []) => dist::command(&repository),
        ("bench", arguments) => bench::command(&repository, arguments),
        ("session", arguments) => session::command(&repository, arguments),
        ("faults", arguments) => faults::command(&repository, arguments),
        ("saturate", arguments) => saturate::command(&repository, arguments),
        ("sim", arguments) => sim::command(&repository, arguments),
        ("fuzz", arguments) => fuzz::command(&repository, arguments),
        ("scenarios", names) => scenarios::command(&repository, names),
        ("runtimes", names) => runtimes::command(&repository, names),
        ("setup", []) => setup::everything(&repository),
        ("--help" | "-h" | "help", _) => {
            print!("{HELP}");
            Ok(())
        }
        (command @ ("setup" | "dist"), [unknown, ..]) => {
            bail!("`{command}` takes no argument `{unknown}`")
        }
        _ => bail!("no command `{command}`; `cargo xtask --help` names them"),
    }
}

//! The `swarm` program: parse, run, print what went wrong and why, exit code.

use std::process::ExitCode;

use swarm::{Cli, run};

fn main() -> ExitCode {
    match run(Cli::read()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit.into()
        }
    }
}

//! The `swarm` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    swarm::main()
}

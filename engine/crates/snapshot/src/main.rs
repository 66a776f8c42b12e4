//! Makes the runtime of a scripting language from its libraries, for `cargo xtask runtimes`.
//!
//! - `swarm-snapshot prepare IN OUT HOST=GUEST...` runs a component's `prepare` with these folders
//!   to read, and keeps the memory that it leaves: an instance of what comes out begins there.
//! - `swarm-snapshot deepen IN OUT FUNCTION BYTES` has a function of a core module take so many
//!   bytes of the shadow stack more.
//!
//! - `swarm-snapshot extract PROGRAM LIST FOLDER` takes the libraries that LIST names out of a
//!   program that carries them.
//!
//! # Layout
//! - `extract`: libraries inside of a program.
//! - `prepare`: a component is run. `keep`: its memory becomes part of it.
//! - `deepen`: the function that takes more of its stack.

mod deepen;
mod extract;
mod keep;
mod prepare;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (input, output, made) = match arguments.as_slice() {
        ["prepare", input, output, folders @ ..] => {
            let component = read(input)?;
            let memory = prepare::run(&component, folders)?;
            (input, output, keep::keep(&component, &memory))
        }
        ["deepen", input, output, function, bytes] => {
            let bytes = bytes.parse().context("BYTES is no number")?;
            (input, output, deepen::deepen(&read(input)?, function, bytes))
        }
        ["extract", program, list, folder] => {
            let list = String::from_utf8(read(list)?).context("the list is not UTF-8")?;
            return extract::extract(&read(program)?, &list, Path::new(folder))
                .with_context(|| format!("failed to take libraries out of {program}"));
        }
        _ => bail!(
            "there are: prepare IN OUT HOST=GUEST... | deepen IN OUT FUNCTION BYTES | \
                    extract PROGRAM LIST FOLDER"
        ),
    };
    let made = made.with_context(|| format!("failed to change {input}"))?;
    std::fs::write(output, made).with_context(|| format!("failed to write {output}"))
}

fn read(path: &str) -> Result<Vec<u8>> {
    std::fs::read(Path::new(path)).with_context(|| format!("failed to read {path}"))
}

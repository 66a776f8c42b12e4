//! `llvm-profdata`, which joins what trained programs have counted.
//!
//! It must be of the same LLVM as rustc: another one does not know the form of the counts.

use super::{debian, rustup};
use crate::process;
use crate::repository::Repository;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// The program: rustup's, or else Debian's of the same version.
pub(crate) fn tool(repository: &Repository) -> Result<PathBuf> {
    let rustups = rustup::program(repository, "llvm-profdata")?;
    if rustups.is_file() {
        return Ok(rustups);
    }
    match rustup::add(repository, "component", "llvm-tools") {
        Ok(()) if rustups.is_file() => Ok(rustups),
        Ok(()) => bail!("rustup's llvm-tools brought no {}", rustups.display()),
        Err(error) => {
            eprintln!("rustup cannot ({error:#}); taking Debian's");
            debians(repository)
        }
    }
}

fn debians(repository: &Repository) -> Result<PathBuf> {
    let mut version = process::command("rustc", repository.root());
    let version = process::capture(version.arg("-vV"))?;
    let major = llvm(&version).with_context(|| format!("rustc names no LLVM: {version}"))?;
    let program = PathBuf::from(format!("/usr/lib/llvm-{major}/bin/llvm-profdata"));
    if !program.is_file() {
        debian::install(repository, &[&format!("llvm-{major}")])?;
    }
    Ok(program)
}

/// The first number of LLVM's version in what `rustc -vV` prints.
fn llvm(version: &str) -> Option<u32> {
    let version = version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_llvm_is_read_as_rustc_writes_it() {
        assert_eq!(llvm("rustc 1.95.0\nrelease: 1.95.0\nLLVM version: 22.1.2"), Some(22));
        assert_eq!(llvm("rustc 1.95.0"), None);
    }
}

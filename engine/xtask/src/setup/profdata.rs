//! `llvm-profdata`, which joins what trained programs have counted.
//!
//! It must be of the same LLVM as rustc: another one does not know the form of the counts.

use super::debian;
use crate::process;
use crate::repository::Repository;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long rustup may take. Where its downloads can't be had, some networks only hang.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

/// The program: rustup's, or else Debian's of the same version.
pub(crate) fn tool(repository: &Repository) -> Result<PathBuf> {
    let mut print = process::command("rustc", repository.root());
    let sysroot = process::capture(print.args(["--print", "sysroot"]))?;
    let inside = format!("lib/rustlib/{}/bin/llvm-profdata", super::host());
    let rustups = Path::new(&sysroot).join(inside);
    if rustups.is_file() {
        return Ok(rustups);
    }
    eprintln!("installing llvm-tools by rustup");
    let mut add = process::command("rustup", repository.root());
    add.args(["component", "add", "llvm-tools"]);
    match process::quiet_within(&mut add, RUSTUP_LIMIT) {
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

//! The toolchains that the README asks for: whether they are there, and new enough.

use crate::process;
use crate::repository::Repository;
use anyhow::{Context, Result, bail};

/// A language's toolchain, which is installed by hand.
pub(crate) struct Toolchain {
    /// Its name for people.
    name: &'static str,
    /// What prints its version.
    command: [&'static str; 2],
    /// The oldest version that is known to do, in the first two numbers.
    oldest: [u32; 2],
}

/// For the Go scenario.
pub(crate) const GO: Toolchain =
    Toolchain { name: "Go", command: ["go", "version"], oldest: [1, 24] };

/// For the page, the tests of it, and the JavaScript scenario.
pub(crate) const NODE: Toolchain =
    Toolchain { name: "Node", command: ["node", "--version"], oldest: [20, 0] };

/// For prebuilt programs, and servers that tests bring.
pub(crate) const PYTHON: Toolchain =
    Toolchain { name: "Python", command: ["python3", "--version"], oldest: [3, 11] };

impl Toolchain {
    /// Fails with what to install, and what for.
    pub(crate) fn check(&self, repository: &Repository, needed_for: &str) -> Result<()> {
        let Self { name, command: [program, argument], oldest: [major, minor] } = self;
        let advice = format!("install {name} {major}.{minor} or later, for {needed_for}");
        if process::find(program).is_none() {
            bail!("`{program}` is not on the PATH: {advice}");
        }
        let mut command = process::command(program, repository.root());
        let printed = process::capture(command.arg(argument)).with_context(|| advice.clone())?;
        match version(&printed) {
            Some(found) if found >= self.oldest => Ok(()),
            Some([a, b]) => bail!("`{program}` is {name} {a}.{b}: {advice}"),
            None => bail!("`{program} {argument}` prints no version but {printed:?}: {advice}"),
        }
    }
}

/// The first two numbers with a dot between them.
fn version(printed: &str) -> Option<[u32; 2]> {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let numbers = printed.split(|c| !is_part(c)).find(|part| part.trim_matches('.').contains('.'));
    let mut numbers = numbers?.trim_matches('.').split('.');
    Some([numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_each_language_prints_them() {
        assert_eq!(version("go version go1.26.8 linux/amd64"), Some([1, 26]));
        assert_eq!(version("v20.20.2"), Some([20, 20]));
        assert_eq!(version("Python 3.11.7"), Some([3, 11]));
        assert_eq!(version("no version."), None);
    }

    #[test]
    fn what_is_too_old_or_not_there_names_the_fix() {
        let check = |command, oldest| {
            let toolchain = Toolchain { name: "Sheep", command, oldest };
            toolchain.check(&Repository::here(), "the tests")
        };
        let old = check(["rustc", "--version"], [9, 9]).unwrap_err().to_string();
        assert!(old.contains("`rustc` is Sheep 1."), "{old}");
        assert!(old.contains("install Sheep 9.9 or later, for the tests"), "{old}");
        let gone = check(["no-such-program", "version"], [1, 0]).unwrap_err().to_string();
        assert!(gone.contains("not on the PATH"), "{gone}");
        check(["rustc", "--version"], [1, 0]).unwrap();
    }
}

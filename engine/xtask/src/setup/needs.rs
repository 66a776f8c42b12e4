//! What a machine may lack, and the Debian packages that bring it.
//!
//! A program on the PATH is not always enough: `capnp` without its standard schemas compiles
//! nothing. So a need may have a check of its own, which asks for exactly what is used.

use super::debian;
use crate::process;
use crate::repository::Repository;
use anyhow::{Result, bail};
use std::path::Path;

/// Something that commands of this repository use and that no registry of a language brings.
pub(crate) struct Need {
    /// Its name for people.
    name: &'static str,
    packages: &'static [&'static str],
    check: Check,
}

enum Check {
    /// A program of this name can be found.
    Program(&'static str),
    /// This holds.
    Holds(fn(&Repository) -> bool),
}

/// The schema compiler and its standard schemas: a test makes the checked-in code anew.
pub(crate) const CAPNP: Need = Need {
    name: "the Cap'n Proto compiler with its standard schemas",
    packages: &["capnproto", "libcapnp-dev"],
    check: Check::Holds(|repository| compiles_the_schema(repository, "capnp", &[])),
};

/// The browser that the page is tested in: the same file that the tests start.
pub(crate) const CHROMIUM: Need = Need {
    name: "Chromium",
    packages: &["chromium"],
    check: Check::Holds(|_| match std::env::var_os("CHROMIUM") {
        Some(browser) => Path::new(&browser).is_file(),
        None => Path::new("/usr/bin/chromium").is_file(),
    }),
};

/// A C++ compiler: libFuzzer is compiled with the fuzzers.
pub(crate) const CXX: Need = program("c++", &["g++"]);
/// Another HTTP client, which judges the demo server.
pub(crate) const CURL: Need = program("curl", &["curl"]);
/// Lists the sources for `tidy`, and names the commit that is simulated.
pub(crate) const GIT: Need = program("git", &["git"]);
/// Gives a test's process a small disk of its own.
pub(crate) const UNSHARE: Need = program("unshare", &["util-linux"]);
/// Makes hosts out of network namespaces.
pub(crate) const IP: Need = program("ip", &["iproute2"]);
/// Breaks the links between such hosts.
pub(crate) const NFT: Need = program("nft", &["nftables"]);
/// Keeps the tools of a benchmark, and their server, on cores of their own.
pub(crate) const TASKSET: Need = program("taskset", &["util-linux"]);
/// The benchmark's server.
pub(crate) const NGINX: Need = program("nginx", &["nginx-light"]);
/// Makes the certificate of the benchmark's server.
pub(crate) const OPENSSL: Need = program("openssl", &["openssl"]);
/// Counts instructions.
pub(crate) const VALGRIND: Need = program("valgrind", &["valgrind"]);
/// Makes load, for the benchmark.
pub(crate) const WRK: Need = program("wrk", &["wrk"]);

/// What the tests of the whole repository need.
pub(super) const FOR_TESTS: [&Need; 7] = [&CAPNP, &CHROMIUM, &CXX, &CURL, &GIT, &IP, &UNSHARE];

const fn program(program: &'static str, packages: &'static [&'static str]) -> Need {
    Need { name: program, packages, check: Check::Program(program) }
}

impl Need {
    fn is_met(&self, repository: &Repository) -> bool {
        match self.check {
            Check::Program(program) => process::find(program).is_some(),
            Check::Holds(holds) => holds(repository),
        }
    }
}

/// Makes sure that each of these needs is met: installs the packages of those that are not.
pub(crate) fn meet(repository: &Repository, needs: &[&Need]) -> Result<()> {
    let missing: Vec<_> = needs.iter().filter(|need| !need.is_met(repository)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().flat_map(|need| need.packages).copied().collect();
    debian::install(repository, &packages)?;
    match missing.iter().find(|need| !need.is_met(repository)) {
        None => Ok(()),
        Some(need) => bail!(
            "Debian's {} brought no {} that works here",
            need.packages.join(" and "),
            need.name
        ),
    }
}

/// Does this compiler find everything that the schema of the protocol imports?
fn compiles_the_schema(repository: &Repository, capnp: &str, flags: &[&str]) -> bool {
    let mut compile = process::command(capnp, repository.root());
    compile.arg("compile").args(flags).arg("-o-");
    process::succeeds(compile.arg("engine/crates/wire/schema/swarm.capnp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_without_its_standard_schemas_is_not_enough() {
        let repository = Repository::here();
        assert!(compiles_the_schema(&repository, "capnp", &[]), "run `cargo xtask setup` first");
        assert!(!compiles_the_schema(&repository, "capnp", &["--no-standard-import"]));
        assert!(!compiles_the_schema(&repository, "no-such-program", &[]));
    }

    #[test]
    fn what_is_there_is_not_installed() {
        meet(&Repository::here(), &[&program("sh", &["no-such-package"])]).unwrap();
    }
}

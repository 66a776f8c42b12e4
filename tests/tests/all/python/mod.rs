//! Scripts in Python, through the real binary.
//!
//! - `same`: each does what it does in Locust.
//! - `many`: what hundreds of users of one instance must not do to each other.
//! - `environment`: what a script finds in its environment.
//! - `faults`: scripts that misbehave while they run.
//! - `refused`: scripts that cannot be loaded.
//! - `folder`: what goes with them.
//! - `shipped`: scripts on workers.

mod environment;
mod faults;
mod folder;
mod many;
mod refused;
mod same;
mod shipped;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use swarm_tests::{Process, Swarm, runtime};

/// Where the compiled runtime stays from one run of the tests to the next.
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/python");

/// The scripts that the tests run.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/locust");

/// `swarm VERB` with a script.
fn command(swarm: &Swarm, verb: &str, script: &Path, arguments: &[&str]) -> Command {
    compiled();
    plain_command(swarm, verb, script, arguments)
}

fn plain_command(swarm: &Swarm, verb: &str, script: &Path, arguments: &[&str]) -> Command {
    runtime("python");
    let mut command = swarm.command(&[verb]);
    command.arg(script).args(arguments).env("SWARM_CACHE_DIR", CACHE);
    command
}

/// Compiles the runtime, once: the tests would all do it at the same time, each in its process.
fn compiled() {
    static COMPILED: OnceLock<()> = OnceLock::new();
    COMPILED.get_or_init(|| {
        std::fs::create_dir_all(CACHE).expect("the folder of the tests can be written");
        let lock = File::create(Path::new(CACHE).join("lock")).expect("a file can be made in it");
        lock.lock().expect("files can be locked");
        let swarm = Swarm::new();
        let command = plain_command(&swarm, "check", &script("many.py"), &[]);
        let mut process = Process::spawn("check", command);
        assert!(process.wait(swarm_tests::PATIENCE * 5).success(), "{}", process.err.text());
    });
}

/// A script of the tests' own folder.
fn script(name: &str) -> PathBuf {
    Path::new(SCRIPTS).join(name)
}

//! What has to be built before the tests: the binary and the scenarios.

use std::path::{Path, PathBuf};

/// The binary under test: `SWARM_BIN`, or `release/swarm` in the folder cargo builds into.
///
/// # Panics
///
/// It is not there.
#[track_caller]
pub fn binary() -> PathBuf {
    let path = match std::env::var_os("SWARM_BIN") {
        Some(path) => PathBuf::from(path),
        None => target_folder().join("release").join("swarm"),
    };
    assert!(
        path.is_file(),
        "there is no {}: run `cargo build --release` first, or set SWARM_BIN",
        path.display()
    );
    // Processes are started in folders of their own, where a relative path leads nowhere.
    std::path::absolute(&path).expect("the path is not empty")
}

/// A scenario of this repository, compiled.
///
/// # Panics
///
/// It is not there.
#[track_caller]
pub fn scenario(name: &str) -> PathBuf {
    let path = target_folder().join("scenarios").join(format!("{name}.wasm"));
    assert!(path.is_file(), "there is no {}: run `cargo xtask scenarios` first", path.display());
    path
}

/// The runtime of a scripting language of this repository. Beside it is the folder of the same name
/// with the files that an instance reads.
///
/// # Panics
///
/// It is not there.
#[track_caller]
pub fn runtime(name: &str) -> PathBuf {
    let path = target_folder().join("runtimes").join(format!("{name}.wasm"));
    assert!(path.is_file(), "there is no {}: run `cargo xtask runtimes` first", path.display());
    path
}

/// A program that `cargo xtask setup` installs from PyPI.
///
/// # Panics
///
/// It is not there.
#[track_caller]
pub fn python_tool(name: &str) -> PathBuf {
    let path = target_folder().join("tools/python/bin").join(name);
    assert!(path.is_file(), "there is no {}: run `cargo xtask setup` first", path.display());
    path
}

/// The folder cargo builds into, found from this test's own place in it.
fn target_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the system knows what it runs");
    // TARGET/PROFILE/deps/NAME.
    let folder = test.ancestors().nth(3).map(Path::to_owned);
    folder.expect("cargo runs tests from TARGET/PROFILE/deps")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "nowhere.wasm: run `cargo xtask scenarios` first")]
    fn a_missing_scenario_tells_how_to_make_it() {
        scenario("nowhere");
    }
}

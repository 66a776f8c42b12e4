//! The page in a real browser, with a real test behind it: `tests/browser/*.test.mjs`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use swarm_tests::{Process, Swarm, scenario};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser");

/// A browser on a busy machine takes its time.
const BROWSER_MAX: Duration = Duration::from_secs(300);

/// Runs the tests of one file, with these variables for it.
fn passes(file: &str, variables: &[(&str, &str)]) {
    let packages = Path::new(TESTS).join("node_modules/playwright-core");
    assert!(packages.is_dir(), "there is no {}: run `cargo xtask setup`", packages.display());
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter", "spec", file]).current_dir(TESTS);
    node.envs(variables.iter().copied());
    let mut node = Process::spawn("node", node);
    let status = node.wait(BROWSER_MAX);
    assert!(status.success(), "{status}");
    let said = node.out.text();
    let passed = said.lines().find_map(|line| line.strip_prefix("ℹ pass ")?.parse::<u32>().ok());
    assert!(passed > Some(0), "no test was found: {said}");
}

#[test]
fn the_page_in_a_browser() {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let run = swarm.run(&scenario("website"), &["--threads", "1", "-s", "10"]);
    passes("page.test.mjs", &[("SWARM_WEB", run.page().url()), ("SWARM_HOST", &target.url())]);
    assert!(target.counts().total > 0);
}

#[test]
fn logging_in_and_out_in_a_browser() {
    let swarm = Swarm::new();
    let token = "a token of this test";
    let file = swarm.file("token", token.as_bytes());
    let file = file.to_str().expect("a plain name");
    let run = swarm.run(&scenario("website"), &["--threads", "1", "--web-token-file", file]);
    passes("login.test.mjs", &[("SWARM_WEB", run.page().url()), ("SWARM_TOKEN", token)]);
}

//! The page in a real browser, with a real test behind it: `tests/browser/*.test.mjs`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use swarm_core::plan::Wait;
use swarm_tests::{Fate, Process, Received, Server, Swarm, scenario};

use crate::guests::{Guest, visit};

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
fn thousands_of_names_in_a_browser() {
    const LONG: &str = "/long/checkout/payment/:provider/orders/:id/confirmation/and/some/more/of/\
                        it/so/that/no/line/of/a/table/has/room/for/all/of/the/name";
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let mut guest = Guest::visiting_many(2_600).start(&visit("long")).text("long", LONG);
    guest.class(0).wait = Wait::Constant(1);
    let scenario = guest.write(&swarm, "many");
    let flags = ["-H", &target.url(), "--threads", "1", "--autostart", "-u", "2", "-r", "2"];
    let run = swarm.run(&scenario, &flags);
    let variables = [("SWARM_WEB", run.page().url()), ("SWARM_LONG_NAME", LONG)];
    passes("tables.test.mjs", &variables);
}

#[test]
fn figures_that_cannot_be_trusted_in_a_browser() {
    let swarm = Swarm::new();
    let hangs = Server::start(|_| Fate::Hang);
    let closes = Server::start(|request: &Received| match request.before {
        0 => Fate::Answer,
        _ => Fate::Close(Duration::ZERO),
    });
    let visitor = Guest::visiting(&["/"]).write(&swarm, "visitor");
    let thinker = Guest::thinking().write(&swarm, "thinker");
    let run = |scenario: &Path, url: &str, more: &[&str]| {
        swarm.run(scenario, &[&["-H", url, "--threads", "1", "-s", "0"], more].concat())
    };
    let started = ["--autostart", "-u", "5", "-r", "100"];
    let hung = run(&visitor, &hangs.url(), &started);
    let resent = run(&visitor, &closes.url(), &started);
    let late = run(&thinker, &closes.url(), &[]);
    passes(
        "trust.test.mjs",
        &[
            ("SWARM_HUNG", hung.page().url()),
            ("SWARM_RESENT", resent.page().url()),
            ("SWARM_LATE", late.page().url()),
        ],
    );
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

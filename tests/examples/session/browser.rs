//! A person at the page: Chromium, driven by `tests/browser/session.mjs`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use swarm_tests::{Page, Process};

use crate::options::Options;

/// What the person types: users a second.
pub(crate) const SPAWN_RATE: u32 = 100;
/// How long it may take besides the ramp.
const PATIENCE: Duration = Duration::from_secs(180);

/// Fills in the form, starts the test, waits for all users, takes pictures.
#[track_caller]
pub(crate) fn start(page: &Page, options: &Options) {
    drive(page, options, "start");
}

/// Takes pictures, stops the test, waits for its end.
#[track_caller]
pub(crate) fn stop(page: &Page, options: &Options) {
    drive(page, options, "stop");
}

#[track_caller]
fn drive(page: &Page, options: &Options, step: &str) {
    let mut node = Command::new("node");
    node.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("browser"))
        .args(["session.mjs", step])
        .env("SWARM_WEB", page.url())
        .env("SWARM_USERS", options.users.to_string())
        .env("SWARM_SPAWN_RATE", SPAWN_RATE.to_string())
        .env("SWARM_SHOTS", &options.shots);
    let ramp = Duration::from_secs(u64::from(options.users / SPAWN_RATE));
    let mut process = Process::spawn("browser", node);
    let status = process.wait(ramp + PATIENCE);
    assert!(status.success(), "the browser's step `{step}` ended with {status}");
}

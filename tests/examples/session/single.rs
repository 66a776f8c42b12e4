//! The same load from one process, with a scenario and with the embedded one.

use std::thread::sleep;
use std::time::Duration;

use swarm_tests::{PATIENCE, Page, Process, Signal, Swarm, scenario, wait_until};

use crate::cluster::{RESULT, STOP_TIMEOUT, local, result};
use crate::options::Options;
use crate::plateau::{SETTLE, compare_counts, lateness, measure};
use crate::report::Report;

/// Users a second.
const SPAWN_RATE: u32 = 1000;

pub(crate) fn run(options: &Options, report: &mut Report) {
    let website = scenario("website");
    let website = website.to_str().expect("built scenarios have plain names");
    one("run website.wasm", &[website], options, report);
    one("run, embedded scenario", &[], options, report);
}

#[track_caller]
fn one(what: &str, scenario: &[&str], options: &Options, report: &mut Report) {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let host = local(&target);
    let more = ["--host", &host, "--web-port", "0", "--json-file", RESULT];
    let arguments = [&["run"], scenario, &STOP_TIMEOUT, &more].concat();
    let mut process = Process::spawn("run", swarm.command(&arguments));
    let page = Page::new(&process.wait_for_value("web interface on "));

    page.start(options.users, f64::from(SPAWN_RATE));
    let ramp = Duration::from_secs(u64::from(options.users / SPAWN_RATE));
    wait_until("all users run", ramp + PATIENCE, || {
        let stats = page.stats();
        stats["state"] == "running" && stats["user_count"] == options.users
    });
    sleep(SETTLE);
    report.step(format_args!("{what}: measuring for {:?}", options.plateau));
    let processes = [("run".to_owned(), process.id()), ("target".to_owned(), target.process.id())];
    let plateau = measure(&page, &target, &processes, options.plateau);
    plateau.tell(what, options.users, report);

    page.stop();
    page.wait_for_state("stopped");
    compare_counts(what, &page.stats(), &target.counts(), report);
    process.signal(Signal::INT);
    let code = process.wait(PATIENCE).code();
    report.bar(format!("{what}: exit code"), format!("{code:?}"), "Some(0)", code == Some(0));
    report.table(&["lateness"], &[vec![lateness(&result(&swarm))]]);
}

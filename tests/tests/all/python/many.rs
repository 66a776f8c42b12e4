//! Hundreds of users of one interpreter, which wait in every place where they could get into each
//! other: `many.py` looks whether they have.

use swarm_tests::{Process, Swarm};

use super::{command, script};
use crate::verdict::{interrupted, until_interrupted};

const TASKS: [&str; 11] = [
    "recursion",
    "exceptions",
    "generators",
    "through_c",
    "special_methods",
    "contexts",
    "locks",
    "garbage",
    "sleeps",
    "no_end",
    "/about",
];

/// The requests by which each task has been done often enough.
const ENOUGH: u64 = 6_000;

#[test]
fn two_hundred_users_do_not_get_into_each_other() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let url = target.url();
    let arguments = [&until_interrupted(&url)[..], &["-u", "200", "--threads", "1"]].concat();
    let command = command(&swarm, "run", &script("many.py"), &arguments);
    let process = Process::spawn("run", command);
    let ended = interrupted(&swarm, process, &target, |counts| counts.total >= ENOUGH);
    assert_eq!(ended.exceptions(""), 0, "{:#?}", ended.summary.exceptions);
    assert_eq!(ended.summary.total.num_failures, 0, "{:?}", ended.summary.errors);
    assert_eq!(ended.summary.total.num_requests, ended.counts.total);
    for task in TASKS {
        assert!(ended.requests(task) > 0, "{task}: {:#?}", ended.summary.entries);
    }
}

//! System clocks that are a day off: a test's time is the master's, and a master's only goes
//! forward.

use std::path::{Path, PathBuf};
use std::process::Command;

use swarm_tests::{Master, PATIENCE, Process, Signal, Swarm, Worker, scenario};

use super::{Cluster, requests_by_path, result_file};

const DAY_S: i64 = 86_400;

/// Stands before the C library's function of that name.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *at) {
    int result = syscall(SYS_clock_gettime, clock, at);
    const char *off = getenv("CLOCK_OFF_S");
    if (result == 0 && clock == CLOCK_REALTIME && off) at->tv_sec += atol(off);
    return result;
}
"#;

/// A library that sets a process' clock, made by the compiler that links Rust programs, too.
fn library(swarm: &Swarm) -> PathBuf {
    let source = swarm.file("clock.c", SOURCE.as_bytes());
    let library = swarm.folder().join("clock.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
    assert!(compiler.status().expect("this test needs cc").success());
    library
}

fn off(command: &mut Command, library: &Path, seconds: i64) {
    command.env("LD_PRELOAD", library).env("CLOCK_OFF_S", seconds.to_string());
}

/// A master with a state directory whose clock is off.
fn master(swarm: &Swarm, target: &str, library: &Path, port: u16, seconds: i64) -> Master {
    let mut command = swarm.command(&["master"]);
    command.arg(scenario("website")).args(["--host", target, "-s", "10", "--json-file"]);
    command.arg(result_file(swarm)).args(["--state-dir", "state", "--web-port", "0"]);
    command.args(["--master-bind-port", &port.to_string()]);
    off(&mut command, library, seconds);
    Master::of(Process::spawn("master", command), &[])
}

fn cluster(masters_s: i64, workers_s: [i64; 2]) -> (Cluster, PathBuf) {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let library = library(&swarm);
    let master = master(&swarm, &target.url(), &library, 0, masters_s);
    let port = master.address().port().to_string();
    let worker = |(number, seconds): (usize, i64)| {
        let id = format!("w{number}");
        let arguments = ["worker", "--master-port", &port, "--id", &id, "--threads", "1"];
        let mut command = swarm.command(&arguments);
        off(&mut command, &library, seconds);
        Worker { process: Process::spawn("worker", command) }
    };
    let workers = workers_s.into_iter().enumerate().map(worker).collect();
    let cluster = Cluster { workers, master, target, swarm };
    cluster.wait_until_ready(2);
    (cluster, library)
}

#[test]
fn workers_whose_clocks_are_a_day_off_measure_as_others_do() {
    let (cluster, _library) = cluster(0, [-DAY_S, DAY_S]);
    cluster.master.page().start(40, 100.0);
    cluster.wait_for_shares(40, 2);
    cluster.wait_for_more_requests(80);
    cluster.stop();
    let finished = cluster.finish();
    // Also by second: their samples are at the master's time.
    finished.assert_exact();
    let seconds = finished.rows("seconds").count();
    assert!(seconds < 600, "{seconds} seconds");
}

#[test]
fn a_master_whose_clock_was_set_back_a_day_goes_on_where_it_was() {
    let (mut cluster, library) = cluster(0, [0, 0]);
    cluster.master.page().start(40, 100.0);
    cluster.wait_for_shares(40, 2);
    cluster.wait_for_more_requests(40);
    restart(&mut cluster, &library, -DAY_S);
    cluster.wait_for_shares(40, 2);
    cluster.wait_for_more_requests(40);
    cluster.stop();
    let finished = cluster.finish();
    finished.assert_exact();
    finished.assert_notice("after 0.0 s without one");
}

/// It cannot know that nobody was away for a day: it says what it takes for true, and counts on.
#[test]
fn a_master_whose_clock_was_set_a_day_ahead_says_so_and_loses_nothing() {
    let (mut cluster, library) = cluster(0, [0, 0]);
    cluster.master.page().start(40, 100.0);
    cluster.wait_for_shares(40, 2);
    cluster.wait_for_more_requests(40);
    restart(&mut cluster, &library, DAY_S);
    cluster.wait_for_shares(40, 2);
    cluster.wait_for_more_requests(40);
    cluster.stop();
    let finished = cluster.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert_eq!(requests_by_path(&finished.summary["entries"]), finished.counts.paths);
    finished.assert_notice("goes on with the test, after 864");
}

fn restart(cluster: &mut Cluster, library: &Path, seconds: i64) {
    cluster.master.process.signal(Signal::KILL);
    cluster.master.process.wait(PATIENCE);
    let (port, url) = (cluster.master.address().port(), cluster.target.url());
    cluster.master = master(&cluster.swarm, &url, library, port, seconds);
}

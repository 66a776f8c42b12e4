//! Limits of the process: known before the start, told when they are reached in the middle of a
//! test, and passed by running as several processes.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use swarm_tests::{PATIENCE, Process, Signal, Swarm, get, in_shell, post, wait_for, wait_until};

use crate::guests::Guest;
use crate::verdict::{FAILURES, SETTINGS, USAGE, refused, refused_as, summary};

/// Users that nothing carries.
const TOO_MANY: &str = "10000000";

/// The command under a limit of the shell's.
fn limited(ulimit: &str, command: &Command) -> Command {
    in_shell(&format!("ulimit {ulimit}; exec \"$@\""), command)
}

fn pid(process: &Process) -> Pid {
    let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
    pid.expect("the system's process ids are positive")
}

/// Sets the soft limit of a running process; `None` lifts it.
#[track_caller]
fn set_limit(process: &Process, resource: Resource, to: Option<u64>) {
    // The hard limit of this test's process is the child's too.
    let maximum = rustix::process::getrlimit(resource).maximum;
    let limit = Rlimit { current: to.or(maximum), maximum };
    prlimit(Some(pid(process)), resource, limit).expect("one's own processes can be limited");
}

#[test]
fn too_many_users_are_refused_before_the_start() {
    let swarm = Swarm::new();
    Guest::visiting(&["/"]).write(&swarm, "sound");
    let run = ["run", "sound.wasm", "--headless", "-H", "http://127.0.0.1:1", "-u"];
    let parts = [
        "10000000 users are more than the",
        "`sysctl -w vm.max_map_count=",
        "`ulimit -n 1000",
        "--source-address",
        "; memory for ",
    ];
    refused(&swarm, &[&run[..], &[TOO_MANY]].concat(), SETTINGS, &parts);
    let autostart = ["run", "sound.wasm", "--autostart", "-H", "http://127.0.0.1:1", "-u"];
    refused(&swarm, &[&autostart[..], &[TOO_MANY]].concat(), SETTINGS, &parts[..2]);

    let arguments = [&run[..], &["500"]].concat();
    let command = limited("-n 300", &swarm.command(&arguments));
    let mut process = Process::spawn("run", command);
    let code = process.wait(PATIENCE).code();
    let parts = ["500 users are more than the", "(now 300", "`swarm worker --processes"];
    refused_as(&process, code, &arguments, SETTINGS, &parts);
}

#[test]
fn too_many_users_are_refused_on_the_page() {
    let swarm = Swarm::new();
    let guest = Guest::visiting(&["/"]).write(&swarm, "sound");
    let target = swarm.target(&[]);
    let run = swarm.run(&guest, &["-H", &target.url()]);
    let page = run.page();
    let answer = page.post("/swarm", &[("user_count", TOO_MANY), ("spawn_rate", "100")]);
    assert!((400..500).contains(&answer.status), "{}", answer.head);
    assert!(answer.body.contains("users are more than the"), "{}", answer.body);
    assert_eq!(page.stats()["state"], "ready");
    assert_eq!(target.counts().total, 0);
    page.start(1, 1.0);
    target.wait_for_requests(2);
    wait_until("the user is shown", PATIENCE, || page.stats()["user_count"] == 1);
    let answer = page.post("/swarm", &[("user_count", TOO_MANY), ("spawn_rate", "100")]);
    assert!((400..500).contains(&answer.status), "in the middle as well: {}", answer.head);
    assert_eq!(page.stats()["user_count"], 1);
}

#[test]
fn a_master_says_what_its_workers_can_carry() {
    let swarm = Swarm::new();
    let guest = Guest::visiting(&["/"]).write(&swarm, "sound");
    let target = swarm.target(&[]);
    let master = swarm.master(&guest, &["-H", &target.url()]);
    let _small = swarm.worker(&master, &["--threads", "1", "--max-users", "3"]);
    master.page().wait_for_workers(1);
    master.page().start(5, 10.0);
    let said = |text: &str| {
        wait_until(text, PATIENCE, || master.process.err.find(text).is_some());
    };
    said("the workers can carry 3 users of 5");
    wait_until("three run", PATIENCE, || master.page().stats()["user_count"] == 3);
    let _more = swarm.worker(&master, &["--threads", "1"]);
    said("the workers can carry all 5 users now");
    wait_until("all run", PATIENCE, || master.page().stats()["user_count"] == 5);
}

#[test]
fn source_addresses_are_checked_and_used() {
    let swarm = Swarm::new();
    let guest = Guest::visiting(&["/"]).write(&swarm, "sound");
    let run = ["run", "sound.wasm", "--headless", "-H", "http://127.0.0.1:1"];
    let with = |source: &'static str| [&run[..], &["--source-address", source]].concat();
    refused(&swarm, &with("192.0.2.1"), SETTINGS, &["192.0.2.1", "--source-address"]);
    refused(&swarm, &with("here"), USAGE, &["--source-address", "ADDRESS/BITS"]);

    let target = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let url = format!("http://{}", target.local_addr().expect("it is bound"));
    let seen = std::thread::spawn(move || {
        let mut seen = BTreeSet::new();
        for _ in 0..6 {
            let (mut stream, from) = target.accept().expect("they come");
            seen.insert(from.ip());
            let mut request = [0; 1024];
            let bytes = stream.read(&mut request).expect("a request");
            assert!(bytes > 0, "a request");
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).expect("answered");
        }
        seen
    });
    let sources = ["--source-address", "127.0.0.2-3,127.0.0.5", "--threads", "1"];
    let arguments = [&["--headless", "-H", &url], &sources[..]].concat();
    let _run = swarm.run(&guest, &arguments);
    let wanted: BTreeSet<IpAddr> = ["127.0.0.2", "127.0.0.3", "127.0.0.5"]
        .map(|address| address.parse().expect("an address"))
        .into();
    assert_eq!(seen.join().expect("six connections came"), wanted);
}

#[test]
fn descriptors_that_end_in_the_middle_are_failures_and_no_more() {
    let swarm = Swarm::new();
    let guest = Guest::visiting(&["/close", "/"]).write(&swarm, "closing");
    let target = swarm.target(&[]);
    let arguments = ["-H", &target.url(), "-s", "30", "--json-file", "result.json"];
    let mut run = swarm.run(&guest, &arguments);
    run.page().start(20, 100.0);
    target.wait_for_requests(40);
    // Connections that are open stay; new ones cannot be had.
    set_limit(&run.process, Resource::Nofile, Some(10));
    // The page needs descriptors as well: it is asked when there are some again.
    std::thread::sleep(Duration::from_secs(2));
    assert!(run.process.is_running());
    set_limit(&run.process, Resource::Nofile, None);
    wait_until("the errors name the limit", PATIENCE, || {
        run.page().stats()["errors"].to_string().contains("no free file descriptor")
    });
    assert!(!run.process.err.text().contains("panicked"), "{}", run.process.err.text());
    let before = target.counts().total;
    target.wait_for_requests(before + 40);
    run.page().stop();
    run.page().wait_for_state("stopped");
    run.process.signal(Signal::INT);
    assert_eq!(run.process.wait(PATIENCE).code(), Some(FAILURES));
    let (summary, counts) = (summary(&swarm), target.counts());
    let entry = summary.entries.iter().find(|entry| entry.name == "/").expect("it was visited");
    // What failed for want of a descriptor never went out.
    let errors = summary.errors.iter().filter(|error| error.name == "/");
    let unsent: u64 = errors
        .filter(|error| error.error.contains("no free file descriptor"))
        .map(|error| error.occurrences)
        .sum();
    assert_eq!(entry.num_requests - unsent, counts.paths["/"], "{:?}", summary.errors);
}

#[test]
fn instances_that_cannot_be_mapped_are_exceptions_and_tried_again() {
    let swarm = Swarm::new();
    let guest = Guest::visiting(&["/"]).write(&swarm, "sound");
    let target = swarm.target(&[]);
    let arguments = ["-H", &target.url(), "-s", "30", "--threads", "1"];
    let mut run = swarm.run(&guest, &[&arguments[..], &["--json-file", "result.json"]].concat());
    run.page().start(1, 10.0);
    target.wait_for_requests(1);
    // Room for one more instance, or none.
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.process.id()));
    let status = status.expect("it runs");
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let size = size.and_then(|size| size.split_whitespace().next()?.parse::<u64>().ok());
    let size = size.expect("the system knows its size") << 10;
    set_limit(&run.process, Resource::As, Some(size + (64 << 20)));
    run.page().start(200, 200.0);
    let exceptions = |run: &swarm_tests::Run| run.page().get("/exceptions").body;
    wait_until("it is told", PATIENCE, || exceptions(&run).contains("cannot make an instance"));
    set_limit(&run.process, Resource::As, None);
    wait_until("all users run", PATIENCE, || run.page().stats()["user_count"] == 200);
    assert!(run.process.is_running());
    let before = target.counts().total;
    target.wait_for_requests(before + 400);
    run.page().stop();
    run.page().wait_for_state("stopped");
    run.process.signal(Signal::INT);
    assert_eq!(run.process.wait(PATIENCE).code(), Some(FAILURES));
    let (summary, counts) = (summary(&swarm), target.counts());
    assert_eq!(summary.total.num_requests, counts.total);
    assert_eq!(summary.total.num_failures, 0);
    assert!(!run.process.err.text().contains("panicked"));
}

/// The children of a process.
fn children(process: &Process) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("the system has it");
    let ids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let parent = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // State and parent follow the name, which is in brackets.
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let mut children: Vec<u32> = ids.filter(|id| parent(id) == Some(process.id())).collect();
    children.sort_unstable();
    children
}

fn is_alive(id: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}

fn kill(id: u32) {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is there");
}

fn workers(stats: &Value, state: &str) -> Vec<String> {
    let workers = stats["workers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = workers.iter().filter(|worker| worker["state"] == state);
    let mut ids: Vec<String> =
        named.filter_map(|worker| worker["id"].as_str().map(ToOwned::to_owned)).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn a_worker_of_several_processes() {
    let swarm = Swarm::new();
    let guest = Guest::visiting(&["/"]).write(&swarm, "sound");
    let target = swarm.target(&[]);
    let arguments = ["-H", &target.url(), "-s", "30", "--json-file", "result.json"];
    let mut master = swarm.master(&guest, &arguments);
    let mut worker = swarm.worker(&master, &["--processes", "3", "--id", "many"]);
    let page = master.page().clone();
    wait_until("three are ready", PATIENCE, || {
        workers(&page.stats(), "ready") == ["many-1", "many-2", "many-3"]
    });
    page.start(9, 100.0);
    wait_until("three each", PATIENCE, || {
        let stats = page.stats();
        let workers = stats["workers"].as_array().expect("a list");
        workers.iter().all(|worker| worker["user_count"] == 3)
    });
    target.wait_for_requests(100);
    page.stop();
    page.wait_for_state("stopped");
    let processes = children(&worker.process);
    assert_eq!(processes.len(), 3);
    // A single interrupt, as Ctrl-C sends: all leave and have handed everything over.
    assert_eq!(worker.leave(PATIENCE).code(), Some(0), "{}", worker.process.err.text());
    assert!(!processes.into_iter().any(is_alive));
    master.process.signal(Signal::INT);
    assert_eq!(master.process.wait(PATIENCE).code(), Some(0));
    assert_eq!(summary(&swarm).total.num_requests, target.counts().total);
}

#[test]
fn a_process_of_a_worker_that_dies_is_told_and_the_others_go_on() {
    let swarm = Swarm::new();
    let guest = Guest::visiting(&["/"]).write(&swarm, "sound");
    let target = swarm.target(&[]);
    let mut master = swarm.master(&guest, &["-H", &target.url()]);
    let mut worker = swarm.worker(&master, &["--processes", "2", "--id", "pair"]);
    let page = master.page().clone();
    wait_until("two are ready", PATIENCE, || workers(&page.stats(), "ready").len() == 2);
    page.start(4, 100.0);
    target.wait_for_requests(10);
    kill(children(&worker.process)[0]);
    wait_until("the others have its users", PATIENCE, || {
        let stats = page.stats();
        workers(&stats, "lost").len() == 1 && stats["user_count"] == 4
    });
    master.process.signal(Signal::INT);
    master.process.wait(PATIENCE);
    assert_eq!(worker.process.wait(PATIENCE).code(), Some(70));
    let said = worker.process.err.text();
    assert!(said.contains("of pair has ended: signal: 9"), "{said}");
}

#[test]
fn no_process_outlives_its_parent() {
    let swarm = Swarm::new();
    let guest = Guest::visiting(&["/"]).write(&swarm, "sound");
    let mut target = swarm.target(&["--processes", "2"]);
    let master = swarm.master(&guest, &["-H", &target.url()]);
    let mut worker = swarm.worker(&master, &["--processes", "2"]);
    let page = master.page().clone();
    wait_until("two are ready", PATIENCE, || workers(&page.stats(), "ready").len() == 2);
    page.start(4, 100.0);
    target.wait_for_requests(10);
    for process in [&mut worker.process, &mut target.process] {
        let processes = children(process);
        assert_eq!(processes.len(), 2);
        process.signal(Signal::KILL);
        process.wait(PATIENCE);
        wait_until("its children are gone", PATIENCE, || !processes.iter().any(|&id| is_alive(id)));
    }
}

#[test]
fn a_target_of_several_processes_counts_as_one() {
    let swarm = Swarm::new();
    let guest = Guest::visiting(&["/", "/about"]).write(&swarm, "sound");
    let mut target = swarm.target(&["--processes", "3", "--threads", "1"]);
    let arguments = ["-H", &target.url(), "-s", "30", "--json-file", "result.json"];
    let mut run = swarm.run(&guest, &arguments);
    run.page().start(60, 200.0);
    // Whoever is asked, meanwhile: the sums are whole and only grow.
    let mut last = 0;
    for _ in 0..30 {
        let counts = target.counts();
        assert_eq!(counts.paths.values().sum::<u64>(), counts.total);
        assert!(counts.total >= last);
        last = counts.total;
    }
    target.wait_for_requests(2000);
    run.page().stop();
    run.page().wait_for_state("stopped");
    run.process.signal(Signal::INT);
    assert_eq!(run.process.wait(PATIENCE).code(), Some(0), "{}", run.process.err.text());
    let summary = summary(&swarm);
    let counts = target.counts();
    assert_eq!(summary.total.num_requests, counts.total);
    for entry in &summary.entries {
        assert_eq!(counts.paths[&entry.name], entry.num_requests, "{}", entry.name);
    }
    assert_eq!(target.take_counts().total, counts.total);
    assert_eq!(target.counts().total, 0, "counting has started again in all of them");
    for n in 0..30 {
        assert_eq!(get(&format!("{}/status/{}", target.url(), 400 + n)).status, 400 + n);
    }
    assert_eq!(post(&format!("{}/counts/reset", target.url()), &[]).json()["total"], 30);

    // A second target is refused the port, and the port is free at once after the end.
    let port = target.address().port().to_string();
    refused(&swarm, &["target", "--port", &port], crate::verdict::BIND, &[&port, "in use"]);
    let two = ["target", "--port", &port, "--processes", "2"];
    refused(&swarm, &two, crate::verdict::BIND, &[&port, "in use"]);
    target.process.signal(Signal::INT);
    assert_eq!(target.process.wait(PATIENCE).code(), Some(0), "{}", target.process.err.text());
    wait_for("the port is free", PATIENCE, || TcpListener::bind(target.address()).ok());
}

#[test]
fn a_target_that_has_lost_counts_ends() {
    let swarm = Swarm::new();
    let mut target = swarm.target(&["--processes", "2"]);
    get(&target.url());
    let processes = children(&target.process);
    kill(processes[1]);
    assert_eq!(target.process.wait(PATIENCE).code(), Some(70));
    let said = target.process.err.text();
    assert!(said.contains("what it counted is lost"), "{said}");
    assert!(!processes.into_iter().any(is_alive));
}

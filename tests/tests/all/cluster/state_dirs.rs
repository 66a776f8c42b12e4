//! State directories that cannot be used, disks that are full, caches that are damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use swarm_tests::{Master, PATIENCE, Process, Swarm, scenario, wait_until};

use super::{Cluster, worker_with_cache};
use crate::guests::Guest;

/// Runs a master that must refuse; what it says.
#[track_caller]
fn refused(swarm: &Swarm, scenario: &str, arguments: &[&str]) -> String {
    let fixed = ["master", scenario, "--master-bind-port", "0", "--web-port", "0"];
    let (status, process) = swarm.finished(&[&fixed[..], arguments].concat());
    let said = process.err.text();
    assert_eq!(status.code(), Some(12), "{said}");
    assert!(!said.contains("listening"), "no port is opened: {said}");
    said
}

fn website() -> String {
    scenario("website").to_str().expect("a plain name").to_owned()
}

#[test]
fn a_directory_that_is_in_use_is_told_with_its_process() {
    let swarm = Swarm::new();
    let master = swarm.master(&scenario("website"), &["--state-dir", "state"]);
    let said = refused(&swarm, &website(), &["--state-dir", "state"]);
    assert!(said.contains(&format!("in use by process {}", master.process.id())), "{said}");
    assert!(said.contains("state/lock") && said.contains("another --state-dir"), "{said}");
}

#[test]
fn a_directory_of_another_scenario_is_told() {
    let swarm = Swarm::new();
    drop(swarm.master(&scenario("website"), &["--state-dir", "state"]));
    let other = Guest::visiting(&["/"]).write(&swarm, "other");
    let said = refused(&swarm, other.to_str().expect("a plain name"), &["--state-dir", "state"]);
    assert!(
        said.contains("is of the scenario ") && said.contains("website.wasm (sha256 "),
        "{said}"
    );
    assert!(said.contains("other.wasm (sha256 "), "{said}");
}

#[test]
fn a_damaged_state_is_told_and_stays_damaged() {
    let swarm = Swarm::new();
    drop(swarm.master(&scenario("website"), &["--state-dir", "state"]));
    let path = swarm.folder().join("state/state.redb");
    let whole = fs::read(&path).expect("it is there");
    for damaged in [&whole[..whole.len() / 2], b"", b"something else"] {
        fs::write(&path, damaged).expect("it can be written");
        // Again and again: it does not become an empty one by being looked at.
        for _ in 0..2 {
            let said = refused(&swarm, &website(), &["--state-dir", "state"]);
            assert!(said.contains("state/state.redb is damaged"), "{said}");
            assert!(said.contains("last written at 2"), "{said}");
        }
    }
    fs::write(&path, whole).expect("it can be written");
    drop(swarm.master(&scenario("website"), &["--state-dir", "state"]));
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let swarm = Swarm::new();
    swarm.file("state", b"a file");
    let said = refused(&swarm, &website(), &["--state-dir", "state/in/a/file"]);
    assert!(said.contains("cannot use state/in/a/file"), "{said}");
}

/// A command in a mount namespace of its own, in which `dir` is a disk of so many bytes. The test
/// reaches that disk by way of the process.
fn with_small_disk(command: &Command, dir: &str, size: &str) -> Command {
    let script =
        format!("mkdir -p {dir} && mount -t tmpfs -o size={size} none {dir} && exec \"$@\"");
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
    wrapped.arg(command.get_program()).args(command.get_args());
    command.get_envs().for_each(|(name, value)| match value {
        Some(value) => {
            wrapped.env(name, value);
        }
        None => {
            wrapped.env_remove(name);
        }
    });
    wrapped.current_dir(command.get_current_dir().expect("the test's folder"));
    wrapped
}

/// A folder as a process sees it.
fn seen_by(process: &Process, swarm: &Swarm, dir: &str) -> PathBuf {
    let folder = swarm.folder().join(dir);
    let inside = folder.strip_prefix("/").expect("an absolute path");
    PathBuf::from(format!("/proc/{}/root", process.id())).join(inside)
}

/// Fills a disk to its last byte.
fn fill(dir: &Path) -> PathBuf {
    let path = dir.join("filler");
    let mut size = 1 << 20;
    let mut filler = Vec::new();
    while size > 0 {
        filler.resize(filler.len() + size, 1);
        if fs::write(&path, &filler).is_err() {
            filler.truncate(filler.len() - size);
            size /= 2;
        }
    }
    path
}

/// A cluster of two workers and forty users whose state directory is a small disk. Also that disk.
fn on_a_small_disk(stop_timeout: &str) -> (Cluster, PathBuf) {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let json = super::result_file(&swarm);
    let mut command = swarm.command(&["master"]);
    command.arg(scenario("website")).args(["--host", &target.url(), "-s", stop_timeout]);
    command.arg("--json-file").arg(json).args(["--master-bind-port", "0", "--web-port", "0"]);
    command.args(["--state-dir", "state"]);
    let process = Process::spawn("master", with_small_disk(&command, "state", "16m"));
    let master = Master::of(process, &[]);
    let disk = seen_by(&master.process, &swarm, "state");
    let mut cluster = Cluster { workers: Vec::new(), master, target, swarm };
    cluster.add_workers(2);
    cluster.wait_until_ready(2);
    cluster.master.page().start(40, 100.0);
    cluster.wait_for_shares(40, 2);
    cluster.wait_for_more_requests(40);
    (cluster, disk)
}

/// Waits until the page says so.
fn told(cluster: &Cluster, text: &str) {
    wait_until(text, PATIENCE, || cluster.master.page().get("/api/v1/view").body.contains(text));
}

#[test]
fn a_test_that_ends_while_the_disk_is_full_is_incomplete() {
    let (cluster, disk) = on_a_small_disk("0");
    let filler = fill(&disk);
    told(&cluster, "reports are not acknowledged");
    cluster.wait_for_more_requests(100);
    // Nobody waits for the disk for ever, neither who stops the test nor the test.
    cluster.stop();
    cluster.wait_until_quiet();
    let received = cluster.target.counts().total;
    let finished = cluster.finish();
    assert_eq!(finished.code, Some(9), "{}", finished.log);
    assert!(finished.log.contains("state.redb is not up to date: "), "{}", finished.log);
    let notices = finished.summary["notices"].to_string();
    assert!(notices.contains("reports are not acknowledged"), "{notices}");
    assert!(
        finished.total() > 0 && finished.total() < received,
        "{} of {received}",
        finished.total()
    );
    finished.assert_consistent();
    // The disk went with its last process.
    assert!(!filler.exists());
}

#[test]
fn a_full_disk_acknowledges_nothing_is_told_and_loses_nothing() {
    let (cluster, disk) = on_a_small_disk("10");
    let filler = fill(&disk);
    told(&cluster, "state.redb: ");
    told(&cluster, "reports are not acknowledged");
    // The test goes on, and can be changed; what is reported meanwhile stays with the workers.
    cluster.master.page().start(60, 100.0);
    cluster.wait_for_shares(60, 2);
    std::thread::sleep(Duration::from_secs(3));
    fs::remove_file(filler).expect("it can be removed");
    told(&cluster, "is written again: nothing was lost");
    cluster.wait_for_more_requests(60);
    cluster.stop();
    cluster.finish().assert_exact();
}

#[test]
fn a_damaged_module_is_fetched_anew_and_a_full_cache_is_told() {
    let mut cluster = Cluster::start(1);
    let cache = cluster.swarm.folder().join("cache-0");
    let mut worker = worker_with_cache(&cluster, "first", &cache);
    cluster.wait_until_ready(2);
    worker.leave(PATIENCE);
    let modules = fs::read_dir(cache.join("modules")).expect("it is there").flatten();
    let module = modules
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|it| it == "wasm"));
    let module = module.expect("it has kept the module");
    let mut bytes = fs::read(&module).expect("it can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&module, bytes).expect("it can be written");
    let mut worker = worker_with_cache(&cluster, "second", &cache);
    worker.process.wait_for_value("is damaged; it is fetched anew");
    cluster.workers.push(worker);
    cluster.wait_until_ready(2);

    let address = cluster.master.address();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let arguments = ["worker", "--master-host", &host, "--master-port", &port, "--id", "third"];
    let mut command = cluster.swarm.command(&arguments);
    command.env("SWARM_CACHE_DIR", cluster.swarm.folder().join("small"));
    let command = with_small_disk(&command, "small", "16k");
    cluster.workers.push(swarm_tests::Worker { process: Process::spawn("third", command) });
    cluster.wait_until_ready(3);
    let told = "worker third: the module cannot be kept in ";
    wait_until(told, PATIENCE, || cluster.master.page().get("/api/v1/view").body.contains(told));
    cluster.master.page().start(30, 100.0);
    cluster.wait_for_shares(30, 3);
    cluster.stop();
    cluster.finish().assert_exact();
}

/// A byte of compiled code that a disk has changed would be another instruction.
#[test]
fn damaged_compiled_code_is_told_and_made_anew() {
    let mut cluster = Cluster::start(1);
    let cache = cluster.swarm.folder().join("cache-0");
    let mut worker = worker_with_cache(&cluster, "first", &cache);
    cluster.wait_until_ready(2);
    worker.leave(PATIENCE);
    let files = fs::read_dir(cache.join("compiled")).expect("it is there").flatten();
    let files = files.map(|file| file.path());
    let mut damaged = 0;
    for file in files {
        let mut bytes = fs::read(&file).expect("it can be read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).expect("it can be written");
        damaged += 1;
    }
    assert!(damaged > 0, "it has kept what it compiled");
    let mut worker = worker_with_cache(&cluster, "second", &cache);
    worker.process.wait_for_value("is damaged; it is compiled anew");
    cluster.workers.push(worker);
    cluster.wait_until_ready(2);
    cluster.master.page().start(30, 100.0);
    cluster.wait_for_shares(30, 2);
    cluster.stop();
    cluster.finish().assert_exact();
}

//! What a script finds in its environment: what the test passes on, and nothing else.

use std::path::PathBuf;
use std::process::Command;

use swarm_tests::{PATIENCE, Process, Swarm, Worker, wait_until};

use super::{CACHE, command};
use crate::verdict::{SCENARIO, SETTINGS, refused_as};

/// Reads the environment when it is imported, and in a task.
const SCRIPT: &str = "\
import os
from locust import HttpUser, constant, task

PAGE = os.environ['PAGE']

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        os.getenv('NOT_GIVEN')
        os.getenv('NOT_GIVEN', 'x')
        assert 'PATH' not in os.environ and 'HOME' not in os.environ
        assert len(os.environ) == 2, list(os.environ)
        self.client.get(PAGE, headers={'authorization': os.environ['API_TOKEN']}, name='page')
";

const TOLD: &str = "the script reads NOT_GIVEN of the environment, which is not passed on: -e";

fn script(swarm: &Swarm) -> PathBuf {
    let folder = swarm.folder().join("scripts");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("locustfile.py"), SCRIPT).expect("a file");
    folder
}

/// Runs to its end, and returns its exit code and all that it wrote.
fn run(mut process: Process) -> (Option<i32>, String) {
    let code = process.wait(PATIENCE).code();
    let said = process.err.text();
    (code, said)
}

fn given(mut command: Command) -> Command {
    command.env("API_TOKEN", "hunter2").env("SWARM_ENV", "PAGE=/about");
    command
}

#[test]
fn a_script_finds_what_is_passed_on_and_is_told_what_is_not() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let (folder, url) = (script(&swarm), target.url());
    let test = ["--headless", "-H", &url, "-u", "3", "-r", "100", "-t", "2", "-e", "API_TOKEN"];
    let more = ["--threads", "1", "--json-file", "result.json", "-L", "DEBUG"];
    let arguments = [&test[..], &more].concat();
    let process = Process::spawn("run", given(command(&swarm, "run", &folder, &arguments)));
    let (code, said) = run(process);
    assert_eq!(code, Some(0), "{said}");
    let summary = crate::verdict::summary(&swarm);
    assert!(summary.exceptions.is_empty(), "{:?}", summary.exceptions);
    assert_eq!(said.matches(TOLD).count(), 1, "{said}");
    let result = swarm.folder().join("result.json");
    let result = std::fs::read_to_string(result).expect("the result");
    assert!(!said.contains("hunter2") && !result.contains("hunter2"), "{said}");
}

#[test]
fn a_variable_that_a_script_needs_is_asked_for_by_name() {
    let swarm = Swarm::new();
    let folder = script(&swarm);
    let arguments = ["--headless", "-H", "http://127.0.0.1:1"];
    let mut process = Process::spawn("run", command(&swarm, "run", &folder, &arguments));
    let code = process.wait(PATIENCE).code();
    let named = folder.display().to_string();
    let parts = ["KeyError: 'PAGE'", "reads PAGE of the environment", "-e PAGE"];
    refused_as(&process, code, &[&named], SCENARIO, &parts);
}

#[test]
fn a_variable_that_nobody_has_is_refused() {
    let swarm = Swarm::new();
    let folder = script(&swarm);
    for arguments in [["-e", "NOT_ANYWHERE"], ["-e", "=x"]] {
        let process = Process::spawn("run", command(&swarm, "run", &folder, &arguments));
        let (code, said) = run(process);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--env") && said.contains("NAME"), "{said}");
    }
    let twice = ["-e", "PAGE=/x1", "-e", "PAGE=/x2"];
    let (code, said) = run(Process::spawn("run", command(&swarm, "run", &folder, &twice)));
    assert_eq!(code, Some(SETTINGS), "{said}");
    assert!(said.contains("`PAGE` is given twice") && !said.contains("/x2"), "{said}");
}

#[test]
fn it_is_the_same_on_each_worker() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let (folder, url) = (script(&swarm), target.url());
    let ports = ["--master-bind-host", "127.0.0.1", "--master-bind-port", "0"];
    let test = ["--headless", "-H", &url, "-u", "4", "-r", "100", "-t", "60", "-e", "API_TOKEN"];
    let workers = ["--expect-workers", "2", "--json-file", "result.json"];
    let arguments = [&ports[..], &test, &workers].concat();
    let mut master =
        Process::spawn("master", given(command(&swarm, "master", &folder, &arguments)));
    let address = master.wait_for_value("master listening on ");
    let port = address.rsplit(':').next().expect("a port").to_owned();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let arguments = ["worker", "--master-host", "127.0.0.1", "--master-port", &port];
            let mut worker = swarm.command(&arguments);
            worker.args(["--threads", "1"]).env("SWARM_CACHE_DIR", CACHE);
            worker.env("PAGE", "/of-the-worker").env("API_TOKEN", "of the worker");
            Worker { process: Process::spawn("worker", worker) }
        })
        .collect();
    wait_until("users have visited pages", PATIENCE, || target.counts().total >= 40);
    master.signal(swarm_tests::Signal::INT);
    master.wait(PATIENCE);
    let summary = crate::verdict::summary(&swarm);
    assert!(summary.exceptions.is_empty(), "{:?}", summary.exceptions);
    let reported = summary.workers.iter().filter(|worker| worker.num_requests > 0).count();
    assert_eq!(reported, 2, "{:?}", summary.workers);
    for process in workers.iter().map(|worker| &worker.process).chain([&master]) {
        assert!(!process.err.text().contains("hunter2"), "{}", process.err.text());
    }
}

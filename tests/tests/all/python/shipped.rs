//! Scripts on workers, which have neither the script nor its folder nor the runtime.

use std::path::Path;

use swarm_tests::{PATIENCE, Process, Swarm, Worker, wait_until};

use super::{CACHE, command};

const SCRIPT: &str = "\
from locust import HttpUser, constant, events, task
from shop.pages import PAGE

events.worker_report.add_listener(print)

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        with open('users.csv') as file:
            self.client.get(PAGE, name=file.read())

    @task
    def fail(self):
        raise ValueError('the basket is empty')
";

/// A worker of a program that stands alone in a folder.
fn worker(swarm: &Swarm, folder: &Path, port: u16) -> Worker {
    let program = folder.join("swarm");
    std::fs::copy(swarm_tests::binary(), &program).expect("a copy");
    let mut worker = swarm.command(&["worker", "--master-host", "127.0.0.1"]);
    worker.args(["--master-port", &port.to_string(), "--threads", "1"]);
    let mut alone = std::process::Command::new(&program);
    alone.args(worker.get_args()).current_dir(folder).env("SWARM_CACHE_DIR", CACHE);
    Worker { process: Process::spawn("worker", alone) }
}

#[test]
fn workers_get_the_script_with_its_folder_and_the_runtime() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let folder = swarm.folder().join("scripts");
    std::fs::create_dir_all(folder.join("shop")).expect("a folder");
    let files =
        [("locustfile.py", SCRIPT), ("users.csv", "ada"), ("shop/pages.py", "PAGE = '/about'")];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file");
    }
    let (alone, url) = (tempfile::tempdir().expect("a folder"), target.url());
    let ports = ["--master-bind-host", "127.0.0.1", "--master-bind-port", "0"];
    let test = ["--headless", "-H", &url, "-u", "4", "-r", "100", "-t", "60"];
    let workers = ["--expect-workers", "2", "--json-file", "result.json"];
    let arguments = [&ports[..], &test, &workers].concat();
    let mut master = Process::spawn("master", command(&swarm, "master", &folder, &arguments));
    let address = master.wait_for_value("master listening on ");
    let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let workers: Vec<_> = (0..2)
        .map(|number| {
            let folder = alone.path().join(number.to_string());
            std::fs::create_dir(&folder).expect("a folder");
            worker(&swarm, &folder, port)
        })
        .collect();
    wait_until("the workers' users have visited pages", PATIENCE, || target.counts().total >= 40);
    master.signal(swarm_tests::Signal::INT);
    master.wait(PATIENCE);
    let summary = crate::verdict::summary(&swarm);
    let visits = summary.entries.iter().find(|entry| entry.name == "ada");
    let visits = visits.expect("the file on the worker is the author's");
    assert_eq!((visits.num_requests, visits.num_failures), (target.counts().total, 0));
    let raised: u64 = summary.exceptions.iter().map(|exception| exception.count).sum();
    assert!(raised >= 1, "{:?}", summary.exceptions);
    assert!(summary.exceptions[0].trace.contains("locustfile.py\", line 16, in fail"));
    let reported = summary.workers.iter().filter(|worker| worker.num_requests > 0).count();
    assert_eq!(reported, 2, "{:?}", summary.workers);
    for worker in &workers {
        let log = worker.process.err.text();
        assert!(log.contains("events.worker_report is never fired here"), "{log}");
    }
}

//! Each script of `locust/cases` is run by Locust and by swarm, against two ports of one server
//! that writes down what it is asked. Both must have sent the same requests and have counted the
//! same: what differs is in [`known`], each with its reason.
//!
//! - `known`: the differences that there are.
//! - `outcome`: what one run has done, in comparable lines.

mod known;
mod outcome;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use swarm_tests::{Process, Swarm, get, python_tool};

use super::{command, script};
use outcome::Outcome;

/// Scripts that run at a time: most of them wait most of the time.
const AT_A_TIME: usize = 4;

/// Longest run of one script by one of the two.
const RUN_MAX: Duration = Duration::from_secs(120);

/// A script, and what its first lines say of how it is run: `# users: 3`, `# tags: a b`,
/// `# exclude-tags: c`.
struct Case {
    name: String,
    users: String,
    tags: Vec<String>,
    exclude_tags: Vec<String>,
}

impl Case {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("the case can be read");
        let setting = |name: &str| {
            let begin = format!("# {name}: ");
            let line = text.lines().find_map(|line| line.strip_prefix(&begin));
            line.map(|line| line.split(' ').map(str::to_owned).collect()).unwrap_or_default()
        };
        let users: Vec<String> = setting("users");
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        Self {
            name,
            users: users.first().map_or("1", String::as_str).to_owned(),
            tags: setting("tags"),
            exclude_tags: setting("exclude-tags"),
        }
    }

    fn all() -> Vec<Self> {
        let entries = fs::read_dir(script("cases")).expect("there are cases");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// What both are told of it.
    fn arguments<'a>(&'a self, host: &'a str) -> Vec<&'a str> {
        vec!["-u", &self.users, "-r", "100", "--host", host]
    }
}

/// The server with its ports.
struct Recorder {
    _process: Process,
    ports: Vec<u16>,
}

impl Recorder {
    fn start(ports: usize) -> Self {
        let mut recorder = Command::new(python_tool("python"));
        recorder.arg(script("recorder.py")).arg(ports.to_string());
        let mut process = Process::spawn("recorder", recorder);
        let ports = process.wait_for_value("listening on ");
        let ports = ports.split(',').map(|port| port.parse().expect("a port")).collect();
        Self { _process: process, ports }
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// What has come to a port.
fn recorded(port: u16) -> Value {
    get(&format!("{}/recorded", url(port))).json()
}

/// Runs a case by Locust, which ends when all its users have.
fn by_locust(case: &Case, port: u16) -> Outcome {
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let result = folder.path().join("result.json");
    let (cases, ender) = (script("cases"), script("ender.py"));
    let files = format!("{},{}", cases.join(&case.name).display(), ender.display());
    let files = files.replacen(',', ".py,", 1);
    let host = url(port);
    let mut locust = Command::new(python_tool("locust"));
    locust.args(["-f", &files, "--headless", "--only-summary"]).args(case.arguments(&host));
    for (flag, tags) in [("--tags", &case.tags), ("--exclude-tags", &case.exclude_tags)] {
        if !tags.is_empty() {
            locust.arg(flag).args(tags);
        }
    }
    locust.current_dir(cases).env("ENDER_RESULT", &result).env("PYTHONWARNINGS", "ignore");
    locust.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    let mut process = Process::spawn("locust", locust);
    process.wait(RUN_MAX);
    let text = fs::read_to_string(result)
        .unwrap_or_else(|error| panic!("{}: {error}\n{}", case.name, process.err.text()));
    let result: Value = serde_json::from_str(&text).expect("the result is JSON");
    Outcome::of_locust(&result, &recorded(port), port)
}

/// Runs a case by swarm until all its users have ended.
fn by_swarm(case: &Case, port: u16) -> Outcome {
    let swarm = Swarm::new();
    let (host, tags) = (url(port), case.tags.join(","));
    let exclude_tags = case.exclude_tags.join(",");
    let mut arguments = case.arguments(&host);
    arguments.extend(["--headless", "--threads", "1", "--json-file", "result.json"]);
    for (flag, tags) in [("--tags", &tags), ("--exclude-tags", &exclude_tags)] {
        if !tags.is_empty() {
            arguments.extend([flag, tags]);
        }
    }
    let path = script("cases").join(format!("{}.py", case.name));
    let mut process = Process::spawn("run", command(&swarm, "run", &path, &arguments));
    process.wait(RUN_MAX);
    let summary = crate::verdict::summary(&swarm);
    Outcome::of_swarm(&summary, &recorded(port), port)
}

#[test]
fn each_script_does_what_it_does_in_locust() {
    let cases = Case::all();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let recorder = Recorder::start(2 * cases.len());
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(index) else { return };
                    let ports = &recorder.ports[2 * index..];
                    let compared = catch_unwind(|| {
                        by_locust(case, ports[0]).differences(&by_swarm(case, ports[1]))
                    });
                    // What went wrong has been printed.
                    let differences =
                        compared.unwrap_or_else(|_| vec!["one of the two failed".to_owned()]);
                    let found = known::unknown(&case.name, differences);
                    wrong.lock().expect("nobody has panicked").extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("nobody has panicked");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

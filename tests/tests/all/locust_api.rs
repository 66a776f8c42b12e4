//! A script that was written for Locust's web API, against Locust and against swarm: unchanged, and
//! with the same outcome.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use swarm_core::plan::{Order, Wait};
use swarm_tests::{PATIENCE, Process, Swarm, request, wait_until};

use crate::guests::{Guest, class, error, task, visit};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/locust");

/// The script itself gives up much earlier.
const SCRIPT_MAX: Duration = Duration::from_secs(300);

/// A program of the environment that the set-up makes.
fn program(name: &str) -> PathBuf {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/python/bin");
    let path = Path::new(tools).join(name);
    assert!(path.exists(), "there is no {}: run `cargo xtask setup`", path.display());
    path
}

/// The load of `locustfile.py`.
fn scenario(swarm: &Swarm) -> PathBuf {
    let tasks = ["index", "missing", "broken"].iter().zip(0..).map(|(name, id)| task(id, name));
    let mut guest = Guest::new(vec![class("Visitor", Order::Weighted, tasks.collect())]);
    guest.class(0).wait = Wait::Constant(50);
    let bodies = [visit("index"), visit("missing"), error("broken")];
    let run: String = (0..)
        .zip(bodies)
        .map(|(id, body)| format!("(if (i32.eq (local.get $task) (i32.const {id})) (then {body}))"))
        .collect();
    let guest = guest.text("index", "/").text("missing", "/status/503");
    guest.text("broken", "the basket is empty").run(&run).write(swarm, "visitor")
}

/// Starts the script for the page at this address.
fn script(web: &str, target: &str) -> Process {
    let mut command = Command::new(program("python"));
    command.arg(Path::new(FOLDER).join("script.py")).args([web, target]);
    Process::spawn("script", command)
}

/// What the script has seen.
#[track_caller]
fn outcome(mut script: Process) -> Value {
    let status = script.wait(SCRIPT_MAX);
    assert!(status.success(), "{status}:\n{}", script.err.text());
    let said = script.out.text();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn a_script_for_locusts_api_sees_the_same_of_both() {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let run = swarm.run(&scenario(&swarm), &["--threads", "1"]);

    // Locust does not say which port it has taken.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = port.expect("there is a free port").port();
    let mut command = Command::new(program("python"));
    command.args(["-m", "locust", "--web-host", "127.0.0.1", "--web-port", &port.to_string()]);
    command.arg("--locustfile").arg(Path::new(FOLDER).join("locustfile.py"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(swarm.folder());
    let mut locust = Process::spawn("locust", command);
    let page = format!("http://127.0.0.1:{port}");
    wait_until("Locust's page answers", PATIENCE, || {
        assert!(locust.is_running(), "Locust has ended: {}", locust.err.text());
        request("GET", &format!("{page}/worker-count"), &[], "").is_ok()
    });

    let (of_swarm, of_locust) =
        (script(run.page().url(), &target.url()), script(&page, &target.url()));
    let (mut of_swarm, of_locust) = (outcome(of_swarm), outcome(of_locust));
    // Behind Locust's columns there may be others.
    let columns = of_swarm["requests.csv"].as_array_mut().expect("a list of columns");
    let own = columns.split_off(of_locust["requests.csv"].as_array().map_or(0, Vec::len));
    assert_eq!(own, ["Resent Count", "Unanswered Count"]);
    assert_eq!(of_swarm, of_locust, "swarm, then Locust");
}

//! Every scenario of this repository, in whatever language it is written: each request arrives,
//! and each counts.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use swarm_target::Counts;
use swarm_tests::{PATIENCE, Process, Signal, Swarm, scenario};

/// Where compiled modules stay from one run of the tests to the next: a language's whole runtime
/// takes a while to compile.
pub(crate) const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/languages");

/// Runs a scenario, or the embedded one, for a few seconds: its exit code and its result.
#[track_caller]
fn run(swarm: &Swarm, scenario: Option<&Path>, host: &str, more: &[&str]) -> (Option<i32>, Value) {
    let json = swarm.folder().join("result.json");
    let mut command = swarm.command(&["run", "--headless", "--host", host]);
    command.args(["-u", "60", "-r", "60", "-t", "4", "-s", "10"]).args(more);
    command.arg("--json-file").arg(&json).args(scenario);
    command.env("SWARM_CACHE_DIR", CACHE);
    let mut process = Process::spawn("run", command);
    let code = process.wait(PATIENCE).code();
    let text = std::fs::read_to_string(json).expect("the result is written");
    (code, serde_json::from_str(&text).expect("the result is JSON"))
}

/// Runs a scenario against the target, which tells the truth.
#[track_caller]
fn run_on_target(scenario: Option<&Path>) -> (Option<i32>, Value, Counts) {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let (code, summary) = run(&swarm, scenario, &target.url(), &[]);
    assert_eq!(summary["exceptions"], serde_json::json!([]));
    assert_eq!(summary["interrupted"], 0);
    assert_eq!(summary["total"]["num_requests"], target.counts().total);
    (code, summary, target.counts())
}

/// Runs a scenario in which nothing fails; says what was requested.
#[track_caller]
fn runs_exactly(scenario: Option<&Path>) -> BTreeMap<String, u64> {
    let (code, summary, counts) = run_on_target(scenario);
    assert_eq!((code, &summary["errors"]), (Some(0), &serde_json::json!([])));
    assert_eq!(requests(&summary), counts.paths);
    let all_ok = counts.statuses.keys().all(|&status| status == 200);
    assert!(all_ok, "{:?}", counts.statuses);
    counts.paths
}

/// The website is two pages, visited about equally often by each of 60 users.
#[track_caller]
fn website_runs_exactly(scenario: Option<&Path>) {
    let paths = runs_exactly(scenario);
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/", "/about"]);
    assert!(paths.values().sum::<u64>() >= 60, "each user has begun: {paths:?}");
    // A fair coin is this far off once in millions of runs.
    assert!(paths.values().all(|&count| count >= 12), "{paths:?}");
}

/// By name, whatever the method.
fn requests(summary: &Value) -> BTreeMap<String, u64> {
    let mut requests = BTreeMap::new();
    for entry in summary["entries"].as_array().expect("a list") {
        let name = entry["name"].as_str().expect("a name").to_owned();
        let count = entry["num_requests"].as_u64().expect("a number");
        *requests.entry(name).or_default() += count;
    }
    requests
}

#[test]
fn rust() {
    website_runs_exactly(Some(&scenario("website")));
}

#[test]
fn c() {
    website_runs_exactly(Some(&scenario("website-c")));
}

#[test]
fn go() {
    website_runs_exactly(Some(&scenario("website-go")));
}

#[test]
fn javascript() {
    website_runs_exactly(Some(&scenario("website-js")));
}

#[test]
fn python() {
    website_runs_exactly(Some(&scenario("website-py")));
}

#[test]
fn webassembly_text() {
    let paths = runs_exactly(Some(&scenario("minimal-wat")));
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/"]);
    assert!(paths["/"] >= 120, "a request a second from each user: {paths:?}");
}

#[test]
fn nothing_chosen_is_the_embedded_website() {
    website_runs_exactly(None);
    let embedded = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/assets/website.wasm");
    assert_eq!(plan(Path::new(embedded)), plan(&scenario("website")));
}

/// What `check` says of a scenario, apart from its bytes.
#[track_caller]
fn plan(scenario: &Path) -> Value {
    let swarm = Swarm::new();
    let path = scenario.to_str().expect("plain names");
    let (status, process) = swarm.finished(&["check", "--json", path]);
    assert_eq!(status.code(), Some(0), "{}", process.err.text());
    let mut said: Value = serde_json::from_str(&process.out.text()).expect("it is JSON");
    let said = said.as_object_mut().expect("it is an object");
    for of_its_bytes in ["digest", "size_bytes", "scenario"] {
        said.remove(of_its_bytes).expect("it is there");
    }
    Value::Object(std::mem::take(said))
}

#[test]
fn a_shop_with_state() {
    let (code, summary, counts) = run_on_target(Some(&scenario("checkout")));
    let mut requests = requests(&summary);
    // Two names in the result are one path.
    let by_item = requests.remove("/items?item=[id]").unwrap_or_default();
    *requests.entry("/items".to_owned()).or_default() += by_item;
    assert_eq!(requests, counts.paths);
    assert_eq!(counts.paths["/login"], 60, "each user logs in, once");
    assert!(counts.statuses.keys().all(|&status| status == 200), "{:?}", counts.statuses);

    let errors = summary["errors"].as_array().expect("a list");
    assert!(errors.iter().all(|error| error["error"] == "out of stock"), "{errors:?}");
    let failures = summary["total"]["num_failures"].as_u64().expect("a number");
    let occurrences = errors.iter().map(|error| error["occurrences"].as_u64().expect("a number"));
    assert_eq!(occurrences.sum::<u64>(), failures);
    assert_eq!(code, Some(i32::from(failures > 0)));
}

/// A server with a certificate that nobody has signed; told to end, it says what it received.
const HTTPS: &str = r#"
import collections, http.server, json, signal, ssl, sys, threading
received, lock = collections.Counter(), threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_GET(self):
        with lock: received[self.path] += 1
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    # The handshake on the connection's own thread.
    def finish_request(self, request, address):
        with context.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, address)
    def handle_error(self, *_): pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
server = Server(("127.0.0.1", 0), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("listening on", server.server_port, flush=True)
server.serve_forever()
print("received", json.dumps(received, separators=(",", ":")), flush=True)
import os; os._exit(0)
"#;

fn https(swarm: &Swarm) -> (Process, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let made = made.expect("it needs no more than a name");
    let pem = made.signing_key.serialize_pem() + &made.cert.pem();
    let pem = swarm.file("server.pem", pem.as_bytes());
    let mut command = std::process::Command::new("python3");
    command.arg("-c").arg(HTTPS).arg(pem);
    let mut server = Process::spawn("https", command);
    let port = server.wait_for_value("listening on ");
    (server, format!("https://localhost:{port}"))
}

#[test]
fn https_with_a_certificate_that_is_taken_on_trust() {
    let swarm = Swarm::new();
    let (mut server, host) = https(&swarm);
    let (code, summary) = run(&swarm, Some(&scenario("website")), &host, &["--insecure"]);
    server.signal(Signal::TERM);
    let received = server.wait_for_value("received ");
    let received: BTreeMap<String, u64> = serde_json::from_str(&received).expect("it is JSON");
    assert_eq!((code, &summary["errors"]), (Some(0), &serde_json::json!([])));
    assert!(!received.is_empty());
    assert_eq!(requests(&summary), received);
}

#[test]
fn https_with_a_certificate_of_nobody_is_refused() {
    let swarm = Swarm::new();
    let (mut server, host) = https(&swarm);
    let (code, summary) = run(&swarm, Some(&scenario("website")), &host, &[]);
    // Nothing was answered.
    assert_eq!(code, Some(11));
    let total = &summary["total"];
    assert!(total["num_requests"].as_u64() >= Some(60), "{total}");
    assert_eq!(total["num_requests"], total["num_failures"]);
    for error in summary["errors"].as_array().expect("a list") {
        let text = error["error"].as_str().expect("a text");
        assert!(text.contains("certificate"), "{text}");
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait_for_value("received "), "{}", "nothing was sent");
}

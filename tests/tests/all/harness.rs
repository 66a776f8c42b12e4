//! The harness itself, against the smallest part of the binary.

use swarm_tests::{PATIENCE, Signal, Swarm, get, post, request};

#[test]
fn a_target_starts_counts_and_stops() {
    let swarm = Swarm::new();
    let mut target = swarm.target(&["--threads", "2"]);
    for path in ["/", "/about?x=1", "/nothing"] {
        get(&format!("{}{path}", target.url()));
    }
    let form = [("username", "ann & bob"), ("password", "swarm")];
    let login = post(&format!("{}/login", target.url()), &form);
    assert!(login.json()["token"].is_string());
    target.wait_for_requests(4);
    let counts = target.take_counts();
    assert_eq!((counts.total, counts.paths["/about"], counts.statuses[&404]), (4, 1, 1));
    assert_eq!(target.counts().total, 0);
    target.process.signal(Signal::INT);
    assert_eq!(target.process.wait(PATIENCE).code(), Some(0));
    request("GET", &target.url(), &[], "").expect_err("nobody listens any more");
}

#[test]
fn a_second_target_on_the_port_is_refused() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let port = target.address().port().to_string();
    let (status, process) = swarm.finished(&["target", "--port", &port]);
    assert!(status.code().is_some_and(|code| code > 0), "{status}");
    let said = process.err.text();
    assert!(said.contains(&format!("{} is in use", target.address())), "{said}");
}

#[test]
fn modules_are_made_from_text() {
    let swarm = Swarm::new();
    let path = swarm.module("empty", "(component)");
    assert!(std::fs::read(&path).expect("it was written").starts_with(b"\0asm"));
    let path = path.to_str().expect("temporary folders have plain names");
    let (status, process) = swarm.finished(&["check", path]);
    assert!(!status.success(), "an empty component is no scenario: {}", process.out.text());
}

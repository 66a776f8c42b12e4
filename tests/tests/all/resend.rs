//! Requests that meet the end of a kept connection: what the target has received is what is
//! reported, and what is sent again is counted.

use std::time::Duration;

use swarm_core::plan::Order;
use swarm_stats::report::json::Summary;
use swarm_stats::snapshot::EntrySnapshot;
use swarm_tests::{Fate, PATIENCE, Received, Server, Swarm, wait_until};

use crate::guests::{Guest, class, fixed, send, task, visit};
use crate::verdict::{FAILURES, run_against, summary};

/// Sent again when they meet an end at the moment of sending.
const IDEMPOTENT: [&str; 3] = ["GET", "PUT", "DELETE"];
/// Sent once, whatever happens.
const OTHERS: [&str; 2] = ["POST", "PATCH"];

const CLOSED: &str = "connection closed before the response began";
const RESET: &str = "connection reset before the response began";

fn methods() -> impl Iterator<Item = &'static str> {
    IDEMPOTENT.into_iter().chain(OTHERS)
}

/// Knows the methods and these paths as texts.
fn with_texts(guest: Guest, paths: &[&str]) -> Guest {
    let guest = methods().fold(guest, |guest, method| guest.text(&method.to_lowercase(), method));
    let named = paths.iter().map(|path| (path.trim_start_matches('/'), path));
    named.fold(guest.text("warm", "/"), |guest, (name, path)| guest.text(name, path))
}

/// A `GET` of `/` that leaves a kept connection, and a request on that.
fn on_kept(method: &str, path: &str) -> String {
    let path = path.trim_start_matches('/');
    format!("{} {}", visit("warm"), send(&method.to_lowercase(), path))
}

/// A user that sends a request of each method to each of these paths, one after the other, each on
/// a kept connection.
fn in_turn(paths: &[&str]) -> Guest {
    let requests: Vec<_> =
        paths.iter().flat_map(|path| methods().map(move |method| on_kept(method, path))).collect();
    let tasks = (0..).zip(&requests).map(|(id, _)| task(id, "send")).collect();
    let guest = Guest::new(vec![class("Sender", Order::Sequential, tasks)]);
    let run: String = (0..)
        .zip(&requests)
        .map(|(id, request)| {
            format!("(if (i32.eq (local.get $task) (i32.const {id})) (then {request}))")
        })
        .collect();
    with_texts(guest, paths).run(&run)
}

fn entry<'a>(summary: &'a Summary, method: &str, path: &str) -> &'a EntrySnapshot {
    let mut entries = summary.entries.iter();
    let found = entries.find(|entry| entry.method == method && entry.name == path);
    found.unwrap_or_else(|| panic!("no {method} {path} in {:?}", summary.entries))
}

/// Times that requests of a method to a path have failed, all with this text.
#[track_caller]
fn failures(summary: &Summary, method: &str, path: &str, text: &str) -> u64 {
    let errors = summary.errors.iter().filter(|e| e.method == method && e.name == path);
    errors
        .map(|error| {
            assert_eq!(error.error, text, "{method} {path}");
            error.occurrences
        })
        .sum()
}

/// The connections in the result are those of the server, and each request that it has read was
/// given to one of them.
#[track_caller]
fn connections_agree(summary: &Summary, server: &Server) {
    let connections = &summary.connections;
    assert_eq!(connections.opened, server.connections(), "{connections:?}");
    assert_eq!(connections.opened + connections.reused, server.requests(), "{connections:?}");
    assert_eq!(connections.failed, 0);
    assert_eq!(connections.resent, summary.total.num_resent);
    assert_eq!(summary.total.num_requests + summary.total.num_resent, server.requests());
    assert_eq!((summary.interrupted, summary.unsent, summary.in_flight), (0, 0, 0));
}

#[test]
fn only_idempotent_requests_are_sent_again_and_all_is_counted() {
    const PATHS: [(&str, &str); 2] = [("/fin", CLOSED), ("/rst", RESET)];
    const ROUNDS: u64 = 10;
    let fate = |request: &Received| match (request.path.as_str(), request.before) {
        ("/fin", 1..) => Fate::Close(Duration::ZERO),
        ("/rst", 1..) => Fate::Reset,
        _ => Fate::Answer,
    };
    let (swarm, server) = (Swarm::new(), Server::start(fate));
    let guest = in_turn(&PATHS.map(|(path, _)| path)).write(&swarm, "sender");
    // The last of a round.
    let enough = || server.requests_of("PATCH", "/rst") >= ROUNDS;
    let (code, summary, log) = run_against(&swarm, &server.url(), &guest, &["-u", "2"], enough);
    assert_eq!(code, Some(FAILURES), "{log}");
    for (path, text) in PATHS {
        for method in methods() {
            let (executed, lost) =
                (server.requests_of(method, path), server.unanswered_of(method, path));
            assert!(lost >= ROUNDS, "{method} {path}: {lost} of {executed} lost");
            let entry = entry(&summary, method, path);
            assert_eq!(entry.num_requests + entry.num_resent, executed, "{entry:?}");
            assert_eq!(entry.num_failures + entry.num_resent, lost, "{entry:?}");
            assert_eq!(entry.num_unanswered, entry.num_failures, "{entry:?}");
            assert_eq!(failures(&summary, method, path, text), entry.num_failures);
            if OTHERS.contains(&method) {
                assert_eq!((entry.num_resent, entry.num_failures), (0, executed), "{entry:?}");
            }
        }
    }
    // How many of them came to their end within the time is the machine's business.
    assert!(summary.total.num_resent > 0, "{:?}", summary.entries);
    connections_agree(&summary, &server);
}

/// By whatever method: a server that has worked for a second has acted on what it was sent.
#[test]
fn what_the_server_has_worked_on_fails() {
    let fate = |request: &Received| match (request.path.as_str(), request.before) {
        ("/work", 1..) => Fate::Close(Duration::from_secs(1)),
        _ => Fate::Answer,
    };
    let (swarm, server) = (Swarm::new(), Server::start(fate));
    // A user for each method: none waits for another.
    let classes = (0..).zip(methods()).map(|(id, method)| fixed(method, 1, id)).collect();
    let run: String = (0..)
        .zip(methods())
        .map(|(id, method)| {
            let request = on_kept(method, "/work");
            format!("(if (i32.eq (local.get $task) (i32.const {id})) (then {request}))")
        })
        .collect();
    let guest = with_texts(Guest::new(classes), &["/work"]).run(&run).write(&swarm, "sender");
    let enough = || methods().all(|method| server.unanswered_of(method, "/work") >= 1);
    let (code, summary, log) = run_against(&swarm, &server.url(), &guest, &["-u", "5"], enough);
    assert_eq!(code, Some(FAILURES), "{log}");
    for method in methods() {
        let executed = server.requests_of(method, "/work");
        let entry = entry(&summary, method, "/work");
        assert_eq!((entry.num_requests, entry.num_failures), (executed, executed), "{entry:?}");
        assert_eq!(entry.num_resent, 0, "{entry:?}");
        assert_eq!(failures(&summary, method, "/work", CLOSED), executed);
    }
    connections_agree(&summary, &server);
}

/// Each second request of a connection is read, acted on, and never answered.
fn every_second(request: &Received) -> Fate {
    if request.before % 2 == 1 { Fate::Close(Duration::ZERO) } else { Fate::Answer }
}

#[test]
fn no_order_is_booked_twice() {
    let (swarm, server) = (Swarm::new(), Server::start(every_second));
    let guest = with_texts(Guest::new(vec![fixed("Buyer", 20, 0)]), &["/order"]);
    let guest = guest.run(&send("post", "order")).write(&swarm, "buyer");
    let enough = || server.requests_of("POST", "/order") >= 1_000;
    let (code, summary, log) = run_against(&swarm, &server.url(), &guest, &["-u", "20"], enough);
    assert_eq!(code, Some(FAILURES), "{log}");
    let (executed, lost) = (server.requests(), server.unanswered_of("POST", "/order"));
    let total = &summary.total;
    assert_eq!((total.num_requests, total.num_failures), (executed, lost));
    assert_eq!(failures(&summary, "POST", "/order", CLOSED), lost);
    assert_eq!(total.num_resent, 0);
    connections_agree(&summary, &server);
}

/// The flag is the master's, and its worker obeys it.
#[test]
fn nothing_is_sent_again_when_nothing_may() {
    let (swarm, server) = (Swarm::new(), Server::start(every_second));
    let guest = Guest::visiting(&["/"]).write(&swarm, "visitor");
    let url = server.url();
    let flags = ["--headless", "-H", &url, "-u", "3", "-r", "100", "-t", "2", "-s", "20"];
    let flags = [&flags[..], &["--no-resend", "--json-file", "result.json"]].concat();
    let mut master = swarm.master(&guest, &flags);
    let worker = swarm.worker(&master, &["--threads", "1"]);
    let code = master.process.wait(PATIENCE).code();
    assert_eq!(code, Some(FAILURES), "{}", master.process.err.text());
    drop(worker);
    let (summary, lost) = (summary(&swarm), server.unanswered_of("GET", "/"));
    let total = &summary.total;
    assert_eq!((total.num_requests, total.num_failures), (server.requests(), lost));
    assert_eq!(failures(&summary, "GET", "/", CLOSED), lost);
    assert!(lost > 0 && total.num_resent == 0, "{lost} {total:?}");
    connections_agree(&summary, &server);
}

/// The requests that were with the target fail as what they are, also when nobody is there for a
/// second attempt.
#[test]
fn a_crash_is_not_told_as_a_refusal() {
    const USERS: u64 = 5;
    let fate = |request: &Received| if request.before > 0 { Fate::Hang } else { Fate::Answer };
    let swarm = Swarm::new();
    let server = Server::start(fate);
    let guest = Guest::visiting(&["/"]).write(&swarm, "visitor");
    let mut run = swarm.run(&guest, &["-H", &server.url(), "--json-file", "result.json"]);
    run.page().start(5, 100.0);
    let waiting = || server.unanswered_of("GET", "/") == USERS;
    wait_until("each user waits for an answer", PATIENCE, waiting);
    // The connections end, and whoever connects is refused.
    drop(server);
    wait_until("the next requests are refused", PATIENCE, || {
        let stats = run.page().stats();
        let errors = stats["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().any(|error| {
            error["error"].as_str().is_some_and(|text| text.ends_with("connection refused"))
        })
    });
    run.page().stop();
    run.page().wait_for_state("stopped");
    run.process.signal(swarm_tests::Signal::INT);
    assert_eq!(run.process.wait(PATIENCE).code(), Some(FAILURES));
    let summary = summary(&swarm);
    let closed = summary.errors.iter().filter(|error| error.error == CLOSED);
    assert_eq!(closed.map(|error| error.occurrences).sum::<u64>(), USERS, "{:?}", summary.errors);
    assert_eq!(summary.total.num_resent, 0);
    let refused = summary.errors.iter().filter(|error| error.error.ends_with("connection refused"));
    let refused: u64 = refused.map(|error| error.occurrences).sum();
    // One that had been sent just before may have been tried again, in vain.
    let failed = summary.connections.failed;
    assert!((refused..=refused + USERS).contains(&failed), "{failed}: {:?}", summary.errors);
}

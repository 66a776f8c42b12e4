//! Tests in which nothing is answered: their requests are seen while they are on their way, and the
//! end is no success.

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;
use socket2::{Domain, Socket, Type};
use swarm_stats::report::json::Summary;
use swarm_tests::{Fate, PATIENCE, Server, Signal, Swarm, wait_until};

use crate::guests::{Guest, fixed};
use crate::verdict::{FAILURES, NOTHING_ANSWERED, summary};

/// How a headless run of two seconds ended in which nothing was answered.
struct Ended {
    summary: Summary,
    /// What it said last on standard error.
    said: String,
    /// Its report.
    report: String,
}

/// Runs 20 users that visit `/`, and sees to it that the end is told everywhere.
#[track_caller]
fn unanswered(url: &str, stop_timeout: &str) -> Ended {
    let swarm = Swarm::new();
    let guest = Guest::visiting(&["/"]).write(&swarm, "visitor");
    let flags = ["--headless", "-H", url, "-u", "20", "-r", "100", "-t", "2", "-s", stop_timeout];
    // Whatever is said of the failures, it is no success.
    let flags = [&flags[..], &["--json-file", "result.json", "--exit-code-on-error", "0"]].concat();
    let mut run = swarm.run(&guest, &flags);
    let code = run.process.wait(PATIENCE).code();
    let (said, report) = (run.process.err.text(), run.process.out.text());
    assert_eq!(code, Some(NOTHING_ANSWERED), "{said}");
    let summary = summary(&swarm);
    let why = summary.nothing_answered.clone().expect("it says why");
    assert!(why.starts_with("nothing was answered: "), "{why}");
    assert!(said.contains(&format!("error: {why}")), "{said}");
    assert!(report.contains(&format!("note: {why}")), "{report}");
    assert!(summary.notices.contains(&why), "{:?}", summary.notices);
    assert_eq!(summary.total.num_unanswered, summary.total.num_requests);
    Ended { summary, said, report }
}

#[test]
fn a_server_that_accepts_and_is_silent() {
    for stop_timeout in ["0", "1"] {
        let server = Server::start(|_| Fate::Hang);
        let Ended { summary, said, report } = unanswered(&server.url(), stop_timeout);
        assert_eq!((summary.interrupted, summary.unsent), (20, 0), "{said}");
        assert_eq!(summary.connections.opened, server.connections());
        assert!(said.contains("20 requests cut off while waiting for a response"), "{said}");
        assert!(report.contains("20 requests were cut off on their way"), "{report}");
        let in_flight = summary.seconds.iter().map(|second| second.in_flight).max();
        assert_eq!(in_flight, Some(20), "{:?}", summary.seconds);
    }
}

/// A listener whose queue is full: what comes is swallowed, as by a firewall that drops.
struct BlackHole {
    address: SocketAddr,
    _sockets: Vec<Socket>,
}

impl BlackHole {
    fn new() -> Self {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let listener = socket();
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        listener.bind(&any.into()).expect("there is a free port");
        listener.listen(0).expect("it is bound");
        let address = listener.local_addr().expect("it is bound").as_socket().expect("IPv4");
        let mut sockets = vec![listener];
        // One fits, and those behind it wait in vain.
        for _ in 0..4 {
            let socket = socket();
            socket.set_nonblocking(true).expect("a socket may not wait");
            // It is in progress.
            let _ = socket.connect(&address.into());
            sockets.push(socket);
        }
        Self { address, _sockets: sockets }
    }
}

#[test]
fn a_network_that_swallows_what_is_sent() {
    for stop_timeout in ["0", "1"] {
        let hole = BlackHole::new();
        let url = format!("http://{}", hole.address);
        let Ended { summary, said, report } = unanswered(&url, stop_timeout);
        assert_eq!((summary.interrupted, summary.unsent), (0, 20), "{said}");
        assert_eq!(summary.connections.opened, 0);
        assert!(said.contains("20 requests given up while waiting for a connection"), "{said}");
        assert!(report.contains("20 requests were given up before"), "{report}");
        let in_flight = summary.seconds.iter().map(|second| second.in_flight).max();
        assert_eq!(in_flight, Some(20), "{:?}", summary.seconds);
    }
}

#[test]
fn a_port_that_refuses() {
    let free = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = free.local_addr().expect("it is bound");
    drop(free);
    let Ended { summary, said, .. } = unanswered(&format!("http://{address}"), "5");
    let total = &summary.total;
    assert!(total.num_requests > 0 && total.num_failures == total.num_requests, "{total:?}");
    assert_eq!(summary.connections.failed, total.num_requests);
    assert!(said.contains("connection refused)"), "{said}");
}

#[test]
fn users_that_make_no_request_are_no_failure() {
    let swarm = Swarm::new();
    let guest = Guest::new(vec![fixed("Idler", 3, 0)]).write(&swarm, "idler");
    let flags = ["--headless", "-H", "http://127.0.0.1:9", "-u", "3", "-r", "100", "-t", "1"];
    let mut run = swarm.run(&guest, &[&flags[..], &["--json-file", "result.json"]].concat());
    assert_eq!(run.process.wait(PATIENCE).code(), Some(0), "{}", run.process.err.text());
    let summary = summary(&swarm);
    assert_eq!(summary.nothing_answered, None);
    assert_eq!(summary.notices, ["no user has made a request"], "it is told");
}

#[test]
fn a_test_without_a_worker_is_no_success() {
    let swarm = Swarm::new();
    let guest = Guest::visiting(&["/"]).write(&swarm, "visitor");
    let flags = ["-H", "http://127.0.0.1:9", "--json-file", "result.json"];
    let mut master = swarm.master(&guest, &flags);
    master.page().start(5, 10.0);
    master.page().stop();
    master.page().wait_for_state("stopped");
    let why = "no user was started: no worker has joined";
    let notices = master.page().view()["notices"].to_string();
    assert!(notices.contains(why), "{notices}");
    master.process.signal(Signal::INT);
    assert_eq!(master.process.wait(PATIENCE).code(), Some(NOTHING_ANSWERED));
    let said = master.process.err.text();
    assert!(said.contains(&format!("error: {why}")), "{said}");
    assert_eq!(summary(&swarm).nothing_answered.as_deref(), Some(why));
}

/// A figure of the view, and of each worker in it, the smallest first.
fn in_flight(view: &Value) -> (u64, Vec<u64>) {
    let number = |value: &Value| value["in_flight"].as_u64().expect("a number");
    let workers = view["workers"].as_array().expect("a list of workers");
    let mut of_workers: Vec<_> = workers.iter().map(number).collect();
    of_workers.sort_unstable();
    (number(view), of_workers)
}

#[test]
fn requests_on_their_way_are_seen_and_go_with_their_worker() {
    const USERS: u64 = 6;
    let swarm = Swarm::new();
    let server = Server::start(|_| Fate::Hang);
    let guest = Guest::visiting(&["/"]).write(&swarm, "visitor");
    let flags = ["-H", &server.url(), "--json-file", "result.json", "--print-stats"];
    let mut master = swarm.master(&guest, &flags);
    let first = swarm.worker(&master, &["--id", "w0", "--threads", "1"]);
    let mut second = swarm.worker(&master, &["--id", "w1", "--threads", "1"]);
    master.page().wait_for_workers(2);
    master.page().start(6, 100.0);
    wait_until("each user has a request on its way", PATIENCE, || {
        in_flight(&master.page().view()) == (USERS, vec![3, 3])
    });
    // On the console, too.
    let out = &master.process.out;
    wait_until("it is printed", PATIENCE, || out.find("6 on their way").is_some());
    second.process.signal(Signal::KILL);
    let mut sums = Vec::new();
    wait_until("its users have gone to the other", PATIENCE, || {
        let (sum, workers) = in_flight(&master.page().view());
        sums.push(sum);
        workers == [0, USERS]
    });
    assert!(sums.iter().all(|&sum| sum <= USERS), "{sums:?}");
    master.page().stop();
    master.page().wait_for_state("stopped");
    wait_until("nothing is on its way", PATIENCE, || in_flight(&master.page().view()).0 == 0);
    master.process.signal(Signal::INT);
    // A lost worker counts more than that nothing was answered.
    assert_eq!(master.process.wait(PATIENCE).code(), Some(9));
    let summary = summary(&swarm);
    assert!(summary.seconds.iter().any(|second| second.in_flight == USERS), "{summary:?}");
    assert_eq!(summary.in_flight, 0);
    drop(first);
}

/// One answer, of whatever status, and the test says something.
#[test]
fn an_answer_is_an_answer() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let guest = Guest::visiting(&["/status/503"]).write(&swarm, "visitor");
    let url = target.url();
    let flags = ["--headless", "-H", &url, "-u", "2", "-r", "100", "-t", "1"];
    let mut run = swarm.run(&guest, &[&flags[..], &["--json-file", "result.json"]].concat());
    assert_eq!(run.process.wait(PATIENCE).code(), Some(FAILURES), "{}", run.process.err.text());
    let summary = summary(&swarm);
    assert_eq!((summary.nothing_answered, summary.total.num_unanswered), (None, 0));
}

//! Scenarios that misbehave while they run: contained, counted, and no harm to their neighbours.

use std::io::ErrorKind;
use std::net::TcpListener;

use swarm_core::plan::{Scenario, Sharing, UserClass, Wait};
use swarm_target::Counts;
use swarm_tests::{PATIENCE, Signal, Swarm, wait_until};

use crate::backends::{Backend, by_either_backend};
use crate::guests::{Guest, error, fixed, visit};
use crate::verdict::{Ended, FAILURES, run_until, summary};

by_either_backend! {
    a_trap_in_every_third_run,
    a_task_without_end,
    a_user_that_only_computes,
    a_task_that_eats_memory,
    a_task_that_returns_an_error,
    a_start_that_fails,
    a_stop_that_traps,
    responses_that_are_never_dropped,
    large_responses_that_are_never_dropped,
    requests_that_are_never_sent,
    another_host_is_not_reached,
    a_flood_of_log_lines,
    a_trap_in_a_shared_instance,
    a_stop_without_end,
    a_batch_that_is_cut_off,
}

/// Task ids of the two classes of most tests here.
const VILLAIN: u32 = 0;
const NEIGHBOUR: u32 = 1;

/// Users of the neighbours' class, and requests that are enough to see that it is well.
const NEIGHBOURS: u32 = 3;
const ENOUGH: u64 = 30;

/// A path with 10 MB behind it.
const LARGE: &str = "/bytes/10000000";

/// One user misbehaves in its task; others visit `/about` meanwhile.
fn villain_and_neighbours(villain: &str) -> Guest {
    let classes = vec![fixed("Villain", 1, VILLAIN), fixed("Neighbour", NEIGHBOURS, NEIGHBOUR)];
    let run = format!(
        "(if (i32.eq (local.get $task) (i32.const {NEIGHBOUR})) (then {}) (else {villain}))",
        visit("about")
    );
    Guest::new(classes).text("about", "/about").text("index", "/").run(&run)
}

/// Runs both classes on one thread.
#[track_caller]
fn run(swarm: &Swarm, backend: Backend, guest: &Guest, enough: impl Fn(&Counts) -> bool) -> Ended {
    let target = swarm.target(&[]);
    let path = guest.write(swarm, "guest");
    let flags = [&["-u", "4", "--threads", "1"][..], backend].concat();
    let ended = run_until(swarm, &target, &path, &flags, enough);
    assert_eq!(ended.code, Some(FAILURES), "{}", ended.log);
    ended.agree_on("/about", ENOUGH);
    assert!(!ended.log.contains("panicked"), "{}", ended.log);
    ended
}

fn requests(counts: &Counts, path: &str) -> u64 {
    counts.paths.get(path).copied().unwrap_or(0)
}

fn enough(counts: &Counts) -> bool {
    requests(counts, "/about") >= ENOUGH
}

fn a_trap_in_every_third_run(backend: Backend) {
    let swarm = Swarm::new();
    let villain = format!(
        "(if (i32.eq (global.get $runs) (i32.const 3)) (then (unreachable))) {}",
        visit("index")
    );
    let guest = villain_and_neighbours(&villain);
    let ended =
        run(&swarm, backend, &guest, |counts| enough(counts) && requests(counts, "/") >= 10);
    ended.agree_on("/", 10);
    let (visits, traps) = (ended.requests("/"), ended.exceptions("unreachable"));
    // Two visits in each life of the instance, but for the last.
    assert!(traps == visits / 2 || traps + 1 == visits / 2, "{visits} visits, {traps} traps");
    assert_eq!(traps, ended.exceptions(""));
    assert_eq!(ended.summary.total.num_failures, 0);
    let trace = &ended.summary.exceptions[0].trace;
    assert!(trace.contains("wasm backtrace"), "{trace}");
}

fn a_task_without_end(backend: Backend) {
    let swarm = Swarm::new();
    let guest = villain_and_neighbours("(loop $again (br $again))");
    let target = swarm.target(&[]);
    let path = guest.write(&swarm, "guest");
    let flags = ["-u", "4", "--threads", "1", "--task-cpu-limit", "0.3"];
    let flags = [&flags[..], backend].concat();
    let ended =
        run_until(&swarm, &target, &path, &flags, |counts| requests(counts, "/about") >= 300);
    assert_eq!(ended.code, Some(FAILURES), "{}", ended.log);
    ended.agree_on("/about", 300);
    let (seconds, spent) =
        (ended.summary.duration_s, ended.exceptions("computed for more than 0.3"));
    assert_eq!(spent, ended.exceptions(""), "{:?}", ended.summary.exceptions);
    // A limit of 0.3 s, and a rest; more time may have passed on a busy machine.
    let most = seconds / 0.3 + 1.0;
    assert!(spent >= 1 && spent as f64 <= most, "{spent} in {seconds} s");
    // A neighbour rests 10 ms and then waits for a slice of 10 ms, at worst for every answer, too.
    let rate = ended.requests("/about") as f64 / seconds / f64::from(NEIGHBOURS);
    assert!(rate > 10.0, "{rate} requests a second of each neighbour");
}

/// Each run is too short to be interrupted, and no rest is between them.
fn a_user_that_only_computes(backend: Backend) {
    let swarm = Swarm::new();
    let villain = "(local.set $left (i32.const 3000000))
        (loop $again
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $again (local.get $left)))";
    let mut guest = villain_and_neighbours(&format!("{villain} {}", error("why")));
    guest.class(0).wait = Wait::None;
    let guest = guest.text("why", "on purpose");
    let ended = run(&swarm, backend, &guest, |counts| requests(counts, "/about") >= 300);
    let seconds = ended.summary.duration_s;
    let rate = ended.requests("/about") as f64 / seconds / f64::from(NEIGHBOURS);
    assert!(rate > 10.0, "{rate} requests a second of each neighbour");
    assert!(ended.exceptions("on purpose") > 0);
}

fn a_task_that_eats_memory(backend: Backend) {
    let swarm = Swarm::new();
    let villain = "(loop $again (drop (memory.grow (i32.const 16))) (br $again))";
    let ended = run(&swarm, backend, &villain_and_neighbours(villain), enough);
    let hungry = ended.exceptions("needs more than the 64 MiB of memory");
    assert!(hungry >= 1, "{:?}", ended.summary.exceptions);
    assert_eq!(hungry, ended.exceptions(""));
}

fn a_task_that_returns_an_error(backend: Backend) {
    let swarm = Swarm::new();
    let guest = villain_and_neighbours(&format!("{} {}", visit("index"), error("why")));
    let guest = guest.text("why", "the basket is empty");
    let ended = run(&swarm, backend, &guest, |counts| enough(counts) && requests(counts, "/") >= 5);
    ended.agree_on("/", 5);
    let [exception] = &ended.summary.exceptions[..] else { panic!("{:?}", ended.summary) };
    assert_eq!(exception.message, "Villain.work: the basket is empty");
    assert_eq!(exception.count, ended.requests("/"));
    assert_eq!(ended.summary.total.num_failures, 0);
}

fn a_start_that_fails(backend: Backend) {
    let swarm = Swarm::new();
    let start =
        format!("(if (i32.eqz (local.get $class)) (then {} {}))", visit("index"), error("why"));
    let guest = villain_and_neighbours(&visit("never")).start(&start);
    let guest = guest.text("never", "/never").text("why", "no such account");
    let ended = run(&swarm, backend, &guest, |counts| enough(counts) && requests(counts, "/") >= 2);
    // It is tried again, a second later.
    ended.agree_on("/", 2);
    assert_eq!(ended.exceptions("Villain.start: no such account"), ended.requests("/"));
    assert_eq!(requests(&ended.counts, "/never"), 0, "a user that has not started runs no task");
}

fn a_stop_that_traps(backend: Backend) {
    let swarm = Swarm::new();
    let guest = villain_and_neighbours(&visit("index")).stop("(unreachable)");
    // More than the neighbours can do while users are still being started.
    let ended = run(&swarm, backend, &guest, |counts| requests(counts, "/about") >= 600);
    let traps = ended.exceptions(".stop: wasm trap");
    assert_eq!(traps, u64::from(NEIGHBOURS + 1), "{:?}", ended.summary.exceptions);
}

fn responses_that_are_never_dropped(backend: Backend) {
    let swarm = Swarm::new();
    let villain = "(local.set $left (i32.const 500))
        (loop $again
          (drop (call $get (global.get $index) (global.get $index_len)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $again (local.get $left)))";
    let ended = held(&swarm, backend, villain, "/", 10_000);
    assert_eq!(ended.requests("/"), 10_000, "the limit of open responses");
    assert!(ended.exceptions("10000 responses are open; drop those") > 0);
}

fn large_responses_that_are_never_dropped(backend: Backend) {
    let swarm = Swarm::new();
    let villain = "(drop (call $get (global.get $large) (global.get $large_len)))";
    let ended = held(&swarm, backend, villain, LARGE, 7);
    let large = ended.requests(LARGE);
    assert_eq!(large, 7, "the first that are more than 64 MiB");
    assert!(ended.exceptions("more than 64 MiB: drop those") > 0);
}

/// A villain that holds responses, until it is refused more of them.
#[track_caller]
fn held(swarm: &Swarm, backend: Backend, villain: &str, path: &str, most: u64) -> Ended {
    let guest = villain_and_neighbours(villain).text("large", LARGE);
    let about = std::cell::Cell::new(0);
    let ended = run(swarm, backend, &guest, |counts| {
        // The neighbours' next requests are counted from when the limit was reached.
        if requests(counts, path) < most {
            about.set(requests(counts, "/about"));
        }
        requests(counts, "/about") >= about.get() + ENOUGH
    });
    ended.agree_on(path, most);
    assert_eq!(ended.summary.total.num_failures, 0, "what is not sent is no request");
    ended
}

fn requests_that_are_never_sent(backend: Backend) {
    let swarm = Swarm::new();
    let villain = "(loop $again
        (call $request.body
          (call $new_request (global.get $index) (global.get $index_len)
            (global.get $index) (global.get $index_len))
          (i32.const 0) (i32.const 60000))
        (br $again))";
    let ended = run(&swarm, backend, &villain_and_neighbours(villain), enough);
    assert!(ended.exceptions("open requests and responses hold more than 64 MiB") > 0);
    assert_eq!(requests(&ended.counts, "/"), 0);
}

fn another_host_is_not_reached(backend: Backend) {
    let swarm = Swarm::new();
    let other = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    other.set_nonblocking(true).expect("a listener can do without waiting");
    let address = other.local_addr().expect("it is bound");
    let guest = villain_and_neighbours(&format!("{} {}", visit("other"), visit("index")))
        .text("other", &format!("http://{address}/secret"));
    let ended = run(&swarm, backend, &guest, |counts| enough(counts) && requests(counts, "/") >= 5);
    ended.agree_on("/", 5);
    let nobody = other.accept().expect_err("nobody connects");
    assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
    let failures = ended.failures();
    let ((_, text), &count) = failures.iter().next().expect("the refusal is a failure");
    assert!(text.contains(&address.to_string()) && text.contains("--allow-host"), "{text}");
    assert_eq!((failures.len(), count), (1, ended.requests("/")));
}

fn a_flood_of_log_lines(backend: Backend) {
    let swarm = Swarm::new();
    let villain = "(local.set $left (i32.const 20000))
        (loop $again
          (call $log (i32.const 1) (global.get $line) (global.get $line_len))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $again (local.get $left)))";
    let guest = villain_and_neighbours(&format!("{villain} {} {}", visit("index"), error("why")))
        .text("line", "one more line")
        .text("why", "on purpose");
    let ended = run(&swarm, backend, &guest, |counts| enough(counts) && requests(counts, "/") >= 3);
    ended.agree_on("/", 3);
    assert!(ended.log.contains("log lines in one second left out"), "{}", ended.log);
    let kept = ended.log.lines().filter(|line| line.contains("one more line")).count();
    let most = (ended.summary.duration_s + 2.0) * 1000.0;
    assert!(kept > 100 && (kept as f64) < most, "{kept} lines in {} s", ended.summary.duration_s);
}

/// Users of one instance: what one of them does to it is made good for the others.
fn a_trap_in_a_shared_instance(backend: Backend) {
    let swarm = Swarm::new();
    let class = |name: &str, users, id| -> UserClass { fixed(name, users, id) };
    let classes = vec![class("Villain", 1, VILLAIN), class("Neighbour", NEIGHBOURS, NEIGHBOUR)];
    let plan = Scenario { classes, sharing: Sharing::Shared(10), default_hosts: false };
    let run_body =
        format!("(if (i32.eqz (local.get $task)) (then (unreachable))) {}", visit("about"));
    let guest = Guest::planned(plan).text("about", "/about").run(&run_body);
    let ended = run(&swarm, backend, &guest, enough);
    assert!(ended.exceptions("unreachable") > 0);
    assert_eq!(
        ended.exceptions("unreachable"),
        ended.exceptions(""),
        "{:?}",
        ended.summary.exceptions
    );
}

fn a_stop_without_end(backend: Backend) {
    let swarm = Swarm::new();
    let guest = villain_and_neighbours(&visit("index"));
    let guest = guest.stop("(loop $again (br_if $again (i32.eqz (local.get $user))))");
    let target = swarm.target(&[]);
    let path = guest.write(&swarm, "guest");
    let flags = ["-u", "4", "--threads", "1", "--task-cpu-limit", "0.3"];
    let flags = [&flags[..], backend].concat();
    let ended = run_until(&swarm, &target, &path, &flags, |counts| {
        enough(counts) && requests(counts, "/") >= 5
    });
    assert_eq!(ended.code, Some(FAILURES), "{}", ended.log);
    ended.agree_on("/", 5);
    assert_eq!(ended.exceptions("stop: computed for more than 0.3"), 1);
    assert_eq!(ended.exceptions(""), 1, "{:?}", ended.summary.exceptions);
}

/// Of a batch one request is answered, as many as there are connections to a host are not, and the
/// others wait for these.
fn a_batch_that_is_cut_off(backend: Backend) {
    const REQUESTS: u64 = 12;
    const CONNECTIONS: u64 = 6;
    let swarm = Swarm::new();
    let request = |url: &str| {
        let method = "(global.get $get) (global.get $get_len)";
        format!("(call $new_request {method} (global.get ${url}) (global.get ${url}_len))")
    };
    let (answered, held) = (request("about"), request("hang"));
    let batch = format!(
        "(i32.store (i32.const 0x50) {answered})
        (local.set $left (i32.const {last}))
        (loop $again
          (i32.store (i32.add (i32.const 0x50) (i32.shl (local.get $left) (i32.const 2))) {held})
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $again (local.get $left)))
        (call $client.batch
          (global.get $client) (i32.const 0x50) (i32.const {REQUESTS}) (i32.const 0x20))",
        last = REQUESTS - 1,
    );
    let texts = [("get", "GET"), ("about", "/about"), ("hang", "/hang")];
    let guest = Guest::new(vec![fixed("Villain", 1, VILLAIN)]).run(&batch);
    let guest = texts.iter().fold(guest, |guest, (name, text)| guest.text(name, text));
    let (target, path) = (swarm.target(&[]), guest.write(&swarm, "guest"));
    let flags = ["--headless", "-u", "1", "-s", "0", "--json-file", "result.json"];
    let mut run = swarm.run(&path, &[&flags[..], &["-H", &target.url()], backend].concat());
    wait_until("every connection is in use", PATIENCE, || {
        requests(&target.counts(), "/hang") == CONNECTIONS
    });
    run.process.signal(Signal::INT);
    assert_eq!(run.process.wait(PATIENCE).code(), Some(0), "{}", run.process.err.text());
    let (summary, counts) = (summary(&swarm), target.counts());
    assert_eq!((summary.total.num_requests, requests(&counts, "/about")), (1, 1));
    assert_eq!((summary.interrupted, requests(&counts, "/hang")), (CONNECTIONS, CONNECTIONS));
    assert_eq!(summary.unsent, REQUESTS - 1 - CONNECTIONS, "they waited for a connection");
    let connections = summary.connections;
    assert_eq!((connections.opened, connections.reused), (CONNECTIONS, 1), "{connections:?}");
}

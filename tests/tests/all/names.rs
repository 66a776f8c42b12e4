//! Names with several addresses, and name servers that answer late, otherwise, or not at all. Each
//! test has a network of its own.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use socket2::{Domain, Socket, Type};
use swarm_stats::report::json::Summary;
use swarm_tests::{Answer, Dns, Master, Network, PATIENCE, Signal, Swarm, scenario, wait_until};

use crate::verdict::{NOTHING_ANSWERED, summary};

pub(crate) const PORT: u16 = 8080;

/// Four addresses, as a name server gives them.
pub(crate) const FOUR: [&str; 4] = ["127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4"];

/// A server that answers every request, and counts.
pub(crate) struct Counting {
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Counting {
    /// On one address; `keeps` its connections or closes them after an answer.
    pub(crate) fn start(address: &str, keeps: bool) -> Self {
        let address: IpAddr = address.parse().expect("an address");
        let listener = TcpListener::bind((address, PORT)).expect("the test has all ports");
        let counting = Self { connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) =
            (Arc::clone(&counting.connections), Arc::clone(&counting.requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::SeqCst);
                let requests = Arc::clone(&requests);
                std::thread::spawn(move || serve(&stream, &requests, keeps));
            }
        });
        counting
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: &TcpStream, requests: &AtomicUsize, keeps: bool) {
    let close = if keeps { "" } else { "connection: close\r\n" };
    let answer = format!("HTTP/1.1 200 OK\r\n{close}content-length: 2\r\n\r\nok");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while lines.any(|line| line.is_empty()) {
        requests.fetch_add(1, Ordering::SeqCst);
        if stream.write_all(answer.as_bytes()).is_err() || !keeps {
            return;
        }
    }
}

/// An address where packets get lost: the queue of its listener is full, and stays so.
pub(crate) struct BlackHole {
    _listener: Socket,
    _queued: Vec<Socket>,
}

impl BlackHole {
    pub(crate) fn new(address: &str) -> Self {
        let address = SocketAddr::new(address.parse().expect("an address"), PORT);
        let socket =
            || Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
        let listener = socket();
        listener.bind(&address.into()).expect("the test has all ports");
        listener.listen(0).expect("it is bound");
        let queued = (0..4)
            .map(|_| {
                let one = socket();
                one.set_nonblocking(true).expect("a socket");
                // Connected, or on its way for ever.
                let _ = one.connect(&address.into());
                one
            })
            .collect();
        Self { _listener: listener, _queued: queued }
    }
}

pub(crate) fn four_servers(keeps: bool) -> [Counting; 4] {
    FOUR.map(|address| Counting::start(address, keeps))
}

pub(crate) fn connections(servers: &[Counting]) -> Vec<usize> {
    servers.iter().map(Counting::connections).collect()
}

/// A name server that knows `many.test` with these addresses.
pub(crate) fn dns(addresses: &[&str], ttl: u32) -> Dns {
    let dns = Dns::start();
    tell(&dns, addresses, ttl);
    dns
}

fn tell(dns: &Dns, addresses: &[&str], ttl: u32) {
    let list = addresses.iter().map(|address| address.parse().expect("an address")).collect();
    dns.tell("many.test", Answer::Addresses { list, ttl });
}

/// Runs users without a rest against `many.test` until `enough` holds.
pub(crate) fn load(
    swarm: &Swarm,
    arguments: &[&str],
    enough: impl Fn() -> bool,
) -> (Option<i32>, Summary) {
    let url = format!("http://many.test:{PORT}");
    let given = ["--headless", "-H", &url, "-r", "1000", "-s", "30"];
    let result = ["--json-file", "result.json"];
    let arguments = [&given[..], &result, arguments].concat();
    let mut run = swarm.run(&scenario("bench"), &arguments);
    wait_until("there was enough load", PATIENCE, || {
        assert!(run.process.is_running(), "the run has ended by itself");
        enough()
    });
    run.process.signal(Signal::INT);
    (run.process.wait(PATIENCE).code(), summary(swarm))
}

/// Waits until so many workers can run users: none moves then to even them out, which would make
/// further connections.
pub(crate) fn wait_for_ready_workers(master: &Master, count: usize) {
    wait_until(&format!("{count} workers are ready"), PATIENCE, || {
        let view = master.page().view();
        let workers = view["workers"].as_array().map(Vec::as_slice).unwrap_or_default();
        workers.iter().filter(|worker| worker["state"] == "ready").count() == count
    });
}

/// Each of four has a quarter of all, by two hundredths more or less.
#[track_caller]
fn share_evenly(counts: &[usize]) {
    let all: usize = counts.iter().sum();
    for count in counts {
        let percent = 100.0 * *count as f64 / all as f64;
        assert!((23.0..=27.0).contains(&percent), "{counts:?}");
    }
}

#[test]
fn connections_are_spread_over_the_addresses_of_a_name() {
    let test = "connections_are_spread_over_the_addresses_of_a_name";
    if !Network::new("").is_here(module_path!(), test) {
        return;
    }
    let (servers, dns) = (four_servers(false), dns(&FOUR, 1));
    for order in ["round-robin", "random"] {
        let before = connections(&servers);
        let since = || {
            let now = connections(&servers);
            now.iter().zip(&before).map(|(now, before)| now - before).collect::<Vec<_>>()
        };
        let arguments = ["--dns", order, "-u", "20", "--threads", "2", "--seed", "7"];
        let enough = || since().iter().sum::<usize>() >= 10_000;
        let (code, summary) = load(&Swarm::new(), &arguments, enough);
        assert_eq!(code, Some(0));
        assert_eq!(summary.total.num_requests, since().iter().sum::<usize>() as u64);
        share_evenly(&since());
    }
    assert!(dns.questions("many.test") >= 2);
}

#[test]
fn the_first_address_can_have_all_connections() {
    if !Network::new("").is_here(module_path!(), "the_first_address_can_have_all_connections") {
        return;
    }
    let hour = 3600;
    let (servers, dns) = (four_servers(false), dns(&FOUR, hour));
    let arguments = ["--dns", "first", "-u", "4"];
    let enough = || connections(&servers).iter().sum::<usize>() >= 1_000;
    assert_eq!(load(&Swarm::new(), &arguments, enough).0, Some(0));
    let used = connections(&servers).iter().filter(|count| **count > 0).count();
    assert_eq!(used, 1, "{:?}", connections(&servers));
    assert_eq!(dns.questions("many.test"), 2, "an hour is not over");
}

#[test]
fn users_with_one_connection_each_are_spread_too() {
    if !Network::new("").is_here(module_path!(), "users_with_one_connection_each_are_spread_too") {
        return;
    }
    let (servers, _dns) = (four_servers(true), dns(&FOUR, 60));
    let swarm = Swarm::new();
    let url = format!("http://many.test:{PORT}");
    let master = swarm.master(&scenario("bench"), &["-H", &url]);
    let workers = [(); 2].map(|()| swarm.worker(&master, &["--threads", "2"]));
    wait_for_ready_workers(&master, 2);
    master.page().start(80, 1000.0);
    wait_until("all users have a connection", PATIENCE, || {
        connections(&servers).iter().sum::<usize>() == 80
    });
    assert_eq!(connections(&servers), [20; 4]);
    master.page().stop();
    drop(workers);
}

#[test]
fn a_name_that_moves_is_followed() {
    if !Network::new("").is_here(module_path!(), "a_name_that_moves_is_followed") {
        return;
    }
    let (servers, dns) = (four_servers(false), dns(&FOUR[..1], 1));
    let swarm = Swarm::new();
    let url = format!("http://many.test:{PORT}");
    let run = swarm.run(&scenario("bench"), &["-H", &url, "--autostart", "-u", "2"]);
    wait_until("the first address is used", PATIENCE, || servers[0].requests() >= 100);
    tell(&dns, &FOUR[1..2], 1);
    wait_until("the second address is used", PATIENCE, || servers[1].requests() >= 100);
    let (first, second) = (servers[0].requests(), servers[1].requests());
    wait_until("the load goes on", PATIENCE, || servers[1].requests() >= second + 100);
    assert_eq!(servers[0].requests(), first);
    run.page().stop();
}

#[test]
fn an_address_that_swallows_packets_costs_a_user_little_and_once() {
    let test = "an_address_that_swallows_packets_costs_a_user_little_and_once";
    if !Network::new("").is_here(module_path!(), test) {
        return;
    }
    let users = 50;
    let _hole = BlackHole::new(FOUR[0]);
    let servers = [FOUR[1], FOUR[2]].map(|address| Counting::start(address, false));
    let _dns = dns(&FOUR[..3], 1);
    let arguments = ["-u", &users.to_string(), "--dns", "first"];
    let enough = || connections(&servers).iter().sum::<usize>() >= 5_000;
    let (code, summary) = load(&Swarm::new(), &arguments, enough);
    assert_eq!((code, summary.total.num_failures), (Some(0), 0));
    let times = &summary.total.response_time_ms;
    // The kernel would send its packet again after a second, and give up after two minutes.
    assert!(times.median < 250.0 && times.max < 1_000.0, "{times:?}");
    assert!(times.mean < 60.0, "more than {users} requests were slow: {times:?}");
}

#[test]
fn a_family_that_does_not_work_is_left_for_the_other() {
    let network = Network::new(&format!("::1 many.test\n{} many.test", FOUR[0]));
    if !network.is_here(module_path!(), "a_family_that_does_not_work_is_left_for_the_other") {
        return;
    }
    let _hole = BlackHole::new("::1");
    let server = Counting::start(FOUR[0], false);
    let (code, summary) = load(&Swarm::new(), &["-u", "20"], || server.connections() >= 2_000);
    assert_eq!((code, summary.total.num_failures), (Some(0), 0));
    assert!(summary.total.response_time_ms.max < 1_000.0, "{:?}", summary.total);
}

#[test]
fn addresses_that_refuse_are_passed_over() {
    if !Network::new("").is_here(module_path!(), "addresses_that_refuse_are_passed_over") {
        return;
    }
    let server = Counting::start(FOUR[2], false);
    let _dns = dns(&FOUR, 1);
    let (code, summary) = load(&Swarm::new(), &["-u", "4"], || server.connections() >= 1_000);
    assert_eq!((code, summary.total.num_failures), (Some(0), 0));
    assert_eq!(summary.total.num_requests, server.requests() as u64);
}

/// Nobody answers a lookup, here or by the C library, until one of these limits has passed.
fn hangs(test: &str, services: &str, arguments: &[&str], limits: &[&str]) {
    if !Network::new("").services(services).is_here(module_path!(), test) {
        return;
    }
    let dns = Dns::start();
    dns.tell("many.test", Answer::Silence);
    let swarm = Swarm::new();
    let url = format!("http://many.test:{PORT}");
    let given = ["--headless", "-H", &url, "-u", "5", "-r", "100", "-t", "7"];
    let result = ["--json-file", "result.json"];
    let mut run = swarm.run(&scenario("website"), &[&given[..], &result, arguments].concat());
    let code = run.process.wait(PATIENCE).code();
    let summary = summary(&swarm);
    assert_eq!(code, Some(NOTHING_ANSWERED), "{}", run.process.err.text());
    let mut within = BTreeSet::new();
    for error in &summary.errors {
        let text = "cannot resolve `many.test`: no answer from the resolver within ";
        within.insert(error.error.strip_prefix(text).unwrap_or(&error.error));
    }
    assert_eq!(within, limits.iter().copied().collect());
    // One lookup for all users. The C library would go on for another ten seconds.
    assert!(dns.questions("many.test") <= 16, "{}", dns.questions("many.test"));
}

#[test]
fn a_name_server_that_hangs_is_told() {
    hangs("a_name_server_that_hangs_is_told", "files dns", &[], &["5 s"]);
}

#[test]
fn a_name_server_that_outlasts_the_request_is_told() {
    let arguments = ["--request-timeout", "2"];
    let test = "a_name_server_that_outlasts_the_request_is_told";
    // Who asks when the lookup has had three seconds already is there for its end.
    hangs(test, "files dns", &arguments, &["2 s", "5 s"]);
}

#[test]
fn a_name_server_that_hangs_is_told_by_the_c_library_too() {
    let test = "a_name_server_that_hangs_is_told_by_the_c_library_too";
    hangs(test, "files dns [!UNAVAIL=return]", &[], &["5 s"]);
}

#[test]
fn a_lookup_that_hangs_does_not_hold_the_end_up() {
    let network = Network::new("").services("files dns [!UNAVAIL=return]");
    if !network.is_here(module_path!(), "a_lookup_that_hangs_does_not_hold_the_end_up") {
        return;
    }
    let dns = Dns::start();
    dns.tell("many.test", Answer::Silence);
    let swarm = Swarm::new();
    let url = format!("http://many.test:{PORT}");
    let arguments = ["--headless", "-H", &url, "-u", "5", "-r", "100"];
    let mut run = swarm.run(&scenario("website"), &arguments);
    wait_until("a lookup has begun", PATIENCE, || dns.questions("many.test") > 0);
    run.process.signal(Signal::INT);
    run.process.wait(PATIENCE);
    // The C library asks a second time after five seconds: nobody was there any more to do so.
    assert!(dns.questions("many.test") <= 2, "{}", dns.questions("many.test"));
}

#[test]
fn a_name_server_that_is_dead_is_waited_for_once() {
    let dead = Ipv4Addr::new(127, 0, 0, 54);
    let network = Network::new("").name_servers(&[dead, Dns::ADDRESS]);
    if !network.is_here(module_path!(), "a_name_server_that_is_dead_is_waited_for_once") {
        return;
    }
    let dead = UdpSocket::bind((dead, 53)).expect("the test has port 53");
    dead.set_nonblocking(true).expect("a socket");
    let (server, dns) = (Counting::start(FOUR[0], false), dns(&FOUR[..1], 1));
    let lookups = 5;
    let enough = || dns.questions("many.test") >= 2 * lookups && server.requests() >= 1_000;
    let (code, summary) = load(&Swarm::new(), &["-u", "4"], enough);
    assert_eq!((code, summary.total.num_failures), (Some(0), 0));
    let asked = std::iter::from_fn(|| dead.recv(&mut [0; 512]).ok()).count();
    // For both families, and a second time before the other server had answered.
    assert!((2..=4).contains(&asked), "{asked} of {lookups} lookups and more");
}

#[test]
fn a_name_that_does_not_exist_is_told() {
    if !Network::new("").is_here(module_path!(), "a_name_that_does_not_exist_is_told") {
        return;
    }
    let dns = Dns::start();
    let swarm = Swarm::new();
    let arguments =
        ["--headless", "-H", "http://none.test", "-u", "1", "--json-file", "result.json"];
    let mut run = swarm.run(&scenario("website"), &arguments);
    wait_until("it was asked for", PATIENCE, || dns.questions("none.test") >= 2);
    run.process.signal(Signal::INT);
    run.process.wait(PATIENCE);
    let summary = summary(&swarm);
    let expected = "cannot resolve `none.test`: no such name";
    let texts: Vec<&str> = summary.errors.iter().map(|error| error.error.as_str()).collect();
    assert!(texts.iter().all(|text| *text == expected), "{texts:?}");
}

//! Statistics by address, held against what the servers at those addresses have counted themselves.

use swarm_stats::snapshot::AddressSnapshot;
use swarm_tests::{Network, PATIENCE, Signal, Swarm, scenario, wait_until};

use crate::names::{
    BlackHole, Counting, FOUR, PORT, connections, dns, four_servers, load, wait_for_ready_workers,
};
use crate::verdict::summary;

/// What the servers say: address, connections, requests.
fn of_servers(servers: &[Counting]) -> Vec<(String, u64, u64)> {
    let counts = |(address, server): (&&str, &Counting)| {
        let counts = [server.connections(), server.requests()].map(|count| count as u64);
        (format!("{address}:{PORT}"), counts[0], counts[1])
    };
    FOUR.iter().zip(servers).map(counts).collect()
}

fn of_swarm(rows: &[AddressSnapshot]) -> Vec<(String, u64, u64)> {
    rows.iter().map(|row| (row.address.clone(), row.opened, row.num_requests)).collect()
}

#[test]
fn counts_by_address_are_those_of_the_servers() {
    let test = "counts_by_address_are_those_of_the_servers";
    if !Network::new("").is_here(module_path!(), test) {
        return;
    }
    // Two close each connection, two keep it.
    let servers = [false, true, false, true].into_iter().zip(FOUR);
    let servers: Vec<_> = servers.map(|(keeps, ip)| Counting::start(ip, keeps)).collect();
    let _dns = dns(&FOUR, 1);
    let swarm = Swarm::new();
    let arguments = ["-u", "12", "--threads", "2", "--stats-by-address"];
    // In the end all users are with those that keep their connections.
    let enough = || servers.iter().map(Counting::requests).sum::<usize>() >= 5_000;
    let (code, summary) = load(&swarm, &arguments, enough);
    assert_eq!(code, Some(0));
    assert_eq!(of_swarm(&summary.addresses), of_servers(&servers));
    assert!(servers.iter().all(|server| server.requests() > 0), "{:?}", of_servers(&servers));
    let sum = |count: fn(&AddressSnapshot) -> u64| summary.addresses.iter().map(count).sum::<u64>();
    assert_eq!(sum(|row| row.opened), summary.connections.opened);
    assert_eq!(sum(|row| row.num_requests), summary.total.num_requests);
    assert_eq!([sum(|row| row.failed), sum(|row| row.num_failures)], [0, 0]);
}

#[test]
fn several_workers_are_added_up_by_address() {
    let test = "several_workers_are_added_up_by_address";
    if !Network::new("").is_here(module_path!(), test) {
        return;
    }
    let (servers, _dns) = (four_servers(true), dns(&FOUR, 60));
    let swarm = Swarm::new();
    let url = format!("http://many.test:{PORT}");
    let result = ["--json-file", "result.json", "--stats-by-address", "-s", "30"];
    let arguments = [&["-H", &url][..], &result].concat();
    let mut master = swarm.master(&scenario("bench"), &arguments);
    let _workers = [(); 2].map(|()| swarm.worker(&master, &["--threads", "2"]));
    wait_for_ready_workers(&master, 2);
    master.page().start(80, 1000.0);
    wait_until("the view has all connections", PATIENCE, || {
        let view = master.page().view();
        let rows: Vec<AddressSnapshot> =
            serde_json::from_value(view["stats"]["addresses"].clone()).expect("rows");
        rows.iter().map(|row| row.opened).eq([20; 4])
    });
    assert_eq!(connections(&servers), [20; 4]);
    master.page().stop();
    master.page().wait_for_state("stopped");
    master.process.signal(Signal::INT);
    master.process.wait(PATIENCE);
    let report = master.process.out.text();
    let summary = summary(&swarm);
    assert_eq!(of_swarm(&summary.addresses), of_servers(&servers));
    let first = format!("{}:{PORT} ", FOUR[0]);
    assert!(report.lines().any(|line| line.starts_with(&first)), "{report}");
}

#[test]
fn addresses_that_fail_are_told_from_those_that_work() {
    let test = "addresses_that_fail_are_told_from_those_that_work";
    if !Network::new("").is_here(module_path!(), test) {
        return;
    }
    // The first one swallows packets, the second one refuses, the fourth is not among them.
    let _hole = BlackHole::new(FOUR[0]);
    let server = Counting::start(FOUR[2], false);
    let _dns = dns(&FOUR[..3], 1);
    let arguments = ["-u", "8", "--stats-by-address"];
    let (code, summary) = load(&Swarm::new(), &arguments, || server.requests() >= 1_000);
    assert_eq!((code, summary.total.num_failures), (Some(0), 0));
    let [hole, refusing, working] = summary.addresses.as_slice() else {
        panic!("{:?}", summary.addresses)
    };
    for row in [hole, refusing] {
        assert_eq!([row.opened, row.num_requests], [0, 0], "{row:?}");
        // Each user has tried it once at most, before any of them knew.
        assert!((1..=8).contains(&row.failed), "{row:?}");
    }
    let (connections, requests) = (server.connections() as u64, server.requests() as u64);
    assert_eq!([working.opened, working.num_requests], [connections, requests]);
    assert_eq!([working.failed, working.num_failures], [0, 0]);
}

#[test]
fn a_server_that_fails_is_seen_by_its_address() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let host = target.url() + "/status/503";
    let given = ["--headless", "-H", &host, "-u", "2", "--json-file", "result.json"];
    let mut run = swarm.run(&scenario("bench"), &[&given[..], &["--stats-by-address"]].concat());
    target.wait_for_requests(50);
    run.process.signal(Signal::INT);
    run.process.wait(PATIENCE);
    let summary = summary(&swarm);
    let [row] = summary.addresses.as_slice() else { panic!("{:?}", summary.addresses) };
    assert_eq!(row.address, target.address().to_string());
    assert_eq!([row.num_requests, row.num_failures], [summary.total.num_requests; 2]);
}

#[test]
fn nobody_who_does_not_ask_gets_addresses() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let given = ["--headless", "-H", &target.url(), "-u", "2", "--json-file", "result.json"];
    let mut run = swarm.run(&scenario("bench"), &given);
    target.wait_for_requests(50);
    run.process.signal(Signal::INT);
    run.process.wait(PATIENCE);
    assert_eq!(summary(&swarm).addresses, []);
    assert!(!run.process.out.text().contains("by address"));
}

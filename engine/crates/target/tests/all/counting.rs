//! The counts are exact: whatever the load, the threads, the resets.

use std::collections::BTreeMap;

use crate::common::{Client, counts_until, target};
use swarm_target::Counts;

const CLIENTS: u64 = 16;
const ROUNDS: u64 = 500;

#[test]
fn counts_are_exact_under_concurrent_load() {
    let target = target(3);
    let address = target.local_addr();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
                let own = format!("/status/{}", 400 + n);
                for round in 0..ROUNDS {
                    client.send(one("/") + &one(&format!("{own}?{round}")) + &one("/items"));
                    for _ in 0..3 {
                        client.response("GET");
                    }
                }
            })
        })
        .collect();
    // Asking meanwhile changes nothing and sees whole numbers.
    let mut observer = Client::connect(address);
    let mut last = 0;
    while clients.iter().any(|client| !client.is_finished()) {
        let counts: Counts = serde_json::from_slice(&observer.get("/counts").body).unwrap();
        assert_eq!(counts.paths.values().sum::<u64>(), counts.total);
        assert!(counts.statuses.values().sum::<u64>() <= counts.total);
        assert!(counts.total >= last);
        last = counts.total;
    }
    for client in clients {
        client.join().unwrap();
    }
    drop(observer);
    let counts = counts_until(&target, "all close", |counts| counts.open == 0);
    assert_eq!(counts.total, CLIENTS * ROUNDS * 3);
    assert_eq!(counts.connections, CLIENTS + 1);
    assert_eq!(counts.bad_requests, 0);
    let mut paths = BTreeMap::from(["/", "/items"].map(|path| (path.into(), CLIENTS * ROUNDS)));
    let mut statuses = BTreeMap::from([(200, 2 * CLIENTS * ROUNDS)]);
    for status in 400..400 + u16::try_from(CLIENTS).unwrap() {
        paths.insert(format!("/status/{status}"), ROUNDS);
        statuses.insert(status, ROUNDS);
    }
    assert_eq!(counts.paths, paths);
    assert_eq!(counts.statuses, statuses);
}

#[test]
fn resets_lose_nothing_and_count_nothing_twice() {
    let target = target(2);
    let address = target.local_addr();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                (0..ROUNDS).for_each(|_| assert_eq!(client.get("/").status, 200));
            })
        })
        .collect();
    let mut observer = Client::connect(address);
    let mut total = 0;
    while clients.iter().any(|client| !client.is_finished()) {
        let counts: Counts =
            serde_json::from_slice(&observer.ask("DELETE", "/counts", &[], "").body).unwrap();
        total += counts.total;
    }
    for client in clients {
        client.join().unwrap();
    }
    let last = observer.ask("POST", "/counts/reset", &[], "").json();
    assert_eq!(total + last["total"].as_u64().unwrap(), CLIENTS * ROUNDS);
    let counts = counts_until(&target, "one is open", |counts| counts.open == 1);
    assert_eq!(counts, Counts { open: 1, ..Counts::default() });
}

#[test]
fn the_json_has_the_agreed_names() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    client.get("/about?x");
    client.get("/nothing");
    let counts = client.get("/counts");
    let wanted = serde_json::json!({
        "total": 2,
        "paths": { "/about": 1, "/nothing": 1 },
        "statuses": { "200": 1, "404": 1 },
        "bad_requests": 0,
        "connections": 1,
        "open": 1,
    });
    assert_eq!(counts.json(), wanted);
    assert_eq!(client.ask("PUT", "/counts", &[], "").status, 405);
    assert_eq!(client.get("/counts/reset").status, 405);
    assert_eq!(client.get("/counts").json(), wanted, "asking does not count");
}

#[test]
fn a_request_counts_once_its_head_is_there() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhel");
    let counts = counts_until(&target, "the head arrives", |counts| counts.total == 1);
    assert!(counts.statuses.is_empty(), "not answered yet");
    client.send("lo");
    assert_eq!(client.response("POST").text(), "hello");
    assert_eq!(target.counts().statuses[&200], 1);
}

#[test]
fn paths_beyond_the_limit_are_counted_together() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    for n in 0..swarm_target::PATHS_MAX + 10 {
        client.get(&format!("/{n}"));
    }
    let counts = target.counts();
    assert_eq!(counts.paths[swarm_target::OTHER_PATHS], 10);
    assert_eq!(counts.total, swarm_target::PATHS_MAX as u64 + 10);
}

#[test]
fn stopping_closes_the_connections_and_frees_the_port() {
    let first = target(2);
    let address = first.local_addr();
    let mut idle = Client::connect(address);
    assert_eq!(idle.get("/").status, 200);
    first.stop().unwrap();
    idle.expect_closed();
    let config = swarm_target::TargetConfig {
        host: address.ip().to_string(),
        port: address.port(),
        threads: std::num::NonZeroUsize::MIN,
    };
    swarm_target::Target::bind(&config).expect("the port is free again");
}

#[test]
fn running_ends_with_its_shutdown() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = swarm_target::TargetConfig {
        host: "127.0.0.1".to_owned(),
        port: 0,
        threads: std::num::NonZeroUsize::MIN,
    };
    let target = swarm_target::Target::bind(&config).unwrap();
    let address = target.local_addr();
    let ask = async {
        let page = std::thread::spawn(move || Client::connect(address).get("/")).join().unwrap();
        assert_eq!(page.status, 200);
    };
    runtime.block_on(target.run(ask)).unwrap();
    std::net::TcpStream::connect(address).expect_err("nobody listens any more");
}

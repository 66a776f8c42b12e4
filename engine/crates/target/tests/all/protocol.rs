//! HTTP/1.1 and HTTP/1.0 as they go over the wire.

use crate::common::{Client, counts_until, target};

const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

#[test]
fn pipelined_requests_are_answered_in_order() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    let requests: String = (200..400)
        .map(|status| format!("GET /status/{status} HTTP/1.1\r\nHost: test\r\n\r\n"))
        .collect();
    client.send(requests);
    for status in 200..400 {
        assert_eq!(client.response("GET").status, status);
    }
    assert_eq!(target.counts().total, 200);
}

#[test]
fn a_delay_holds_back_the_answers_behind_it() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
    client.send(one("/items") + &one("/delay/20") + &one("/bytes/100000") + &one("/status/201"));
    assert_eq!(client.response("GET").header("content-type"), Some("application/json"));
    assert_eq!(client.response("GET").text(), "waited 20 ms\n");
    assert_eq!(client.response("GET").body.len(), 100_000);
    assert_eq!(client.response("GET").status, 201);
}

#[test]
fn more_pipelined_requests_than_any_buffer_holds() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    let requests = GET.repeat(20_000);
    let mut sender = client.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        std::io::Write::write_all(&mut sender, requests.as_bytes()).unwrap();
    });
    for _ in 0..20_000 {
        assert_eq!(client.response("GET").status, 200);
    }
    sending.join().unwrap();
    assert_eq!(target.counts().total, 20_000);
}

#[test]
fn requests_split_at_every_byte() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    let length = "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello";
    let chunks = "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n\
        2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n";
    let all = format!("{length}{chunks}{GET}");
    for at in 1..all.len() {
        client.send(&all[..at]);
        // Lets the target read the first part alone, as a rule.
        std::thread::sleep(std::time::Duration::from_micros(500));
        client.send(&all[at..]);
        assert_eq!(client.response("POST").body, b"hello", "split at {at}");
        assert_eq!(client.response("POST").body, b"hello", "split at {at}");
        assert_eq!(client.response("GET").status, 200, "split at {at}");
    }
    assert_eq!(target.counts().total, 3 * (all.len() as u64 - 1));
}

#[test]
fn a_request_byte_by_byte() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    for byte in GET.as_bytes() {
        client.send([*byte]);
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    assert_eq!(client.response("GET").status, 200);
}

#[test]
fn persistence_is_what_the_client_asks_for() {
    let target = target(1);
    for (request, connection) in [
        ("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", Some("close")),
        ("GET / HTTP/1.0\r\n\r\n", Some("close")),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Some("keep-alive")),
        (GET, None),
    ] {
        let mut client = Client::connect(target.local_addr());
        client.send(request);
        let response = client.response("GET");
        assert_eq!(response.status, 200);
        assert_eq!(response.header("connection"), connection, "{request}");
        if connection == Some("close") {
            client.expect_closed();
        } else {
            assert_eq!(client.get("/about").status, 200);
        }
    }
}

#[test]
fn nothing_is_answered_after_the_connection_was_to_close() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    client.send(format!("GET /delay/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n{GET}"));
    assert_eq!(client.response("GET").text(), "waited 1 ms\n");
    client.expect_closed();
    assert_eq!(target.counts().total, 1);
}

#[test]
fn answers_to_head_have_the_head_of_get() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    for path in ["/", "/items", "/bytes/1000000", "/delay/1", "/status/404", "/nothing"] {
        let head = client.ask("HEAD", path, &[], "");
        let get = client.get(path);
        assert_eq!((head.status, &head.headers), (get.status, &get.headers), "{path}");
        assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
    }
}

#[test]
fn a_client_may_wait_before_it_sends_the_body() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    client.send(
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.response("POST").status, 100);
    client.send("hi");
    assert_eq!(client.response("POST").body, b"hi");
    assert_eq!(target.counts().statuses.len(), 1, "100 is no answer");
}

#[test]
fn bad_requests_are_answered_then_closed_and_counted_apart() {
    let target = target(1);
    let huge = format!("GET / HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "x".repeat(17 * 1024));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "Host: test\r\n".repeat(101));
    let bad = [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("no request at all\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: test\r\nContent-Length: x\r\n\r\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (huge.as_str(), 431),
        (many.as_str(), 431),
    ];
    for (request, status) in bad {
        let mut client = Client::connect(target.local_addr());
        // Behind a good one, whose answer must not be lost.
        client.send(format!("{GET}{request}"));
        assert_eq!(client.response("GET").status, 200);
        let response = client.response("GET");
        assert_eq!(response.status, status, "{request}");
        assert_eq!(response.header("connection"), Some("close"));
        client.expect_closed();
    }
    let counts = target.counts();
    assert_eq!(counts.bad_requests, bad.len() as u64);
    assert_eq!(counts.total, bad.len() as u64, "the good ones alone");
    assert_eq!(counts.statuses.into_iter().collect::<Vec<_>>(), [(200, bad.len() as u64)]);
}

#[test]
fn a_refused_body_does_not_swallow_the_refusal() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 9 << 20));
    // The target has refused by now or soon, and reads on so that this does not fail.
    client.send(vec![b'x'; 1 << 20]);
    client.finish_sending();
    assert_eq!(client.response("POST").status, 413);
    let mut client = Client::connect(target.local_addr());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
    assert_eq!(client.response("POST").status, 400);
    let counts = target.counts();
    assert_eq!((counts.total, counts.bad_requests), (2, 2), "their heads were good");
    assert_eq!(counts.statuses.into_iter().collect::<Vec<_>>(), [(400, 1), (413, 1)]);
}

#[test]
fn half_a_request_is_none() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    client.send(&GET[..GET.len() - 1]);
    client.finish_sending();
    client.expect_closed();
    let counts = counts_until(&target, "the connection closes", |counts| counts.open == 0);
    assert_eq!((counts.total, counts.bad_requests, counts.connections), (0, 0, 1));
}

//! The routes that misbehave: each in its own way, and within limits.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use crate::common::{Client, counts_until, target};

fn send(client: &mut Client, path: &str) {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
}

#[test]
fn a_reset_is_a_reset() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    send(&mut client, "/reset");
    let error = client.stream.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_close_is_a_clean_end_without_an_answer() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    send(&mut client, "/close");
    client.expect_closed();
    let mut client = Client::connect(target.local_addr());
    client.send("POST /close HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc");
    // The body was read, so this is no reset.
    client.expect_closed();
}

#[test]
fn silence_lasts_until_the_client_leaves() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    send(&mut client, "/hang");
    // More than the target takes in while it hangs.
    client.stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    while std::io::Write::write(&mut client.stream, &[b'x'; 65_536]).is_ok() {}
    client.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let error = client.stream.read(&mut [0; 1]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");

    let mut other = Client::connect(target.local_addr());
    send(&mut other, "/hang");
    counts_until(&target, "both arrive", |counts| counts.total == 2);
    assert_eq!(target.counts().open, 2);
    drop(other);
    counts_until(&target, "the second closes", |counts| counts.open == 1);
}

#[test]
fn garbage_is_not_http() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    send(&mut client, "/garbage");
    let bytes = client.rest(1 << 20);
    assert!(!bytes.is_empty() && !bytes.starts_with(b"HTTP/"));
}

#[test]
fn headers_without_end() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    send(&mut client, "/endless-headers");
    let bytes = client.rest(4 << 20);
    assert!(bytes.len() >= 4 << 20 && bytes.starts_with(b"HTTP/1.1 200 OK\r\nX-Endless: x"));
    assert!(!bytes.windows(4).any(|window| window == b"\r\n\r\n"));
    drop(client);
    counts_until(&target, "leaving ends it", |counts| counts.open == 0);
}

#[test]
fn a_body_without_end_in_chunks_or_not() {
    let target = target(1);
    for (version, first) in [("1.1", b"\r\n\r\n10000\r\nxxx"), ("1.0", b"\r\n\r\nxxxxxxxxxx")] {
        let mut client = Client::connect(target.local_addr());
        client.send(format!(
            "GET /endless-body HTTP/{version}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
        ));
        let bytes = client.rest(4 << 20);
        assert!(bytes.len() >= 4 << 20 && bytes.starts_with(b"HTTP/1.1 200 OK\r\n"));
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        assert!(bytes[end..].starts_with(&first[..9]), "HTTP/{version}");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        assert!(head.contains("Connection: close"), "{head}");
        assert_eq!(head.contains("chunked"), version == "1.1", "{head}");
    }
    counts_until(&target, "leaving ends it", |counts| counts.open == 0);
}

#[test]
fn an_endless_body_does_end() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    send(&mut client, "/endless-body");
    let mut received = 0_u64;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match client.stream.read(&mut buffer).unwrap() {
            0 => break,
            n => received += n as u64,
        }
    }
    // By bytes or, on a slow machine, by time; never with the last chunk, so it is seen to be cut.
    assert!(received > 1 << 20);
    assert!(received <= (1 << 30) + (1 << 20), "{received}");
    assert!(!buffer.starts_with(b"0\r\n"));
}

#[test]
fn faults_are_counted_as_requests_without_a_status() {
    let target = target(1);
    for path in ["/reset", "/close", "/garbage"] {
        let mut client = Client::connect(target.local_addr());
        send(&mut client, path);
        counts_until(&target, path, |counts| counts.paths.get(path) == Some(&1));
    }
    let counts = counts_until(&target, "all close", |counts| counts.open == 0);
    assert_eq!((counts.total, counts.bad_requests), (3, 0));
    assert!(counts.statuses.is_empty());
}

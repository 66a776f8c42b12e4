//! Where connections come from.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use swarm_client::{AllowList, ClientConfig, ErrorKind, Request, Shared};

use crate::server::{Server, session};

#[tokio::test]
async fn connections_come_from_the_source_addresses_in_turn() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let server = Server::start(move |mut peer| {
        let from = peer.stream.peer_addr().expect("address").ip();
        record.lock().expect("lock").push(from);
        async move {
            peer.request().await;
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            peer.send(head.as_bytes()).await;
        }
    })
    .await;
    let sources: [IpAddr; 3] = [[127, 0, 0, 2], [127, 0, 0, 3], [127, 9, 9, 9]].map(IpAddr::from);
    let session = server.session_with(|config| config.source_addresses = sources.to_vec());
    for _ in 0..6 {
        session.send(Request::get("/")).await.expect("response");
    }
    let mut seen = seen.lock().expect("lock").clone();
    assert_eq!(seen[..3], seen[3..], "the second round is as the first");
    seen.truncate(3);
    seen.sort_unstable();
    assert_eq!(seen, sources);
}

#[tokio::test]
async fn a_target_of_another_family_is_a_clear_error() {
    let session = session("http://[::1]:9", &[], |config| {
        config.source_addresses = vec![[127, 0, 0, 1].into()];
    });
    let error = session.send(Request::get("/")).await.expect_err("no source");
    assert_eq!(error.kind, ErrorKind::Connect);
    assert_eq!(error.message, "no IPv6 source address for an IPv6 target: add `--source-address`");
}

#[test]
fn an_address_of_another_machine_is_refused_at_once() {
    let source_addresses = vec![[192, 0, 2, 1].into()];
    let config = ClientConfig { source_addresses, ..ClientConfig::default() };
    let error = Shared::new(config, AllowList::default()).expect_err("not ours").to_string();
    assert_eq!(
        error,
        "source address 192.0.2.1: this machine does not have it: give an address of this machine",
    );
}

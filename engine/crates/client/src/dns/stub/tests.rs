//! Against servers on loopback that answer by a script.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{RData, Record, RecordType};
use tokio::net::TcpListener;

use super::*;

/// What a server does with a question; `None`: it says nothing.
type Script = fn(&mut Message, usize) -> Option<()>;

/// A server that hears datagrams, and the questions that it has heard.
async fn server(script: Script) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            if let Some(answer) = answer(&buffer[..length], number, script) {
                let _ = socket.send_to(&answer, from).await;
            }
        }
    });
    (address, asked)
}

fn answer(question: &[u8], number: usize, script: Script) -> Option<Vec<u8>> {
    let mut message = Message::from_vec(question).expect("a message");
    assert!(message.metadata.recursion_desired);
    message.metadata.message_type = MessageType::Response;
    script(&mut message, number)?;
    Some(message.to_vec().expect("encoded"))
}

fn stub(servers: &[SocketAddr]) -> Stub {
    let mut stub = Stub::new(None, "machine", 53).expect("no zone");
    stub.servers = servers.to_vec();
    stub
}

fn asked_for(message: &Message) -> (String, RecordType) {
    let query = message.queries.first().expect("a question");
    (query.name().to_string(), query.query_type())
}

/// Answers with one address of each family.
fn both(message: &mut Message, _: usize) -> Option<()> {
    let name = message.queries.first()?.name().clone();
    let (ttl, data) = match asked_for(message).1 {
        RecordType::A => (30, RData::A(A::new(10, 0, 0, 1))),
        _ => (20, RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
    };
    message.add_answer(Record::from_rdata(name, ttl, data));
    Some(())
}

fn v4_only(message: &mut Message, number: usize) -> Option<()> {
    if asked_for(message).1 == RecordType::A { both(message, number) } else { Some(()) }
}

fn no_name(message: &mut Message, _: usize) -> Option<()> {
    message.metadata.response_code = ResponseCode::NXDomain;
    Some(())
}

fn failing(message: &mut Message, _: usize) -> Option<()> {
    message.metadata.response_code = ResponseCode::ServFail;
    Some(())
}

fn silent(_: &mut Message, _: usize) -> Option<()> {
    None
}

fn found(texts: &[&str], seconds: u64) -> Result<Found, Unresolved> {
    let addresses = texts.iter().map(|text| text.parse().expect("an address")).collect();
    Ok(Found { addresses, ttl: Duration::from_secs(seconds) })
}

fn unresolved(text: &'static str) -> Result<Found, Unresolved> {
    Err(Unresolved(text.into()))
}

#[tokio::test]
async fn both_families_are_asked_and_the_shorter_time_counts() {
    let (address, asked) = server(both).await;
    let answer = stub(&[address]).look_up("shop.test", &Silent::default()).await;
    assert_eq!(answer, found(&["2001:db8::1", "10.0.0.1"], 20));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn one_family_is_enough() {
    let (address, _) = server(v4_only).await;
    assert_eq!(
        stub(&[address]).look_up("shop.test", &Silent::default()).await,
        found(&["10.0.0.1"], 30)
    );
    let only = Stub { v4_only: true, ..stub(&[address]) };
    assert_eq!(only.look_up("shop.test", &Silent::default()).await, found(&["10.0.0.1"], 30));
}

#[tokio::test(start_paused = true)]
async fn a_family_that_is_not_answered_is_not_waited_for() {
    let (address, _) =
        server(
            |message, number| {
                if asked_for(message).1 == RecordType::A { both(message, number) } else { None }
            },
        )
        .await;
    // It is asked for again soon.
    assert_eq!(
        stub(&[address]).look_up("shop.test", &Silent::default()).await,
        found(&["10.0.0.1"], 1)
    );
}

#[tokio::test]
async fn what_there_is_not_is_told_apart() {
    let (address, _) = server(no_name).await;
    assert_eq!(
        stub(&[address]).look_up("shop.test", &Silent::default()).await,
        unresolved("no such name")
    );
    let (address, _) = server(|_, _| Some(())).await;
    assert_eq!(
        stub(&[address]).look_up("shop.test", &Silent::default()).await,
        unresolved("it has no address")
    );
    let (address, _) = server(failing).await;
    let text = "the DNS server failed to find out (SERVFAIL)";
    assert_eq!(stub(&[address]).look_up("shop.test", &Silent::default()).await, unresolved(text));
    let nobody = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = nobody.local_addr().expect("it is bound");
    drop(nobody);
    let text = "nobody listens at the DNS server of /etc/resolv.conf";
    assert_eq!(stub(&[address]).look_up("shop.test", &Silent::default()).await, unresolved(text));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_got_lost_is_repeated() {
    let (address, asked) =
        server(|message, number| if number < 2 { None } else { both(message, number) }).await;
    let answer = stub(&[address]).look_up("shop.test", &Silent::default()).await;
    assert_eq!(answer, found(&["2001:db8::1", "10.0.0.1"], 20));
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn the_next_server_is_asked_when_one_fails_or_is_silent() {
    let (good, _) = server(both).await;
    for script in [failing, silent] {
        let (bad, _) = server(script).await;
        let answer = stub(&[bad, good]).look_up("shop.test", &Silent::default()).await;
        assert_eq!(answer, found(&["2001:db8::1", "10.0.0.1"], 20));
    }
    // But not because one says that there is no such name.
    let (knows, _) = server(no_name).await;
    let (good, asked) = server(both).await;
    assert_eq!(
        stub(&[knows, good]).look_up("shop.test", &Silent::default()).await,
        unresolved("no such name")
    );
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_waited_for_once() {
    let (dead, _) = server(silent).await;
    let (good, _) = server(both).await;
    let stub = stub(&[dead, good]);
    let remembered = Silent::default();
    let answer = stub.look_up("shop.test", &remembered).await;
    assert_eq!(answer, found(&["2001:db8::1", "10.0.0.1"], 20));
    assert_eq!(remembered.order(&stub.servers, 0), [good, dead]);
}

#[tokio::test]
async fn what_does_not_fit_is_asked_for_by_tcp() {
    let (address, _) = server(|message, _| {
        message.metadata.truncation = true;
        Some(())
    })
    .await;
    let listener = TcpListener::bind(address).await.expect("the same port");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut question = vec![0; stream.read_u16().await.expect("a length").into()];
            stream.read_exact(&mut question).await.expect("a question");
            let answer = answer(&question, 0, both).expect("an answer");
            let length = u16::try_from(answer.len()).expect("short");
            stream.write_all(&length.to_be_bytes()).await.expect("written");
            stream.write_all(&answer).await.expect("written");
        }
    });
    let expected = found(&["2001:db8::1", "10.0.0.1"], 20);
    assert_eq!(stub(&[address]).look_up("shop.test", &Silent::default()).await, expected);
    let only = Stub { tcp_only: true, ..stub(&[address]) };
    assert_eq!(only.look_up("shop.test", &Silent::default()).await, expected);
}

#[tokio::test]
async fn the_search_list_is_gone_through() {
    let (address, asked) = server(|message, number| match asked_for(message).0.as_str() {
        "shop.b.test." => both(message, number),
        "broken.a.test." => failing(message, number),
        _ => no_name(message, number),
    })
    .await;
    let config = "search a.test b.test\noptions ndots:2";
    let mut stub = Stub::new(Some(config), "machine", 53).expect("no zone");
    stub.servers = vec![address];
    assert_eq!(
        stub.look_up("shop", &Silent::default()).await,
        found(&["2001:db8::1", "10.0.0.1"], 20)
    );
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    let text = "the DNS server failed to find out (SERVFAIL)";
    assert_eq!(stub.look_up("other.", &Silent::default()).await, unresolved("no such name"));
    assert_eq!(stub.look_up("broken", &Silent::default()).await, unresolved(text));
}

fn candidates(config: &str, machine: &str, name: &str) -> Vec<String> {
    let stub = Stub::new(Some(config), machine, 53).expect("no zone");
    let name = Name::from_ascii(name).expect("a name");
    stub.candidates(name).iter().map(ToString::to_string).collect()
}

#[test]
fn names_are_completed_as_the_system_does() {
    let search = "search a.test b.test";
    for (config, name, expected) in [
        (search, "shop", vec!["shop.a.test.", "shop.b.test.", "shop."]),
        (search, "shop.test", vec!["shop.test.", "shop.test.a.test.", "shop.test.b.test."]),
        (search, "shop.test.", vec!["shop.test."]),
        ("search .", "shop", vec!["shop."]),
        ("", "shop", vec!["shop.home.test.", "shop."]),
        ("domain c.test", "shop", vec!["shop.c.test.", "shop."]),
        ("options ndots:0\ndomain c.test", "shop", vec!["shop.", "shop.c.test."]),
        ("options ndots:99\ndomain c.test", "a.b", vec!["a.b.c.test.", "a.b."]),
        ("", "my_service.test", vec!["my_service.test.", "my_service.test.home.test."]),
    ] {
        assert_eq!(candidates(config, "builder.home.test", name), expected, "{config}: {name}");
    }
    assert_eq!(candidates("", "builder", "shop"), ["shop."]);
}

#[test]
fn servers_are_those_of_the_file() {
    let servers = |text: &str| Stub::new(Some(text), "", 53).map(|stub| stub.servers);
    let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let four = "nameserver 10.0.0.1\nnameserver ::1\nnameserver 10.0.0.3\nnameserver 10.0.0.4";
    assert_eq!(servers(four), Some(vec![at("10.0.0.1:53"), at("[::1]:53"), at("10.0.0.3:53")]));
    assert_eq!(servers("# none"), Some(vec![at("127.0.0.1:53")]));
    assert_eq!(servers("nameserver nonsense\noptions unknown"), Some(vec![at("127.0.0.1:53")]));
    assert_eq!(servers("nameserver fe80::1%eth0"), None, "only the C library can do that");
}

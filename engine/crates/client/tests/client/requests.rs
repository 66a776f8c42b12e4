//! What exactly is sent.

use swarm_client::{Request, Session};

use crate::server::{Server, ok, session};

async fn echo(session: &Session, request: Request) -> String {
    let response = session.send(request).await.expect("echo");
    String::from_utf8(response.body.to_vec()).expect("text")
}

#[tokio::test]
async fn a_get_has_these_bytes() {
    let server = Server::echoing().await;
    let expected = format!(
        "GET /a?b=c HTTP/1.1\r\nhost: {}\r\nuser-agent: swarm/{}\r\naccept: */*\r\n\r\n",
        server.address,
        env!("CARGO_PKG_VERSION"),
    );
    assert_eq!(echo(&server.session(), Request::get("/a?b=c")).await, expected);
}

#[tokio::test]
async fn bodies_have_their_length() {
    let server = Server::echoing().await;
    let session = server.session();
    for (method, body, length) in [
        ("POST", "four", Some("4")),
        ("POST", "", Some("0")),
        ("PUT", "", Some("0")),
        ("DELETE", "", None),
        ("DELETE", "four", Some("4")),
        ("GET", "four", Some("4")),
    ] {
        let request = Request { body: body.into(), ..Request::new(method, "/") };
        let echoed = echo(&session, request).await;
        let line = echoed.lines().find_map(|line| line.strip_prefix("content-length: "));
        assert_eq!(line, length, "{echoed}");
        assert!(echoed.ends_with(&format!("\r\n\r\n{body}")), "{echoed}");
    }
}

#[tokio::test]
async fn the_session_header_that_was_set_last_wins() {
    let server = Server::echoing().await;
    let session = server.session();
    session.header("X-Token", "first").expect("header");
    session.header("x-token", "second").expect("header");
    session.header("user-agent", "mine").expect("header");
    let echoed = echo(&session, Request::get("/")).await;
    assert!(echoed.contains("x-token: second\r\n") && !echoed.contains("first"), "{echoed}");
    assert!(echoed.contains("user-agent: mine\r\n") && !echoed.contains("swarm/"), "{echoed}");
    let headers = vec![("x-token".to_owned(), "third".to_owned())];
    let echoed = echo(&session, Request { headers, ..Request::get("/") }).await;
    assert!(echoed.contains("x-token: third\r\n") && !echoed.contains("second"), "{echoed}");
    for (name, value) in [("a b", "c"), ("a", "b\r\nc: d"), ("a", "\0"), ("content-length", "1")] {
        assert!(session.header(name, value).is_err(), "{name}: {value:?}");
    }
}

#[tokio::test]
async fn session_headers_are_limited() {
    let server = Server::echoing().await;
    let session = server.session();
    for n in 0..256 {
        session.header(&format!("x-{n}"), "v").expect("header");
    }
    session.header("x-0", "again").expect("replaced");
    assert!(session.header("x-256", "v").is_err());
}

#[tokio::test]
async fn urls_are_below_the_base_path() {
    let server = Server::echoing().await;
    let session = session(&format!("{}/base/", server.url()), &[], |_| {});
    for (url, path) in [
        ("/x", "/base/x"),
        ("x?y", "/base/x?y"),
        ("", "/base"),
        ("/sp ace", "/base/sp%20ace"),
        (&format!("{}/x", server.url()), "/x"),
    ] {
        let echoed = echo(&session, Request::get(url)).await;
        assert!(echoed.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{url}: {echoed}");
    }
    assert_eq!(server.accepts(), 1, "the absolute URL shares the base URL's connection");
}

#[tokio::test]
async fn a_name_with_several_addresses_is_tried_in_order() {
    let server = Server::echoing().await;
    let base = format!("http://localhost:{}", server.address.port());
    let session = session(&base, &[], |_| {});
    let response = session.send(Request::get("/")).await.expect("one of them listens");
    assert!(response.phases.dns.is_some());
    let host = format!("host: localhost:{}\r\n", server.address.port());
    assert!(String::from_utf8_lossy(&response.body).contains(&host));
}

#[tokio::test]
async fn cookies_are_sent_back_unless_the_scenario_wrote_its_own() {
    let head = "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2; Path=/only\r\n";
    let server = Server::echoing_below(head).await;
    let session = server.session();
    assert!(!echo(&session, Request::get("/")).await.contains("cookie"));
    assert!(echo(&session, Request::get("/")).await.contains("cookie: a=1\r\n"));
    let both = echo(&session, Request::get("/only/x")).await;
    assert!(both.contains("a=1") && both.contains("b=2"), "{both}");
    let headers = vec![("Cookie".to_owned(), "mine=3".to_owned())];
    let own = echo(&session, Request { headers, ..Request::get("/") }).await;
    assert!(own.contains("cookie: mine=3\r\n"), "{own}");
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_counted() {
    let server = Server::answering(ok("four")).await;
    let session = server.session();
    for keep_body in [false, true] {
        let request = Request { keep_body, ..Request::get("/") };
        let response = session.send(request).await.expect("response");
        assert_eq!(response.body_bytes, 4);
        assert_eq!(response.body, if keep_body { "four" } else { "" });
    }
}

#[tokio::test]
async fn a_scenario_may_ask_for_the_end_of_the_connection() {
    let server = Server::echoing().await;
    let session = server.session();
    let headers = vec![("Connection".to_owned(), "close".to_owned())];
    for _ in 0..2 {
        let request = Request { headers: headers.clone(), ..Request::get("/") };
        assert!(echo(&session, request).await.contains("connection: close\r\n"));
    }
    assert_eq!(server.accepts(), 2);
    session.header("connection", "close").expect("header");
    echo(&session, Request::get("/")).await;
    echo(&session, Request::get("/")).await;
    assert_eq!(server.accepts(), 4);
}

#[tokio::test]
async fn headers_of_session_and_request_come_after_the_automatic_ones() {
    let server = Server::echoing().await;
    let session = server.session();
    session.header("x-session", "1").expect("header");
    session.header("Accept", "text/plain").expect("header");
    let headers = vec![("X-Request".to_owned(), "2".to_owned())];
    let request = Request { headers, body: "four".into(), ..Request::new("PROPFIND", "/x") };
    let expected = format!(
        "PROPFIND /x HTTP/1.1\r\nhost: {}\r\nuser-agent: swarm/{}\r\nx-session: 1\r\n\
         accept: text/plain\r\nx-request: 2\r\ncontent-length: 4\r\n\r\nfour",
        server.address,
        env!("CARGO_PKG_VERSION"),
    );
    assert_eq!(echo(&session, request).await, expected);
}

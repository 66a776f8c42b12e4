//! Requests whose sender has made URL and headers: they go out as they are.

use std::sync::Arc;

use swarm_client::{HeaderLines, Raw, Request};

use crate::server::{Server, ok};

fn lines(lines: &str) -> HeaderLines {
    HeaderLines::new(lines.as_bytes().to_vec().into_boxed_slice()).expect("lines")
}

/// A request with lines that many have in common, and its own.
pub(crate) fn raw(method: &str, url: &str, common: &str, own: &str) -> Request {
    let common = Arc::new(lines(common));
    let raw = Raw { common, own: lines(own), insecure: false, says_length: false };
    Request { raw: Some(Box::new(raw)), ..Request::new(method, url) }
}

#[tokio::test]
async fn it_has_these_bytes() {
    let server = Server::echoing().await;
    let session = server.session();
    session.header("X-Session", "no").expect("header");
    let url = format!("{}/a%2Fb/../c?q=%7e|x", server.url());
    let request =
        raw("GET", &url, "User-Agent: me\r\nX-Kept: 1\r\n", "x-kept: 2\r\nX-New: \u{e9}\r\n");
    let response = session.send(request).await.expect("echo");
    let expected = format!(
        "GET /a%2Fb/../c?q=%7e|x HTTP/1.1\r\nhost: {}\r\nUser-Agent: me\r\nx-kept: 2\r\n\
         X-New: \u{e9}\r\n\r\n",
        server.address
    );
    assert_eq!(std::str::from_utf8(&response.body).expect("text"), expected);
}

#[tokio::test]
async fn its_length_is_said_where_there_is_a_body_or_it_is_wanted() {
    let server = Server::echoing().await;
    let session = server.session();
    for (body, says_length, length) in
        [("four", false, Some("4")), ("", false, None), ("", true, Some("0"))]
    {
        let mut request = raw("POST", &server.url(), "", "");
        request.body = body.into();
        request.raw.as_mut().expect("it was made so").says_length = says_length;
        let response = session.send(request).await.expect("echo");
        let echoed = String::from_utf8(response.body.to_vec()).expect("text");
        let found = echoed.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        assert_eq!(found, length, "{echoed}");
    }
}

#[tokio::test]
async fn a_host_line_of_its_own_is_the_only_one() {
    let server = Server::echoing().await;
    let request = raw("GET", &server.url(), "Host: other.test\r\n", "");
    let response = server.session().send(request).await.expect("echo");
    assert_eq!(response.body, "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n");
}

#[tokio::test]
async fn redirects_and_cookies_are_the_senders_matter() {
    let head = "HTTP/1.1 302 Over there\r\nlocation: /next\r\nset-cookie: a=1\r\n";
    let server = Server::echoing_below(head).await;
    let session = server.session();
    for _ in 0..2 {
        let response = session.send(raw("GET", &server.url(), "", "")).await.expect("response");
        assert_eq!((response.status, response.reason.as_deref()), (302, Some("Over there")));
        let echoed = String::from_utf8(response.body.to_vec()).expect("text");
        assert!(echoed.starts_with("GET / ") && !echoed.contains("a=1"), "{echoed}");
    }
}

#[tokio::test]
async fn the_usual_phrase_is_not_kept() {
    let server = Server::answering(ok("four")).await;
    let response = server.session().send(raw("GET", &server.url(), "", "")).await;
    assert_eq!(response.expect("response").reason, None);
}

#[tokio::test]
async fn a_line_that_closes_the_connection_closes_it() {
    let server = Server::echoing().await;
    let session = server.session();
    for own in ["Connection: close\r\n", "connection: keep-alive\r\n", "", ""] {
        session.send(raw("GET", &server.url(), "", own)).await.expect("echo");
    }
    assert_eq!(server.accepts(), 2);
}

#[tokio::test]
async fn a_url_that_is_not_whole_is_refused() {
    let server = Server::echoing().await;
    for url in ["ftp://x/", "http://", "http://a b/", "http://x/\r\ny"] {
        let error = server.session().send(raw("GET", url, "", "")).await;
        assert!(error.is_err(), "{url}");
    }
    assert_eq!(server.accepts(), 0);
}

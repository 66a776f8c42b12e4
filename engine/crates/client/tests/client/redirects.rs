//! Redirects on real connections: where they lead, how many, and whom they may reach.

use swarm_client::{ErrorKind, Request};

use crate::server::{Server, ok, session};

fn redirect(status: u16, location: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\n");
    format!("{head}content-length: 5\r\n\r\nmoved").into_bytes()
}

/// Redirects `/` to `location`; everything else is echoed.
async fn redirecting(status: u16, location: &str) -> Server {
    let answer = redirect(status, location);
    Server::start(move |mut peer| {
        let answer = answer.clone();
        async move {
            while let Some(request) = peer.request().await {
                let first = request.split(' ').nth(1) == Some("/");
                peer.send(&if first { answer.clone() } else { ok(&request) }).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_redirect_is_followed_on_the_same_connection() {
    let server = redirecting(302, "/next?q=1").await;
    let response = server.session().send(Request::get("/")).await.expect("followed");
    assert!(response.body.starts_with(b"GET /next?q=1 HTTP/1.1\r\n"));
    assert_eq!(server.accepts(), 1);
}

#[tokio::test]
async fn a_post_becomes_get_or_stays() {
    for (status, line, body) in [(303, "GET /next", ""), (307, "POST /next", "four")] {
        let server = redirecting(status, "/next").await;
        let request = Request { body: "four".into(), ..Request::new("POST", "/") };
        let response = server.session().send(request).await.expect("followed");
        let echoed = String::from_utf8(response.body.to_vec()).expect("text");
        assert!(echoed.starts_with(line), "{echoed}");
        assert!(echoed.ends_with(&format!("\r\n\r\n{body}")), "{echoed}");
    }
}

#[tokio::test]
async fn loops_end_at_the_limit() {
    let server = Server::answering(redirect(302, "/")).await;
    let session = server.session_with(|config| config.redirects_max = 3);
    let error = session.send(Request::get("/")).await.expect_err("loop");
    assert_eq!((error.kind, &*error.message), (ErrorKind::Other, "more than 3 redirects"));
    let own = Request { redirects: Some(1), ..Request::get("/") };
    assert_eq!(session.send(own).await.expect_err("loop").message, "more than 1 redirects");
}

#[tokio::test]
async fn limit_zero_returns_the_redirect() {
    let server = Server::answering(redirect(302, "http://denied.test/")).await;
    let request = Request { redirects: Some(0), ..Request::get("/") };
    let response = server.session().send(request).await.expect("as it is");
    assert_eq!((response.status, &response.body[..]), (302, &b"moved"[..]));
}

#[tokio::test]
async fn a_redirect_to_a_denied_host_is_not_followed() {
    let other = Server::answering(ok("b")).await;
    let server = redirecting(302, &other.url()).await;
    let session = server.session();
    let error = session.send(Request::get("/")).await.expect_err("denied");
    assert_eq!(error.kind, ErrorKind::Denied);
    session.send(Request::get("/other")).await.expect("the target");
    assert_eq!(other.accepts(), 0);
}

#[tokio::test]
async fn secrets_stay_with_their_origin() {
    let other = Server::echoing().await;
    let server = redirecting(302, &other.url()).await;
    let allowed = [other.address.to_string()];
    let session = session(&server.url(), &allowed, |_| {});
    session.header("authorization", "secret").expect("header");
    session.header("x-kept", "yes").expect("header");
    let headers = vec![("cookie".to_owned(), "secret".to_owned())];
    let response = session.send(Request { headers, ..Request::get("/") }).await.expect("followed");
    let echoed = String::from_utf8(response.body.to_vec()).expect("text");
    assert!(!echoed.contains("secret"), "{echoed}");
    assert!(echoed.contains("x-kept: yes"), "{echoed}");
    assert!(echoed.contains(&format!("host: {}", other.address)), "{echoed}");
}

#[tokio::test]
async fn cookies_set_by_a_redirect_are_sent_to_its_end() {
    let server = Server::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            if request.starts_with("GET /login ") {
                let head = "HTTP/1.1 302 Found\r\nset-cookie: id=7; Path=/\r\nlocation: /home\r\n";
                peer.send(format!("{head}content-length: 0\r\n\r\n").as_bytes()).await;
            } else {
                peer.send(&ok(&request)).await;
            }
        }
    })
    .await;
    let session = server.session();
    let response = session.send(Request::get("/login")).await.expect("followed");
    let echoed = String::from_utf8(response.body.to_vec()).expect("text");
    assert!(echoed.starts_with("GET /home ") && echoed.contains("\r\ncookie: id=7\r\n"));
    let another = server.session().send(Request::get("/home")).await.expect("another user");
    assert!(!String::from_utf8_lossy(&another.body).contains("cookie"));
}

#[tokio::test]
async fn a_location_that_is_no_url_is_a_protocol_error() {
    for location in ["http://", "gopher://a.test/", "http://u:p@127.0.0.1/"] {
        let server = Server::answering(redirect(301, location)).await;
        let error = server.session().send(Request::get("/")).await.expect_err(location);
        assert_eq!(error.kind, ErrorKind::Protocol, "{location}: {error}");
    }
}

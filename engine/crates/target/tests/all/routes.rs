//! What each route answers.

use std::time::{Duration, Instant};

use crate::common::{Client, counts_until, target};

#[test]
fn pages_are_small_and_html() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    for path in ["/", "/about", "/?q=1", "http://127.0.0.1/about"] {
        let page = client.get(path);
        assert_eq!(page.status, 200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(page.text().contains("<h1>"), "{path}");
    }
    let items = client.get("/items").json();
    assert!(items.as_array().unwrap().iter().all(|item| item["item"].is_u64()));
    assert_eq!(client.get("/nothing").status, 404);
    let post = client.ask("POST", "/", &[], "x");
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn a_delay_takes_its_time() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    let start = Instant::now();
    assert_eq!(client.get("/delay/100").text(), "waited 100 ms\n");
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(client.get("/delay/60001").status, 400);
}

#[test]
fn a_client_that_leaves_during_a_delay_is_not_open_any_more() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    client.send("GET /delay/60000 HTTP/1.1\r\nHost: test\r\n\r\n");
    counts_until(&target, "the request arrives", |counts| counts.total == 1);
    assert_eq!(target.counts().open, 1);
    drop(client);
    let counts = counts_until(&target, "the connection closes", |counts| counts.open == 0);
    assert!(counts.statuses.is_empty(), "nothing was answered");
}

#[test]
fn every_status_is_framed_so_that_the_next_answer_is_found() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    for status in 200..600 {
        let response = client.get(&format!("/status/{status}"));
        assert_eq!(response.status, status);
        let bodiless = matches!(status, 204 | 205 | 304);
        assert_eq!(response.body.is_empty(), bodiless, "{status}");
        assert_eq!(response.header("content-length").is_none(), matches!(status, 204 | 304));
    }
    assert_eq!(client.get("/status/199").status, 400);
    let counts = target.counts();
    assert_eq!(counts.total, 401);
    assert_eq!(counts.statuses[&400], 2);
    assert_eq!(counts.statuses.len(), 400);
}

#[test]
fn bodies_of_any_size() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    for bytes in [0, 1, 16_384, 16_385, 65_536, 1_000_000, 67_108_864] {
        let response = client.get(&format!("/bytes/{bytes}"));
        assert_eq!(response.body.len(), bytes);
    }
    assert_eq!(client.get("/bytes/67108865").status, 400);
}

#[test]
fn an_echo_is_the_body_with_its_type() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    for length in [0, 1, 40_000, 8 << 20] {
        let body = "0123456789abcdef".repeat(length / 16 + 1)[..length].to_owned();
        let response = client.ask("PUT", "/echo", &["Content-Type: a/b; c=d"], &body);
        assert!(response.body == body.as_bytes(), "{length} bytes");
        let kind = (length > 0).then_some("a/b; c=d");
        assert_eq!(response.header("content-type"), kind, "there is no type without a body");
    }
}

#[test]
fn a_redirect_chain_ends_at_the_front_page() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    let mut path = "/redirect/3".to_owned();
    let mut hops = 0;
    while path != "/" {
        let response = client.get(&path);
        assert_eq!(response.status, 302);
        path = response.header("location").unwrap().to_owned();
        hops += 1;
    }
    assert_eq!(hops, 3);
    assert_eq!(client.get("/redirect/0").status, 400);
}

#[test]
fn shopping_needs_a_login() {
    let target = target(2);
    let mut client = Client::connect(target.local_addr());
    for (path, body) in [("/cart", r#"{"item":1}"#), ("/cart", "x"), ("/checkout", "")] {
        let response = client.ask("POST", path, &["Cookie: session=1-1"], body);
        assert_eq!(response.status, 401, "{path} {body}");
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
    }
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let wrong = client.ask("POST", "/login", &form, "username=a&password=b");
    assert_eq!(wrong.status, 401);
    assert!(wrong.header("set-cookie").is_none());
    let nobody = client.ask("POST", "/login", &form, "username=&password=swarm");
    assert_eq!(nobody.status, 401);
    assert_eq!(client.ask("POST", "/login", &form, "username=a").status, 400);
    assert_eq!(client.ask("POST", "/login", &[], "username=a&password=swarm").status, 415);
    assert_eq!(client.get("/login").status, 405);
}

#[test]
fn shopping_with_the_cookie_and_with_the_token() {
    let target = target(2);
    let mut client = Client::connect(target.local_addr());
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let login = client.ask("POST", "/login", &form, "username=ann&password=swarm");
    assert_eq!(login.status, 200);
    let cookie = login.header("set-cookie").unwrap().split(';').next().unwrap();
    assert_eq!(cookie.strip_prefix("session="), login.json()["token"].as_str());
    let cookie = format!("Cookie: theme=dark; {cookie}");

    let json = ["Content-Type: application/json"];
    let body = r#"{"username":"bob","password":"swarm"}"#;
    let token = client.ask("POST", "/login", &json, body).json()["token"].clone();
    let bearer = format!("Authorization: Bearer {}", token.as_str().unwrap());

    // Other connections, perhaps of another thread: sessions belong to no connection.
    for n in 1..=4 {
        let mut client = Client::connect(target.local_addr());
        let ann = client.ask("POST", "/cart", &[&cookie], r#"{"item":1}"#);
        assert_eq!((ann.status, ann.json()["items"].as_u64()), (200, Some(n)));
        let bob = client.ask("POST", "/cart", &[&bearer], r#"{"item":13}"#);
        assert_eq!((bob.status, bob.json()["items"].as_u64()), (200, Some(n)));
    }
    assert_eq!(client.ask("POST", "/cart", &[&bearer], r#"{"item":-1}"#).status, 400);
    let ann = client.ask("POST", "/checkout", &[&cookie], "");
    assert_eq!((ann.status, ann.text()), (200, r#"{"items":4,"status":"ok"}"#));
    let bob = client.ask("POST", "/checkout", &[&bearer], "");
    assert_eq!((bob.status, bob.text()), (200, r#"{"items":4,"status":"out of stock"}"#));
    let again = client.ask("POST", "/checkout", &[&bearer], "");
    assert_eq!(again.text(), r#"{"items":0,"status":"ok"}"#);
}

#[test]
fn a_full_cart_says_so() {
    let target = target(1);
    let mut client = Client::connect(target.local_addr());
    let json = ["Content-Type: application/json"];
    let body = r#"{"username":"bob","password":"swarm"}"#;
    let token = client.ask("POST", "/login", &json, body).json()["token"].clone();
    let bearer = format!("Authorization: Bearer {}", token.as_str().unwrap());
    for _ in 0..100 {
        assert_eq!(client.ask("POST", "/cart", &[&bearer], r#"{"item":1}"#).status, 200);
    }
    assert_eq!(client.ask("POST", "/cart", &[&bearer], r#"{"item":1}"#).status, 409);
}

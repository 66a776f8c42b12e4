//! What is opened to other machines, and the page's login.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use serde_json::Value;
use swarm_tests::{PATIENCE, Process, Response, Swarm, request, wait_until};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{Certs, TOKEN, path, text};
use crate::guests::Guest;
use crate::verdict::{SETTINGS, refused};

const HOST: [&str; 2] = ["-H", "http://127.0.0.1:1"];

/// The address of another process's port, by way of loopback.
fn local(address: &str) -> SocketAddr {
    let address: SocketAddr = address.parse().expect("an address");
    SocketAddr::from(([127, 0, 0, 1], address.port()))
}

#[test]
fn a_page_for_other_machines_needs_a_login() {
    let swarm = Swarm::new();
    Guest::visiting(&["/"]).write(&swarm, "sound");
    for host in ["0.0.0.0", "*", "::"] {
        for command in ["run", "master"] {
            let open = [command, "sound.wasm", "--web-port", "0", "--web-host", host];
            let parts = ["--web-host", host, "--web-token-file", "SWARM_WEB_TOKEN"];
            refused(&swarm, &open, SETTINGS, &[&parts[..], &["--web-no-login"]].concat());
        }
    }
    // Said, it is done.
    let open = ["--web-host", "0.0.0.0", "--web-no-login"];
    let mut run = swarm.run("sound.wasm".as_ref(), &[&HOST[..], &open].concat());
    let address = local(run.page().url().strip_prefix("http://").expect("http"));
    let answer = request("GET", &format!("http://{address}/worker-count"), &[], "");
    assert_eq!(answer.expect("it answers").status, 200);
    assert!(run.process.is_running());
}

#[test]
fn a_master_for_other_machines_needs_a_secret() {
    let swarm = Swarm::new();
    Guest::visiting(&["/"]).write(&swarm, "sound");
    let open = ["master", "sound.wasm", "--web-port", "0", "--master-bind-host", "0.0.0.0"];
    let parts = ["--master-bind-host 0.0.0.0", "--token-file", "--tls-ca", "--master-no-auth"];
    refused(&swarm, &open, SETTINGS, &parts);
    let certs = Certs::made(&swarm, "certs");
    let flags = certs.master();
    // TLS alone shows the worker who the master is, not the other way round.
    refused(&swarm, &[&open[..], &text(&flags)].concat(), SETTINGS, &parts);
    let file = swarm.file("token", TOKEN.as_bytes());
    let demanding = certs.demanding_master();
    let enough: [Vec<&str>; 3] =
        [vec!["--token-file", path(&file)], text(&demanding), vec!["--master-no-auth"]];
    for flags in enough {
        let flags = [&HOST[..], &["--master-bind-host", "0.0.0.0"], &flags].concat();
        let mut master = swarm.master("sound.wasm".as_ref(), &flags);
        assert!(master.process.is_running());
        let clear = master.process.err.find("unencrypted").is_some();
        assert_eq!(clear, !flags.contains(&"--tls-ca"), "{}", master.process.err.text());
    }
}

fn ask(url: &str, method: &str, path: &str, lines: &[&str], body: &str) -> Response {
    request(method, &format!("{url}{path}"), lines, body).expect("the page answers")
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const HTML: &str = "Accept: text/html,application/xhtml+xml";

/// Nothing is shown and nothing done without the token; with it, everything.
#[test]
fn the_page_behind_a_login() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let scenario = Guest::visiting(&["/"]).write(&swarm, "sound");
    let file = swarm.file("token", TOKEN.as_bytes());
    let login = ["-H", &target.url(), "--web-token-file", path(&file)];
    let run = swarm.run(&scenario, &login);
    let url = run.page().url();
    let start = "user_count=2&spawn_rate=10";
    for (method, path, body) in [
        ("GET", "/", ""),
        ("GET", "/stats/requests", ""),
        ("GET", "/stats/requests/csv", ""),
        ("GET", "/api/v1/view", ""),
        ("GET", "/api/v1/live", ""),
        ("GET", "/stop", ""),
        ("POST", "/swarm", start),
        ("POST", "/stop", ""),
        ("POST", "/stats/reset", ""),
    ] {
        for lines in
            [&[FORM][..], &[FORM, "Cookie: swarm_8089=x"], &[FORM, "Authorization: Basic x"]]
        {
            let answer = ask(url, method, path, lines, body);
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.head);
            assert!(!answer.body.contains("sound"), "{}", answer.body);
        }
    }
    assert_eq!(target.counts().total, 0);
    // A browser is led to the form, which needs no script.
    let answer = ask(url, "GET", "/", &[HTML], "");
    assert_eq!((answer.status, header(&answer, "location")), (303, Some("/login")));
    let form = ask(url, "GET", "/login", &[HTML], "");
    assert!(form.body.contains("name=\"token\"") && form.body.contains("method=\"post\""));
    let origin = format!("Origin: {url}");
    let wrong = ask(url, "POST", "/login", &[FORM, HTML, &origin], "token=something-else");
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("this is not the token"), "{}", wrong.body);
    let body = format!("token={TOKEN}");
    let foreign = ["Origin: http://evil.example", FORM, HTML];
    assert_eq!(ask(url, "POST", "/login", &foreign, &body).status, 403);
    let right = ask(url, "POST", "/login", &[FORM, HTML, &origin], &body);
    assert_eq!((right.status, header(&right, "location")), (303, Some("/")));
    let set = header(&right, "set-cookie").expect("a session");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let cookie = format!("Cookie: {}", set.split(';').next().expect("a pair"));
    assert_eq!(ask(url, "POST", "/swarm", &[FORM, &cookie], start).status, 200);
    target.wait_for_requests(5);
    // A foreign page in the same browser gets no further by the cookie.
    let foreign = ["Origin: http://evil.example", &cookie, FORM];
    assert_eq!(ask(url, "POST", "/stop", &foreign, "").status, 403);
    // A script.
    let bearer = format!("Authorization: Bearer {TOKEN}");
    wait_until("a script sees the users", PATIENCE, || {
        let stats: Value = ask(url, "GET", "/stats/requests", &[&bearer], "").json();
        stats["user_count"] == 2
    });
    assert_eq!(ask(url, "POST", "/stop", &[&bearer], "").status, 200);
    // The page knows that there is something to log out of.
    let mut live = TcpStream::connect(run.page().url().strip_prefix("http://").expect("http"));
    let live = live.as_mut().expect("the page listens");
    let request = format!("GET /api/v1/live HTTP/1.0\r\nHost: localhost\r\n{cookie}\r\n\r\n");
    live.write_all(request.as_bytes()).expect("it reads");
    let event = BufReader::new(live).lines().map(|line| line.expect("it goes on"));
    let event = event.into_iter().find(|line| line.starts_with("data:")).expect("an event");
    assert!(event.contains("\"login\":true"), "{event}");
    // And out.
    assert_eq!(ask(url, "POST", "/logout", &[&cookie, FORM], "").status, 200);
    assert_eq!(ask(url, "GET", "/stats/requests", &[&cookie], "").status, 401);
}

#[test]
fn guessing_the_pages_token_is_slowed_down() {
    let swarm = Swarm::new();
    let scenario = Guest::visiting(&["/"]).write(&swarm, "sound");
    let mut command = swarm.command(&["run", path(&scenario), "--web-port", "0"]);
    command.args(HOST).env("SWARM_WEB_TOKEN", TOKEN);
    let mut run = Process::spawn("run", command);
    let url = run.wait_for_value("web interface on ");
    let right = format!("Authorization: Bearer {TOKEN}");
    assert_eq!(ask(&url, "GET", "/worker-count", &[&right], "").status, 200);
    let most = swarm_core::attempts::FAILURES_MAX;
    for n in 0..most {
        let wrong = format!("Authorization: Bearer guess-number-{n}-of-many");
        assert_eq!(ask(&url, "GET", "/worker-count", &[&wrong], "").status, 401);
    }
    // Now not even the right one.
    let answer = ask(&url, "GET", "/worker-count", &[&right], "");
    assert_eq!(answer.status, 429, "{}", answer.head);
    assert!(header(&answer, "retry-after").is_some(), "{}", answer.head);
    let told = "wrong tokens to the web page";
    run.wait_for_value(told);
    let log = run.err.text();
    assert_eq!(log.matches(told).count(), 1, "{log}");
}

/// With a certificate the page of other machines is encrypted too.
#[test]
fn the_page_over_tls() {
    let swarm = Swarm::new();
    let scenario = Guest::visiting(&["/"]).write(&swarm, "sound");
    let certs = Certs::made(&swarm, "certs");
    let file = swarm.file("token", TOKEN.as_bytes());
    let flags = certs.master();
    let page = ["--web-port", "0", "--web-host", "0.0.0.0", "--web-token-file", path(&file)];
    let arguments = [&["run", path(&scenario)], &HOST[..], &page, &text(&flags)].concat();
    let mut run = Process::spawn("run", swarm.command(&arguments));
    let address = local(&run.wait_for_value("web interface on https://"));
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let answer = over_tls(address, &certs.file("ca.pem"), "GET /worker-count", &bearer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let body = format!("Content-Length: 26\r\n\r\ntoken={TOKEN}");
    let form = format!("Content-Type: application/x-www-form-urlencoded\r\n{body}");
    let login = over_tls(address, &certs.file("ca.pem"), "POST /login", &form);
    assert!(login.starts_with("HTTP/1.1 200") && login.contains("; Secure"), "{login}");
    // In the clear one learns what to do, and nothing else.
    let plain = request("GET", &format!("http://{address}/"), &[], "").expect("it answers");
    assert_eq!((plain.status, plain.body.as_str()), (400, "this page speaks TLS: use https"));
    run.signal(swarm_tests::Signal::INT);
    assert_eq!(run.wait(PATIENCE).code(), Some(0));
}

/// One request by somebody who trusts this authority.
#[track_caller]
fn over_tls(address: SocketAddr, authority: &str, head: &str, lines: &str) -> String {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(authority).expect("a certificate");
    roots.add(authority).expect("an authority");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let client = ClientConnection::new(Arc::new(config), name).expect("a configuration");
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("sockets have timeouts");
    let mut stream = StreamOwned::new(client, stream);
    let text = format!("{head} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{lines}\r\n");
    stream.write_all(text.as_bytes()).expect("it reads");
    let mut answer = String::new();
    // Some close without a farewell.
    let _ = stream.read_to_string(&mut answer);
    answer
}

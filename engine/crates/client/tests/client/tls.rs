//! https against rustls servers with certificates made for the test.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use swarm_client::{ClientConfig, ErrorKind, Request, Session};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::raw::raw;
use crate::server::{Server, ok, session};

/// An authority and a server certificate of it.
struct Authority {
    file: NamedTempFile,
    acceptor: TlsAcceptor,
}

static AUTHORITIES: AtomicU32 = AtomicU32::new(0);

fn authority(name: &str) -> Authority {
    let key = KeyPair::generate().expect("key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    // Each its own name, or the wrong one would be found by name and fail by signature.
    let number = AUTHORITIES.fetch_add(1, Ordering::Relaxed);
    params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).expect("root");
    let issuer = Issuer::new(params, key);
    let leaf_key = KeyPair::generate().expect("key");
    let leaf = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let leaf = leaf.signed_by(&leaf_key, &issuer).expect("leaf");
    let mut file = NamedTempFile::new().expect("file");
    file.write_all(root.pem().as_bytes()).expect("write");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der())),
        )
        .expect("certificate");
    Authority { file, acceptor: TlsAcceptor::from(Arc::new(config)) }
}

/// Answers `requests` requests of a connection and closes it without farewell.
async fn serving(authority: &Authority, requests: usize) -> Server {
    let acceptor = authority.acceptor.clone();
    Server::start(move |peer| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut tls) = acceptor.accept(peer.stream).await else {
                return;
            };
            let mut buffer = [0; 4096];
            for _ in 0..requests {
                if tls.read(&mut buffer).await.unwrap_or(0) == 0 {
                    return;
                }
                tls.write_all(&ok("secure")).await.expect("write");
                tls.flush().await.expect("flush");
            }
        }
    })
    .await
}

fn https(server: &Server, change: impl FnOnce(&mut ClientConfig)) -> Session {
    session(&server.url().replace("http", "https"), &[], change)
}

fn trusting(authority: &Authority) -> impl FnOnce(&mut ClientConfig) {
    let path = authority.file.path().to_owned();
    move |config| config.ca_file = Some(path)
}

#[tokio::test]
async fn a_certificate_of_a_listed_authority_is_trusted() {
    let authority = authority("127.0.0.1");
    let server = serving(&authority, usize::MAX).await;
    let session = https(&server, trusting(&authority));
    for round in 0..3 {
        let response = session.send(Request::get("/")).await.expect("trusted");
        assert_eq!(response.body, "secure");
        assert_eq!(response.phases.tls.is_some(), round == 0);
    }
    assert_eq!(server.accepts(), 1);
}

#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let (mine, other) = (authority("127.0.0.1"), authority("127.0.0.1"));
    let server = serving(&mine, usize::MAX).await;
    let error = https(&server, trusting(&other)).send(Request::get("/")).await.expect_err("refuse");
    assert_eq!(error.kind, ErrorKind::Tls);
    let text = "certificate of an unknown authority: trust the authority's certificate with SSL";
    assert!(error.message.starts_with(text), "{error}");
    let error = https(&server, |_| {}).send(Request::get("/")).await.expect_err("system's roots");
    assert_eq!(error.kind, ErrorKind::Tls);
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let authority = authority("other.test");
    let server = serving(&authority, usize::MAX).await;
    let session = https(&server, trusting(&authority));
    let error = session.send(Request::get("/")).await.expect_err("name");
    assert_eq!(error.kind, ErrorKind::Tls);
    assert_eq!(error.message, "certificate of another host name");
}

#[tokio::test]
async fn insecure_takes_any_certificate() {
    let server = serving(&authority("other.test"), usize::MAX).await;
    let session = https(&server, |config| config.insecure = true);
    assert_eq!(session.send(Request::get("/")).await.expect("anybody").body, "secure");
}

/// What was connected to on trust is not used for a request that wants to know.
#[tokio::test]
async fn a_single_request_may_take_any_certificate() {
    let server = serving(&authority("other.test"), usize::MAX).await;
    let session = https(&server, |_| {});
    let url = server.url().replace("http", "https");
    let trusting = || {
        let mut request = raw("GET", &url, "", "");
        request.raw.as_mut().expect("it was made so").insecure = true;
        request
    };
    for round in 0..2 {
        let response = session.send(trusting()).await.expect("anybody");
        assert_eq!((&*response.body, response.phases.tls.is_some()), (&b"secure"[..], round == 0));
    }
    let error = session.send(raw("GET", &url, "", "")).await.expect_err("nobody's certificate");
    assert_eq!(error.kind, ErrorKind::Tls);
    assert_eq!(session.send(trusting()).await.expect("anybody").body, "secure");
}

#[tokio::test]
async fn a_stale_tls_connection_is_replaced() {
    let authority = authority("127.0.0.1");
    let server = serving(&authority, 1).await;
    let session = https(&server, trusting(&authority));
    for _ in 0..3 {
        session.send(Request::get("/")).await.expect("response");
    }
    assert_eq!(server.accepts(), 3);
}

/// Answers every request, and then does `after` with the connection.
async fn answering_and(authority: &Authority, after: fn(&mut TlsStream<TcpStream>)) -> Server {
    let acceptor = authority.acceptor.clone();
    Server::start(move |peer| {
        let acceptor = acceptor.clone();
        async move {
            let mut tls = acceptor.accept(peer.stream).await.expect("handshake");
            let mut buffer = [0; 4096];
            while tls.read(&mut buffer).await.unwrap_or(0) > 0 {
                tls.write_all(&ok("secure")).await.expect("write");
                tls.flush().await.expect("flush");
                // When the answer was read, so that this arrives at an idle connection.
                tokio::time::sleep(Duration::from_millis(5)).await;
                after(&mut tls);
                let _ = tls.flush().await;
            }
        }
    })
    .await
}

async fn three_requests(authority: &Authority, server: &Server) {
    let session = https(server, trusting(authority));
    for _ in 0..3 {
        let response = session.send(Request::new("POST", "/")).await.expect("response");
        assert_eq!(response.body, "secure");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_tls_says_to_itself_does_not_end_a_connection() {
    let authority = authority("127.0.0.1");
    let server = answering_and(&authority, |tls| {
        tls.get_mut().1.refresh_traffic_keys().expect("new keys");
    })
    .await;
    three_requests(&authority, &server).await;
    assert_eq!(server.accepts(), 1);
}

#[tokio::test]
async fn a_farewell_or_garbage_ends_an_idle_connection() {
    let authority = authority("127.0.0.1");
    let farewell = answering_and(&authority, |tls| tls.get_mut().1.send_close_notify()).await;
    three_requests(&authority, &farewell).await;
    assert_eq!(farewell.accepts(), 3);
    let garbage = answering_and(&authority, |tls| {
        tls.get_mut().1.writer().write_all(b"garbage").expect("buffered");
    })
    .await;
    three_requests(&authority, &garbage).await;
    assert_eq!(garbage.accepts(), 3);
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    const BYTES: usize = 3_000_000;
    let authority = authority("127.0.0.1");
    let acceptor = authority.acceptor.clone();
    let server = Server::start(move |peer| {
        let acceptor = acceptor.clone();
        async move {
            let mut tls = acceptor.accept(peer.stream).await.expect("handshake");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(tls.read_u8().await.expect("a head"));
            }
            let mut upload = vec![0; BYTES];
            tls.read_exact(&mut upload).await.expect("the upload");
            upload.reverse();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BYTES}\r\n\r\n");
            tls.write_all(head.as_bytes()).await.expect("write");
            tls.write_all(&upload).await.expect("write");
            tls.shutdown().await.expect("farewell");
        }
    })
    .await;
    let session = https(&server, trusting(&authority));
    let mut body: Vec<u8> = (0..=u8::MAX).cycle().take(BYTES).collect();
    let request = Request { body: body.clone().into(), ..Request::new("POST", "/") };
    let response = session.send(request).await.expect("response");
    body.reverse();
    assert!(response.body == body);
}

#[tokio::test]
async fn a_body_until_the_end_needs_a_farewell() {
    let authority = authority("127.0.0.1");
    for farewell in [true, false] {
        let acceptor = authority.acceptor.clone();
        let server = Server::start(move |peer| {
            let acceptor = acceptor.clone();
            async move {
                let mut tls = acceptor.accept(peer.stream).await.expect("handshake");
                let mut buffer = [0; 4096];
                assert!(tls.read(&mut buffer).await.expect("a request") > 0);
                tls.write_all(b"HTTP/1.1 200 OK\r\n\r\nto the end").await.expect("write");
                tls.flush().await.expect("flush");
                if farewell {
                    tls.shutdown().await.expect("farewell");
                }
            }
        })
        .await;
        let outcome = https(&server, trusting(&authority)).send(Request::get("/")).await;
        match outcome {
            Ok(response) => assert!(farewell && response.body == "to the end"),
            // Somebody in between may have cut it off (RFC 9112, section 9.8).
            Err(error) => assert!(!farewell && error.kind == ErrorKind::Connect, "{error}"),
        }
    }
}

#[tokio::test]
async fn a_plain_server_does_not_speak_tls() {
    let server = Server::start(|mut peer| async move {
        peer.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        peer.closed().await;
    })
    .await;
    let session = https(&server, |config| config.insecure = true);
    let error = session.send(Request::get("/")).await.expect_err("plain");
    assert_eq!((error.kind, &*error.message), (ErrorKind::Tls, "the server does not speak TLS"));
}

#[tokio::test]
async fn a_handshake_that_ends_early_is_a_tls_error() {
    let server = Server::start(|mut peer| async move {
        let mut hello = [0; 4096];
        let _ = peer.stream.read(&mut hello).await;
    })
    .await;
    let session = https(&server, |config| config.insecure = true);
    let error = session.send(Request::get("/")).await.expect_err("closed");
    assert_eq!(error.kind, ErrorKind::Tls);
    assert_eq!(error.message, "connection closed during the TLS handshake");
}

#[tokio::test]
async fn a_handshake_that_hangs_is_a_connect_timeout() {
    let server = Server::start(|mut peer| async move { peer.closed().await }).await;
    let session = https(&server, |config| {
        config.insecure = true;
        config.connect_timeout = Duration::from_millis(100);
    });
    let error = session.send(Request::get("/")).await.expect_err("hangs");
    assert_eq!(error.kind, ErrorKind::Timeout);
    let address = server.address;
    let text = format!("cannot connect to {address}: timed out after 100 ms (connect timeout)");
    assert_eq!(error.message, text);
}

#[test]
fn a_wrong_ca_file_fails_at_once() {
    let empty = NamedTempFile::new().expect("file");
    for (path, part) in [("/no/such/file".into(), "/no/such/file"), (empty.path().into(), "PEM")] {
        let config = ClientConfig { ca_file: Some(path), ..ClientConfig::default() };
        let shared = swarm_client::Shared::new(config, swarm_client::AllowList::default());
        let error = shared.expect_err("unusable").to_string();
        assert!(error.contains(part), "{error}");
    }
}

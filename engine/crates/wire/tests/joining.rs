//! Tokens and TLS over real sockets: who gets a session, and what the others are told.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use common::{Master, Worker, dial, heartbeat, info, run, until};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use swarm_wire::door::{Opened, TurnedAway, open};
use swarm_wire::tls::{Authorities, ClientTls, HandshakeError, Identity, ServerTls};
use swarm_wire::{
    ConnectError, Secret, Token, auth, connect, connect_guarded, limits, serve_guarded,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::spawn_local;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls};

fn secret(text: &str) -> Secret {
    Secret::new(Token::new(text.as_bytes()).unwrap(), auth::nonce().unwrap())
}

const OURS: &str = "the token of the test";
const OTHER: &str = "the token of another";

/// Serves one connection in memory with this token.
async fn joined(masters: Option<&str>, workers: Option<&str>) -> (Rc<Master>, ConnectError) {
    let master = Rc::new(Master::default());
    let (near, far) = tokio::io::duplex(1 << 16);
    spawn_local(serve_guarded(far, Rc::clone(&master), 0, masters.map(secret)));
    let secret = workers.map(secret);
    let worker = Worker::new();
    let result = connect_guarded(near, &info("a"), Rc::clone(&worker), secret.as_ref()).await;
    assert!(master.heartbeats.borrow().is_empty() && worker.orders.borrow().is_empty());
    (master, result.map(|(session, _)| session).unwrap_err())
}

#[test]
fn both_sides_must_know_the_token() {
    run(async {
        let master = Rc::new(Master::default());
        let (near, far) = tokio::io::duplex(1 << 16);
        spawn_local(serve_guarded(far, Rc::clone(&master), 0, Some(secret(OURS))));
        let ours = secret(OURS);
        let (session, _) =
            connect_guarded(near, &info("a"), Worker::new(), Some(&ours)).await.unwrap();
        session.heartbeat(&heartbeat()).await.unwrap();

        for (workers, part) in [(None, "has none"), (Some(OTHER), "is not the master's")] {
            let (master, error) = joined(Some(OURS), workers).await;
            let ConnectError::Refused(reason) = error else { panic!("{error:?}") };
            assert!(reason.contains(part) && reason.contains("--token-file"), "{reason}");
            assert_eq!(*master.unproven.borrow(), [0]);
            assert!(master.workers.borrow().is_empty(), "the handler was not asked");
        }
        let (_, error) = joined(None, Some(OURS)).await;
        let ConnectError::Untrusted(reason) = error else { panic!("{error:?}") };
        assert!(reason.contains("it has no join token"), "{reason}");
    });
}

/// More heartbeats than any worker has a reason to send end the connection.
#[test]
fn too_many_heartbeats_end_the_connection() {
    run(async {
        let master = Rc::new(Master::default());
        let (near, far) = tokio::io::duplex(1 << 16);
        spawn_local(serve_guarded(far, Rc::clone(&master), 0, None));
        let (session, _) = connect(near, &info("a"), Worker::new()).await.unwrap();
        for _ in 0..limits::HEARTBEATS_BURST {
            session.heartbeat(&heartbeat()).await.unwrap();
        }
        while session.heartbeat(&heartbeat()).await.is_ok() {}
        assert_eq!(master.closed(0).await, "the worker sends more heartbeats than it may");
    });
}

/// An authority, and a certificate for 127.0.0.1.
struct Made(TempDir);

impl Made {
    fn new(name: &str, days: (i64, i64)) -> Made {
        let folder = TempDir::new().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let now = time::OffsetDateTime::now_utc();
        let day = |days| now + time::Duration::days(days);
        (params.not_before, params.not_after) = (day(days.0), day(days.1));
        let certificate = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        std::fs::write(folder.path().join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
        Made(folder)
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn authorities(&self) -> Authorities {
        Authorities::read(&self.file("ca.pem")).unwrap()
    }

    fn raw(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let certificate = CertificateDer::from_pem_file(self.file("cert.pem")).unwrap();
        (vec![certificate], PrivateKeyDer::from_pem_file(self.file("key.pem")).unwrap())
    }

    fn raw_authority(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.file("ca.pem")).unwrap()
    }

    fn identity(&self) -> Identity {
        Identity::read(&self.file("cert.pem"), &self.file("key.pem")).unwrap()
    }
}

/// Opens connections as a master does; tells of those that were turned away.
async fn listening(
    master: &Rc<Master>,
    tls: Option<ServerTls>,
) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<TurnedAway>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    let master = Rc::clone(master);
    spawn_local(async move {
        for conn in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let (tls, master, tell) = (tls.clone(), Rc::clone(&master), tell.clone());
            spawn_local(async move {
                match open(stream, tls.as_ref()).await {
                    Ok(Opened::Plain(stream)) => serve_guarded(stream, master, conn, None).await,
                    Ok(Opened::Secured(stream)) => {
                        serve_guarded(*stream, master, conn, None).await;
                    }
                    Err(away) => tell.send(away).unwrap(),
                }
            });
        }
    });
    (address, told)
}

/// What a worker with TLS is told.
async fn refusal(address: SocketAddr, tls: &ClientTls) -> String {
    let shaken = tls.connect(dial(address).await).await;
    let error = match shaken {
        Err(error) => error,
        Ok(stream) => {
            let refusal = stream.refusal();
            let result = connect(stream, &info("a"), Worker::new()).await;
            assert!(result.is_err(), "it has joined");
            refusal.get().expect("the alert was seen")
        }
    };
    match error {
        HandshakeError::Unacceptable(reason) => reason,
        HandshakeError::Failed(reason) => panic!("only failed: {reason}"),
    }
}

fn client(trusted: &Made, own: Option<&Made>, name: &str) -> ClientTls {
    let own = own.map(Made::identity);
    ClientTls::new(&trusted.authorities(), own.as_ref(), name).unwrap()
}

#[test]
fn certificates_decide_who_joins() {
    run(async {
        let (ours, other) = (Made::new("ours", (-1, 1)), Made::new("other", (-1, 1)));
        let master = Rc::new(Master::default());
        let clients = ours.authorities();
        let tls = ServerTls::new(&ours.identity(), Some(&clients)).unwrap();
        let (address, mut told) = listening(&master, Some(tls)).await;

        let tls = client(&ours, Some(&ours), "127.0.0.1");
        let stream = tls.connect(dial(address).await).await.unwrap();
        let (session, _) = connect(stream, &info("a"), Worker::new()).await.unwrap();
        session.heartbeat(&heartbeat()).await.unwrap();
        drop(session);
        until(|| !master.closed.borrow().is_empty()).await;

        let cases = [
            (client(&ours, None, "127.0.0.1"), "demands a certificate", Some(true)),
            (client(&ours, Some(&other), "127.0.0.1"), "this worker's certificate", Some(true)),
            (client(&other, Some(&ours), "127.0.0.1"), "not of an authority in", Some(false)),
            (client(&ours, Some(&ours), "localhost"), "is not for localhost", Some(false)),
        ];
        for (tls, part, unproven) in cases {
            let reason = refusal(address, &tls).await;
            assert!(reason.contains(part), "{part:?} is not in: {reason}");
            let away = told.recv().await.unwrap();
            assert_eq!(Some(away.unproven), unproven, "{}", away.reason);
        }
        assert_eq!(master.workers.borrow().len(), 1);
    });
}

/// Files are looked at when they are read, but time goes on, and clocks differ.
#[test]
fn each_side_looks_at_the_time_of_the_others_certificate() {
    run(async {
        let master = Rc::new(Master::default());
        for (days, worker_sees, master_sees) in [
            (
                (-30, -1),
                "it has a certificate that expired on",
                "has a certificate that expired on",
            ),
            ((1, 30), "it has a certificate that is valid from", "certificate that is valid from"),
        ] {
            let (ours, dated) = (Made::new("ours", (-1, 1)), Made::new("dated", days));
            let (chain, key) = dated.raw();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let versions = &[&rustls::version::TLS13];
            let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(versions)
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(chain.clone(), key.clone_key())
                .unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            spawn_local(async move {
                let (stream, _) = listener.accept().await.unwrap();
                let _ = TlsAcceptor::from(Arc::new(server)).accept(stream).await;
            });
            let reason = refusal(address, &client(&dated, None, "127.0.0.1")).await;
            assert!(reason.contains(worker_sees) && reason.contains("clock"), "{reason}");

            let tls = ServerTls::new(&ours.identity(), Some(&dated.authorities())).unwrap();
            let (address, mut told) = listening(&master, Some(tls)).await;
            let mut roots = rustls::RootCertStore::empty();
            roots.add(ours.raw_authority()).unwrap();
            let client = rustls::ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(versions)
                .unwrap()
                .with_root_certificates(roots)
                .with_client_auth_cert(chain, key)
                .unwrap();
            let connector = TlsConnector::from(Arc::new(client));
            let name = ServerName::try_from("127.0.0.1").unwrap();
            let _stream = connector.connect(name, dial(address).await).await;
            let away = told.recv().await.unwrap();
            assert!(away.reason.contains(master_sees) && away.unproven, "{}", away.reason);
        }
    });
}

#[test]
fn neither_side_falls_back_to_plain_text() {
    run(async {
        let ours = Made::new("ours", (-1, 1));
        let master = Rc::new(Master::default());
        let tls = ServerTls::new(&ours.identity(), None).unwrap();
        let (address, mut told) = listening(&master, Some(tls)).await;
        let plain = connect(dial(address).await, &info("a"), Worker::new()).await;
        let Err(ConnectError::Refused(reason)) = plain else { panic!("{plain:?}") };
        assert!(reason.contains("give the worker --tls-ca"), "{reason}");
        assert!(told.recv().await.unwrap().reason.contains("does not speak TLS"));

        let (address, mut told) = listening(&master, None).await;
        let reason = refusal(address, &client(&ours, None, "127.0.0.1")).await;
        assert!(reason.contains("no TLS at all") && reason.contains("--tls-cert"), "{reason}");
        assert!(told.recv().await.unwrap().reason.contains("this master does not"));
        assert!(master.workers.borrow().is_empty());
    });
}

#[test]
fn files_are_checked_when_they_are_read() {
    let error = |cert: &Path, key: &Path| Identity::read(cert, key).unwrap_err().to_string();
    let (ours, other) = (Made::new("ours", (-1, 1)), Made::new("other", (-1, 1)));
    let (cert, key) = (ours.file("cert.pem"), ours.file("key.pem"));
    assert!(error(&ours.file("none"), &key).contains("No such file"));
    assert!(error(&cert, &ours.file("none")).contains("No such file"));
    assert!(error(&key, &key).contains("holds no certificate"), "{}", error(&key, &key));
    assert!(error(&cert, &cert).contains("holds no private key"), "{}", error(&cert, &cert));
    let mismatch = error(&cert, &other.file("key.pem"));
    assert!(mismatch.contains("does not belong to the certificate"), "{mismatch}");
    let dated =
        [("late", (-30, -1), ["expired on", "clock"]), ("early", (1, 30), ["valid from", "clock"])];
    for (name, days, parts) in dated {
        let made = Made::new(name, days);
        let said = error(&made.file("cert.pem"), &made.file("key.pem"));
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
    let no_authority = Authorities::read(&key).unwrap_err().to_string();
    assert!(no_authority.contains("holds no certificate"), "{no_authority}");
}

//! Which certificates are taken, and what is said of others. The servers show certificates that
//! everyday recipes of `openssl` make, and some that nobody makes.

use std::io::Write;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{
    ServerConfig, SignatureAlgorithm, SignatureScheme, SupportedProtocolVersion, version,
};
use swarm_client::{ClientConfig, ErrorKind, Request};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::server::{Server, ok, session};

/// Of version 1, as `openssl x509 -req` made them up to OpenSSL 3.0: it names nobody.
const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBJDCBywIUV7eDwB9TRWvSZysYbEejBYwjQB4wCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEzMDE0NTkyNVoYDzIxMjYxMTA2MTQ1OTI1
WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AAQm7IVQWZwmKKtIW6Vepp4E8ifo87vMiSaUjgegLQxAteZFnS34UBpafPsJf5WA
FU+f4zeC/WlmUGtVF5WObHwRMAoGCCqGSM49BAMCA0gAMEUCIQD28QRO6lrUGOfd
/W8uZBOX+9J6Q4DPsjdxaioDq5js7wIgRKfnOqjB8V+LWuDhGAo7vMRn8ZgyfYQN
mKD2GKXl5J0=
-----END CERTIFICATE-----";

/// With an extension that nobody knows, and that must be understood.
const CRITICAL: &str = "\
-----BEGIN CERTIFICATE-----
MIIBnjCCAUWgAwIBAgIUZ1lqUqXuHMIIvK0idMgTkEdIUJcwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEzMDE0NTkyNVoYDzIxMjYxMTA2
MTQ1OTI1WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATtmDwTEGh3clBBUKDnrL+rLEpJpwl9E6rYmEgXFSGXv+cMJOOM0i5a
9ng6LeggtgvoorhGzyNlO07yVP8C+mDgo3MwcTAdBgNVHQ4EFgQUxfYpJ7R5TNfK
LH/+1aukhnm5V4QwHwYDVR0jBBgwFoAUxfYpJ7R5TNfKLH/+1aukhnm5V4QwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMA0GAyoDBAEB/wQDDAF4MAoG
CCqGSM49BAMCA0cAMEQCIBwHQOB8GYDQ2x0HlgIVm6AzMMDHCALiy4Nyol7bycHq
AiBMIMfDvlXmfXuDkmsyUQUT4CCuubVmTLWlMxOvKH/6MQ==
-----END CERTIFICATE-----";

/// Shows these certificates, whatever they are.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn config(
    certificate: CertificateDer<'static>,
    key: Arc<dyn SigningKey>,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    let shown = Shows(Arc::new(CertifiedKey::new(vec![certificate], key)));
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown))
}

/// Answers every request over TLS.
async fn showing(
    certificate: CertificateDer<'static>,
    key: Arc<dyn SigningKey>,
    versions: &[&'static SupportedProtocolVersion],
) -> Server {
    let acceptor = TlsAcceptor::from(Arc::new(config(certificate, key, versions)));
    Server::start(move |peer| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut tls) = acceptor.accept(peer.stream).await else { return };
            let mut buffer = [0; 4096];
            while tls.read(&mut buffer).await.unwrap_or(0) > 0 {
                tls.write_all(&ok("secure")).await.expect("written");
                tls.flush().await.expect("written");
            }
        }
    })
    .await
}

/// Asks a server; the text of the answer or the error.
async fn ask(server: &Server, change: impl FnOnce(&mut ClientConfig)) -> Result<String, String> {
    let session = session(&server.url().replace("http", "https"), &[], change);
    match session.send(Request::get("/")).await {
        Ok(response) => Ok(String::from_utf8_lossy(&response.body).into_owned()),
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::Tls, "{error}");
            Err(error.message)
        }
    }
}

/// A key whose signatures nobody can check, by a scheme that a client may not know.
#[derive(Debug, Clone)]
struct Forged(SignatureScheme);

impl SigningKey for Forged {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&self.0).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0 {
            SignatureScheme::ED25519 => SignatureAlgorithm::ED25519,
            SignatureScheme::ED448 => SignatureAlgorithm::ED448,
            SignatureScheme::ECDSA_NISTP521_SHA512 => SignatureAlgorithm::ECDSA,
            _ => SignatureAlgorithm::RSA,
        }
    }
}

impl Signer for Forged {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(b"nonsense".to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        self.0
    }
}

fn pem(text: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(text.as_bytes()).expect("a certificate")
}

#[tokio::test]
async fn insecure_takes_whatever_is_shown() {
    let schemes = [
        SignatureScheme::RSA_PSS_SHA256,
        SignatureScheme::ECDSA_NISTP521_SHA512,
        SignatureScheme::ED448,
    ];
    for scheme in schemes {
        for certificate in [pem(VERSION_1), pem(CRITICAL), CertificateDer::from(vec![1, 2, 3])] {
            let key = Arc::new(Forged(scheme));
            let server = showing(certificate, key, &[&version::TLS13]).await;
            let answer = ask(&server, |config| config.insecure = true).await;
            assert_eq!(answer.as_deref(), Ok("secure"), "{scheme:?}");
        }
    }
    let key = Arc::new(Forged(SignatureScheme::RSA_PKCS1_SHA256));
    let server = showing(pem(VERSION_1), key, &[&version::TLS12]).await;
    assert_eq!(ask(&server, |config| config.insecure = true).await.as_deref(), Ok("secure"));
}

/// What a made certificate is like.
struct Made {
    certificate: CertificateDer<'static>,
    key: Arc<dyn SigningKey>,
    file: NamedTempFile,
}

fn made(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Made {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, name);
    change(&mut params);
    let certificate = params.self_signed(&key).expect("a certificate");
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(certificate.pem().as_bytes()).expect("written");
    Made { certificate: certificate.der().clone(), key: signing(&key), file }
}

fn signing(key: &KeyPair) -> Arc<dyn SigningKey> {
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    any_supported_type(&der).expect("a usable key")
}

impl Made {
    async fn serve(&self) -> Server {
        let versions = [&version::TLS12, &version::TLS13];
        showing(self.certificate.clone(), Arc::clone(&self.key), &versions).await
    }

    fn trusted(&self) -> impl FnOnce(&mut ClientConfig) {
        let path = self.file.path().to_owned();
        move |config| config.ca_file = Some(path)
    }
}

/// As `openssl req -x509` makes them.
fn authority_of_its_own(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

const SELF_SIGNED: &str =
    "certificate is self-signed: trust it with SSL_CERT_FILE=FILE, or take any with --insecure";

#[tokio::test]
async fn a_certificate_that_is_itself_trusted_is_taken() {
    for change in [authority_of_its_own, |_: &mut CertificateParams| {}] {
        let made = made("127.0.0.1", change);
        let server = made.serve().await;
        assert_eq!(ask(&server, made.trusted()).await.as_deref(), Ok("secure"));
        let other = self::made("127.0.0.1", change);
        assert_eq!(ask(&server, other.trusted()).await, Err(SELF_SIGNED.to_owned()));
    }
}

#[tokio::test]
async fn trust_in_itself_does_not_change_its_name_or_its_dates() {
    let other_name = made("other.test", authority_of_its_own);
    let server = other_name.serve().await;
    let text = "certificate of another host name";
    assert_eq!(ask(&server, other_name.trusted()).await, Err(text.to_owned()));
    let expired = made("127.0.0.1", |params| {
        authority_of_its_own(params);
        params.not_after = date_time_ymd(2001, 1, 1);
    });
    let server = expired.serve().await;
    let text = "certificate expired";
    assert_eq!(ask(&server, expired.trusted()).await, Err(text.to_owned()));
}

#[tokio::test]
async fn a_listed_certificate_needs_its_own_key() {
    let made = made("127.0.0.1", authority_of_its_own);
    let thief = signing(&KeyPair::generate().expect("a key"));
    for version in [&version::TLS12, &version::TLS13] {
        let server = showing(made.certificate.clone(), Arc::clone(&thief), &[version]).await;
        let message = ask(&server, made.trusted()).await.expect_err("not its key");
        let text = "the server's signature does not fit its certificate";
        assert!(message.starts_with(text), "{message}");
    }
}

#[tokio::test]
async fn what_is_not_taken_is_told_with_its_remedy() {
    let trusted = made("127.0.0.1", authority_of_its_own);
    let key = || Arc::new(Forged(SignatureScheme::ED25519));
    for (certificate, text) in [
        (pem(VERSION_1), "certificate of X.509 version 1 or 2, which names no hosts: make one"),
        (pem(CRITICAL), "certificate with an unknown critical extension: take any with --insecure"),
        (CertificateDer::from(vec![1, 2, 3]), "certificate that cannot be parsed"),
        (made("127.0.0.1", authority_of_its_own).certificate, SELF_SIGNED),
    ] {
        let server = showing(certificate, key(), &[&version::TLS13]).await;
        let message = ask(&server, trusted.trusted()).await.expect_err("not taken");
        assert!(message.starts_with(text), "{message}");
    }
}

#[tokio::test]
async fn an_authority_s_own_certificate_is_no_server_s() {
    let root_key = KeyPair::generate().expect("a key");
    let mut root = CertificateParams::new(Vec::new()).expect("parameters");
    authority_of_its_own(&mut root);
    root.distinguished_name.push(DnType::CommonName, "root");
    let mut file = NamedTempFile::new().expect("a file");
    let certificate = root.self_signed(&root_key).expect("a certificate");
    file.write_all(certificate.pem().as_bytes()).expect("written");
    let issuer = Issuer::new(root, root_key);
    let key = KeyPair::generate().expect("a key");
    let mut middle = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    authority_of_its_own(&mut middle);
    let middle = middle.signed_by(&key, &issuer).expect("a certificate");
    let server = showing(middle.der().clone(), signing(&key), &[&version::TLS13]).await;
    let path = file.path().to_owned();
    let text = "certificate of an authority in place of a server's: take any with --insecure";
    let answer = ask(&server, |config| config.ca_file = Some(path)).await;
    assert_eq!(answer, Err(text.to_owned()));
}

#[tokio::test]
async fn a_server_for_another_protocol_is_told() {
    let made = made("127.0.0.1", |_| {});
    let mut config = config(made.certificate.clone(), Arc::clone(&made.key), &[&version::TLS13]);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = Server::start(move |peer| {
        let acceptor = acceptor.clone();
        async move { drop(acceptor.accept(peer.stream).await) }
    })
    .await;
    let message = ask(&server, made.trusted()).await.expect_err("another protocol");
    assert!(message.starts_with("the server does not speak HTTP/1.1 over TLS"), "{message}");
}

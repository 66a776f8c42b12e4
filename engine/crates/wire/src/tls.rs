//! TLS 1.3 between master and workers: certificates from files, checked before a port is opened.
//!
//! A master has an [`Identity`]; with [`Authorities`] it demands that workers have one too (mTLS).
//! A worker trusts the authorities that it was given and nobody else, and holds the master's
//! certificate against the name that it dials. Sessions are not resumed and nothing is sent before
//! the handshake is over, so no byte of an earlier connection is of use in another.
//!
//! # Layout
//! - this file: files and configurations.
//! - `words`: what a failed handshake means and what to do about it.
//! - the handshakes: the worker's here, the master's in [`crate::door`].

mod words;

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::{Resumption, WebPkiServerVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(crate) use words::peer_failure;
use words::{validity, worker_failure};

/// Most certificates in a file.
const CERTIFICATES_MAX: usize = 1_000;

/// What master and workers speak inside of TLS: whoever speaks something else is told so.
const ALPN: &[u8] = b"swarm";

/// A file or a setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {reason}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file does not hold what it should.
    #[error("{path} {problem}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A certificate and a key that do not belong together.
    #[error(
        "the key in {key} does not belong to the certificate in {certificate}: give the two that \
         were made together",
        key = key.display(), certificate = certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A name that no certificate can have.
    #[error("{0:?} is neither a host name nor an address, and no certificate can be for it")]
    Name(String),
    /// What the library does not take.
    #[error("TLS cannot be set up: {0}")]
    Library(String),
}

impl From<Error> for TlsError {
    fn from(error: Error) -> TlsError {
        TlsError::Library(error.to_string())
    }
}

/// A certificate with those that lead to its authority, and its key.
#[derive(Debug, Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads both from PEM files.
    ///
    /// # Errors
    /// When a file cannot be read or does not hold what it should, when the two do not belong
    /// together, or when the certificate is not valid now.
    pub fn read(certificate: &Path, key: &Path) -> Result<Identity, TlsError> {
        let chain = certificates(certificate)?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
            PemError::Io(error) => unreadable(key, &error),
            PemError::NoItemsFound => content(key, "holds no private key in PEM form"),
            error => content(key, format!("holds no private key that can be read: {error}")),
        })?;
        let provider = ring::default_provider();
        let identity =
            CertifiedKey::from_der(chain, private, &provider).map_err(|error| match error {
                Error::InconsistentKeys(_) => {
                    TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() }
                }
                Error::InvalidCertificate(_) => {
                    content(certificate, format!("holds a certificate that is none: {error}"))
                }
                error => content(key, format!("holds a key that cannot be used: {error}")),
            })?;
        still_valid(certificate, &identity.cert, &Arc::new(provider))?;
        Ok(Identity(Arc::new(identity)))
    }
}

/// Those whose certificates are trusted.
#[derive(Debug, Clone)]
pub struct Authorities {
    roots: Arc<RootCertStore>,
    file: PathBuf,
}

impl Authorities {
    /// Reads them from a PEM file.
    ///
    /// # Errors
    /// When it cannot be read or holds no certificate.
    pub fn read(file: &Path) -> Result<Authorities, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file)? {
            let added = roots.add(certificate);
            added.map_err(|error| content(file, format!("holds what is no authority: {error}")))?;
        }
        Ok(Authorities { roots: Arc::new(roots), file: file.to_owned() })
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file)
        .and_then(|found| found.take(CERTIFICATES_MAX).collect::<Result<Vec<_>, _>>());
    match read {
        Ok(found) if found.is_empty() => Err(content(file, "holds no certificate in PEM form")),
        Ok(found) => Ok(found),
        Err(PemError::Io(error)) => Err(unreadable(file, &error)),
        Err(error) => Err(content(file, format!("is no PEM file that can be read: {error}"))),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> TlsError {
    TlsError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

fn content(path: &Path, problem: impl Into<String>) -> TlsError {
    TlsError::Content { path: path.to_owned(), problem: problem.into() }
}

/// Is this certificate valid now? A verifier looks at that before it looks for the authority, so
/// the certificate itself will do as the one.
fn still_valid(
    file: &Path,
    chain: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<(), TlsError> {
    use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
    let Some((own, rest)) = chain.split_first() else { return Ok(()) };
    let mut roots = RootCertStore::empty();
    roots.add(own.clone()).map_err(|error| content(file, format!("is not sound: {error}")))?;
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = builder.build().map_err(|error| TlsError::Library(error.to_string()))?;
    let name = ServerName::try_from("localhost").expect("a sound name");
    match verifier.verify_server_cert(own, rest, &name, &[], UnixTime::now()) {
        Err(Error::InvalidCertificate(error)) => match validity(&error) {
            Some(problem) => Err(content(file, format!("holds a certificate that {problem}"))),
            // Whose it is and what for is for the other side to judge.
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The master's side of TLS.
#[derive(Clone)]
pub struct ServerTls {
    pub(crate) acceptor: TlsAcceptor,
}

impl ServerTls {
    /// For the link to workers. With `clients`, a worker must have a certificate of theirs.
    ///
    /// # Errors
    /// When the library does not take it.
    pub fn new(identity: &Identity, clients: Option<&Authorities>) -> Result<ServerTls, TlsError> {
        let mut config = server_config(identity, clients)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(ServerTls { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerTls(..)")
    }
}

/// A configuration of TLS for web pages, HTTP/1.1 inside.
///
/// # Errors
/// When the library does not take it.
pub fn page_config(identity: &Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = server_config(identity, None)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn server_config(
    identity: &Identity,
    clients: Option<&Authorities>,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let roots = Arc::clone(&clients.roots);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| {
                content(&clients.file, format!("holds no authority for workers: {error}"))
            })?)
        }
    };
    let resolver = tokio_rustls::rustls::sign::SingleCertAndKey::from(Arc::clone(&identity.0));
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    // No tickets: a worker connects once.
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The worker's side of TLS.
#[derive(Clone)]
pub struct ClientTls {
    connector: TlsConnector,
    name: ServerName<'static>,
    authorities: PathBuf,
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientTls").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why there is no encrypted connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandshakeError {
    /// One side does not accept the other; it will not by itself. Why, and what to do.
    Unacceptable(String),
    /// It may work the next time.
    Failed(String),
}

impl ClientTls {
    /// Trusts masters with a certificate of `authorities` for `name`, and shows `identity` to
    /// those that ask.
    ///
    /// # Errors
    /// When `name` can be no certificate's, or the library does not take it.
    pub fn new(
        authorities: &Authorities,
        identity: Option<&Identity>,
        name: &str,
    ) -> Result<ClientTls, TlsError> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_invalid| TlsError::Name(name.to_owned()))?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(Arc::clone(&authorities.roots));
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let own = tokio_rustls::rustls::sign::SingleCertAndKey::from(identity.0.clone());
                builder.with_client_cert_resolver(Arc::new(own))
            }
        };
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![ALPN.to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        Ok(ClientTls { connector, name, authorities: authorities.file.clone() })
    }

    /// Does the handshake.
    ///
    /// # Errors
    /// When it fails, in words for the operator. That the master does not accept this worker's
    /// certificate shows only later: see [`Secured::refusal`].
    pub async fn connect(&self, stream: TcpStream) -> Result<Secured, HandshakeError> {
        match self.connector.connect(self.name.clone(), stream).await {
            Ok(stream) => Ok(Secured { stream, refusal: Refusal::default() }),
            Err(error) => Err(worker_failure(&error, &self.name, &self.authorities)),
        }
    }
}

/// Can a certificate be for this name?
#[must_use]
pub fn is_name(name: &str) -> bool {
    ServerName::try_from(name).is_ok()
}

/// What the master said against this worker within TLS, once it did.
#[derive(Debug, Clone, Default)]
pub struct Refusal(Rc<RefCell<Option<HandshakeError>>>);

impl Refusal {
    /// What it said.
    #[must_use]
    pub fn get(&self) -> Option<HandshakeError> {
        self.0.borrow().clone()
    }
}

/// An encrypted connection to a master.
#[derive(Debug)]
pub struct Secured {
    stream: TlsStream<TcpStream>,
    refusal: Refusal,
}

impl Secured {
    /// Where it shows that the master has refused this worker's certificate: in TLS 1.3 it does
    /// so when the worker takes the handshake for done.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        self.refusal.clone()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        Poll::Ready(read.inspect_err(|error| {
            if let Some(refusal) = words::refused(error) {
                self.refusal.0.borrow_mut().get_or_insert(refusal);
            }
        }))
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

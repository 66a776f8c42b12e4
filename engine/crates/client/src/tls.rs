//! TLS for https: trust, and errors in words that do not vary.
//!
//! Made at the first https request, as reading the system's roots takes milliseconds that a plain
//! test should not pay. Sessions are never resumed: users would otherwise resume each other's, and
//! the target would do less work than for as many people.

mod verify;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, IpAddr, ServerName};
use rustls::{AlertDescription, RootCertStore};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tracing::warn;
use url::Host;

use crate::config::{ClientConfig, ConfigError};
use crate::detached;
use crate::error::{CLOSED_EARLY, ErrorKind, Fault};

/// Most certificates in a CA file.
const CERTIFICATES_MAX: usize = 10_000;

/// Variables that name the roots. What they name stands in the place of the system's.
const ROOT_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Whom to trust, and the TLS configuration once it is made.
#[derive(Debug)]
pub(crate) struct Tls {
    insecure: bool,
    extra: Vec<CertificateDer<'static>>,
    config: OnceCell<Arc<rustls::ClientConfig>>,
    /// For requests that take any certificate.
    trusting: OnceCell<Arc<rustls::ClientConfig>>,
}

impl Tls {
    /// Reads the CA file, if there is one, so that a wrong one fails before the test starts.
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, ConfigError> {
        let extra = match &config.ca_file {
            Some(path) => read_certificates(path)
                .map_err(|reason| ConfigError::CaFile { path: path.clone(), reason })?,
            None => Vec::new(),
        };
        Ok(Self {
            insecure: config.insecure,
            extra,
            config: OnceCell::new(),
            trusting: OnceCell::new(),
        })
    }

    /// For a request that takes any certificate if `insecure`.
    pub(crate) async fn connector(&self, insecure: bool) -> Result<TlsConnector, Fault> {
        let insecure = insecure || self.insecure;
        let cell = if insecure { &self.trusting } else { &self.config };
        let config = cell.get_or_try_init(|| self.make(insecure)).await?;
        Ok(TlsConnector::from(Arc::clone(config)))
    }

    async fn make(&self, insecure: bool) -> Result<Arc<rustls::ClientConfig>, Fault> {
        let provider = Arc::new(ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| fault(&error))?
            .dangerous();
        let mut config = if insecure {
            builder.with_custom_certificate_verifier(Arc::new(verify::Anything))
        } else {
            builder.with_custom_certificate_verifier(Arc::new(self.listed(provider).await?))
        }
        .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Trusts the system's roots and those of the CA file. A certificate of the system that cannot
    /// be parsed is left out, as every other client does.
    async fn listed(&self, provider: Arc<CryptoProvider>) -> Result<verify::Listed, Fault> {
        let system = detached::run("roots", rustls_native_certs::load_native_certs).await;
        let system = system.map_err(|error| {
            Fault::new(ErrorKind::Tls, format!("the root certificates cannot be read: {error}"))
        })?;
        let mut problems = system.errors.iter().map(ToString::to_string);
        let first_problem = problems.next();
        for problem in first_problem.iter().cloned().chain(problems) {
            warn!("root certificates of the system: {problem}");
        }
        let mut listed: HashSet<_> = system.certs.into_iter().collect();
        listed.extend(self.extra.iter().cloned());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(listed.iter().cloned());
        if roots.is_empty() {
            return Err(no_roots(first_problem.as_deref()));
        }
        let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let signed = signed.map_err(|error| Fault::new(ErrorKind::Tls, error.to_string()))?;
        Ok(verify::Listed::new(signed, listed))
    }
}

/// Nobody is trusted: says why, where it was said whom to trust.
fn no_roots(problem: Option<&str>) -> Fault {
    let named = ROOT_VARIABLES.iter().find(|name| std::env::var_os(name).is_some());
    let message = match (named, problem) {
        (Some(name), Some(problem)) => format!("no root certificate by {name}: {problem}"),
        (Some(name), None) => format!("no root certificate by {name}: it names none in PEM form"),
        (None, _) => "no root certificates on this system: install Debian's `ca-certificates` or \
                      its like, or name a file with SSL_CERT_FILE"
            .to_owned(),
    };
    Fault::new(ErrorKind::Tls, message)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut certificates = Vec::new();
    let read = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    for certificate in read.take(CERTIFICATES_MAX) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        RootCertStore::empty().add(certificate.clone()).map_err(|error| error.to_string())?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err("holds no certificate in PEM form".to_owned());
    }
    Ok(certificates)
}

/// The name that the certificate must have, also sent to the server unless it is an address.
pub(crate) fn server_name(host: &Host<String>) -> Result<ServerName<'static>, Fault> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|_invalid| Fault::new(ErrorKind::Tls, "host is not a valid DNS name")),
        Host::Ipv4(address) => Ok(ServerName::IpAddress(IpAddr::from(*address))),
        Host::Ipv6(address) => Ok(ServerName::IpAddress(IpAddr::from(*address))),
    }
}

/// Says a TLS error without what varies: the time of the check, the names in a certificate.
pub(crate) fn fault(error: &rustls::Error) -> Fault {
    let message = match error {
        rustls::Error::InvalidCertificate(certificate) => verify::text(certificate).into(),
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS".into(),
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "the server does not speak HTTP/1.1 over TLS, but probably HTTP/2, which swarm does not"
                .into()
        }
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure) => {
            "the server refused the TLS connection: HandshakeFailure (nothing in common: swarm \
             speaks TLS 1.2 and 1.3 by ECDHE with AES-GCM or ChaCha20, and knows RSA, P-256, P-384 \
             and Ed25519 keys)"
                .into()
        }
        rustls::Error::AlertReceived(alert) => {
            format!("the server refused the TLS connection: {alert:?}").into()
        }
        other => other.to_string().into(),
    };
    Fault { kind: ErrorKind::Tls, message }
}

/// A handshake that ended in an IO error.
pub(crate) fn handshake_fault(error: &std::io::Error) -> Fault {
    let fault = Fault::io(error);
    if fault.message == CLOSED_EARLY {
        return Fault::new(ErrorKind::Tls, "connection closed during the TLS handshake");
    }
    Fault { kind: ErrorKind::Tls, ..fault }
}

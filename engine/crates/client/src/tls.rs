//! TLS for https: trust, and errors in words that do not vary.
//!
//! Made at the first https request, as reading the system's roots takes milliseconds that a plain
//! test should not pay. Sessions are never resumed: users would otherwise resume each other's, and
//! the target would do less work than for as many people.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, IpAddr, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tracing::warn;
use url::Host;

use crate::config::{ClientConfig, ConfigError};
use crate::error::{CLOSED_EARLY, ErrorKind, Fault};

/// Most certificates in a CA file.
const CERTIFICATES_MAX: usize = 10_000;

/// Whom to trust, and the TLS configuration once it is made.
#[derive(Debug)]
pub(crate) struct Tls {
    insecure: bool,
    extra: RootCertStore,
    config: OnceCell<Arc<rustls::ClientConfig>>,
}

impl Tls {
    /// Reads the CA file, if there is one, so that a wrong one fails before the test starts.
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, ConfigError> {
        let extra = match &config.ca_file {
            Some(path) => read_certificates(path)
                .map_err(|reason| ConfigError::CaFile { path: path.clone(), reason })?,
            None => RootCertStore::empty(),
        };
        Ok(Self { insecure: config.insecure, extra, config: OnceCell::new() })
    }

    pub(crate) async fn connector(&self) -> Result<TlsConnector, Fault> {
        let config = self.config.get_or_try_init(|| self.make()).await?;
        Ok(TlsConnector::from(Arc::clone(config)))
    }

    async fn make(&self) -> Result<Arc<rustls::ClientConfig>, Fault> {
        let provider = Arc::new(ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| fault(&error))?;
        let mut config = if self.insecure {
            let verifier = Arc::new(AnyCertificate(provider));
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        } else {
            builder.with_root_certificates(self.roots().await?).with_no_client_auth()
        };
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// The system's roots and those of the CA file. A certificate of the system that cannot be
    /// parsed is left out, as every other client does.
    async fn roots(&self) -> Result<RootCertStore, Fault> {
        let native = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs)
            .await
            .map_err(|_stopped| Fault::new(ErrorKind::Tls, "reading the system's roots failed"))?;
        let mut roots = self.extra.clone();
        roots.add_parsable_certificates(native.certs);
        for error in native.errors {
            warn!("root certificates of the system: {error}");
        }
        if roots.is_empty() {
            return Err(Fault::new(
                ErrorKind::Tls,
                "no root certificates on this system: install them or give a CA file",
            ));
        }
        Ok(roots)
    }
}

fn read_certificates(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    for certificate in certificates.take(CERTIFICATES_MAX) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("holds no certificate in PEM form".to_owned());
    }
    Ok(roots)
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
        rustls::Error::InvalidCertificate(certificate) => certificate_text(certificate).into(),
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS".into(),
        rustls::Error::AlertReceived(alert) => {
            format!("the server refused the TLS connection: {alert:?}").into()
        }
        other => other.to_string().into(),
    };
    Fault { kind: ErrorKind::Tls, message }
}

fn certificate_text(error: &CertificateError) -> &'static str {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => "certificate of an unknown authority",
        E::Expired | E::ExpiredContext { .. } => "certificate expired",
        E::NotValidYet | E::NotValidYetContext { .. } => "certificate not valid yet",
        E::NotValidForName | E::NotValidForNameContext { .. } => "certificate of another host name",
        E::Revoked => "certificate revoked",
        E::BadSignature => "certificate with a wrong signature",
        E::BadEncoding => "certificate that cannot be parsed",
        _ => "certificate not acceptable",
    }
}

/// A handshake that ended in an IO error.
pub(crate) fn handshake_fault(error: &std::io::Error) -> Fault {
    let fault = Fault::io(error);
    if fault.message == CLOSED_EARLY {
        return Fault::new(ErrorKind::Tls, "connection closed during the TLS handshake");
    }
    Fault { kind: ErrorKind::Tls, ..fault }
}

/// Trusts every certificate, for `insecure`. Signatures are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

//! Which certificates are taken, and why others are not, with the remedy.

use std::collections::HashSet;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};
use webpki::EndEntityCert;

/// Why a certificate is not taken that webpki has no word of its own for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error(
        "certificate is self-signed: trust it with SSL_CERT_FILE=FILE, or take any with --insecure"
    )]
    SelfSigned,
    #[error(
        "certificate of an unknown authority: trust the authority's certificate with \
         SSL_CERT_FILE=FILE, or take any with --insecure"
    )]
    UnknownAuthority,
    #[error("certificate of an authority in place of a server's: take any with --insecure")]
    Authority,
    #[error(
        "certificate of X.509 version 1 or 2, which names no hosts: make one of version 3, or take \
         any with --insecure"
    )]
    Version,
    #[error("certificate with an unknown critical extension: take any with --insecure")]
    CriticalExtension,
    #[error(
        "the server's signature does not fit its certificate, or that has an RSA key of fewer than \
         2048 bits: take any with --insecure"
    )]
    Signature,
}

/// Trusts what the listed authorities have signed, and each listed certificate itself.
#[derive(Debug)]
pub(super) struct Listed {
    signed: Arc<WebPkiServerVerifier>,
    listed: HashSet<CertificateDer<'static>>,
}

impl Listed {
    pub(super) fn new(
        signed: Arc<WebPkiServerVerifier>,
        listed: HashSet<CertificateDer<'static>>,
    ) -> Self {
        Self { signed, listed }
    }
}

impl ServerCertVerifier for Listed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.signed.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let error = match verified {
            Err(rustls::Error::InvalidCertificate(error)) => error,
            verified => return verified,
        };
        // webpki has looked at the dates by then. That everyday self-signed certificates call
        // themselves authorities does not matter where the operator trusts this very one.
        if is(&error, &webpki::Error::CaUsedAsEndEntity) && self.listed.contains(end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        let refusal = refusal(&error, end_entity).map(|refusal| OtherError(Arc::new(refusal)));
        Err(refusal.map_or(error, CertificateError::Other).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls12_signature(message, cert, dss).map_err(of_the_server)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls13_signature(message, cert, dss).map_err(of_the_server)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}

/// A signature of the server itself, and not one in a certificate. A key that is too weak is told
/// as a wrong signature.
fn of_the_server(error: rustls::Error) -> rustls::Error {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
            CertificateError::Other(OtherError(Arc::new(Refusal::Signature))).into()
        }
        other => other,
    }
}

/// What there is to say about a certificate beyond the error.
fn refusal(error: &CertificateError, end_entity: &CertificateDer<'_>) -> Option<Refusal> {
    let is_self_signed = || {
        let parsed = EndEntityCert::try_from(end_entity);
        parsed.is_ok_and(|certificate| certificate.issuer() == certificate.subject())
    };
    // A wrong signature: an authority of that name is trusted, but it has another key.
    if matches!(error, CertificateError::UnknownIssuer | CertificateError::BadSignature) {
        return Some(match is_self_signed() {
            true => Refusal::SelfSigned,
            false => Refusal::UnknownAuthority,
        });
    }
    match webpki_error(error)? {
        webpki::Error::CaUsedAsEndEntity if is_self_signed() => Some(Refusal::SelfSigned),
        webpki::Error::CaUsedAsEndEntity => Some(Refusal::Authority),
        webpki::Error::UnsupportedCertVersion => Some(Refusal::Version),
        webpki::Error::UnsupportedCriticalExtension => Some(Refusal::CriticalExtension),
        _ => None,
    }
}

fn is(error: &CertificateError, what: &webpki::Error) -> bool {
    webpki_error(error) == Some(what)
}

/// What rustls has only passed on.
fn webpki_error(error: &CertificateError) -> Option<&webpki::Error> {
    match error {
        CertificateError::Other(OtherError(other)) => other.downcast_ref(),
        _ => None,
    }
}

/// Says why a certificate is not taken, without what varies: the time, the names in it.
pub(super) fn text(error: &CertificateError) -> String {
    use CertificateError as E;
    let text = match error {
        E::Other(OtherError(other)) => match other.downcast_ref::<Refusal>() {
            Some(refusal) => return refusal.to_string(),
            None => return format!("certificate not acceptable: {other}"),
        },
        E::UnknownIssuer => return Refusal::UnknownAuthority.to_string(),
        E::Expired | E::ExpiredContext { .. } => "certificate expired",
        E::NotValidYet | E::NotValidYetContext { .. } => "certificate not valid yet",
        E::NotValidForName | E::NotValidForNameContext { .. } => "certificate of another host name",
        E::Revoked => "certificate revoked",
        E::BadSignature => "certificate with a wrong signature",
        E::BadEncoding => "certificate that cannot be parsed",
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => "certificate for another purpose",
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "certificate signed in a way that is too weak or unknown"
        }
        _ => "certificate not acceptable",
    };
    text.to_owned()
}

/// Trusts everybody, for `insecure`: nothing is read of a certificate, not even its key. Whoever
/// can be in the server's place could bring a certificate that fits a signature just as well.
#[derive(Debug)]
pub(super) struct Anything;

/// What a server may sign with. As nothing is verified, that is everything.
const SCHEMES: [SignatureScheme; 16] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::ED448,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    // The same by keys that are for nothing else.
    SignatureScheme::Unknown(0x0809),
    SignatureScheme::Unknown(0x080a),
    SignatureScheme::Unknown(0x080b),
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::ECDSA_SHA1_Legacy,
    SignatureScheme::RSA_PKCS1_SHA1,
];

impl ServerCertVerifier for Anything {
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
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_tls12_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}

//! What a failed handshake means, and what the operator can do about it.

use std::error::Error as _;
use std::io;
use std::path::Path;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use super::HandshakeError;

/// A certificate that is not valid now: what follows "a certificate that".
pub(super) fn validity(error: &CertificateError) -> Option<String> {
    use CertificateError as E;
    match error {
        E::ExpiredContext { time, not_after } => Some(format!(
            "expired on {}, and it is {} here: make a new one with `swarm certs`, unless this \
             machine's clock is wrong",
            date(*not_after),
            date(*time)
        )),
        E::NotValidYetContext { time, not_before } => Some(format!(
            "is valid from {} on, and it is {} here: set this machine's clock, or that of the one \
             that made the certificate",
            date(*not_before),
            date(*time)
        )),
        E::Expired | E::NotValidYet => Some("is not valid now".to_owned()),
        _ => None,
    }
}

fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let date = OffsetDateTime::from_unix_timestamp(seconds).ok();
    let text = date.and_then(|date| date.format(&Rfc3339).ok());
    text.unwrap_or_else(|| format!("{seconds} s after 1970"))
}

/// The error of the library in an error of the stream.
fn inner(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Error>())
}

/// Why a worker's handshake with its master failed.
pub(super) fn worker_failure(
    error: &io::Error,
    name: &ServerName<'_>,
    authorities: &Path,
) -> HandshakeError {
    let name = name.to_str();
    let unacceptable = |text: String| HandshakeError::Unacceptable(text);
    match inner(error) {
        Some(Error::InvalidCertificate(error)) => {
            unacceptable(master_certificate(error, &name, authorities))
        }
        Some(Error::AlertReceived(alert)) => alerted(*alert),
        Some(Error::InvalidMessage(_)) => unacceptable(
            "it does not speak TLS: start it with --tls-cert and --tls-key, or leave out --tls-ca \
             here"
                .to_owned(),
        ),
        Some(Error::NoApplicationProtocol) => unacceptable(
            "it speaks TLS, but is not where workers are waited for: give the port that the \
             master has as --master-bind-port"
                .to_owned(),
        ),
        Some(error) => HandshakeError::Failed(format!("the TLS handshake failed: {error}")),
        None if closed(error) => HandshakeError::Failed(
            "it closed the connection during the TLS handshake: is it a master with --tls-cert \
             and --tls-key?"
                .to_owned(),
        ),
        None => HandshakeError::Failed(format!("the TLS handshake failed: {error}")),
    }
}

fn closed(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::UnexpectedEof | K::ConnectionReset | K::BrokenPipe)
}

fn master_certificate(error: &CertificateError, name: &str, authorities: &Path) -> String {
    use CertificateError as E;
    if let Some(problem) = validity(error) {
        return format!("it has a certificate that {problem}");
    }
    match error {
        E::UnknownIssuer | E::BadSignature => format!(
            "its certificate is not of an authority in {}: give this worker the ca.pem that the \
             master's certificate was made with as --tls-ca",
            authorities.display()
        ),
        E::NotValidForName | E::NotValidForNameContext { .. } => format!(
            "its certificate is not for {name}: dial a name that it is for (--master-host), name \
             the one it has (--tls-server-name), or make one with `swarm certs --master-host \
             {name}`"
        ),
        error => format!("its certificate cannot be accepted: {error}"),
    }
}

/// What the other side says against us within TLS, if that is what the error is.
pub(super) fn refused(error: &io::Error) -> Option<HandshakeError> {
    match inner(error) {
        Some(Error::AlertReceived(alert)) => Some(alerted(*alert)),
        _ => None,
    }
}

fn alerted(alert: AlertDescription) -> HandshakeError {
    use AlertDescription as A;
    let fix = "give this worker --tls-cert and --tls-key of the authority that the master has as \
               --tls-ca";
    HandshakeError::Unacceptable(match alert {
        A::CertificateRequired => format!("it demands a certificate of workers: {fix}"),
        A::UnknownCA | A::BadCertificate | A::DecryptError => {
            format!("it does not accept this worker's certificate ({alert:?}): {fix}")
        }
        A::CertificateExpired => "this worker's certificate has expired by the master's clock: \
                                  make a new one with `swarm certs`, unless a clock is wrong"
            .to_owned(),
        A::NoApplicationProtocol => "it speaks TLS, but is not where workers are waited for: give \
                                     the port that the master has as --master-bind-port"
            .to_owned(),
        A::ProtocolVersion => "it does not speak TLS 1.3, or no TLS at all: start it with \
                               --tls-cert and --tls-key, or leave out --tls-ca here"
            .to_owned(),
        // Something on the way may have gone wrong.
        alert => return HandshakeError::Failed(format!("it ended the TLS handshake: {alert:?}")),
    })
}

/// Why a handshake with somebody who dialled failed, for the master's log. True says that a
/// certificate was shown that is not to be accepted, or none where one is demanded.
pub(crate) fn peer_failure(error: &io::Error) -> (String, bool) {
    let fix = "give the worker --tls-cert and --tls-key of the authority in --tls-ca";
    match inner(error) {
        Some(Error::NoCertificatesPresented) => {
            (format!("it has shown no certificate: {fix}"), true)
        }
        Some(Error::InvalidCertificate(error)) => match validity(error) {
            Some(problem) => (format!("it has a certificate that {problem}"), true),
            None => (format!("its certificate is not of the authority in --tls-ca: {fix}"), true),
        },
        Some(Error::AlertReceived(alert)) => (
            format!(
                "it does not accept this master's certificate ({alert:?}); it says why in its log"
            ),
            false,
        ),
        Some(Error::NoApplicationProtocol) => ("it speaks TLS, but is no worker".to_owned(), false),
        Some(Error::PeerIncompatible(PeerIncompatible::Tls13RequiredForQuic)) | None => {
            (format!("the TLS handshake failed: {}", root(error)), false)
        }
        Some(error) => (format!("the TLS handshake failed: {error}"), false),
    }
}

/// The last cause, which says the most.
fn root(error: &io::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

//! What can go wrong with a request.
//!
//! Failures are grouped by their text in the statistics, so a message holds nothing that differs
//! from sample to sample: no local port, no resolved address, no measured time. A source address
//! is named, as the operator gave it and there are few, and so is the host, as the scenario wrote
//! it, where that says who did not answer.

use std::borrow::Cow;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::url::Origin;

/// Why a request has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The time given to the request or to its connection was over.
    Timeout,
    /// The TCP connection could not be made, or broke before the response was complete.
    Connect,
    /// The host's name has no address.
    Dns,
    /// The TLS handshake failed, or the certificate is not trusted.
    Tls,
    /// What the server sent is not HTTP/1.1.
    Protocol,
    /// The response's head or body is larger than allowed.
    TooLarge,
    /// The operator did not allow this host. Nothing was sent.
    Denied,
    /// The request itself is wrong, or was redirected too often.
    Other,
}

/// A request without a response, in words and in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// The same for every sample that failed in the same way.
    pub message: String,
    /// From the call to the failure. Zero if nothing was tried.
    pub elapsed: Duration,
}

/// How much of an answer was there when its connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answering {
    /// Not a byte.
    NotBegun,
    /// A byte at least.
    Begun,
}

/// An [`Error`] before its time is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) message: Cow<'static, str>,
}

impl Fault {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A request that cannot be sent as it is.
    pub(crate) fn other(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Other, message)
    }

    /// What the operating system said about a connection.
    pub(crate) fn io(error: &io::Error) -> Self {
        if let Some(tls) = tls_cause(error) {
            return crate::tls::fault(tls);
        }
        Self::new(ErrorKind::Connect, io_text(error))
    }

    /// What the operating system said about a connection in the middle of an exchange.
    pub(crate) fn broken(error: &io::Error, answer: Answering) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            _ if tls_cause(error).is_some() => Self::io(error),
            Kind::ConnectionReset | Kind::ConnectionAborted => Self::reset(answer),
            // Who writes after the peer has closed gets a broken pipe.
            Kind::BrokenPipe | Kind::UnexpectedEof | Kind::WriteZero => Self::closed(answer),
            _ => Self::io(error),
        }
    }

    /// The server closed the connection in the middle of an exchange.
    pub(crate) fn closed(answer: Answering) -> Self {
        let message = match answer {
            Answering::NotBegun => "connection closed before the response began",
            Answering::Begun => CLOSED_EARLY,
        };
        Self::new(ErrorKind::Connect, message)
    }

    fn reset(answer: Answering) -> Self {
        let message = match answer {
            Answering::NotBegun => "connection reset before the response began",
            Answering::Begun => "connection reset before the response was complete",
        };
        Self::new(ErrorKind::Connect, message)
    }

    /// What the operating system said when a connection to `origin` was to be made, from `source`
    /// where that was configured.
    pub(crate) fn connecting(error: &io::Error, source: Option<IpAddr>, origin: &Origin) -> Self {
        if !matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse) {
            return Self::new(ErrorKind::Connect, origin.not_reached(&io_text(error)));
        }
        let target = origin.host_and_port();
        let from = source.map_or_else(|| "this machine".to_owned(), |source| source.to_string());
        let message = format!("no free port from {from} to {target}: add `--source-address`");
        Self::new(ErrorKind::Connect, message)
    }

    /// No connection to `origin` within `limit`.
    pub(crate) fn connect_timeout(limit: Duration, origin: &Origin) -> Self {
        let limit = duration_text(limit);
        let message = format!("timed out after {limit} (connect timeout)");
        Self::new(ErrorKind::Timeout, origin.not_reached(&message))
    }

    pub(crate) fn after(self, elapsed: Duration) -> Error {
        Error { kind: self.kind, message: self.message.into_owned(), elapsed }
    }
}

/// The TLS error inside an IO error, where there is one.
pub(crate) fn tls_cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What this process or machine has run out of, by error number, and how there is more of it.
/// Linux and the BSDs agree on all but the last, which has a number of each.
const EXHAUSTED: [(i32, &str); 5] = [
    (24, "no free file descriptor: raise `ulimit -n`"),
    (23, "no free file descriptor in the system: raise `sysctl fs.file-max`"),
    (12, NO_KERNEL_MEMORY),
    (105, NO_KERNEL_MEMORY),
    (55, NO_KERNEL_MEMORY),
];

const NO_KERNEL_MEMORY: &str =
    "no kernel memory for another connection: raise `sysctl net.ipv4.tcp_mem` or lower the users";

fn io_text(error: &io::Error) -> Cow<'static, str> {
    use io::ErrorKind as Kind;
    let exhausted = |errno| EXHAUSTED.iter().find(|(number, _)| *number == errno);
    if let Some((_, text)) = error.raw_os_error().and_then(exhausted) {
        return (*text).into();
    }
    match error.kind() {
        Kind::ConnectionRefused => "connection refused".into(),
        Kind::ConnectionReset | Kind::BrokenPipe | Kind::ConnectionAborted => {
            "connection reset by peer".into()
        }
        Kind::UnexpectedEof | Kind::WriteZero => CLOSED_EARLY.into(),
        Kind::TimedOut => "connection timed out (operating system)".into(),
        Kind::NetworkUnreachable => "network unreachable".into(),
        Kind::HostUnreachable => "host unreachable".into(),
        _ => error.to_string().into(),
    }
}

/// The server hung up in the middle, or before it said anything.
pub(crate) const CLOSED_EARLY: &str = "connection closed before the response was complete";

/// A configured length of time for people: `60 s`, `1.5 s`, `250 ms`.
pub(crate) fn duration_text(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_secs_f64() * 1e3)
    } else {
        format!("{} s", duration.as_secs_f64())
    }
}

/// A configured size for people: `64 KiB`, `16 MiB`, `1000 bytes`.
pub(crate) fn bytes_text(bytes: usize) -> String {
    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    match bytes {
        b if b >= MIB && b.is_multiple_of(MIB) => format!("{} MiB", b / MIB),
        b if b >= KIB && b.is_multiple_of(KIB) => format!("{} KiB", b / KIB),
        b => format!("{b} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn configured_values_read_well() {
        assert_eq!(duration_text(Duration::from_secs(60)), "60 s");
        assert_eq!(duration_text(Duration::from_millis(1500)), "1.5 s");
        assert_eq!(duration_text(Duration::from_millis(250)), "250 ms");
        assert_eq!(bytes_text(64 << 10), "64 KiB");
        assert_eq!(bytes_text(16 << 20), "16 MiB");
        assert_eq!(bytes_text(1000), "1000 bytes");
    }

    #[test]
    fn what_is_exhausted_has_its_name_and_fix() {
        let origin = crate::url::Origin::of(&url::Url::parse("http://a.test:81").expect("URL"));
        let origin = origin.expect("origin");
        let source = Some(IpAddr::from([127, 0, 0, 1]));
        for (errno, source, message) in [
            (
                Errno::EMFILE as i32,
                source,
                "cannot connect to a.test:81: no free file descriptor: raise `ulimit -n`",
            ),
            (
                Errno::ENFILE as i32,
                None,
                "cannot connect to a.test:81: no free file descriptor in the system: raise `sysctl",
            ),
            (
                Errno::ENOMEM as i32,
                None,
                "cannot connect to a.test:81: no kernel memory for another connection: raise",
            ),
            (
                Errno::ENOBUFS as i32,
                None,
                "cannot connect to a.test:81: no kernel memory for another connection: raise",
            ),
            (
                Errno::EADDRNOTAVAIL as i32,
                source,
                "no free port from 127.0.0.1 to a.test:81: add `--source-address`",
            ),
            (
                Errno::EADDRINUSE as i32,
                None,
                "no free port from this machine to a.test:81: add `--source-address`",
            ),
            (Errno::ECONNREFUSED as i32, source, "cannot connect to a.test:81: connection refused"),
        ] {
            let error = io::Error::from_raw_os_error(errno);
            let fault = Fault::connecting(&error, source, &origin);
            assert_eq!(fault.kind, ErrorKind::Connect);
            assert!(fault.message.starts_with(message), "{errno}: {}", fault.message);
        }
    }
}

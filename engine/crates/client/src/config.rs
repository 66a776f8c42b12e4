//! Limits and defaults of the client, and their check.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::allow::AllowList;
use crate::headers::is_value;

/// What is the same for all sessions of a process.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// From the call to the last byte, all redirects included. Default 60 s. More than a year
    /// means a year.
    pub request_timeout: Duration,
    /// For DNS, TCP and TLS of one new connection. Default 10 s. The request's timeout goes on
    /// meanwhile.
    pub connect_timeout: Duration,
    /// Largest response body. Default 16 MiB.
    pub body_bytes_max: usize,
    /// Largest response head (status line and headers). Default 64 KiB, at least 8 KiB.
    pub head_bytes_max: usize,
    /// Most header lines in a response. Default 100: up to there they are parsed on the stack.
    pub headers_max: usize,
    /// Redirects that a request follows, unless it says otherwise. Default 30; with 0 the
    /// redirecting response is the response.
    pub redirects_max: u32,
    /// A request whose kept connection ends without a byte of an answer may have met the server
    /// closing it. One of an idempotent method is sent again then, if the end came within the time
    /// of the connection's TCP handshake (at most half a second) and this. Default 10 ms; `None`:
    /// nothing is ever sent again.
    pub resend_within: Option<Duration>,
    /// Connections of one session to one host, busy and idle. Default 6. A request that finds all
    /// busy waits.
    pub connections_per_host_max: usize,
    /// Sessions keep cookies and send them back. Default yes.
    pub cookies: bool,
    /// With which address of a name a new connection begins. Default in turn.
    pub address_order: AddressOrder,
    /// Where the turns begin, and what is drawn. Processes of one test need different ones, or
    /// those that make one connection each would all begin with the same address. Default 0.
    pub seed: u64,
    /// Requests note what they have to do with each address of their target
    /// ([`Progress::take_addresses`](crate::Progress::take_addresses)). Default no.
    pub notes_addresses: bool,
    /// Addresses of this machine that new connections are made from, one after the other. Empty,
    /// the default, leaves it to the kernel. Each has ports of its own (28,232 by Linux' default)
    /// towards one address and port of a target. A target can be reached from addresses of its
    /// family only.
    pub source_addresses: Vec<IpAddr>,
    /// Hosts that may be reached, whatever else is allowed; those that this list does not have are
    /// refused although they are the target. Default none.
    pub allow_only: Option<AllowList>,
    /// Takes any certificate of anybody. Default no.
    pub insecure: bool,
    /// PEM file with certificates to trust beside those of the system. Default none.
    pub ca_file: Option<PathBuf>,
    /// Value of the `user-agent` header. Default `swarm/VERSION`.
    pub user_agent: String,
}

/// With which of the addresses of a name a connection begins. Those that do not work come last,
/// and those that this machine has no good route to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressOrder {
    /// Always the first, in the order in which the system prefers them.
    First,
    /// Each with the next one.
    #[default]
    RoundRobin,
    /// Each with one that is drawn by [`ClientConfig::seed`].
    Random,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            body_bytes_max: 16 << 20,
            head_bytes_max: 64 << 10,
            headers_max: 100,
            redirects_max: 30,
            resend_within: Some(Duration::from_millis(10)),
            connections_per_host_max: 6,
            cookies: true,
            address_order: AddressOrder::default(),
            seed: 0,
            notes_addresses: false,
            source_addresses: Vec::new(),
            allow_only: None,
            insecure: false,
            ca_file: None,
            user_agent: concat!("swarm/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// A [`ClientConfig`] that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A number is outside the range that the client can keep.
    #[error("{name} is {value}: give a value from {min} to {max}")]
    Range {
        /// Field of [`ClientConfig`].
        name: &'static str,
        /// What was given.
        value: usize,
        /// Smallest value.
        min: usize,
        /// Largest value.
        max: usize,
    },
    /// A timeout of zero would fail every request.
    #[error("{name} is zero: give a time in which an answer is possible")]
    ZeroTimeout {
        /// Field of [`ClientConfig`].
        name: &'static str,
    },
    /// The user agent cannot stand in a header.
    #[error("user agent {0:?} holds a control character: remove it")]
    UserAgent(String),
    /// Connections cannot come from this address.
    #[error("source address {address}: {reason}: give an address of this machine")]
    SourceAddress {
        /// As configured.
        address: IpAddr,
        /// Why not.
        reason: String,
    },
    /// The CA file cannot be read or holds no certificate.
    #[error("CA file `{}`: {reason}", path.display())]
    CaFile {
        /// As configured.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

const HEAD_BYTES_MIN: usize = 8 << 10;
const HEAD_BYTES_MAX: usize = 16 << 20;
const HEADERS_MAX: usize = 10_000;
const BODY_BYTES_MAX: usize = 4 << 30;
const CONNECTIONS_MAX: usize = 10_000;
const SOURCE_ADDRESSES_MAX: usize = 4096;

impl ClientConfig {
    /// Checks every field that has a range.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let ranges = [
            ("body_bytes_max", self.body_bytes_max, 0, BODY_BYTES_MAX),
            ("head_bytes_max", self.head_bytes_max, HEAD_BYTES_MIN, HEAD_BYTES_MAX),
            ("headers_max", self.headers_max, 1, HEADERS_MAX),
            ("connections_per_host_max", self.connections_per_host_max, 1, CONNECTIONS_MAX),
            ("source_addresses", self.source_addresses.len(), 0, SOURCE_ADDRESSES_MAX),
        ];
        for (name, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                return Err(ConfigError::Range { name, value, min, max });
            }
        }
        let timeouts =
            [("request_timeout", self.request_timeout), ("connect_timeout", self.connect_timeout)];
        for (name, timeout) in timeouts {
            if timeout.is_zero() {
                return Err(ConfigError::ZeroTimeout { name });
            }
        }
        if !is_value(&self.user_agent) {
            return Err(ConfigError::UserAgent(self.user_agent.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_usable() {
        ClientConfig::default().check().expect("defaults");
    }

    #[test]
    fn each_bad_value_is_named() {
        type Spoil = fn(&mut ClientConfig);
        let bad: [(&str, Spoil); 7] = [
            ("head_bytes_max is 100", |c| c.head_bytes_max = 100),
            ("headers_max is 0", |c| c.headers_max = 0),
            ("connections_per_host_max is 0", |c| c.connections_per_host_max = 0),
            ("source_addresses is 5000", |c| {
                c.source_addresses = vec![[127, 0, 0, 1].into(); 5000];
            }),
            ("request_timeout is zero", |c| c.request_timeout = Duration::ZERO),
            ("connect_timeout is zero", |c| c.connect_timeout = Duration::ZERO),
            ("user agent \"a\\nb\"", |c| c.user_agent = "a\nb".into()),
        ];
        for (expected, spoil) in bad {
            let mut config = ClientConfig::default();
            spoil(&mut config);
            let error = config.check().expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}

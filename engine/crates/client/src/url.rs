//! Scheme, host and port, and the base URL of a test.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use url::{Host, Url};

/// Most bytes of a part of a name between two dots, and of the name (RFC 1035, 2.3.4).
const LABEL_BYTES_MAX: usize = 63;
const NAME_BYTES_MAX: usize = 253;

/// Most characters of a host that is too long that an error shows.
const SHOWN_CHARS_MAX: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn of(url: &Url) -> Option<Self> {
        match url.scheme() {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port: what a connection belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host<String>,
    /// The host as text: lower case, international names in ASCII, IPv6 without brackets.
    pub(crate) name: String,
    pub(crate) port: u16,
    /// Value of the `host` header: the port only where it is not the scheme's own.
    pub(crate) authority: String,
    /// What follows the path in a request's head: the version and the `host` line.
    pub(crate) version_and_host: Box<str>,
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.port == other.port && self.scheme == other.scheme && self.name == other.name
    }
}

impl Origin {
    /// Of a URL whose scheme is http or https; anything else has none.
    pub(crate) fn of(url: &Url) -> Option<Self> {
        let scheme = Scheme::of(url)?;
        let host = url.host()?.to_owned();
        let port = url.port().unwrap_or_else(|| scheme.default_port());
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let version_and_host = format!(" HTTP/1.1\r\nhost: {authority}\r\n").into();
        Some(Self { scheme, name: Self::name_of(&host), host, port, authority, version_and_host })
    }

    pub(crate) fn name_of(host: &Host<String>) -> String {
        match host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }

    pub(crate) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Says why there is no connection to it.
    pub(crate) fn not_reached(&self, why: &str) -> String {
        format!("cannot connect to {}: {why}", self.host_and_port())
    }

    /// Path and query of a URL that begins with this origin as it is spelled here.
    pub(crate) fn strip_from<'u>(&self, url: &'u str) -> Option<&'u str> {
        let rest = url.strip_prefix(self.scheme.as_str())?.strip_prefix("://")?;
        let rest = rest.strip_prefix(&*self.authority)?;
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
    }

    /// `scheme://authority`.
    pub(crate) fn prefix(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.authority)
    }
}

/// The host under test, with the path that all relative URLs are below. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct BaseUrl {
    origin: Arc<Origin>,
    /// Without a slash at its end; empty at the root.
    path: Arc<str>,
}

/// A base URL that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// `example.com` instead of `http://example.com`.
    #[error("host `{0}` has no scheme: write `http://{0}` or `https://{0}`")]
    NoScheme(String),
    /// Neither http nor https.
    #[error("host `{url}` has the scheme `{scheme}`: only http and https are supported")]
    Scheme {
        /// As given.
        url: String,
        /// What it starts with.
        scheme: String,
    },
    /// A host that no resolver could look up.
    #[error(
        "host `{0}` has a name that nobody can have: between dots are 1 to {LABEL_BYTES_MAX} \
         characters, and {NAME_BYTES_MAX} in all"
    )]
    Name(String),
    /// No host name between scheme and path.
    #[error("host `{0}` names no host: write `http://HOST[:PORT][/PATH]`")]
    NoHost(String),
    /// A user or a password.
    #[error("host `{0}` holds a user or password: remove it and send an `authorization` header")]
    UserInfo(String),
    /// Something after `?` or `#`.
    #[error("host `{0}` has a query or fragment: remove what follows `?` or `#`")]
    Query(String),
    /// Not a URL for another reason.
    #[error("host `{url}` is not a URL: {reason}")]
    Invalid {
        /// As given.
        url: String,
        /// What the parser said.
        reason: String,
    },
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        let text = text.trim();
        if !text.contains("://") {
            return Err(BaseUrlError::NoScheme(text.to_owned()));
        }
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::EmptyHost => BaseUrlError::NoHost(text.to_owned()),
            other => BaseUrlError::Invalid { url: text.to_owned(), reason: other.to_string() },
        })?;
        if Scheme::of(&url).is_none() {
            let scheme = url.scheme().to_owned();
            return Err(BaseUrlError::Scheme { url: text.to_owned(), scheme });
        }
        if has_user(&url) {
            // Without the secret, as the message may be logged.
            return Err(BaseUrlError::UserInfo(url.host_str().unwrap_or_default().to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BaseUrlError::Query(text.to_owned()));
        }
        if url.port() == Some(0) {
            let reason = "port 0 cannot be connected to".to_owned();
            return Err(BaseUrlError::Invalid { url: text.to_owned(), reason });
        }
        // The parser would take the path's first part for the host.
        let names_host = text.split_once("://").is_some_and(|(_, rest)| !rest.starts_with('/'));
        let origin = Origin::of(&url).filter(|_| names_host);
        let origin = origin.ok_or_else(|| BaseUrlError::NoHost(text.to_owned()))?;
        if matches!(&origin.host, Host::Domain(name) if !is_host_name(name)) {
            return Err(BaseUrlError::Name(text.chars().take(SHOWN_CHARS_MAX).collect()));
        }
        let path = url.path().trim_end_matches('/').into();
        Ok(Self { origin: Arc::new(origin), path })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin.prefix(), self.path)
    }
}

impl BaseUrl {
    pub(crate) fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// `HOST:PORT`, as an allow list has it.
    #[must_use]
    pub fn host_and_port(&self) -> String {
        self.origin.host_and_port()
    }

    /// Path that all relative URLs are below, without a slash at its end.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

/// Can this be the name of a host, be it in DNS, in `/etc/hosts` or elsewhere?
#[must_use]
pub fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let known = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_');
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.chars().all(known)
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)
}

/// Are there a user or a password in the URL?
pub(crate) fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BaseUrl {
        text.parse().expect("test URL")
    }

    #[test]
    fn base_urls_are_normalised() {
        for (given, shown) in [
            ("http://Example.COM", "http://example.com"),
            (" https://a.test:443/ ", "https://a.test"),
            ("http://a.test:8080/api/", "http://a.test:8080/api"),
            ("http://[::1]:9", "http://[::1]:9"),
        ] {
            assert_eq!(base(given).to_string(), shown);
        }
    }

    #[test]
    fn names_of_hosts_are_those_that_can_be_looked_up() {
        let (label, name) = ("x".repeat(63), "x.".repeat(126) + "x");
        for fine in ["a", "a.test", "a.test.", "_x.a-b.test", "127", &label, &name] {
            assert!(is_host_name(fine), "{fine}");
        }
        let (label, name) = ("x".repeat(64), "x.".repeat(127) + "x");
        for wrong in ["", ".", "a..b", ".a", "a b", "a/b", "a:1", "a@b", &label, &name] {
            assert!(!is_host_name(wrong), "{wrong}");
        }
    }

    #[test]
    fn wrong_base_urls_name_the_fix() {
        let long = format!("http://{}.test", "x".repeat(64));
        for (given, part) in [
            ("example.com:80", "write `http://example.com:80`"),
            ("", "no scheme"),
            ("ftp://a.test", "only http and https"),
            ("http://", "names no host"),
            ("http:///a.test", "names no host"),
            ("http://a..test", "nobody can have"),
            ("http://.", "nobody can have"),
            (long.as_str(), "nobody can have"),
            ("http://me:secret@a.test", "authorization"),
            ("http://a.test/?x=1", "`?` or `#`"),
            ("http://a.test/#x", "`?` or `#`"),
            ("http://a.test:99999", "port"),
            ("http://a.test:0", "port 0"),
        ] {
            let error = given.parse::<BaseUrl>().expect_err(given).to_string();
            assert!(error.contains(part), "{given}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}

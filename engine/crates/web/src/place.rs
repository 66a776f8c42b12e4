//! Where the page is, as people reach it: its public names, and the path that it is under.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use thiserror::Error;

/// Longest name of a host, in bytes; DNS allows no longer one.
const NAME_BYTES_MAX: usize = 253;

/// What a browser leaves out of an address.
const DEFAULT_PORTS: [u16; 2] = [80, 443];

/// A name by which the page is reached besides those of loopback: that of a proxy in front of it,
/// for example. Written `NAME` or `NAME:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicName {
    /// Lower case, without a final dot; an IPv6 address with its brackets.
    name: String,
    /// `None` stands for the ports that need not be written, and the page's own.
    port: Option<u16>,
}

/// It is no name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no name of a host: write it as browsers show it, without http:// and path, like \
     loads.example.com or loads.example.com:8443"
)]
pub struct PublicNameError(String);

impl FromStr for PublicName {
    type Err = PublicNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, port) = name_and_port(text).ok_or_else(|| PublicNameError(text.to_owned()))?;
        Ok(Self { name, port })
    }
}

impl PublicName {
    /// Is it this name, whatever the port?
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name
    }

    /// Is it the place that a browser calls `authority`, when the page itself is at `own_port`?
    pub(crate) fn is_at(&self, authority: &str, own_port: u16) -> bool {
        let Some((name, port)) = name_and_port(authority) else { return false };
        let is_port = match (self.port, port) {
            (None, None) => true,
            (None, Some(port)) => port == own_port || DEFAULT_PORTS.contains(&port),
            (Some(own), None) => DEFAULT_PORTS.contains(&own),
            (Some(own), Some(port)) => own == port,
        };
        is_port && self.name == name
    }
}

/// The parts of `NAME`, `NAME:PORT`, `[IPv6]` or `[IPv6]:PORT`; the name in the one form in which
/// names are compared.
pub(crate) fn name_and_port(text: &str) -> Option<(String, Option<u16>)> {
    // The colons of an IPv6 address are inside its brackets.
    let brackets = text.rfind(']').unwrap_or(0);
    let (name, port) = match text[brackets..].find(':') {
        Some(colon) => {
            let (name, port) = text.split_at(brackets + colon);
            let port = &port[1..];
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            (name, Some(port.parse().ok().filter(|_| digits)?))
        }
        None => (text, None),
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    is_name(&name).then_some((name, port))
}

fn is_name(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    if let Some(address) = address {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(allowed)
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(label)
}

/// The path under which the page is reached: `/load/test1`, or nothing for the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// It is no path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no path for the page: write it like /load/test1, of letters, digits, -, _ and .")]
pub struct BasePathError(String);

impl BasePath {
    /// Without a slash at its end; empty for the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BasePath {
    type Err = BasePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.strip_suffix('/').unwrap_or(text);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let segment = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(allowed);
        let usable = trimmed.is_empty()
            || trimmed.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment));
        if usable { Ok(Self(trimmed.to_owned())) } else { Err(BasePathError(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_paths_are_checked() {
        for (given, wanted) in [("", ""), ("/", ""), ("/swarm", "/swarm"), ("/a/b-1/", "/a/b-1")] {
            assert_eq!(given.parse::<BasePath>().unwrap().as_str(), wanted);
        }
        for given in ["swarm", "//", "/a//b", "/a b", "/{x}", "/..", "/a/./b", "/ä", "/a?b"] {
            assert!(given.parse::<BasePath>().is_err(), "{given}");
        }
    }

    #[test]
    fn names_are_checked() {
        for given in [
            "loads.example.com",
            "Box",
            "box:8443",
            "10.0.0.9:80",
            "[::1]",
            "[fe80::1]:8089",
            "a_b.",
        ] {
            assert!(given.parse::<PublicName>().is_ok(), "{given}");
        }
        for given in [
            "",
            "*",
            "*.example.com",
            "http://box",
            "box/path",
            "box:",
            "box:port",
            "box:70000",
            "box:+80",
            "a b",
            "user@box",
            "a..b",
            ".a",
            "::1",
            "[::1",
            "[box]",
            "[::1]x",
            "bäx",
        ] {
            let error = given.parse::<PublicName>().expect_err(given).to_string();
            assert!(error.contains(&format!("`{given}`")), "{error}");
        }
    }

    #[test]
    fn a_name_is_where_its_port_says() {
        let at = |name: &str, authority: &str| {
            name.parse::<PublicName>().unwrap().is_at(authority, 8089)
        };
        for (name, authority) in [
            ("box", "box"),
            ("box", "BOX."),
            ("box", "box:80"),
            ("box", "box:443"),
            ("box", "box:8089"),
            ("box:443", "box"),
            ("box:8443", "box:8443"),
            ("[::2]", "[::2]:8089"),
        ] {
            assert!(at(name, authority), "{name} {authority}");
        }
        for (name, authority) in [
            ("box", "box:3000"),
            ("box", "other"),
            ("box", "box.example"),
            ("box", "xbox"),
            ("box:8443", "box"),
            ("box:8443", "box:8089"),
            ("box", "box@evil.example"),
            ("box", ""),
        ] {
            assert!(!at(name, authority), "{name} {authority}");
        }
    }
}

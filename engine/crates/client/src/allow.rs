//! Whom a request may be sent to: the targets, and what the operator listed beside them.
//!
//! Asked before DNS and before any connection, for the request itself and for every redirect.

use std::collections::HashMap;

use url::Host;

use crate::error::{ErrorKind, Fault};
use crate::url::{BaseUrl, Origin, is_host_name};

/// Most hosts on one list.
const HOSTS_MAX: usize = 4096;

/// The hosts that a client may talk to. Empty at first: nobody.
///
/// Names are compared as they are, without DNS: `localhost` does not allow `127.0.0.1`, and
/// `example.com` does not allow `www.example.com`.
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    hosts: HashMap<String, Ports>,
}

#[derive(Debug, Clone)]
enum Ports {
    Any,
    Only(Vec<u16>),
}

/// An entry that is neither `HOST` nor `HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowListError {
    /// The entry's form is wrong.
    #[error("allowed host `{entry}`: {reason}: write HOST, HOST:PORT or [IPV6]:PORT")]
    Invalid {
        /// As given.
        entry: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The list is full.
    #[error("more than {HOSTS_MAX} allowed hosts: shorten the list")]
    TooMany,
}

impl AllowList {
    /// Allows exactly this host and port.
    pub fn target(&mut self, base: &BaseUrl) {
        let origin = base.origin();
        self.add(origin.name.clone(), Some(origin.port));
    }

    /// Allows what `HOST` (every port) or `HOST:PORT` names; an IPv6 address with a port stands
    /// in brackets.
    ///
    /// # Errors
    /// If the entry is a URL, a pattern, or no host at all, or if the list is full.
    pub fn entry(&mut self, entry: &str) -> Result<(), AllowListError> {
        let (host, port) = parse(entry.trim())
            .map_err(|reason| AllowListError::Invalid { entry: entry.to_owned(), reason })?;
        if self.hosts.len() >= HOSTS_MAX {
            return Err(AllowListError::TooMany);
        }
        self.add(host, port);
        Ok(())
    }

    fn add(&mut self, host: String, port: Option<u16>) {
        let ports = self.hosts.entry(host).or_insert_with(|| Ports::Only(Vec::new()));
        match (port, &mut *ports) {
            (None, _) => *ports = Ports::Any,
            (Some(_), Ports::Any) => {}
            (Some(port), Ports::Only(list)) => {
                if !list.contains(&port) {
                    list.push(port);
                }
            }
        }
    }

    /// Are requests to this host allowed?
    #[must_use]
    pub fn permits(&self, base: &BaseUrl) -> bool {
        self.allows(base.origin())
    }

    pub(crate) fn allows(&self, origin: &Origin) -> bool {
        match self.hosts.get(&origin.name) {
            None => false,
            Some(Ports::Any) => true,
            Some(Ports::Only(ports)) => ports.contains(&origin.port),
        }
    }

    pub(crate) fn check(&self, origin: &Origin) -> Result<(), Fault> {
        if self.allows(origin) {
            return Ok(());
        }
        let message = format!(
            "host `{}` is not allowed: it is not the target; list it with `--allow-host`",
            origin.host_and_port(),
        );
        Err(Fault::new(ErrorKind::Denied, message))
    }
}

/// Host as [`Origin`] spells it, and port.
fn parse(entry: &str) -> Result<(String, Option<u16>), &'static str> {
    if entry.contains("//") {
        return Err("this is a URL");
    }
    let (host, port) = split(entry)?;
    let port = match port {
        None => None,
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port > 0 => Some(port),
            _ => return Err("the port is not a number from 1 to 65535"),
        },
    };
    if host.is_empty() {
        return Err("there is no host");
    }
    if host.contains(['*', '/', '@', '?', '#']) {
        return Err("patterns, paths and users are not hosts");
    }
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    match Host::parse(&host) {
        Ok(Host::Domain(name)) if !is_host_name(&name) => Err("this is not a host name"),
        Ok(host) => Ok((Origin::name_of(&host), port)),
        Err(_) => Err("this is not a host name"),
    }
}

fn split(entry: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(bracketed) = entry.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or("the bracket is not closed")?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("there is text after the bracket"),
        };
    }
    match entry.split_once(':') {
        None => Ok((entry, None)),
        // Two colons without brackets: an IPv6 address alone.
        Some((_, rest)) if rest.contains(':') => Ok((entry, None)),
        Some((host, port)) => Ok((host, Some(port))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(list: &AllowList, url: &str) -> bool {
        let base: BaseUrl = url.parse().expect("test URL");
        list.allows(base.origin())
    }

    #[test]
    fn nobody_at_first() {
        assert!(!allows(&AllowList::default(), "http://127.0.0.1"));
    }

    #[test]
    fn a_target_is_one_host_and_port() {
        let mut list = AllowList::default();
        list.target(&"http://Example.com:8080/base".parse().expect("URL"));
        assert!(allows(&list, "http://example.com:8080"));
        assert!(allows(&list, "https://example.com:8080"));
        assert!(!allows(&list, "http://example.com"));
        assert!(!allows(&list, "http://www.example.com:8080"));
    }

    #[test]
    fn entries_with_and_without_port() {
        let mut list = AllowList::default();
        for entry in ["API.example.com", "127.0.0.1:81", "::1", "[2001:db8::1]:444", "bücher.de"] {
            list.entry(entry).expect(entry);
        }
        for url in [
            "https://api.example.com",
            "http://api.example.com:9",
            "http://127.0.0.1:81",
            "http://[::1]:5",
            "https://[2001:db8::1]:444",
            "http://xn--bcher-kva.de",
        ] {
            assert!(allows(&list, url), "{url}");
        }
        for url in ["http://127.0.0.1", "https://[2001:db8::1]", "http://example.com"] {
            assert!(!allows(&list, url), "{url}");
        }
    }

    #[test]
    fn any_port_wins_over_one_port_in_either_order() {
        for entries in [["a.test", "a.test:81"], ["a.test:81", "a.test"]] {
            let mut list = AllowList::default();
            for entry in entries {
                list.entry(entry).expect(entry);
            }
            assert!(allows(&list, "http://a.test:82"));
        }
    }

    #[test]
    fn wrong_entries_say_what_is_wrong() {
        let wrong = [
            ("", "no host"),
            (":80", "no host"),
            ("http://a.test", "URL"),
            ("*.a.test", "patterns"),
            ("a.test/x", "paths"),
            ("a.test:0", "port"),
            ("a.test:x", "port"),
            ("a.test:70000", "port"),
            ("[::1", "bracket"),
            ("[::1]80", "bracket"),
            ("a b", "host name"),
        ];
        for (entry, part) in wrong {
            let error = AllowList::default().entry(entry).expect_err(entry).to_string();
            assert!(error.contains(part), "{entry}: {error}");
        }
    }
}

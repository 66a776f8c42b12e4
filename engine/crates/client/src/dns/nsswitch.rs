//! What `/etc/nsswitch.conf` says about host names: may this program look a name up itself?
//!
//! The system's own resolver (`getaddrinfo`) tells no TTL and cannot be interrupted, so names are
//! asked for here wherever the answer is the same: if only files and DNS come into question. What
//! else there is (`resolve`, `sss`, `ldap`, `mymachines`, ...) only the C library can ask.

/// What is asked, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// `/etc/hosts`.
    Files,
    /// The servers of `/etc/resolv.conf`.
    Dns,
}

/// Who looks a name up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// This program, in these places.
    Ourselves(Vec<Source>),
    /// The C library.
    System,
}

/// Who looks `name` up, given the text of `/etc/nsswitch.conf` (`None`: there is no such file)
/// and the name of this machine.
pub(super) fn way(config: Option<&str>, name: &str, machine: &str) -> Way {
    let usual = || Way::Ourselves(vec![Source::Files, Source::Dns]);
    let Some(services) = config.and_then(hosts_line) else { return usual() };
    let mut sources = Vec::new();
    // After `files` or `dns` an action changes what the C library does next; after others it
    // matters only if these are asked, and then the C library does it all.
    let mut own = false;
    for word in words(services) {
        match word {
            action if action.starts_with('[') => {
                if own && !is_default(action) {
                    return Way::System;
                }
            }
            "files" | "dns" => {
                own = true;
                sources.push(if word == "dns" { Source::Dns } else { Source::Files });
            }
            "myhostname" if !is_of_this_machine(name, machine) => own = false,
            multicast if multicast.starts_with("mdns") && !is_below(name, "local") => own = false,
            _other => return Way::System,
        }
    }
    if sources.is_empty() { usual() } else { Way::Ourselves(sources) }
}

/// Is it one of the names that have to lead to this machine itself (RFC 6761, section 6.3)?
pub(super) fn is_localhost(name: &str) -> bool {
    is_below(name, "localhost")
}

/// Is `name` this domain or one below it?
fn is_below(name: &str, domain: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let Some(at) = name.len().checked_sub(domain.len()) else { return false };
    let ends = name.is_char_boundary(at) && name[at..].eq_ignore_ascii_case(domain);
    ends && (at == 0 || name[..at].ends_with('.'))
}

/// What systemd's `myhostname` answers for.
fn is_of_this_machine(name: &str, machine: &str) -> bool {
    name.eq_ignore_ascii_case(machine) || name.starts_with('_') || is_localhost(name)
}

/// What stands after `hosts:`, without its comment.
fn hosts_line(config: &str) -> Option<&str> {
    config.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default().trim();
        line.strip_prefix("hosts")?.trim_start().strip_prefix(':')
    })
}

/// Services, and actions in their brackets.
fn words(services: &str) -> impl Iterator<Item = &str> {
    let mut rest = services.trim_start();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = if rest.starts_with('[') {
            rest.find(']').map(|at| at + 1)
        } else {
            rest.find(|letter: char| letter.is_whitespace() || letter == '[')
        };
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.trim_start();
        Some(word)
    })
}

/// Does the action say what holds without it?
fn is_default(action: &str) -> bool {
    let inside = action.trim_start_matches('[').trim_end_matches(']');
    inside.split_whitespace().all(|part| {
        ["success=return", "notfound=continue", "unavail=continue", "tryagain=continue"]
            .iter()
            .any(|default| part.eq_ignore_ascii_case(default))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &str = "builder";

    fn of(hosts: &str, name: &str) -> Way {
        way(Some(&format!("passwd: files ldap\nhosts: {hosts}\nnetworks: files\n")), name, MACHINE)
    }

    #[test]
    fn files_and_dns_are_asked_in_their_order() {
        let [files, dns] = [Source::Files, Source::Dns];
        for (hosts, sources) in [
            ("files dns", vec![files, dns]),
            ("  dns files # comment ldap", vec![dns, files]),
            ("dns", vec![dns]),
            ("files", vec![files]),
            ("", vec![files, dns]),
            ("files [NOTFOUND=continue] dns", vec![files, dns]),
            ("files [SUCCESS=return UNAVAIL=continue]dns", vec![files, dns]),
        ] {
            assert_eq!(of(hosts, "shop.test"), Way::Ourselves(sources), "{hosts}");
        }
        let usual = Way::Ourselves(vec![files, dns]);
        assert_eq!(way(None, "shop.test", MACHINE), usual);
        assert_eq!(way(Some("passwd: files"), "shop.test", MACHINE), usual);
        assert_eq!(way(Some("hostsx: ldap"), "shop.test", MACHINE), usual);
    }

    #[test]
    fn what_only_the_c_library_knows_is_left_to_it() {
        for hosts in [
            "files resolve [!UNAVAIL=return] dns",
            "mymachines files dns",
            "files sss",
            "files ldap dns",
            "files wins",
            "files [NOTFOUND=return] dns",
            "files dns [!UNAVAIL=return]",
            "files libvirt dns",
        ] {
            assert_eq!(of(hosts, "shop.test"), Way::System, "{hosts}");
        }
    }

    #[test]
    fn some_services_matter_for_some_names_only() {
        let ours = Way::Ourselves(vec![Source::Files, Source::Dns]);
        let debian = "files mdns4_minimal [NOTFOUND=return] dns myhostname";
        for name in ["shop.test", "local.test", "notlocal", "builders"] {
            assert_eq!(of(debian, name), ours, "{name}");
        }
        for name in ["printer.local", "Printer.LOCAL.", "BUILDER", "_gateway", "localhost"] {
            assert_eq!(of(debian, name), Way::System, "{name}");
        }
    }

    #[test]
    fn local_names_are_known() {
        for name in ["localhost", "LOCALHOST.", "a.localhost"] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["localhost.test", "notlocalhost", "ö", "", "host"] {
            assert!(!is_localhost(name), "{name}");
        }
    }
}

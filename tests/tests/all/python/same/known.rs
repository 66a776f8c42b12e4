//! Where swarm does another thing than Locust, and why.

/// A case, what the differing line has in it, and the reason.
type Known = (&'static str, &'static str, &'static str);

const KNOWN: [Known; 12] = [
    ("bad_urls", "not JSON compliant", "CPython 3.14 names the number, and 3.11 does not"),
    ("bodies", "generator", "the host's client says lengths, and sends no body in chunks"),
    ("encoded_bodies", "failed to decode it", "the host decodes, and not in zlib's words"),
    ("fast_responses", "/reset", "Locust's client sends again what was reset"),
    ("fast_responses", "/close", "the same, of what was closed without an answer"),
    ("fast_responses", "GET | /garbage", "the host's client does not quote what is no HTTP"),
    ("own_stats", "failure of", "as the next line"),
    ("own_stats", "entry of", "a script cannot reset what the host has counted"),
    ("refused", "GET | /nobody", "the host allows no other target than the test's own"),
    ("request_headers", "only: this", "urllib3 says two headers where a session has none left"),
    ("transport_errors", "GET | /garbage", "the host's client does not quote what is no HTTP"),
    ("transport_errors", "GET | /truncated", "the host's client does not tell how much is missing"),
];

/// The differences of a case that nobody knows of, and what is known and is not so any more.
pub(super) fn unknown(case: &str, differences: Vec<String>) -> Vec<String> {
    let known: Vec<_> = KNOWN.iter().filter(|(of, _, _)| *of == case).collect();
    let mut wrong: Vec<_> = known
        .iter()
        .filter(|(_, part, _)| !differences.iter().any(|line| line.contains(part)))
        .map(|(_, part, reason)| format!("{case}: no line has {part:?} any more ({reason})"))
        .collect();
    let new =
        differences.into_iter().filter(|line| !known.iter().any(|(_, p, _)| line.contains(p)));
    wrong.extend(new.map(|line| format!("{case}: {line}")));
    wrong
}

//! Requests that a client library above this one has put together by itself, such as that of a
//! scripting language: it encodes URLs, follows redirects, keeps cookies and names every header.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Fault};
use crate::headers::{HEADERS_MAX, is_token, says_close};

/// Largest block of header lines, in bytes.
const LINES_BYTES_MAX: usize = 256 << 10;

/// Says how a request is sent whose sender does the rest by itself: the URL goes out as it is
/// written, the head consists of these lines, no redirect is followed and no cookie kept.
#[derive(Debug, Clone)]
pub struct Raw {
    /// Lines that many requests have in common. Those of [`Self::own`] replace lines of the same
    /// name.
    pub common: Arc<HeaderLines>,
    /// The request's own lines.
    pub own: HeaderLines,
    /// Takes any certificate of anybody for this request. It gets a connection of that kind.
    pub insecure: bool,
    /// Says the length of the body also where there is none.
    pub says_length: bool,
}

/// Header lines as they are sent, checked once: `name: value`, each ended by CRLF. There is no
/// `content-length` and no `transfer-encoding` among them, as the client counts for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderLines {
    lines: Box<[u8]>,
    has_host: bool,
    closes: bool,
}

impl HeaderLines {
    /// Checks a block of lines. Values may have any byte above the control characters.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Other`] when a line has no name, a name is not a token, a value holds a
    /// control character, a line is the client's own, or there is too much.
    pub fn new(lines: impl Into<Box<[u8]>>) -> Result<Self, Error> {
        Self::checked(lines.into()).map_err(|fault| fault.after(Duration::ZERO))
    }

    fn checked(lines: Box<[u8]>) -> Result<Self, Fault> {
        if lines.len() > LINES_BYTES_MAX {
            return Err(Fault::other(format!("header lines of more than {LINES_BYTES_MAX} bytes")));
        }
        let (mut has_host, mut closes, mut count) = (false, false, 0);
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let (name, value) = split(line)?;
            count += 1;
            match name.len() {
                4 => has_host |= name.eq_ignore_ascii_case("host"),
                10 if name.eq_ignore_ascii_case("connection") => {
                    closes |= std::str::from_utf8(value).is_ok_and(says_close);
                }
                14 if name.eq_ignore_ascii_case("content-length") => return Err(own(name)),
                17 if name.eq_ignore_ascii_case("transfer-encoding") => return Err(own(name)),
                _ => {}
            }
        }
        if count > HEADERS_MAX {
            return Err(Fault::other(format!("request with more than {HEADERS_MAX} headers")));
        }
        Ok(Self { lines, has_host, closes })
    }

    fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Names, and lines with their end, one by one.
    fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines.split_inclusive(|&byte| byte == b'\n').map(|line| {
            let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
            (&line[..colon], line)
        })
    }

    fn has(&self, wanted: &[u8]) -> bool {
        self.lines().any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    }
}

impl Raw {
    /// Does the sender want the connection closed after the exchange?
    pub(crate) fn closes(&self) -> bool {
        if self.own.has(b"connection") { self.own.closes } else { self.common.closes }
    }

    /// Does a line say who the host is?
    pub(crate) fn has_host(&self) -> bool {
        self.own.has_host || self.common.has_host
    }

    /// Appends all lines.
    pub(crate) fn write(&self, head: &mut Vec<u8>) {
        head.reserve(self.common.lines.len() + self.own.lines.len());
        if self.own.is_empty() {
            head.extend_from_slice(&self.common.lines);
            return;
        }
        for (name, line) in self.common.lines() {
            if !self.own.has(name) {
                head.extend_from_slice(line);
            }
        }
        head.extend_from_slice(&self.own.lines);
    }
}

/// Name and value of a line that can be sent.
fn split(line: &[u8]) -> Result<(&str, &[u8]), Fault> {
    let colon = line.iter().position(|&byte| byte == b':');
    let name = colon.and_then(|colon| std::str::from_utf8(&line[..colon]).ok());
    let (Some(colon), Some(name)) = (colon, name.filter(|name| is_token(name))) else {
        let start = String::from_utf8_lossy(&line[..line.len().min(40)]);
        return Err(Fault::other(format!("header line {start:?} does not begin with a name")));
    };
    let value = line[colon + 1..].strip_suffix(b"\r\n");
    match value {
        Some(value) if value.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control()) => {
            Ok((name, value))
        }
        _ => Err(Fault::other(format!(
            "header `{}` holds a line break or another control character",
            name.to_ascii_lowercase()
        ))),
    }
}

fn own(name: &str) -> Fault {
    let name = name.to_ascii_lowercase();
    Fault::other(format!("header `{name}` is the client's own: leave it out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(common: &str, own: &str) -> Raw {
        let lines = |text: &str| HeaderLines::new(text.as_bytes()).expect("lines");
        Raw {
            common: Arc::new(lines(common)),
            own: lines(own),
            insecure: false,
            says_length: false,
        }
    }

    fn written(raw: &Raw) -> String {
        let mut head = Vec::new();
        raw.write(&mut head);
        String::from_utf8(head).expect("text")
    }

    #[test]
    fn own_lines_replace_common_ones_of_the_same_name() {
        let common = "User-Agent: a\r\nAccept: */*\r\n";
        assert_eq!(written(&raw(common, "")), common);
        assert_eq!(
            written(&raw(common, "accept: json\r\nX: 1\r\nX: 2\r\n")),
            "User-Agent: a\r\naccept: json\r\nX: 1\r\nX: 2\r\n",
        );
    }

    #[test]
    fn the_last_word_on_the_connection_is_the_requests_own() {
        assert!(raw("Connection: close\r\n", "").closes());
        assert!(!raw("Connection: close\r\n", "connection: keep-alive\r\n").closes());
        assert!(raw("", "Connection: close\r\n").closes());
        assert!(raw("", "HOST: a\r\n").has_host() && !raw("X: host\r\n", "").has_host());
    }

    #[test]
    fn lines_that_cannot_be_sent_are_refused() {
        for (lines, part) in [
            ("a b: c\r\n", "does not begin with a name"),
            ("no colon\r\n", "does not begin with a name"),
            (": c\r\n", "does not begin with a name"),
            ("\r\n", "does not begin with a name"),
            ("a: b\r\n\r\n", "does not begin with a name"),
            ("a: b\n", "`a` holds a line break"),
            ("a: b", "`a` holds a line break"),
            ("A: b\rc\r\n", "`a` holds a line break"),
            ("a: \0\r\n", "control character"),
            ("Content-Length: 1\r\n", "leave it out"),
            ("transfer-encoding: chunked\r\n", "leave it out"),
        ] {
            let error = HeaderLines::new(lines.as_bytes()).expect_err(part);
            assert!(error.message.contains(part), "{lines:?}: {}", error.message);
        }
        let many = "a: b\r\n".repeat(HEADERS_MAX + 1);
        assert!(HeaderLines::new(many.into_bytes()).is_err());
        HeaderLines::new(&b"a: \xe4\t\r\n"[..]).expect("latin-1 and tabs");
    }
}

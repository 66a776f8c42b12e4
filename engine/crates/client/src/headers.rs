//! Header lines as they are sent: their check, and what is the same for all requests of a session.
//!
//! Names go out in lower case. No `accept-encoding` is sent unless a scenario asks for it: bodies
//! arrive as sent and are not decoded.

use crate::error::Fault;

/// Most header lines of a session, and of a request.
pub(crate) const HEADERS_MAX: usize = 256;

/// Lines of a template that are not the session's own.
const AUTOMATIC: usize = 2;

/// Checks one header of a session or a request.
pub(crate) fn check(name: &str, value: &str) -> Result<(), Fault> {
    if !is_token(name) {
        return Err(Fault::other(format!("header name {name:?} is not a token")));
    }
    if !is_value(value) {
        let name = name.to_ascii_lowercase();
        return Err(Fault::other(format!(
            "header `{name}` holds a line break or another control character"
        )));
    }
    if name.eq_ignore_ascii_case("transfer-encoding") {
        return Err(Fault::other("header `transfer-encoding` is the client's own: leave it out"));
    }
    Ok(())
}

/// RFC 9110, 5.6.2: what methods and header names consist of.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| TOKEN[usize::from(byte)])
}

/// Can this text stand behind the colon of a header line?
pub(crate) fn is_value(text: &str) -> bool {
    text.bytes().all(|byte| !byte.is_ascii_control() || byte == b'\t')
}

const TOKEN: [bool; 256] = alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// A table of the letters and digits of ASCII, and `others`.
pub(crate) const fn alphanumeric_and(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

/// Appends `name: value` and the line's end. Both were checked.
pub(crate) fn write_line(head: &mut Vec<u8>, name: &str, value: &str) {
    let begin = head.len();
    head.extend_from_slice(name.as_bytes());
    head[begin..].make_ascii_lowercase();
    head.extend_from_slice(b": ");
    head.extend_from_slice(value.as_bytes());
    head.extend_from_slice(b"\r\n");
}

/// Does the value of a `connection` header end the connection?
pub(crate) fn says_close(value: &str) -> bool {
    value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// The header lines that every request of a session starts with, ready to be copied: automatic
/// ones and the session's own, but for `host`, which depends on where the request goes.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    lines: Vec<u8>,
    /// Does the session say itself who the host is? Its line is the first one then.
    pub(crate) has_host: bool,
    pub(crate) has_cookie: bool,
    /// Does the session want its connections closed after each request?
    pub(crate) closes: bool,
}

impl Template {
    /// Of a session without headers of its own.
    pub(crate) fn automatic(user_agent: &str) -> Self {
        let mut lines = Vec::new();
        write_line(&mut lines, "user-agent", user_agent);
        write_line(&mut lines, "accept", "*/*");
        Self { lines, has_host: false, has_cookie: false, closes: false }
    }

    /// Sets a header of the session, in place of one of the same name.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        check(name, value)?;
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            return Err(Fault::other("header `content-length` depends on the body: leave it out"));
        }
        let others = self.lines().filter(|(other, _)| *other != name.as_bytes());
        if others.clone().count() >= HEADERS_MAX + AUTOMATIC {
            return Err(Fault::other(format!("session with more than {HEADERS_MAX} headers")));
        }
        let mut lines = Vec::with_capacity(self.lines.len() + name.len() + value.len() + 4);
        if name == "host" {
            write_line(&mut lines, &name, value);
        }
        others.for_each(|(_, line)| lines.extend_from_slice(line));
        match name.as_str() {
            "host" => self.has_host = true,
            "cookie" => self.has_cookie = true,
            "connection" => self.closes = says_close(value),
            _ => {}
        }
        if name != "host" {
            write_line(&mut lines, &name, value);
        }
        self.lines = lines;
        Ok(())
    }

    /// All lines as they are sent.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.lines
    }

    /// Names, and lines with their end, one by one.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.lines.split_inclusive(|&byte| byte == b'\n').map(|line| {
            let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
            (&line[..colon], line)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(template: &Template) -> &str {
        std::str::from_utf8(template.as_bytes()).expect("text")
    }

    #[test]
    fn a_session_header_replaces_what_was_there() {
        let mut template = Template::automatic("agent");
        assert_eq!(text(&template), "user-agent: agent\r\naccept: */*\r\n");
        template.set("X-A", "1").expect("header");
        template.set("Accept", "a:b").expect("header");
        template.set("x-a", "2").expect("header");
        assert_eq!(text(&template), "user-agent: agent\r\naccept: a:b\r\nx-a: 2\r\n");
        template.set("Host", "mine").expect("header");
        assert!(text(&template).starts_with("host: mine\r\n") && template.has_host);
        template.set("Cookie", "a=b").expect("header");
        template.set("connection", "x, Close").expect("header");
        assert!(template.has_cookie && template.closes);
    }

    #[test]
    fn the_number_of_session_headers_is_limited() {
        let mut template = Template::automatic("agent");
        for n in 0..HEADERS_MAX {
            template.set(&format!("x-{n}"), "v").expect("header");
        }
        template.set("x-0", "again").expect("replaced");
        template.set("accept", "again").expect("replaced");
        assert!(template.set("x-one-more", "v").is_err());
    }

    #[test]
    fn lines_that_cannot_be_sent_are_refused() {
        for (name, value, part) in [
            ("a b", "c", "not a token"),
            ("", "c", "not a token"),
            ("ü", "c", "not a token"),
            ("a:", "c", "not a token"),
            ("A", "b\r\nc: d", "header `a` holds a line break"),
            ("a", "\0", "control character"),
            ("a", "\u{7f}", "control character"),
            ("Transfer-Encoding", "chunked", "leave it out"),
            ("Content-Length", "1", "leave it out"),
        ] {
            let fault = Template::automatic("agent").set(name, value).expect_err(part);
            assert!(fault.message.contains(part), "{name:?}: {}", fault.message);
        }
        check("a", "\tb ü").expect("tabs and other alphabets");
    }

    #[test]
    fn tokens_are_those_of_the_http_crate() {
        for byte in 0..=255u8 {
            let text = char::from(byte).to_string();
            let theirs = http::Method::from_bytes(text.as_bytes()).is_ok();
            assert_eq!(is_token(&text), theirs, "{byte}");
        }
    }
}

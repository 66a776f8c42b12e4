//! The headers of a response, as they came.
//!
//! Most responses are never asked for a header, so nothing is taken apart in advance: the lines
//! are kept as one piece of memory, and a search reads them. What makes the usual search (one
//! for a header that is not there) cheap is a set of bits, one for each combination of length
//! and first letter that the names have.

use std::fmt;
use std::sync::Arc;

/// Header lines of one response, in the order in which they were sent.
///
/// One allocation for all of them, or none if there are no headers. Cloning shares it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Lines as sent: `name: value`, ended by a line feed with or without a carriage return. The
    /// blank line that ends a head may stand at the end.
    lines: Arc<[u8]>,
    /// See [`shape`].
    shapes: u64,
}

/// The bit of a name: its length and its first letter, whatever the case.
fn shape(name: &[u8]) -> u64 {
    let first = name.first().map_or(0, |&byte| usize::from(byte & 0x1f));
    1 << ((name.len() * 5 + first) % 64)
}

/// Whether a name can stand before the colon of a line.
fn is_name(name: &[u8]) -> bool {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_token)
}

impl Headers {
    /// Headers that did not come from a server: each pair becomes a line.
    ///
    /// `None` if a name is not a token or a value holds a line break.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Option<Self>
    where
        N: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let mut lines = Vec::new();
        for (name, value) in pairs {
            let (name, value) = (name.as_ref(), value.as_ref());
            if !is_name(name) || value.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
                return None;
            }
            for part in [name, b": ", value, b"\r\n"] {
                lines.extend_from_slice(part);
            }
        }
        let shapes = Lines(&lines).fold(0, |bits, (name, _value)| bits | shape(name));
        Some(Self { lines: lines.into(), shapes })
    }

    /// Takes over the lines of a head that was parsed; `names` are those in it.
    pub(crate) fn parsed<'a>(lines: &[u8], names: impl Iterator<Item = &'a [u8]>) -> Self {
        Self { lines: lines.into(), shapes: names.fold(0, |bits, name| bits | shape(name)) }
    }

    /// Value of the first line of this name, whatever its case. Without the spaces around it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// Values of all lines of this name, whatever its case.
    pub fn get_all<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let may_be_there = self.shapes & shape(name.as_bytes()) != 0;
        let lines = Lines(if may_be_there { &self.lines } else { &[] });
        lines.filter_map(move |(found, value)| {
            found.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
        })
    }

    /// Is there a line of this name, whatever its case?
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values in the order of the lines; names in the case in which they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        Lines(&self.lines)
    }

    /// Number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Is there no line at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shapes == 0
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes);
        f.debug_map().entries(self.iter().map(|(name, value)| (text(name), text(value)))).finish()
    }
}

/// What is left of the lines to go through.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.0.iter().position(|&byte| byte == b'\n')?;
        let (line, rest) = (&self.0[..end], &self.0[end + 1..]);
        let colon = line.iter().position(|&byte| byte == b':')?;
        self.0 = rest;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_order_is_kept() {
        let headers = Headers::from_pairs([("X-A", "1"), ("b", ""), ("x-a", " 2 ")]);
        let headers = headers.expect("good pairs");
        assert_eq!(headers.get("x-A"), Some(&b"1"[..]));
        assert_eq!(headers.get_all("X-a").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(headers.get("B"), Some(&b""[..]));
        assert_eq!(headers.get("c"), None);
        assert_eq!(headers.get(""), None);
        assert_eq!(headers.len(), 3);
        assert!(headers.contains("B") && !headers.contains("bb"));
        assert_eq!(format!("{headers:?}"), r#"{"X-A": "1", "b": "", "x-a": "2"}"#);
    }

    #[test]
    fn no_headers_take_no_memory() {
        let headers = Headers::default();
        assert!(headers.is_empty() && headers.iter().next().is_none());
        assert_eq!(headers, Headers::parsed(b"", std::iter::empty()));
    }

    #[test]
    fn lines_that_end_in_either_way_are_the_same() {
        let head = b"a: 1\r\nb:2\n\tc: no name of a parsed head\r\n\r\n";
        let headers = Headers::parsed(head, [&b"a"[..], b"b"].into_iter());
        assert_eq!(headers.get("a"), Some(&b"1"[..]));
        assert_eq!(headers.get("b"), Some(&b"2"[..]));
    }

    #[test]
    fn pairs_that_are_no_lines_are_refused() {
        for (name, value) in [("", "a"), ("a b", "c"), ("a:", "c"), ("a", "b\r\nc: d"), ("a", "\n")]
        {
            assert!(Headers::from_pairs([(name, value)]).is_none(), "{name:?}: {value:?}");
        }
    }
}

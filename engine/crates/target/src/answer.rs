//! What goes out: heads and bodies, appended to a connection's write buffer.

use std::io::Write;

use crate::request::{Manner, Persist};

/// A whole answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) content_type: &'a [u8],
    /// Further header lines, each with its line end.
    pub(crate) lines: &'a str,
    pub(crate) body: &'a [u8],
}

/// How the end of an answer's body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// So many bytes.
    Bytes(u64),
    /// Chunks up to an empty one.
    Chunks,
    /// The end of the connection.
    Connection,
    /// There is no body, by the status.
    None,
}

impl<'a> Answer<'a> {
    /// An answer with JSON.
    pub(crate) fn json(status: u16, body: &'a str) -> Self {
        Self { status, content_type: b"application/json", lines: "", body: body.as_bytes() }
    }

    /// An answer with plain text.
    pub(crate) fn text(status: u16, body: &'a str) -> Self {
        let content_type = b"text/plain; charset=utf-8";
        Self { status, content_type, lines: "", body: body.as_bytes() }
    }

    /// The same with further header lines.
    pub(crate) fn with_lines(self, lines: &'a str) -> Self {
        Self { lines, ..self }
    }

    /// Appends it to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>, manner: Manner) {
        // These two never have a body, and 204 must not even say how long it would be.
        let bodiless = matches!(self.status, 204 | 304);
        let extent = if bodiless { Extent::None } else { Extent::Bytes(self.body.len() as u64) };
        self.write_head(out, manner.persist, extent);
        if !manner.head_only && !bodiless {
            out.extend_from_slice(self.body);
        }
    }

    /// Appends its head for a body that follows otherwise.
    pub(crate) fn write_head(&self, out: &mut Vec<u8>, persist: Persist, extent: Extent) {
        self.write_lines(out, extent);
        end_head(out, persist);
    }

    fn write_lines(&self, out: &mut Vec<u8>, extent: Extent) {
        append(out, format_args!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)));
        if extent != Extent::None && !self.content_type.is_empty() {
            out.extend_from_slice(b"Content-Type: ");
            out.extend_from_slice(self.content_type);
            out.extend_from_slice(b"\r\n");
        }
        match extent {
            Extent::Bytes(n) => append(out, format_args!("Content-Length: {n}\r\n")),
            Extent::Chunks => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Extent::Connection | Extent::None => {}
        }
        out.extend_from_slice(self.lines.as_bytes());
    }
}

/// A page whose bytes are made once; appending it is three copies.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Up to the lines that depend on the request.
    lines: Vec<u8>,
    body: &'static [u8],
}

impl Prepared {
    pub(crate) fn new(answer: &Answer<'static>) -> Self {
        let mut lines = Vec::new();
        answer.write_lines(&mut lines, Extent::Bytes(answer.body.len() as u64));
        Self { lines, body: answer.body }
    }

    /// Appends it to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>, manner: Manner) {
        out.extend_from_slice(&self.lines);
        end_head(out, manner.persist);
        if !manner.head_only {
            out.extend_from_slice(self.body);
        }
    }
}

/// Appends formatted text.
pub(crate) fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a vector does not fail");
}

fn end_head(out: &mut Vec<u8>, persist: Persist) {
    out.extend_from_slice(match persist {
        Persist::Keep => b"\r\n",
        Persist::KeepOld => b"Connection: keep-alive\r\n\r\n",
        Persist::Close | Persist::CloseOld => b"Connection: close\r\n\r\n",
    });
}

/// The usual phrase of a status, or nothing.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        418 => "I'm a teapot",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

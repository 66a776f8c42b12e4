//! The head of a response: status, headers, and what they say about where the body ends.

use std::mem::MaybeUninit;

use httparse::{Error, ParserConfig, Status};

use super::{Options, remembered};
use crate::error::{ErrorKind, Fault, bytes_text};
use crate::head::Headers;
use crate::message::usual_phrase;

/// Up to this many headers are parsed on the stack.
const HEADERS_INLINE: usize = 100;

/// How the end of a body is found (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// A head at the begin of what was received.
#[derive(Debug)]
pub(super) enum Parsed {
    /// It is not complete yet.
    Partial,
    /// One that announces another (1xx).
    Interim {
        bytes: usize,
    },
    Final {
        bytes: usize,
        head: Head,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) status: u16,
    /// What the server said beside the status, if that is not the usual phrase.
    pub(super) reason: Option<Box<str>>,
    pub(super) headers: Headers,
    pub(super) framing: Framing,
    /// The connection stays open after this response, as far as its head says.
    pub(super) keep_alive: bool,
}

/// What was received, of which a head is the begin.
pub(super) fn parse(received: &[u8], head_only: bool, options: &Options) -> Result<Parsed, Fault> {
    if let Some((bytes, head)) = remembered::find(received, head_only, options) {
        return Ok(Parsed::Final { bytes, head });
    }
    let parsed = parse_anew(received, head_only, options);
    if let Ok(Parsed::Final { bytes, head }) = &parsed {
        remembered::keep(&received[..*bytes], head_only, options, head);
    }
    parsed
}

fn parse_anew(received: &[u8], head_only: bool, options: &Options) -> Result<Parsed, Fault> {
    let mut inline = [const { MaybeUninit::uninit() }; HEADERS_INLINE];
    let mut more = Vec::new();
    let slots = if let Some(slots) = inline.get_mut(..options.headers_max) {
        slots
    } else {
        more.resize_with(options.headers_max, MaybeUninit::uninit);
        &mut more[..]
    };
    // What lies behind the limit must not matter, or the outcome would depend on how the bytes
    // were cut into packets.
    let allowed = &received[..received.len().min(options.head_bytes_max)];
    let mut response = httparse::Response::new(&mut []);
    let parsed =
        ParserConfig::default().parse_response_with_uninit_headers(&mut response, allowed, slots);
    match parsed {
        Ok(Status::Complete(bytes)) => interpret(&response, &received[..bytes], head_only),
        Ok(Status::Partial) if received.len() >= options.head_bytes_max => {
            let limit = bytes_text(options.head_bytes_max);
            let message = format!("response head larger than {limit}");
            Err(Fault::new(ErrorKind::TooLarge, message))
        }
        Ok(Status::Partial) => Ok(Parsed::Partial),
        Err(Error::TooManyHeaders) => {
            let message = format!("response head with more than {} headers", options.headers_max);
            Err(Fault::new(ErrorKind::TooLarge, message))
        }
        Err(_malformed) => Err(malformed()),
    }
}

fn malformed() -> Fault {
    Fault::new(ErrorKind::Protocol, "malformed response head")
}

fn interpret(
    response: &httparse::Response<'_, '_>,
    bytes: &[u8],
    head_only: bool,
) -> Result<Parsed, Fault> {
    let status = response.code.filter(|&code| code >= 100).ok_or_else(malformed)?;
    match status {
        101 => {
            let message = "response 101 (switching protocols), which was not asked for";
            return Err(Fault::new(ErrorKind::Protocol, message));
        }
        100..=199 => return Ok(Parsed::Interim { bytes: bytes.len() }),
        _ => {}
    }
    let fields = Fields::of(response.headers);
    let is_http_1_0 = response.version == Some(0);
    let framing = if head_only || status == 204 || status == 304 {
        Framing::Length(0)
    } else {
        fields.framing(is_http_1_0)?
    };
    // Both lengths in one head are an attempt to smuggle, or worse: an accident.
    let ambiguous = fields.transfer_encoding.is_some() && fields.has_length;
    let keep_alive = framing != Framing::UntilClose
        && !ambiguous
        && !fields.close
        && (!is_http_1_0 || fields.keep_alive);
    let names = response.headers.iter().map(|header| header.name.as_bytes());
    let lines = response.headers.first().map_or(&[][..], |first| {
        // Both are addresses in the same bytes.
        &bytes[first.name.as_ptr().addr() - bytes.as_ptr().addr()..]
    });
    let headers = Headers::parsed(lines, names);
    let reason = unusual(status, response.reason.unwrap_or_default());
    let head = Head { status, reason, headers, framing, keep_alive };
    Ok(Parsed::Final { bytes: bytes.len(), head })
}

/// The phrase, unless it is the one that belongs to the status (RFC 9110, section 15).
fn unusual(status: u16, phrase: &str) -> Option<Box<str>> {
    (usual_phrase(status) != phrase).then(|| phrase.into())
}

/// The headers that concern the connection.
#[derive(Debug, Default)]
struct Fields {
    has_length: bool,
    /// `None` if a value is no number, or two differ.
    length: Option<u64>,
    /// Whether the last of the codings is `chunked`, where there are any.
    transfer_encoding: Option<bool>,
    close: bool,
    keep_alive: bool,
}

impl Fields {
    fn of(headers: &[httparse::Header<'_>]) -> Self {
        let mut fields = Self::default();
        for header in headers {
            // The length first: it decides most often.
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            match header.name.len() {
                10 if is("connection") => fields.add_connection(header.value),
                14 if is("content-length") => fields.add_length(header.value),
                17 if is("transfer-encoding") => {
                    let last = elements(header.value).next_back();
                    let chunked =
                        last.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
                    fields.transfer_encoding = Some(chunked);
                }
                _ => {}
            }
        }
        fields
    }

    fn add_connection(&mut self, value: &[u8]) {
        for option in elements(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// A length may be repeated, in one line or in several, as long as it is the same.
    fn add_length(&mut self, value: &[u8]) {
        for element in elements(value) {
            let number = decimal(element);
            self.length = if self.has_length && self.length != number { None } else { number };
            self.has_length = true;
        }
    }

    fn framing(&self, is_http_1_0: bool) -> Result<Framing, Fault> {
        match (self.transfer_encoding, self.length) {
            // HTTP/1.0 has no transfer codings: whoever put them there does not know what it does.
            (Some(_), _) if is_http_1_0 => Err(malformed()),
            (Some(true), _) => Ok(Framing::Chunked),
            (Some(false), _) => Ok(Framing::UntilClose),
            (None, Some(length)) => Ok(Framing::Length(length)),
            (None, None) if self.has_length => Err(malformed()),
            (None, None) => Ok(Framing::UntilClose),
        }
    }
}

/// The parts of a list (RFC 9110, section 5.6.1), empty ones included.
fn elements(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// `None` if there is anything but digits, or too many of them.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

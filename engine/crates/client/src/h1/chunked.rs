//! The chunked coding of a body (RFC 9112, section 7.1), byte by byte where it has to be.

use crate::error::{ErrorKind, Fault, bytes_text};

/// Most bytes of chunk extensions in one response, all chunks together. They mean nothing to us.
const EXTENSION_BYTES_MAX: u32 = 16 << 10;

/// Most bytes of trailers. They are checked and dropped.
const TRAILER_BYTES_MAX: u32 = 16 << 10;

/// Where in the coding the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    SizeStart,
    Size,
    SizeSpace,
    Extension,
    SizeEnd,
    Data,
    DataCr,
    DataLf,
    /// The first byte of a trailer, or the end.
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

/// What the next bytes turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A part of the body, and what follows.
    Data(&'a [u8], &'a [u8]),
    /// All was taken; there is more to come.
    More,
    /// The body is complete; what follows does not belong to it.
    End(&'a [u8]),
}

/// Progress in one chunked body.
#[derive(Debug)]
pub(super) struct Chunked {
    at: At,
    /// Of the current chunk.
    bytes_left: u64,
    extension_bytes: u32,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Self { at: At::SizeStart, bytes_left: 0, extension_bytes: 0 }
    }

    /// Takes what was received up to the end of the next piece. Trailers are gathered in `lines`,
    /// which is empty before;
    /// there may be `trailers_max` of them.
    pub(super) fn next<'a>(
        &mut self,
        mut received: &'a [u8],
        lines: &mut Vec<u8>,
        trailers_max: usize,
    ) -> Result<Piece<'a>, Fault> {
        loop {
            if self.at == At::End {
                return Ok(Piece::End(received));
            }
            let Some((&byte, rest)) = received.split_first() else {
                return Ok(Piece::More);
            };
            if self.at == At::Data {
                let length = usize::try_from(self.bytes_left).unwrap_or(usize::MAX);
                let (data, rest) = received.split_at(length.min(received.len()));
                self.bytes_left -= data.len() as u64;
                if self.bytes_left == 0 {
                    self.at = At::DataCr;
                }
                return Ok(Piece::Data(data, rest));
            }
            self.at = match self.at {
                At::TrailerStart | At::Trailer | At::TrailerLf | At::EndLf => {
                    self.trailer(byte, lines, trailers_max)?
                }
                _ => self.size(byte)?,
            };
            received = rest;
        }
    }

    /// One byte of what stands between the data of two chunks.
    fn size(&mut self, byte: u8) -> Result<At, Fault> {
        match (self.at, byte) {
            (At::SizeStart | At::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                let shifted = self.bytes_left.checked_mul(16).ok_or_else(malformed)?;
                self.bytes_left = shifted + u64::from(digit);
                Ok(At::Size)
            }
            (At::Size | At::SizeSpace, b' ' | b'\t') => Ok(At::SizeSpace),
            (At::Size | At::SizeSpace, b';') => Ok(At::Extension),
            (At::Size | At::SizeSpace | At::Extension, b'\r') => Ok(At::SizeEnd),
            (At::Extension, byte) if byte != b'\n' => {
                self.extension_bytes += 1;
                if self.extension_bytes > EXTENSION_BYTES_MAX {
                    return Err(too_large("chunk extensions", EXTENSION_BYTES_MAX));
                }
                Ok(At::Extension)
            }
            (At::SizeEnd, b'\n') if self.bytes_left == 0 => Ok(At::TrailerStart),
            (At::SizeEnd, b'\n') => Ok(At::Data),
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => Ok(At::SizeStart),
            _ => Err(malformed()),
        }
    }

    /// One byte of what follows the last chunk.
    fn trailer(&self, byte: u8, lines: &mut Vec<u8>, trailers_max: usize) -> Result<At, Fault> {
        if self.at == At::TrailerStart && byte == b'\r' && lines.is_empty() {
            return Ok(At::EndLf);
        }
        if self.at == At::EndLf && byte == b'\n' && lines.is_empty() {
            return Ok(At::End);
        }
        if lines.len() >= TRAILER_BYTES_MAX as usize {
            return Err(too_large("trailers", TRAILER_BYTES_MAX));
        }
        lines.push(byte);
        match (self.at, byte) {
            (At::TrailerStart, b'\r') => Ok(At::EndLf),
            (At::Trailer, b'\r') => Ok(At::TrailerLf),
            (At::TrailerStart | At::Trailer, _) => Ok(At::Trailer),
            (At::TrailerLf, b'\n') => Ok(At::TrailerStart),
            (At::EndLf, b'\n') => {
                check_trailers(lines, trailers_max)?;
                Ok(At::End)
            }
            _ => Err(malformed()),
        }
    }
}

fn check_trailers(lines: &[u8], trailers_max: usize) -> Result<(), Fault> {
    // The last of them is the empty one.
    let count = lines.windows(2).filter(|end| end == b"\r\n").count() - 1;
    if count > trailers_max {
        let message = format!("more than {trailers_max} trailers");
        return Err(Fault::new(ErrorKind::TooLarge, message));
    }
    // No room for more than one in a line: httparse would take a line feed alone for a line's end.
    let mut slots = vec![httparse::EMPTY_HEADER; count];
    match httparse::parse_headers(lines, &mut slots) {
        Ok(httparse::Status::Complete((bytes, _))) if bytes == lines.len() => Ok(()),
        _ => Err(malformed()),
    }
}

fn malformed() -> Fault {
    Fault::new(ErrorKind::Protocol, "malformed chunked body")
}

fn too_large(what: &str, bytes_max: u32) -> Fault {
    let limit = bytes_text(bytes_max as usize);
    Fault::new(ErrorKind::TooLarge, format!("{what} larger than {limit}"))
}

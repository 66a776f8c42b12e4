//! Bodies as they were before `content-encoding`, for guests whose client library asks for encoded
//! ones. What is done with odd bodies is what urllib3 does, whose place the guest takes.

use std::io::{self, BufRead, ErrorKind, Read};

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

/// Codings of one body.
const CODINGS_MAX: usize = 5;

/// Buffer of the decoder for brotli, in bytes.
const BUFFER_BYTES: usize = 4 << 10;

/// Why a body cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    /// It is not what its header says.
    #[error("body that cannot be decoded (content-encoding: {0})")]
    Invalid(String),
    /// It becomes too large.
    #[error("response body larger than {0} bytes when it is decoded")]
    TooLarge(usize),
    /// More than anybody needs.
    #[error("response with more than {CODINGS_MAX} content codings")]
    TooMany,
}

/// Undoes the codings that a `content-encoding` header names, the last one first. One that is not
/// known leaves the body as it is.
///
/// # Errors
/// When the body is not encoded like that, or has more than `bytes_max` bytes then.
pub(crate) fn decode(
    mut body: Bytes,
    encoding: &str,
    bytes_max: usize,
) -> Result<Bytes, ContentError> {
    let codings: Vec<_> = encoding.split(',').map(str::trim).collect();
    if codings.len() > CODINGS_MAX {
        return Err(ContentError::TooMany);
    }
    for coding in codings.iter().rev() {
        if body.is_empty() {
            break;
        }
        body = match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gunzip(&body, bytes_max),
            "deflate" => inflate(&body, bytes_max),
            "br" => read(brotli_decompressor::Decompressor::new(&*body, BUFFER_BYTES), bytes_max),
            _ => return Ok(body),
        }
        .map_err(|error| match error.kind() {
            ErrorKind::FileTooLarge => ContentError::TooLarge(bytes_max),
            _ => ContentError::Invalid(encoding.to_owned()),
        })?;
    }
    Ok(body)
}

/// One member after the other; what is no member behind the first is left out.
fn gunzip(mut body: &[u8], bytes_max: usize) -> io::Result<Bytes> {
    let mut all = Vec::new();
    loop {
        let mut decoder = GzDecoder::new(body);
        match read(&mut decoder, bytes_max - all.len()) {
            Ok(member) => all.extend_from_slice(&member),
            Err(error) if all.is_empty() || error.kind() == ErrorKind::FileTooLarge => {
                return Err(error);
            }
            Err(_) => break,
        }
        body = decoder.into_inner();
        if body.fill_buf()?.is_empty() {
            break;
        }
    }
    Ok(all.into())
}

/// With the header of zlib, as it should be, or without, as some servers send it.
fn inflate(body: &[u8], bytes_max: usize) -> io::Result<Bytes> {
    match read(ZlibDecoder::new(body), bytes_max) {
        Err(error) if error.kind() != ErrorKind::FileTooLarge => {
            read(DeflateDecoder::new(body), bytes_max)
        }
        decoded => decoded,
    }
}

/// All that comes; of a body that is cut off, what there is.
fn read(decoder: impl Read, bytes_max: usize) -> io::Result<Bytes> {
    let mut decoded = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    match decoder.take(limit).read_to_end(&mut decoded) {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof || decoded.is_empty() => Err(error),
        _ if decoded.len() > bytes_max => Err(ErrorKind::FileTooLarge.into()),
        _ => Ok(decoded.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"one two three one two three one two three";

    /// The same, encoded by Google's library.
    const BROTLI: &[u8] = &[
        0x1b, 0x28, 0x00, 0xf8, 0x1d, 0x09, 0x36, 0x4e, 0x76, 0x6d, 0x9e, 0x85, 0x84, 0x35, 0x48,
        0xd9, 0x9b, 0x9c, 0xa0, 0x4b, 0x34, 0xb7, 0xbb, 0x60, 0x2a, 0x1e, 0xa0, 0x25, 0x87, 0x15,
    ];

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn raw(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(body: impl Into<Bytes>, encoding: &str) -> Result<Vec<u8>, String> {
        let decoded = decode(body.into(), encoding, 1 << 20);
        decoded.map(|body| body.to_vec()).map_err(|error| error.to_string())
    }

    #[test]
    fn each_coding_is_undone_the_last_one_first() {
        for (body, encoding) in [
            (TEXT.to_vec(), "identity"),
            (TEXT.to_vec(), "zstd"),
            (gzip(TEXT), "gzip"),
            (gzip(TEXT), "X-GZIP"),
            (zlib(TEXT), "deflate"),
            (raw(TEXT), "deflate"),
            (BROTLI.to_vec(), "br"),
            (gzip(&zlib(TEXT)), "deflate, gzip"),
            ([gzip(&TEXT[..10]), gzip(&TEXT[10..])].concat(), "gzip"),
            ([gzip(TEXT), b"rest".to_vec()].concat(), "gzip"),
        ] {
            assert_eq!(decoded(body, encoding).as_deref(), Ok(TEXT), "{encoding}");
        }
        assert_eq!(decoded(Vec::new(), "gzip"), Ok(Vec::new()));
    }

    #[test]
    fn of_a_body_that_is_cut_off_there_is_what_has_come() {
        let whole = gzip(&TEXT.repeat(1000));
        let part = decoded(whole[..whole.len() / 2].to_vec(), "gzip").expect("a part");
        assert!(!part.is_empty() && TEXT.repeat(1000).starts_with(&part));
    }

    #[test]
    fn what_is_not_encoded_or_too_large_is_an_error() {
        for encoding in ["gzip", "deflate", "br"] {
            let error = decoded(TEXT.to_vec(), encoding).expect_err(encoding);
            assert!(error.contains(encoding), "{error}");
        }
        let bomb = gzip(&vec![0; 10_000]);
        let error = decode(bomb.clone().into(), "gzip", 9_999).expect_err("too large");
        assert!(matches!(error, ContentError::TooLarge(9_999)), "{error}");
        assert_eq!(decode(bomb.into(), "gzip", 10_000).map(|body| body.len()).ok(), Some(10_000));
        assert!(decoded(gzip(TEXT), "gzip,gzip,gzip,gzip,gzip,gzip").is_err());
    }
}

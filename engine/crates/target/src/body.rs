//! The framing of request bodies: by length or in chunks, split anywhere.

use crate::request::{HEAD_BYTES_MAX, Refusal};

/// Largest request body, in bytes.
pub(crate) const BODY_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Longest line with a chunk's size and extensions, in bytes.
const CHUNK_LINE_BYTES_MAX: usize = 1024;
/// Most lines after the last chunk.
const TRAILERS_MAX: usize = 32;

/// How the end of a request's body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    None,
    /// So many bytes, at least 1.
    Length(u64),
    /// Chunks up to an empty one.
    Chunked,
}

/// Collects one body from however it arrives.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    body: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Bytes of a body with a length, still to come.
    Length(u64),
    /// A line with a chunk's size comes next.
    Size,
    /// Bytes of a chunk, still to come.
    Chunk(u64),
    /// The line end behind a chunk comes next.
    ChunkEnd,
    /// Lines after the last chunk, up to an empty one.
    Trailers,
    Done,
}

impl Decoder {
    /// Refuses a length beyond [`BODY_BYTES_MAX`] before any of it has arrived.
    pub(crate) fn new(framing: Framing) -> Result<Self, Refusal> {
        let state = match framing {
            Framing::None => State::Done,
            Framing::Length(length) if length > BODY_BYTES_MAX => {
                return Err(Refusal::BodyTooLarge);
            }
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size,
        };
        Ok(Self { state, body: Vec::new() })
    }

    /// Whether the body is complete.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The body collected so far: all of it once [`Decoder::is_done`].
    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// Takes what it can from `input` and returns how many bytes that were. What is left over
    /// belongs to the next request if the body is done, and is offered again with more otherwise.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let mut taken = 0;
        // Every round takes a byte or reaches another state, or is the last.
        while let Some(step) = self.step(&input[taken..])? {
            taken += step;
        }
        Ok(taken)
    }

    /// One part of the body: the bytes it took, or `None` when it needs more or is done.
    fn step(&mut self, input: &[u8]) -> Result<Option<usize>, Refusal> {
        match self.state {
            State::Done => Ok(None),
            State::Length(left) => Ok(self.take(input, left, State::Length, State::Done)),
            State::Chunk(left) => Ok(self.take(input, left, State::Chunk, State::ChunkEnd)),
            State::Size => self.chunk_size(input),
            State::ChunkEnd => match input {
                [b'\r', b'\n', ..] => {
                    self.state = State::Size;
                    Ok(Some(2))
                }
                [] | [b'\r'] => Ok(None),
                _ => Err(Refusal::Malformed("end of a chunk")),
            },
            State::Trailers => self.trailers(input),
        }
    }

    fn take(
        &mut self,
        input: &[u8],
        left: u64,
        more: fn(u64) -> State,
        end: State,
    ) -> Option<usize> {
        let n = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        if n == 0 {
            return None;
        }
        self.body.extend_from_slice(&input[..n]);
        let left = left - n as u64;
        self.state = if left == 0 { end } else { more(left) };
        Some(n)
    }

    fn chunk_size(&mut self, input: &[u8]) -> Result<Option<usize>, Refusal> {
        // The parser reads a line without any digits as 0.
        if input.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
            return Err(Refusal::Malformed("size of a chunk"));
        }
        match httparse::parse_chunk_size(input) {
            Ok(httparse::Status::Complete((line, size))) => {
                if size > BODY_BYTES_MAX - self.body.len() as u64 {
                    return Err(Refusal::BodyTooLarge);
                }
                self.state = if size == 0 { State::Trailers } else { State::Chunk(size) };
                Ok(Some(line))
            }
            Ok(httparse::Status::Partial) if input.len() < CHUNK_LINE_BYTES_MAX => Ok(None),
            _ => Err(Refusal::Malformed("size of a chunk")),
        }
    }

    fn trailers(&mut self, input: &[u8]) -> Result<Option<usize>, Refusal> {
        let mut trailers = [httparse::EMPTY_HEADER; TRAILERS_MAX];
        match httparse::parse_headers(input, &mut trailers) {
            Ok(httparse::Status::Complete((length, _))) => {
                self.state = State::Done;
                Ok(Some(length))
            }
            Ok(httparse::Status::Partial) if input.len() < HEAD_BYTES_MAX => Ok(None),
            _ => Err(Refusal::Malformed("lines after the last chunk")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\nX-Trailer: 1\r\n\r\nNEXT";

    /// Feeds pieces as a connection would: what was not taken is offered again.
    fn feed(framing: Framing, pieces: &[&[u8]]) -> Result<(Decoder, Vec<u8>), Refusal> {
        let mut decoder = Decoder::new(framing)?;
        let mut input = Vec::new();
        for piece in pieces {
            input.extend_from_slice(piece);
            let taken = decoder.decode(&input)?;
            input.drain(..taken);
        }
        Ok((decoder, input))
    }

    #[test]
    fn a_body_split_at_any_byte_is_the_same_body() {
        for (framing, bytes, body) in [
            (Framing::Chunked, CHUNKED, b"hello, world".as_slice()),
            (Framing::Length(12), b"hello, worldNEXT".as_slice(), b"hello, world".as_slice()),
        ] {
            for at in 0..=bytes.len() {
                let (decoder, rest) = feed(framing, &[&bytes[..at], &bytes[at..]]).unwrap();
                assert!(decoder.is_done(), "split at {at}");
                assert_eq!(rest, b"NEXT", "split at {at}");
                assert_eq!(decoder.into_body(), body, "split at {at}");
            }
        }
    }

    #[test]
    fn an_unfinished_body_is_not_done() {
        for end in 0..CHUNKED.len() - 4 {
            let (decoder, _) = feed(Framing::Chunked, &[&CHUNKED[..end]]).unwrap();
            assert!(!decoder.is_done(), "after {end} bytes");
        }
    }

    #[test]
    fn bad_chunks_are_refused() {
        for bytes in [
            b"x\r\n".as_slice(),
            b"-1\r\n",
            b"\r\n",
            b";ext\r\n",
            b"5\r\nhelloX",
            b"fffffffffffffffff\r\n",
            b"0\r\nno colon\r\n\r\n",
        ] {
            let refusal = feed(Framing::Chunked, &[bytes]).unwrap_err();
            assert!(matches!(refusal, Refusal::Malformed(_)), "{bytes:?}");
        }
        let endless = format!("1;{}", "x".repeat(CHUNK_LINE_BYTES_MAX));
        assert!(feed(Framing::Chunked, &[endless.as_bytes()]).is_err());
    }

    #[test]
    fn bodies_are_limited_before_they_arrive() {
        assert!(Decoder::new(Framing::Length(BODY_BYTES_MAX)).is_ok());
        let refusal = Decoder::new(Framing::Length(BODY_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(refusal, Refusal::BodyTooLarge);
        let first = b"4\r\nabcd\r\n".as_slice();
        let second = format!("{:x}\r\n", BODY_BYTES_MAX - 3);
        let refusal = feed(Framing::Chunked, &[first, second.as_bytes()]).unwrap_err();
        assert_eq!(refusal, Refusal::BodyTooLarge, "chunks are summed");
    }
}

//! From bytes to a response, without IO: what was received goes in, in pieces of any size, and the
//! outcome is the same however it was cut.

use bytes::Bytes;

use super::Options;
use super::chunked::{Chunked, Piece};
use super::message_head::{self, Framing, Head, Parsed};
use crate::error::{Answering, ErrorKind, Fault, bytes_text};
use crate::head::Headers;

/// Most interim responses (1xx) before the final one.
const INTERIM_MAX: u32 = 100;

/// A head in parts is parsed anew with each part while it is as short as this. A longer one waits
/// until its end is in sight or it has doubled, so that all attempts together stay linear.
const EAGER_BYTES: usize = 1 << 10;

/// Most memory that a body gets before it has come; more follows as it arrives.
const RESERVE_BYTES_MAX: u64 = 1 << 20;

/// One response as far as it has come.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    head_only: bool,
    keep_body: bool,
    interim: u32,
    /// Begin of a head, or trailers.
    lines: Vec<u8>,
    /// How much of a head was there when it was parsed last.
    parsed_bytes: usize,
    status: u16,
    reason: Option<Box<str>>,
    headers: Headers,
    keep_alive: bool,
    body: Vec<u8>,
    body_bytes: u64,
}

#[derive(Debug)]
enum State {
    Head,
    Length { bytes_left: u64 },
    Chunked(Chunked),
    UntilClose,
    Done,
}

/// What came out in the end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) status: u16,
    pub(super) reason: Option<Box<str>>,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
    pub(super) body_bytes: u64,
    /// Nothing that was received speaks against another exchange.
    pub(super) keep_alive: bool,
}

impl Decoder {
    /// `head_only`: the response ends with its head. `keep_body`: its bytes are wanted.
    pub(super) fn new(head_only: bool, keep_body: bool) -> Self {
        Self {
            state: State::Head,
            head_only,
            keep_body,
            interim: 0,
            lines: Vec::new(),
            parsed_bytes: 0,
            status: 0,
            reason: None,
            headers: Headers::default(),
            keep_alive: false,
            body: Vec::new(),
            body_bytes: 0,
        }
    }

    /// Is the final head complete?
    pub(super) fn has_head(&self) -> bool {
        !matches!(self.state, State::Head)
    }

    /// Is the whole response there?
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes what was received next.
    pub(super) fn feed(&mut self, received: &[u8], options: &Options) -> Result<(), Fault> {
        if self.has_head() {
            return self.feed_body(received, options);
        }
        if self.lines.is_empty() {
            return self.feed_heads(received, options);
        }
        let searched = self.lines.len().saturating_sub(3);
        self.lines.extend_from_slice(received);
        if !self.is_worth_parsing(searched, options) {
            return Ok(());
        }
        let lines = std::mem::take(&mut self.lines);
        self.feed_heads(&lines, options)
    }

    /// Takes the end of the connection.
    pub(super) fn end(&mut self, options: &Options) -> Result<(), Fault> {
        match self.state {
            State::UntilClose => {
                self.state = State::Done;
                return Ok(());
            }
            // What was not worth parsing may have been wrong all the same.
            State::Head if self.lines.len() > self.parsed_bytes => {
                let lines = std::mem::take(&mut self.lines);
                self.feed_heads(&lines, options)?;
            }
            _ => {}
        }
        Err(Fault::closed(Answering::Begun))
    }

    /// Hands over the response, which must be done.
    pub(super) fn finish(&mut self) -> Decoded {
        // Only a body of unknown or large size has grown beyond what it needs.
        self.body.shrink_to_fit();
        Decoded {
            status: self.status,
            reason: self.reason.take(),
            headers: std::mem::take(&mut self.headers),
            body: Bytes::from(std::mem::take(&mut self.body)),
            body_bytes: self.body_bytes,
            keep_alive: self.keep_alive,
        }
    }

    fn is_worth_parsing(&self, searched: usize, options: &Options) -> bool {
        let bytes = self.lines.len();
        let new = &self.lines[searched..];
        bytes <= EAGER_BYTES
            || bytes >= options.head_bytes_max
            || bytes >= 2 * self.parsed_bytes
            || new.windows(3).any(|end| end == b"\n\r\n" || end.starts_with(b"\n\n"))
            || new.ends_with(b"\n\n")
    }

    /// Parses heads until the final one, and what follows it.
    fn feed_heads(&mut self, mut received: &[u8], options: &Options) -> Result<(), Fault> {
        loop {
            match message_head::parse(received, self.head_only, options)? {
                Parsed::Partial => {
                    self.lines.extend_from_slice(received);
                    self.parsed_bytes = received.len();
                    return Ok(());
                }
                Parsed::Interim { bytes } => {
                    self.interim += 1;
                    if self.interim > INTERIM_MAX {
                        let message = format!("more than {INTERIM_MAX} interim responses (1xx)");
                        return Err(Fault::new(ErrorKind::TooLarge, message));
                    }
                    received = &received[bytes..];
                }
                Parsed::Final { bytes, head } => {
                    self.begin_body(head, options)?;
                    return self.feed_body(&received[bytes..], options);
                }
            }
        }
    }

    fn begin_body(&mut self, head: Head, options: &Options) -> Result<(), Fault> {
        self.state = match head.framing {
            Framing::Length(0) => State::Done,
            Framing::Length(bytes_left) => {
                // Before a byte of it: a target that announces terabytes is not waited for.
                self.check_body(bytes_left, options)?;
                if self.keep_body {
                    let reserved = bytes_left.min(RESERVE_BYTES_MAX);
                    self.body.reserve_exact(usize::try_from(reserved).unwrap_or_default());
                }
                State::Length { bytes_left }
            }
            Framing::Chunked => State::Chunked(Chunked::new()),
            Framing::UntilClose => State::UntilClose,
        };
        self.status = head.status;
        self.reason = head.reason;
        self.headers = head.headers;
        self.keep_alive = head.keep_alive;
        Ok(())
    }

    fn feed_body(&mut self, received: &[u8], options: &Options) -> Result<(), Fault> {
        match &mut self.state {
            State::Length { bytes_left } => {
                let length = usize::try_from(*bytes_left).unwrap_or(usize::MAX);
                let (data, rest) = received.split_at(length.min(received.len()));
                *bytes_left -= data.len() as u64;
                if *bytes_left == 0 {
                    self.state = State::Done;
                    self.keep_alive &= rest.is_empty();
                }
                self.add(data, options)
            }
            State::Chunked(_) => self.feed_chunks(received, options),
            State::UntilClose => self.add(received, options),
            // Nobody asked for what follows: the server counts otherwise than we do.
            State::Done => {
                self.keep_alive &= received.is_empty();
                Ok(())
            }
            State::Head => unreachable!("a body follows a head"),
        }
    }

    fn feed_chunks(&mut self, mut received: &[u8], options: &Options) -> Result<(), Fault> {
        while let State::Chunked(chunked) = &mut self.state {
            match chunked.next(received, &mut self.lines, options.headers_max)? {
                Piece::Data(data, rest) => {
                    self.add(data, options)?;
                    received = rest;
                }
                Piece::More => return Ok(()),
                Piece::End(rest) => {
                    self.state = State::Done;
                    self.keep_alive &= rest.is_empty();
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, data: &[u8], options: &Options) -> Result<(), Fault> {
        self.check_body(data.len() as u64, options)?;
        self.body_bytes += data.len() as u64;
        if self.keep_body {
            self.body.extend_from_slice(data);
        }
        Ok(())
    }

    /// Whether so many bytes more fit.
    fn check_body(&self, more: u64, options: &Options) -> Result<(), Fault> {
        if self.body_bytes.saturating_add(more) > options.body_bytes_max as u64 {
            let limit = bytes_text(options.body_bytes_max);
            let message = format!("response body larger than {limit}");
            return Err(Fault::new(ErrorKind::TooLarge, message));
        }
        Ok(())
    }
}

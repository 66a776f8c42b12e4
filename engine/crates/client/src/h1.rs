//! HTTP/1.1 on one connection: a request out, its response in. Nobody else knows the protocol.
//!
//! The exchange has no task of its own: it is polled in the caller's future, and a request that is
//! given up (timeout, interrupted user) takes its connection with it. Each read goes into a buffer
//! of the thread ([`scratch`]) and is decoded at once, so a connection holds no memory between two
//! reads, be it idle or waiting for a slow server; only a head that came in parts is copied.
//!
//! - [`exchange`]: sends and receives at the same time, as a server may answer before it has taken
//!   a large body.
//! - [`decoder`]: bytes to a response, without any IO. [`message_head`] and [`chunked`] are its
//!   two grammars (RFC 9112, sections 2 to 7); [`remembered`]: heads that need not be parsed again.
//!
//! # What it costs
//! - Allocations: one for the header lines, one for a body that is kept; none for the request, none
//!   for a body that is only counted (`tests/allocations.rs`).
//! - System calls: one `send` and one `recv` for a small exchange. After a short read tokio knows
//!   that there is no more, so neither the wait nor the look at an idle connection asks the kernel.
//! - CPU, one core, 64 connections, nginx on the other core, medians of three in one run
//!   (`examples/throughput.rs`, whole session, bodies counted): 3.94 µs a request (0.83 user, 3.15
//!   system), where wrk takes 4.30 (0.48, 3.82) and the same over hyper's client took 6.15 (2.57,
//!   3.56). Over TLS 5.2, wrk 5.8.
//! - Memory of an idle connection in its session (`examples/idle_memory.rs`, resident bytes): 0.4
//!   KiB, hyper's 20 KiB; with TLS 8.4 KiB. Of that 4 KiB are the read buffer of rustls, which
//!   keeps it and has no call to give it back; only its unbuffered interface would.
//!
//! # Held to
//! hyper's client, which must see the same in the same bytes (`tests/client/differential.rs`, the
//! few differences with their reasons); itself, as the outcome must not depend on how bytes are cut
//! into packets (a fuzzer in `engine/fuzz`, and in every test run with random bytes, more of them
//! with `PROPTEST_CASES=300000 cargo test --release -p swarm-client --lib fuzz`).

mod chunked;
mod decoder;
mod exchange;
#[cfg(any(test, fuzzing))]
#[cfg_attr(not(fuzzing), expect(unreachable_pub, reason = "the fuzzer is another crate"))]
pub mod fuzz;
mod message_head;
mod remembered;
mod scratch;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::exchange::Exchange;
use crate::config::ClientConfig;
use crate::error::Fault;
use crate::head::Headers;
use crate::pool::Care;
use crate::stream::Stream;

/// Limits that all connections have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    head_bytes_max: usize,
    headers_max: usize,
    body_bytes_max: usize,
}

impl Options {
    pub(crate) fn new(config: &ClientConfig) -> Self {
        Self {
            head_bytes_max: config.head_bytes_max,
            headers_max: config.headers_max,
            body_bytes_max: config.body_bytes_max,
        }
    }
}

/// A request as it is sent, and what is wanted of its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    /// Complete request head, blank line included.
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a Bytes,
    /// The answer has no body whatever its head says (HEAD).
    pub(crate) head_only: bool,
    /// Keep the body of the answer; else it is counted and dropped.
    pub(crate) keep_body: bool,
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Answer {
    /// 100 to 999.
    pub(crate) status: u16,
    /// What the server said beside the status, if that is not the usual phrase.
    pub(crate) reason: Option<Box<str>>,
    pub(crate) headers: Headers,
    /// Empty if it was not to be kept.
    pub(crate) body: Bytes,
    /// Length of the body as received, kept or not.
    pub(crate) body_bytes: u64,
    /// When the head was complete.
    pub(crate) head_at: Instant,
    /// When the last byte was there.
    pub(crate) done_at: Instant,
}

/// An exchange without an answer. Its connection must not be used again.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) stage: Stage,
}

/// How far an exchange had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The connection had ended before it took a byte: the server cannot know of the request.
    Unsent,
    /// The connection ended without a byte of an answer: the server may have acted on the request.
    Unanswered,
    /// There were bytes of an answer, or it was not the connection that failed.
    Answered,
}

/// An open connection that carries one exchange at a time. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    /// Nothing but the stream itself speaks against another exchange. False during an exchange,
    /// so that one that was dropped half-way leaves it so.
    reusable: bool,
    /// How long the TCP handshake took, in units of [`HANDSHAKE_UNIT`].
    handshake: u16,
    /// When the last exchange ended; see [`Self::rest`].
    idle_since_ms: u32,
    /// Any certificate was good enough.
    insecure: bool,
}

/// Fine enough for a local network, and two bytes hold more than half a second of it.
const HANDSHAKE_UNIT: Duration = Duration::from_micros(10);

/// A connection that has been idle for less is not what a server closes for being idle. Asking the
/// kernel costs a tenth of a request.
const IDLE_MIN_MS: u32 = 100;

impl Connection {
    /// Takes over a stream on which nothing was sent, and whose TCP handshake took so long.
    pub(crate) fn new(stream: Stream, handshake: Duration, insecure: bool) -> Self {
        let handshake = handshake.as_micros() / HANDSHAKE_UNIT.as_micros();
        let handshake = u16::try_from(handshake).unwrap_or(u16::MAX);
        Self { stream, reusable: true, handshake, idle_since_ms: 0, insecure }
    }

    /// Was the peer's certificate taken on trust?
    pub(crate) fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// How long the TCP handshake took: a round trip, and what this machine had to do meanwhile.
    pub(crate) fn handshake(&self) -> Duration {
        HANDSHAKE_UNIT * self.handshake.into()
    }

    /// It is idle from now on, in milliseconds of a clock of the caller's that may wrap.
    pub(crate) fn rest(&mut self, now_ms: u32) {
        self.idle_since_ms = now_ms;
    }

    /// Did the last exchange end so that another may follow? Costs nothing, and tells nothing about
    /// what came since.
    pub(crate) fn is_kept(&self) -> bool {
        self.reusable
    }

    /// Can the connection carry another exchange, as far as is known? It cannot if the server
    /// closed it or sent something that nobody asked for. With [`Care::Usual`] it costs a system
    /// call only if the runtime was told that there is something to read.
    pub(crate) fn is_reusable(&mut self, care: Care) -> bool {
        let has_rested = |now_ms: u32| now_ms.wrapping_sub(self.idle_since_ms) >= IDLE_MIN_MS;
        let asks = matches!(care, Care::High { now_ms } if has_rested(now_ms));
        self.reusable && self.stream.is_quiet() && (!asks || self.stream.is_silent())
    }

    /// Who is at the other end; see [`Stream::peer`].
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer()
    }

    /// Sends a request and reads its whole response.
    ///
    /// A connection whose exchange failed or was dropped is not reusable.
    pub(crate) fn exchange<'a>(
        &'a mut self,
        request: Outgoing<'a>,
        options: &'a Options,
    ) -> Exchange<'a> {
        self.reusable = false;
        Exchange::new(self, request, options)
    }
}

//! One exchange: sends the request and receives the response, both as the stream allows.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::ReadBuf;

use super::decoder::Decoder;
use super::{Answer, Connection, Failure, Options, Outgoing, Stage, scratch};
use crate::error::{Answering, ErrorKind, Fault};
use crate::stream::Stream;

/// What is still to do for the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Bytes {
        sent: usize,
    },
    /// All was handed over; TLS may still hold some of it.
    Flush,
    Done,
    /// The server takes no more. It may have answered before.
    Broken,
}

/// Future of one exchange; see [`Connection::exchange`].
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    connection: &'a mut Connection,
    head: &'a [u8],
    body: &'a Bytes,
    options: &'a Options,
    sending: Sending,
    /// Why sending ended early. Boxed: it is rare, and there may be many of these futures.
    send_error: Option<Box<io::Error>>,
    decoder: Decoder,
    /// Sending ended before the connection had taken a byte.
    unsent: bool,
    has_received: bool,
    head_at: Option<Instant>,
}

impl Future for Exchange<'_> {
    type Output = Result<Answer, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        Poll::Ready(match ready!(this.poll_exchange(cx)) {
            Ok(()) => Ok(this.finish()),
            Err(fault) => {
                let stage = match fault.kind {
                    ErrorKind::Connect if this.unsent => Stage::Unsent,
                    ErrorKind::Connect if !this.has_received => Stage::Unanswered,
                    _ => Stage::Answered,
                };
                Err(Failure { fault, stage })
            }
        })
    }
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        connection: &'a mut Connection,
        request: Outgoing<'a>,
        options: &'a Options,
    ) -> Self {
        Self {
            connection,
            head: request.head,
            body: request.body,
            options,
            sending: Sending::Bytes { sent: 0 },
            send_error: None,
            decoder: Decoder::new(request.head_only, request.keep_body),
            unsent: false,
            has_received: false,
            head_at: None,
        }
    }

    /// Ready when the last byte was received.
    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            let took_nothing = self.sending == Sending::Bytes { sent: 0 };
            self.sending = Sending::Broken;
            if !is_hang_up(&error) {
                return Poll::Ready(Err(self.broken(&error)));
            }
            // TLS may have handed on a part of what it did not take as a whole.
            self.unsent = took_nothing && matches!(self.connection.stream, Stream::Plain(_));
            self.send_error = Some(Box::new(error));
        }
        // Bounded by the limits of the decoder; the runtime's budget makes it pause in between.
        while !self.decoder.is_done() {
            if let Err(fault) = ready!(self.poll_receive(cx)) {
                return Poll::Ready(Err(fault));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn finish(&mut self) -> Answer {
        let done_at = Instant::now();
        let decoded = self.decoder.finish();
        // A server may answer before it has taken the whole request; it would take the next one
        // for the rest of this.
        self.connection.reusable = decoded.keep_alive && self.sending == Sending::Done;
        Answer {
            status: decoded.status,
            reason: decoded.reason,
            headers: decoded.headers,
            body: decoded.body,
            body_bytes: decoded.body_bytes,
            // Head and rest in one read, as most answers come: one look at the clock for both.
            head_at: self.head_at.unwrap_or(done_at),
            done_at,
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (head, body) = (self.head, self.body);
        let stream = &mut self.connection.stream;
        while let Sending::Bytes { sent } = self.sending {
            let head_left = head.get(sent..).unwrap_or_default();
            let body_left = &body[sent.saturating_sub(head.len())..];
            let more = ready!(stream.poll_write(cx, head_left, body_left))?;
            if more == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let sent = sent + more;
            let is_last = sent >= head.len() + body.len();
            self.sending = if is_last { Sending::Flush } else { Sending::Bytes { sent } };
        }
        if self.sending == Sending::Flush {
            ready!(stream.poll_flush(cx))?;
            self.sending = Sending::Done;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once and decodes that.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        scratch::with(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            if let Err(error) = ready!(self.connection.stream.poll_read(cx, &mut buffer)) {
                let first = self.send_error.take().map_or(error, |error| *error);
                return Poll::Ready(Err(self.broken(&first)));
            }
            if buffer.filled().is_empty() {
                return Poll::Ready(self.end());
            }
            (self.has_received, self.unsent) = (true, false);
            let fed = self.decoder.feed(buffer.filled(), self.options);
            if self.head_at.is_none() && self.decoder.has_head() && !self.decoder.is_done() {
                self.head_at = Some(Instant::now());
            }
            Poll::Ready(fed)
        })
    }

    /// The server closed its side.
    fn end(&mut self) -> Result<(), Fault> {
        match self.send_error.take() {
            _ if self.has_received => self.decoder.end(self.options),
            Some(error) => Err(self.broken(&error)),
            None => Err(Fault::closed(Answering::NotBegun)),
        }
    }

    /// The connection has failed.
    fn broken(&self, error: &io::Error) -> Fault {
        let answer = if self.has_received { Answering::Begun } else { Answering::NotBegun };
        Fault::broken(error, answer)
    }
}

/// The server is gone, but what it said before may still be there to read.
fn is_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::BrokenPipe | Kind::ConnectionReset | Kind::ConnectionAborted)
}

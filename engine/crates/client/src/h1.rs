//! HTTP/1.1 on one connection, by hyper. The only module that knows it: everybody else sees
//! [`Connection::open`], [`Connection::ready`], [`Connection::exchange`] and [`Answer`].
//!
//! hyper wants its connection polled beside the request. It runs as a task of its own, which
//! notices at once when the server closes an idle connection; polling it inside the request's
//! future was measured to cost the same and would notice only at the next request. The task is
//! aborted when the [`Connection`] is dropped, so none outlives its session, and a request that
//! is given up (timeout, interrupted user) takes its connection with it.

use std::error::Error as _;
use std::io;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;

use crate::config::ClientConfig;
use crate::error::{CLOSED_EARLY, ErrorKind, Fault, bytes_text};
use crate::stream::{Received, Stream};

/// Capacity that a body of unknown or large size starts with.
const BODY_START_BYTES: usize = 64 << 10;

/// hyper's parser keeps this many headers on the stack, without being told.
const HEADERS_INLINE: usize = 100;

/// What all connections have in common.
#[derive(Debug)]
pub(crate) struct Options {
    builder: Builder,
    head_bytes_max: usize,
    headers_max: usize,
    body_bytes_max: usize,
}

impl Options {
    pub(crate) fn new(config: &ClientConfig) -> Self {
        let mut builder = Builder::new();
        // The read buffer starts at 8 KiB and grows to this only when reads fill it.
        builder.max_buf_size(config.head_bytes_max).max_header_size(config.head_bytes_max);
        if config.headers_max != HEADERS_INLINE {
            builder.max_headers(config.headers_max);
        }
        Self {
            builder,
            head_bytes_max: config.head_bytes_max,
            headers_max: config.headers_max,
            body_bytes_max: config.body_bytes_max,
        }
    }
}

/// An open connection that carries one exchange at a time. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
    received: Received,
    reusable: bool,
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// When the head was complete.
    pub(crate) head_at: Instant,
    /// When the last byte was there.
    pub(crate) done_at: Instant,
}

/// An exchange without an answer. Its connection must not be used again.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    /// The server had closed the connection before it sent a byte of an answer.
    pub(crate) unanswered: bool,
}

impl Connection {
    /// Takes over a stream on which nothing was sent. Must run inside a tokio runtime.
    pub(crate) async fn open(stream: Stream, options: &Options) -> Result<Self, Fault> {
        let received = stream.received();
        let handshake = options.builder.handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.map_err(|error| fault(&error))?;
        // What ends the connection is told to the request that it concerns.
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, task, received, reusable: true })
    }

    /// Can the connection carry another exchange, as far as is known?
    pub(crate) fn is_reusable(&self) -> bool {
        self.reusable && !self.sender.is_closed()
    }

    /// Waits until the previous exchange is wound up. False if the connection is closed.
    pub(crate) async fn ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request and reads its whole response.
    ///
    /// Not cancel safe: a connection whose exchange was dropped must be dropped.
    pub(crate) async fn exchange(
        &mut self,
        request: http::Request<Bytes>,
        options: &Options,
    ) -> Result<Answer, Failure> {
        let bodiless = request.body().is_empty();
        let received_before = self.received.bytes();
        let sent = self.sender.try_send_request(request.map(Full::new)).await;
        let response = sent.map_err(|mut error| {
            let unsent = error.take_message().is_some();
            let received = self.received.bytes() - received_before;
            failure(&error.into_error(), unsent, received, options)
        })?;
        let head_at = Instant::now();
        let (head, body) = response.into_parts();
        let body = read(body, options.body_bytes_max).await;
        let body = body.map_err(|fault| Failure { fault, unanswered: false })?;
        let done_at = Instant::now();
        // A server may answer before it has taken the request's body; hyper would go on sending
        // that, and the next request would wait for it.
        self.reusable = bodiless || self.sender.is_ready();
        Ok(Answer { status: head.status, headers: head.headers, body, head_at, done_at })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads a body to its end. Trailers are read and dropped.
async fn read(mut incoming: Incoming, bytes_max: usize) -> Result<Bytes, Fault> {
    if incoming.is_end_stream() {
        return Ok(Bytes::new());
    }
    let too_large = || {
        let message = format!("response body larger than {}", bytes_text(bytes_max));
        Fault::new(ErrorKind::TooLarge, message)
    };
    let announced = usize::try_from(incoming.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > bytes_max {
        return Err(too_large());
    }
    // Most bodies are one piece, which is passed on as it is.
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(piece) = frame.map_err(|error| fault(&error))?.into_data() else {
            continue;
        };
        if first.len().max(all.len()) + piece.len() > bytes_max {
            return Err(too_large());
        }
        if first.is_empty() && all.is_empty() {
            first = piece;
        } else {
            if all.is_empty() {
                all.reserve((first.len() + piece.len()).max(announced.min(BODY_START_BYTES)));
                all.extend_from_slice(&first);
                first = Bytes::new();
            }
            all.extend_from_slice(&piece);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn failure(error: &hyper::Error, unsent: bool, received: u64, options: &Options) -> Failure {
    if error.is_parse_too_large() {
        let message = if received >= options.head_bytes_max as u64 {
            format!("response head larger than {}", bytes_text(options.head_bytes_max))
        } else {
            format!("response head with more than {} headers", options.headers_max)
        };
        let fault = Fault::new(ErrorKind::TooLarge, message);
        return Failure { fault, unanswered: false };
    }
    let fault = fault(error);
    let unanswered = unsent || (received == 0 && fault.kind == ErrorKind::Connect);
    Failure { fault, unanswered }
}

/// Says hyper's error in our words; hyper's own may change with its version.
fn fault(error: &hyper::Error) -> Fault {
    if let Some(io) = io_cause(error) {
        return match io.kind() {
            // hyper's decoder says so when a chunk or a trailer is malformed.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
                if crate::error::tls_cause(io).is_none() =>
            {
                Fault::new(ErrorKind::Protocol, "malformed chunked body")
            }
            _ => Fault::io(io),
        };
    }
    if error.is_parse() {
        return Fault::new(ErrorKind::Protocol, "malformed response head");
    }
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return Fault::new(ErrorKind::Connect, CLOSED_EARLY);
    }
    Fault::new(ErrorKind::Protocol, error.to_string())
}

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    // hyper nests one or two levels; the bound is for what it might do later.
    for _level in 0..8 {
        let current = cause?;
        if let Some(io) = current.downcast_ref() {
            return Some(io);
        }
        cause = current.source();
    }
    None
}

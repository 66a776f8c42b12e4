//! The byte stream of a connection, held so that it can be closed at once.
//!
//! capnp-rpc keeps its half of the stream as long as any capability of the connection lives, and
//! a master keeps a worker's capability in its tables. So the stream sits in a slot that its
//! driver empties at the end: the socket closes then, whoever still holds a half.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::end::End;

/// One of the holders of a stream; all of them are on one thread.
pub(crate) struct Stream<S> {
    /// `None` when it is closed.
    slot: Rc<RefCell<Option<S>>>,
    end: End,
}

impl<S> Clone for Stream<S> {
    fn clone(&self) -> Self {
        Stream { slot: Rc::clone(&self.slot), end: self.end.clone() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    pub(crate) fn new(stream: S, end: End) -> Stream<S> {
        Stream { slot: Rc::new(RefCell::new(Some(stream))), end }
    }

    /// Closes the stream for all holders, without waiting for a peer that does not read.
    pub(crate) fn close(&self) {
        if let Some(mut stream) = self.slot.borrow_mut().take() {
            // TLS says goodbye when there is room for it, and TCP ends its direction.
            let _ = stream.shutdown().now_or_never();
        }
    }

    fn poll_open<T>(
        &self,
        poll: impl FnOnce(Pin<&mut S>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match self.slot.borrow_mut().as_mut() {
            Some(stream) => poll(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> futures_util::io::AsyncRead for Stream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let asked = !buffer.is_empty();
        let mut buffer = ReadBuf::new(buffer);
        let read = ready!(self.poll_open(|stream| stream.poll_read(cx, &mut buffer)));
        // TLS calls it unexpected when a process ends without its goodbye.
        let cut = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
        if asked && read.as_ref().map_or_else(cut, |()| buffer.filled().is_empty()) {
            self.end.peer_closed();
        }
        read?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> futures_util::io::AsyncWrite for Stream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_open(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_open(|stream| stream.poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_open(|stream| stream.poll_shutdown(cx))
    }
}

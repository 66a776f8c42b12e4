//! The bytes below HTTP: plain or TLS.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// An open connection to a server.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Bytes as they are.
    Plain(TcpStream),
    /// Boxed: a TLS state is a kilobyte that plain connections should not carry.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) fn plain(tcp: TcpStream) -> Self {
        Self::Plain(tcp)
    }

    pub(crate) fn tls(tls: TlsStream<TcpStream>) -> Self {
        Self::Tls(Box::new(tls))
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        }
    }

    /// Writes from the begin of `first`, and of `second` when all of `first` was taken, in one
    /// system call.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        let both = [IoSlice::new(first), IoSlice::new(second)];
        let single = if second.is_empty() { Some(first) } else { None };
        match (self, single) {
            (Self::Plain(tcp), Some(bytes)) => Pin::new(tcp).poll_write(cx, bytes),
            (Self::Plain(tcp), None) => Pin::new(tcp).poll_write_vectored(cx, &both),
            (Self::Tls(tls), Some(bytes)) => Pin::new(tls).poll_write(cx, bytes),
            (Self::Tls(tls), None) => Pin::new(tls).poll_write_vectored(cx, &both),
        }
    }

    /// Ready when nothing that was written is held back on this side.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            // The kernel has it all.
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    /// Who is at the other end. Costs a system call; `None` if the connection has ended by a reset.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        let peer = self.tcp().peer_addr().ok()?;
        // As it was connected to: without what the kernel tells of the way there.
        Some(SocketAddr::new(peer.ip(), peer.port()))
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Whether the kernel holds neither bytes of the peer nor its end. Costs a system call, and
    /// tells what the runtime has not been told yet: it asks the kernel between two turns of its
    /// tasks.
    pub(crate) fn is_silent(&self) -> bool {
        would_block(SockRef::from(self.tcp()).peek(&mut [MaybeUninit::uninit()]))
    }

    /// Whether the peer has neither closed the stream nor sent anything since the last read, as far
    /// as the runtime was told. What it sent is lost.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        match self {
            // No system call unless the runtime knows of something.
            Self::Plain(tcp) => would_block(tcp.try_read(&mut byte)),
            Self::Tls(tls) => {
                let (tcp, session) = tls.get_ref();
                if !session.wants_read() {
                    // Something decrypted waits, or the peer said farewell.
                    return false;
                }
                if would_block(tcp.try_io(Interest::READABLE, || Ok(()))) {
                    return true;
                }
                // It may be a session ticket: those come after the handshake, without being
                // asked for, and say nothing.
                let mut cx = Context::from_waker(Waker::noop());
                Pin::new(tls).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
            }
        }
    }
}

fn would_block<T>(outcome: io::Result<T>) -> bool {
    outcome.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

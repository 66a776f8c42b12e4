//! One connection, from bytes to bytes.
//!
//! Requests are taken from the read buffer for as long as they are complete, their answers
//! collected, and sent in one write. Whatever waits - for bytes, for room, for a delay - waits
//! between such batches.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::answer::Answer;
use crate::body::{Decoder, Framing};
use crate::pool::READ_BYTES;
use crate::request::{Manner, Persist, Refusal, Request, parse};
use crate::routes::reply;
use crate::server::Thread;
use crate::slow::{Slow, perform};

/// Answers collected before they are sent although more requests could be answered.
const BATCH_BYTES: usize = 64 * 1024;
/// After a refusal, how long the rest of the request is awaited and thrown away.
const LINGER: Duration = Duration::from_secs(1);
/// After a refusal, how many reads of it are thrown away.
const LINGER_READS_MAX: usize = 1024;

/// A client's connection. Holds buffers only while there is something in them.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) thread: Rc<Thread>,
    /// Borrowed from the thread's pool; the bytes `start..end` are not taken yet.
    input: Option<Box<[u8]>>,
    start: usize,
    end: usize,
    /// Answers not sent yet; borrowed from the pool when there are any.
    out: Vec<u8>,
    /// The request whose body is still arriving. Boxed to keep idle connections small.
    arriving: Option<Box<(Request, Decoder)>>,
}

/// What comes after a batch.
enum Next {
    /// Another batch at once.
    Batch,
    /// Bytes from the client.
    Read,
    /// What a reply left to do.
    Slow(Slow, Manner),
    /// The end, as agreed with the client.
    Close,
    /// The end, because of what the client sent.
    Refused,
}

/// Serves a connection until either side ends it.
pub(crate) async fn serve(stream: TcpStream, thread: Rc<Thread>) {
    let mut connection = Connection::new(stream, thread);
    // That clients come and go, even in the middle of a request, is no news for a target.
    if let Err(error) = connection.run().await {
        tracing::trace!(%error, "connection ended");
    }
}

impl Connection {
    fn new(stream: TcpStream, thread: Rc<Thread>) -> Self {
        thread.shared.ledger.opened(thread.index);
        Self { stream, thread, input: None, start: 0, end: 0, out: Vec::new(), arriving: None }
    }

    async fn run(&mut self) -> io::Result<()> {
        loop {
            let next = self.batch();
            self.send().await?;
            match next {
                Next::Batch => {}
                Next::Read => {
                    if self.read().await? == 0 {
                        return Ok(());
                    }
                }
                Next::Slow(slow, manner) => {
                    // Boxed to keep idle connections small.
                    if !Box::pin(perform(slow, self, manner)).await? {
                        return Ok(());
                    }
                }
                Next::Close => return Ok(()),
                Next::Refused => return Box::pin(self.linger()).await,
            }
        }
    }

    /// Answers the requests that are complete.
    fn batch(&mut self) -> Next {
        let mut out = self.thread.pool.take_write();
        let next = loop {
            if out.len() >= BATCH_BYTES {
                break Next::Batch;
            }
            match self.request(&mut out) {
                Ok(None) => break Next::Read,
                Ok(Some((request, body))) => {
                    if let Some(slow) = reply(&self.thread, &request, &body, &mut out) {
                        break Next::Slow(slow, request.manner);
                    }
                    if !request.manner.persist.keeps() {
                        break Next::Close;
                    }
                }
                Err(refusal) => {
                    self.refuse(refusal, &mut out);
                    break Next::Refused;
                }
            }
        };
        self.out = out;
        next
    }

    /// The next request with its body, if it is complete. Counts it once its head is.
    fn request(&mut self, out: &mut Vec<u8>) -> Result<Option<(Request, Vec<u8>)>, Refusal> {
        let mut arriving = match self.arriving.take() {
            Some(arriving) => arriving,
            None => match self.head()? {
                None => return Ok(None),
                Some(request) if request.framing == Framing::None => {
                    return Ok(Some((request, Vec::new())));
                }
                Some(request) => {
                    let decoder = Decoder::new(request.framing)
                        .inspect_err(|refusal| self.count_status(&request, *refusal))?;
                    Box::new((request, decoder))
                }
            },
        };
        let (request, decoder) = arriving.as_mut();
        let taken = decoder
            .decode(self.unread())
            .inspect_err(|refusal| self.count_status(request, *refusal))?;
        self.start += taken;
        if decoder.is_done() {
            let (request, decoder) = *arriving;
            return Ok(Some((request, decoder.into_body())));
        }
        if std::mem::take(&mut request.expects_continue) && taken == 0 {
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.arriving = Some(arriving);
        Ok(None)
    }

    fn head(&mut self) -> Result<Option<Request>, Refusal> {
        let Some(parsed) = parse(self.unread())? else {
            return Ok(None);
        };
        if parsed.request.route.is_counted() {
            self.thread.shared.ledger.request(self.thread.index, parsed.path);
        }
        let (request, length) = (parsed.request, parsed.length);
        self.start += length;
        Ok(Some(request))
    }

    /// A request whose head was counted is refused for its body: its status counts as well.
    fn count_status(&self, request: &Request, refusal: Refusal) {
        if request.route.is_counted() {
            self.thread.count_answer(refusal.status());
        }
    }

    fn refuse(&self, refusal: Refusal, out: &mut Vec<u8>) {
        self.thread.shared.ledger.bad_request(self.thread.index);
        let manner = Manner { persist: Persist::Close, head_only: false };
        Answer::text(refusal.status(), &format!("{refusal}\n")).write(out, manner);
    }

    /// Sends an answer made after a batch.
    pub(crate) async fn answer(&mut self, answer: &Answer<'_>, manner: Manner) -> io::Result<()> {
        let mut out = self.thread.pool.take_write();
        self.thread.answer(answer, manner, &mut out);
        self.out = out;
        self.send().await
    }

    /// Sends an answer made after a batch that does not count.
    pub(crate) async fn answer_uncounted(
        &mut self,
        answer: &Answer<'_>,
        manner: Manner,
    ) -> io::Result<()> {
        let mut out = self.thread.pool.take_write();
        answer.write(&mut out, manner);
        self.out = out;
        self.send().await
    }

    /// Sends what was collected and gives the buffer back.
    async fn send(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).await?;
        }
        self.thread.pool.give_write(std::mem::take(&mut self.out));
        Ok(())
    }

    fn unread(&self) -> &[u8] {
        self.input.as_deref().map_or(&[], |input| &input[self.start..self.end])
    }

    /// Waits for bytes and returns how many came; 0 when the client is done.
    async fn read(&mut self) -> io::Result<usize> {
        poll_fn(|context| self.poll_read(context)).await
    }

    /// Holds a buffer while it polls, and afterwards only if there is something in it.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut input = self.input.take().unwrap_or_else(|| self.thread.pool.take_read());
        if self.start > 0 {
            input.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        assert!(self.end < READ_BYTES, "limits on heads and chunks leave room to read");
        let mut room = ReadBuf::new(&mut input[self.end..]);
        let polled = Pin::new(&mut self.stream).poll_read(context, &mut room);
        let read = room.filled().len();
        self.end += read;
        if self.end == 0 {
            self.thread.pool.give_read(input);
        } else {
            self.input = Some(input);
        }
        polled.map_ok(|()| read)
    }

    /// Waits until the client has closed its side. What it sends until then is kept, as far as
    /// there is room for it.
    pub(crate) async fn gone(&mut self) {
        while self.end - self.start < READ_BYTES {
            if !matches!(self.read().await, Ok(1..)) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Lets the client read the refusal: closing with bytes unread would reset the connection,
    /// and the answer would be lost on its way.
    async fn linger(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let drain = async {
            for _ in 0..LINGER_READS_MAX {
                (self.start, self.end) = (0, 0);
                if self.read().await? == 0 {
                    break;
                }
            }
            Ok(())
        };
        timeout(LINGER, drain).await.unwrap_or(Ok(()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(input) = self.input.take() {
            self.thread.pool.give_read(input);
        }
        self.thread.shared.ledger.closed(self.thread.index);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::counts::Ledger;
    use crate::pool::Pool;
    use crate::routes::Pages;
    use crate::server::Shared;
    use crate::shop::Shop;

    /// What 10,000 idle connections cost depends on this alone, beside the system's sockets.
    #[test]
    fn an_idle_connection_is_small_and_holds_no_buffer() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ledger, shop) = (Ledger::new(1), Shop::new(1));
            let shared = Arc::new(Shared { ledger, member: None, shop });
            let thread = Thread { index: 0, shared, pool: Pool::default(), pages: Pages::new() };
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = Connection::new(stream, Rc::new(thread));
            client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            let mut answer = [0; 64];
            tokio::select! {
                ended = connection.run() => panic!("the connection is to be kept: {ended:?}"),
                read = client.read(&mut answer) => assert!(read.unwrap() > 0),
            }
            assert_eq!(connection.thread.shared.ledger.counts().statuses[&200], 1);
            assert!(connection.input.is_none() && connection.out.capacity() == 0);
            let size = size_of_val(&connection) + size_of_val(&connection.run());
            assert!(size <= 512, "{size} bytes");
        });
    }
}

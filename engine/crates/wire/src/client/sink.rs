//! Where a module's bytes arrive: queued by the RPC dispatcher, taken by the fetching future.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;

use capnp::Error;
use capnp::capability::Response;
use capnp_rpc::new_client;
use tokio::sync::{mpsc, oneshot};

use super::malformed;
use crate::error::WireError;
use crate::generated::swarm_capnp::{byte_sink, session::fetch_module_results};
use crate::limits::{MODULE_BYTES_MAX, MODULE_CHUNK_BYTES, MODULE_CHUNKS_QUEUED_MAX};

/// Bytes, and who waits for them to be taken: the sender's flow control.
type Chunk = (Vec<u8>, oneshot::Sender<()>);

/// The master's end of the sink, and ours.
pub(super) fn channel<F>(offset: u64, sink: F) -> (byte_sink::Client, Taking<F>)
where
    F: FnMut(&[u8]) -> io::Result<()>,
{
    let (chunks, queue) = mpsc::channel(MODULE_CHUNKS_QUEUED_MAX);
    (new_client(SinkServer { chunks }), Taking { queue, sink, position: offset })
}

struct SinkServer {
    chunks: mpsc::Sender<Chunk>,
}

impl byte_sink::Server for SinkServer {
    /// Queues at once, in the order of arrival, and answers when the bytes are taken.
    fn write(
        self: Rc<Self>,
        params: byte_sink::WriteParams,
    ) -> impl Future<Output = Result<(), Error>> + 'static {
        let taken = self.queue(&params);
        async move {
            taken?.await.map_err(|_| Error::failed("the bytes are not wanted any more".into()))
        }
    }

    async fn done(
        self: Rc<Self>,
        _params: byte_sink::DoneParams,
        _results: byte_sink::DoneResults,
    ) -> Result<(), Error> {
        Ok(())
    }
}

impl SinkServer {
    fn queue(&self, params: &byte_sink::WriteParams) -> Result<oneshot::Receiver<()>, Error> {
        let bytes = params.get()?.get_bytes()?;
        if bytes.len() > MODULE_CHUNK_BYTES {
            let len = bytes.len();
            return Err(Error::failed(format!(
                "a chunk of {len} bytes, the most is {MODULE_CHUNK_BYTES}"
            )));
        }
        let (done, taken) = oneshot::channel();
        self.chunks
            .try_send((bytes.to_vec(), done))
            .map_err(|_| Error::overloaded("more bytes than the sink takes".into()))?;
        Ok(taken)
    }
}

/// Hands chunks to the sink while the master sends them.
pub(super) struct Taking<F> {
    queue: mpsc::Receiver<Chunk>,
    sink: F,
    /// Where in the module the next byte belongs.
    position: u64,
}

type Answer = Response<fetch_module_results::Owned>;

impl<F: FnMut(&[u8]) -> io::Result<()>> Taking<F> {
    /// Takes chunks until the master has answered; checks that they were all.
    pub(super) async fn until(
        mut self,
        answer: impl Future<Output = Result<Answer, WireError>>,
    ) -> Result<u64, WireError> {
        let mut answer = pin!(answer);
        let answer = loop {
            tokio::select! {
                biased;
                Some(chunk) = self.queue.recv() => self.take(chunk)?,
                answer = &mut answer => break answer?,
            }
        };
        while let Ok(chunk) = self.queue.try_recv() {
            self.take(chunk)?;
        }
        let size = malformed(answer.get())?.get_size();
        if self.position != size {
            let position = self.position;
            return Err(WireError::Module(format!("it ends at {position} of {size} bytes")));
        }
        Ok(size)
    }

    fn take(&mut self, (bytes, done): Chunk) -> Result<(), WireError> {
        self.position = self.position.saturating_add(bytes.len() as u64);
        if self.position > MODULE_BYTES_MAX {
            return Err(WireError::Module(format!("it is longer than {MODULE_BYTES_MAX} bytes")));
        }
        (self.sink)(&bytes).map_err(|error| WireError::Module(error.to_string()))?;
        let _ = done.send(());
        Ok(())
    }
}

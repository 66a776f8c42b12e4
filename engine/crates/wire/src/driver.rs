//! What makes a connection go: reads, dispatches and writes until the connection ends.

use capnp::capability::{Client, FromClientHook};
use capnp_futures::serialize::write_message;
use capnp_rpc::RpcSystem;
use capnp_rpc::rpc_twoparty_capnp::Side;
use futures_util::FutureExt;
use futures_util::io::{AsyncWriteExt, BufWriter};
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use crate::end::{End, said};
use crate::network::{Allowance, Message, Network};
use crate::stream::Stream;

/// Turns of the runtime that capnp-rpc gets to release its tables after the end.
const TURNS_AFTER_END: usize = 16;

/// One side of a connection. Dropping it closes the connection.
pub(crate) struct Driver<S: AsyncRead + AsyncWrite + Unpin + 'static> {
    rpc: RpcSystem<Side>,
    queue: mpsc::Receiver<Message>,
    stream: Stream<S>,
    end: End,
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Driver<S> {
    /// The side that answers, offering `bootstrap`.
    pub(crate) fn server(
        stream: S,
        bootstrap: Client,
        allowance: Rc<Allowance>,
        end: &End,
    ) -> Driver<S> {
        let stream = Stream::new(stream, end.clone());
        let (network, queue) = Network::new(stream.clone(), Side::Client, allowance, end.clone());
        let rpc = RpcSystem::new(Box::new(network), Some(bootstrap));
        Driver { rpc, queue, stream, end: end.clone() }
    }

    /// The side that dials, and what the other side offers.
    pub(crate) fn client<C: FromClientHook>(stream: S, end: &End) -> (Driver<S>, C) {
        let stream = Stream::new(stream, end.clone());
        let (network, queue) =
            Network::new(stream.clone(), Side::Server, Allowance::full(), end.clone());
        let mut rpc = RpcSystem::new(Box::new(network), None);
        let bootstrap = rpc.bootstrap(Side::Server);
        (Driver { rpc, queue, stream, end: end.clone() }, bootstrap)
    }

    /// Works until the connection ends; [`End`] then says why.
    pub(crate) async fn run(mut self) {
        let ended = async {
            self.end.wait().await;
            for _ in 0..TURNS_AFTER_END {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            result = &mut self.rpc => match result {
                Ok(()) => self.end.set("closed by this side"),
                Err(error) => self.end.set(&said(&error)),
            },
            error = write_queued(&mut self.queue, self.stream.clone()) => {
                self.end.set(&format!("cannot write to the other side: {error}"));
            }
            () = ended => {}
        }
    }
}

/// Writes messages in their order; flushes when none is left, so that many small ones share a
/// packet. Returns why that came to an end.
async fn write_queued<S: AsyncRead + AsyncWrite + Unpin>(
    queue: &mut mpsc::Receiver<Message>,
    stream: Stream<S>,
) -> String {
    let mut output = BufWriter::new(stream);
    while let Some(message) = queue.recv().await {
        if let Err(error) = write_message(&mut output, &*message).await {
            return said(&error);
        }
        if queue.is_empty()
            && let Err(error) = output.flush().await
        {
            return error.to_string();
        }
    }
    "nothing is left that could be written".to_owned()
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Drop for Driver<S> {
    fn drop(&mut self) {
        self.end.set("closed by this side");
        // capnp-rpc learns of the end when it is polled, and only then frees what the two sides
        // hold of one another. After a panic its state is not to be trusted.
        if !std::thread::panicking() {
            let _ = (&mut self.rpc).now_or_never();
        }
        self.stream.close();
    }
}

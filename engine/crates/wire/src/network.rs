//! How capnp-rpc reaches the other side: messages over one stream.
//!
//! The library's own two-party network queues outgoing messages without a limit, has one limit
//! for all incoming ones, and waits at the end for a peer that may never read. This one limits
//! the queue, keeps a peer short until it is registered, and ends when [`End`] says so.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use capnp::any_pointer;
use capnp::capability::Promise;
use capnp::message::{Builder, HeapAllocator, Reader, ReaderOptions};
use capnp::serialize::OwnedSegments;
use capnp_futures::serialize::try_read_message;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{Connection, IncomingMessage, OutgoingMessage, VatNetwork};
use futures_util::io::{AsyncRead, BufReader};
use swarm_core::bucket::Bucket;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::end::{End, said};
use crate::limits::{
    MESSAGE_BYTES_MAX, MESSAGE_INTERVAL_MIN, MESSAGES_BURST, MESSAGES_QUEUED_MAX, NESTING_MAX,
    TRAVERSAL_WORDS_MAX, UNREGISTERED_MESSAGE_BYTES_MAX, UNREGISTERED_MESSAGES_MAX,
};

pub(crate) type Message = Rc<Builder<HeapAllocator>>;

/// How much a peer may send.
pub(crate) struct Allowance {
    /// How many messages are left to a peer that is not registered.
    messages_left: Cell<Option<u32>>,
    /// How often messages of whatever kind may come.
    rate: RefCell<Bucket>,
    since: Instant,
}

impl Allowance {
    fn new(messages_left: Option<u32>) -> Rc<Allowance> {
        Rc::new(Allowance {
            messages_left: Cell::new(messages_left),
            rate: RefCell::new(Bucket::new(MESSAGE_INTERVAL_MIN, MESSAGES_BURST)),
            since: Instant::now(),
        })
    }

    /// For a peer that nobody knows yet.
    pub(crate) fn unregistered() -> Rc<Allowance> {
        Allowance::new(Some(UNREGISTERED_MESSAGES_MAX))
    }

    /// For a peer that we know: the full limits of [`crate::limits`].
    pub(crate) fn full() -> Rc<Allowance> {
        Allowance::new(None)
    }

    /// The peer is registered now.
    pub(crate) fn raise(&self) {
        self.messages_left.set(None);
    }

    /// Counts a message; an error says that it is one too many.
    fn take(&self) -> capnp::Result<()> {
        match self.messages_left.get() {
            None if self.rate.borrow_mut().take(self.since.elapsed()) => Ok(()),
            None => Err(capnp::Error::failed("it sends more messages than it may".into())),
            Some(0) => Err(capnp::Error::failed(format!(
                "more than {UNREGISTERED_MESSAGES_MAX} messages without a registration"
            ))),
            Some(left) => {
                self.messages_left.set(Some(left - 1));
                Ok(())
            }
        }
    }

    fn message_bytes_max(&self) -> usize {
        match self.messages_left.get() {
            None => MESSAGE_BYTES_MAX,
            Some(_) => UNREGISTERED_MESSAGE_BYTES_MAX,
        }
    }
}

struct Shared<R> {
    /// Taken while a message is being read.
    input: RefCell<Option<BufReader<R>>>,
    output: mpsc::Sender<Message>,
    allowance: Rc<Allowance>,
    end: End,
    /// Set when capnp-rpc has let go of the connection.
    shut_down: End,
    /// Whether a message has been understood: who never sent one speaks something else.
    speaks: Cell<bool>,
    /// The peer's side.
    peer: Side,
}

impl<R: AsyncRead + Unpin> Shared<R> {
    /// The next message; `None` at the end, whose cause [`End`] then holds.
    async fn receive(&self) -> Option<Reader<OwnedSegments>> {
        let mut input = self.input.borrow_mut().take()?;
        let received = tokio::select! {
            biased;
            _ = self.end.wait() => return None,
            received = read_message(&mut input, &self.allowance) => received,
        };
        *self.input.borrow_mut() = Some(input);
        match received {
            Ok(Some(message)) => {
                self.speaks.set(true);
                return Some(message);
            }
            Ok(None) => self.end.set("the other side closed the connection"),
            Err(error) if self.speaks.get() => {
                self.end.set(&format!("cannot read from the other side: {}", said(&error)));
            }
            Err(error) => self
                .end
                .set(&format!("the other side does not speak swarm's protocol: {}", said(&error))),
        }
        None
    }
}

async fn read_message(
    input: impl AsyncRead + Unpin,
    allowance: &Allowance,
) -> capnp::Result<Option<Reader<OwnedSegments>>> {
    let mut options = ReaderOptions::new();
    options.traversal_limit_in_words(Some(allowance.message_bytes_max() / 8));
    options.nesting_limit(NESTING_MAX);
    let Some(message) = try_read_message(input, options).await? else { return Ok(None) };
    allowance.take()?;
    options.traversal_limit_in_words(Some(TRAVERSAL_WORDS_MAX));
    Ok(Some(Reader::new(message.into_segments(), options)))
}

/// The network of one connection: this side and the other.
pub(crate) struct Network<R> {
    shared: Rc<Shared<R>>,
    accepted: bool,
}

impl<R: AsyncRead + Unpin + 'static> Network<R> {
    /// A network that reads from `input`, and the queue of what it wants written.
    pub(crate) fn new(
        input: R,
        peer: Side,
        allowance: Rc<Allowance>,
        end: End,
    ) -> (Network<R>, mpsc::Receiver<Message>) {
        let (output, queue) = mpsc::channel(MESSAGES_QUEUED_MAX);
        let shared = Rc::new(Shared {
            input: RefCell::new(Some(BufReader::new(input))),
            output,
            allowance,
            end,
            shut_down: End::new(),
            speaks: Cell::new(false),
            peer,
        });
        (Network { shared, accepted: false }, queue)
    }

    fn connection(&self) -> Box<dyn Connection<Side>> {
        Box::new(Link(Rc::clone(&self.shared)))
    }
}

impl<R: AsyncRead + Unpin + 'static> VatNetwork<Side> for Network<R> {
    fn connect(&mut self, host: Side) -> Option<Box<dyn Connection<Side>>> {
        (host == self.shared.peer).then(|| self.connection())
    }

    fn accept(&mut self) -> Promise<Box<dyn Connection<Side>>, capnp::Error> {
        if std::mem::replace(&mut self.accepted, true) {
            return Promise::from_future(std::future::pending());
        }
        Promise::ok(self.connection())
    }

    fn drive_until_shutdown(&mut self) -> Promise<(), capnp::Error> {
        let shared = Rc::clone(&self.shared);
        Promise::from_future(async move {
            shared.shut_down.wait().await;
            Ok(())
        })
    }
}

struct Link<R>(Rc<Shared<R>>);

impl<R: AsyncRead + Unpin + 'static> Connection<Side> for Link<R> {
    fn get_peer_vat_id(&self) -> Side {
        self.0.peer
    }

    fn new_outgoing_message(&mut self, first_segment_words: u32) -> Box<dyn OutgoingMessage> {
        let allocator = HeapAllocator::new().first_segment_words(first_segment_words);
        Box::new(Outgoing {
            message: Builder::new(allocator),
            output: self.0.output.clone(),
            end: self.0.end.clone(),
        })
    }

    fn receive_incoming_message(
        &mut self,
    ) -> Promise<Option<Box<dyn IncomingMessage>>, capnp::Error> {
        let shared = Rc::clone(&self.0);
        Promise::from_future(async move {
            let message = shared.receive().await;
            Ok(message.map(|message| Box::new(Incoming(message)) as Box<dyn IncomingMessage>))
        })
    }

    /// capnp-rpc shuts down after [`End`], or because the peer broke the RPC protocol; what is
    /// still queued is not waited for.
    fn shutdown(&mut self, result: capnp::Result<()>) -> Promise<(), capnp::Error> {
        match result {
            Ok(()) => self.0.end.set("closed by this side"),
            Err(error) => self.0.end.set(&format!("protocol error: {}", said(&error))),
        }
        self.0.shut_down.set("shut down");
        Promise::ok(())
    }
}

struct Incoming(Reader<OwnedSegments>);

impl IncomingMessage for Incoming {
    fn get_body(&self) -> capnp::Result<any_pointer::Reader<'_>> {
        self.0.get_root()
    }
}

struct Outgoing {
    message: Builder<HeapAllocator>,
    output: mpsc::Sender<Message>,
    end: End,
}

impl OutgoingMessage for Outgoing {
    fn get_body(&mut self) -> capnp::Result<any_pointer::Builder<'_>> {
        self.message.get_root()
    }

    fn get_body_as_reader(&self) -> capnp::Result<any_pointer::Reader<'_>> {
        self.message.get_root_as_reader()
    }

    /// Queues the message, unless the connection has ended and nobody will write it. Nobody waits
    /// for the promise that it is written: an answer says more.
    fn send(self: Box<Self>) -> (Promise<(), capnp::Error>, Message) {
        let message = Rc::new(self.message);
        if self.end.reason().is_some() {
            return (Promise::ok(()), message);
        }
        if let Err(mpsc::error::TrySendError::Full(_)) = self.output.try_send(Rc::clone(&message)) {
            self.end.set(&format!(
                "the other side does not read: {MESSAGES_QUEUED_MAX} messages wait to be sent"
            ));
        }
        (Promise::ok(()), message)
    }

    fn take(self: Box<Self>) -> Builder<HeapAllocator> {
        self.message
    }

    fn size_in_words(&self) -> usize {
        self.message.size_in_words()
    }
}

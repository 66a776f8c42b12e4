//! Reaching a master and registering.

use std::rc::Rc;
use std::time::Duration;

use swarm_core::message::{Order, WorkerInfo};
use swarm_wire::{Accepted, ConnectError, Session, WorkerHandler};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::MasterAddress;

/// How long one attempt to connect may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Capacity of a connection in memory, each way, in bytes.
const DUPLEX_BYTES: usize = 256 << 10;

/// First and longest pause between two attempts.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What comes from the master.
#[derive(Debug)]
pub(super) enum FromMaster {
    Order(Box<Order>),
    Quit(String),
}

/// Hands over what comes from the master.
struct Inbox(mpsc::Sender<FromMaster>);

impl WorkerHandler for Inbox {
    async fn order(&self, order: Order) {
        // Waits while earlier orders are not taken: the master then keeps only the newest. An
        // error says that this connection is no longer of interest.
        let _ = self.0.send(FromMaster::Order(Box::new(order))).await;
    }

    fn quit(&self, reason: String) {
        let _ = self.0.try_send(FromMaster::Quit(reason));
    }
}

/// Orders that may wait for the control loop, and a quit.
const INBOX_MAX: usize = 4;

/// A connection to a master.
pub(super) struct Link {
    pub(super) session: Rc<Session>,
    pub(super) accepted: Accepted,
    pub(super) inbox: mpsc::Receiver<FromMaster>,
}

/// Why there is no link.
pub(super) enum DialError {
    /// Trying again is of no use.
    Refused(String),
    /// It may come back.
    Failed(String),
}

/// Makes one attempt.
pub(super) async fn dial(address: &MasterAddress, info: &WorkerInfo) -> Result<Link, DialError> {
    let (sender, inbox) = mpsc::channel(INBOX_MAX);
    let handler = Rc::new(Inbox(sender));
    let result = match address {
        MasterAddress::Tcp { host, port } => {
            let connecting = TcpStream::connect((host.as_str(), *port));
            let stream = match tokio::time::timeout(CONNECT_MAX, connecting).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return Err(DialError::Failed(error.to_string())),
                Err(_) => return Err(DialError::Failed("no answer".to_owned())),
            };
            // Small messages that must not wait for each other.
            let _ = stream.set_nodelay(true);
            swarm_wire::connect(stream, info, handler).await
        }
        MasterAddress::InProcess(dial) => {
            let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
            if dial.send(theirs).await.is_err() {
                return Err(DialError::Failed("the master has ended".to_owned()));
            }
            swarm_wire::connect(ours, info, handler).await
        }
    };
    match result {
        Ok((session, accepted)) => Ok(Link { session: Rc::new(session), accepted, inbox }),
        Err(ConnectError::Refused(reason)) => Err(DialError::Refused(reason)),
        Err(error) => Err(DialError::Failed(error.to_string())),
    }
}

/// Pauses between attempts: double each time.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The pause before the next attempt.
    pub(super) fn next(&mut self) -> Duration {
        let pause = PAUSE_MIN * 2_u32.saturating_pow(self.attempts.min(16));
        self.attempts += 1;
        pause.min(PAUSE_MAX)
    }

    /// The last attempt went well.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }
}

//! Why and when a connection ended: the first cause wins, and everybody can wait for it.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::watch;

use crate::error::WireError;

/// Shared by all that belongs to one connection.
#[derive(Clone)]
pub(crate) struct End {
    reason: Rc<watch::Sender<Option<Rc<str>>>>,
    by_peer: Rc<Cell<bool>>,
}

impl End {
    pub(crate) fn new() -> End {
        End { reason: Rc::new(watch::Sender::new(None)), by_peer: Rc::new(Cell::new(false)) }
    }

    /// Ends the connection, unless it has ended already.
    pub(crate) fn set(&self, reason: &str) {
        self.reason.send_if_modified(|slot| {
            let first = slot.is_none();
            if first {
                *slot = Some(reason.into());
            }
            first
        });
    }

    /// The other side has closed the connection, if it was open.
    pub(crate) fn peer_closed(&self) {
        if self.reason.borrow().is_none() {
            self.by_peer.set(true);
        }
    }

    /// Was it the other side that closed the connection?
    pub(crate) fn is_by_peer(&self) -> bool {
        self.by_peer.get()
    }

    /// Why it has ended, if it has.
    pub(crate) fn reason(&self) -> Option<Rc<str>> {
        self.reason.borrow().clone()
    }

    /// Waits for the end. Cancel safe.
    pub(crate) async fn wait(&self) -> Rc<str> {
        let mut receiver = self.reason.subscribe();
        let ended = receiver.wait_for(Option::is_some).await;
        ended
            .ok()
            .and_then(|reason| reason.clone())
            .expect("self holds the sender, the slot is set")
    }

    /// What a call made after the end, or cut off by it, fails with.
    pub(crate) async fn error(&self) -> WireError {
        WireError::Closed(self.wait().await.to_string())
    }

    /// Waits for the answer to a call, but not longer than the connection lasts: a call that is
    /// left behind by the end would wait for ever.
    pub(crate) async fn call<T>(
        &self,
        answer: impl Future<Output = capnp::Result<T>>,
    ) -> Result<T, WireError> {
        let answer = tokio::select! {
            biased;
            error = self.error() => return Err(error),
            answer = answer => answer,
        };
        answer.map_err(|error| match self.reason() {
            Some(reason) => WireError::Closed(reason.to_string()),
            None => WireError::Remote(said(&error)),
        })
    }
}

/// The words of an error that came over the connection, without the library's frame.
pub(crate) fn said(error: &capnp::Error) -> String {
    match error.extra.strip_prefix("remote exception: ").unwrap_or(&error.extra) {
        "" => error.kind.to_string(),
        words => words.to_owned(),
    }
}

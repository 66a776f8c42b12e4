//! Orders on their way to one worker.
//!
//! An order is the complete target, so only the newest matters: one is in flight, one may wait,
//! and a newer one takes the place of the one that waits. A slow worker holds up nothing.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use swarm_core::message::Order;
use tokio::sync::{Notify, oneshot};

use crate::codec::info::shortened;
use crate::codec::order;
use crate::end::End;
use crate::error::WireError;
use crate::generated::swarm_capnp::worker;
use crate::limits::REASON_BYTES_MAX;

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The worker has it.
    Taken,
    /// A newer order took its place before it was sent.
    Superseded,
}

type Done<T> = oneshot::Sender<Result<T, WireError>>;

/// The master's way to a worker. Outlives the connection; calls then fail.
#[derive(Clone)]
pub struct WorkerHandle(Rc<Outbox>);

struct Outbox {
    order: Slot<Order, Delivery>,
    quit: Slot<String, ()>,
    end: End,
}

/// Holds what is to be sent next, and who wants to know about it.
struct Slot<T, R> {
    waiting: RefCell<Option<(T, Done<R>)>>,
    filled: Notify,
}

impl<T, R> Slot<T, R> {
    fn new() -> Slot<T, R> {
        Slot { waiting: RefCell::new(None), filled: Notify::new() }
    }

    /// Gives back who waits for what was in the slot.
    fn fill(&self, value: T, done: Done<R>) -> Option<Done<R>> {
        let before = self.waiting.replace(Some((value, done)));
        self.filled.notify_one();
        before.map(|(_, done)| done)
    }

    async fn next(&self) -> (T, Done<R>) {
        loop {
            if let Some(next) = self.waiting.take() {
                return next;
            }
            self.filled.notified().await;
        }
    }
}

impl WorkerHandle {
    pub(crate) fn new(end: End) -> WorkerHandle {
        WorkerHandle(Rc::new(Outbox { order: Slot::new(), quit: Slot::new(), end }))
    }

    /// Sends an order. It is on its way when this returns; the future only tells what became of
    /// it and may be dropped, as [`MasterHandler::undeliverable`] tells of one that did not arrive
    /// though the connection was there. Orders arrive in the order of the calls; of those that have
    /// to wait for an earlier one, the last.
    ///
    /// # Errors
    /// [`WireError::Unsendable`] when the order breaks a limit, [`WireError::Closed`] when the
    /// connection has ended, [`WireError::Remote`] when the worker could not take it.
    pub fn order(&self, order: Order) -> impl Future<Output = Result<Delivery, WireError>> + use<> {
        let (done, delivered) = oneshot::channel();
        if self.0.end.reason().is_none()
            && let Some(older) = self.0.order.fill(order, done)
        {
            let _ = older.send(Ok(Delivery::Superseded));
        }
        answered(delivered, self.0.end.clone())
    }

    /// Asks the worker to end. Does not wait behind orders. A reason that is too long is cut.
    ///
    /// # Errors
    /// As [`WorkerHandle::order`]; a worker that ends at once may close before it has answered.
    pub fn quit(&self, reason: &str) -> impl Future<Output = Result<(), WireError>> + use<> {
        let (done, delivered) = oneshot::channel();
        let reason = shortened(reason, REASON_BYTES_MAX).to_owned();
        if self.0.end.reason().is_none()
            && let Some(older) = self.0.quit.fill(reason, done)
        {
            let _ = older.send(Ok(()));
        }
        answered(delivered, self.0.end.clone())
    }

    /// Sends what the slots hold, until it is dropped. `failed` hears the number of each order that
    /// could not be delivered, and why.
    pub(crate) async fn deliver(&self, worker: &worker::Client, failed: impl Fn(u64, &WireError)) {
        tokio::join!(self.deliver_orders(worker, failed), self.deliver_quit(worker));
    }

    async fn deliver_orders(&self, worker: &worker::Client, failed: impl Fn(u64, &WireError)) {
        loop {
            let (order, done) = self.0.order.next().await;
            let number = order.number;
            let mut request = worker.order_request();
            let written = order::write(&order, request.get().init_order());
            drop(order);
            let result = match written {
                Err(error) => Err(WireError::Unsendable(error.within("order"))),
                Ok(()) => self.0.end.call(request.send().promise).await,
            };
            if let Err(error @ (WireError::Unsendable(_) | WireError::Remote(_))) = &result {
                failed(number, error);
            }
            let _ = done.send(result.map(|_| Delivery::Taken));
        }
    }

    async fn deliver_quit(&self, worker: &worker::Client) {
        loop {
            let (reason, done) = self.0.quit.next().await;
            let mut request = worker.quit_request();
            request.get().set_reason(&reason);
            let result = self.0.end.call(request.send().promise).await;
            let _ = done.send(result.map(|_| ()));
        }
    }
}

/// What became of something sent; never waits longer than the connection lasts.
async fn answered<T>(
    delivered: oneshot::Receiver<Result<T, WireError>>,
    end: End,
) -> Result<T, WireError> {
    tokio::select! {
        biased;
        result = delivered => match result {
            Ok(result) => result,
            Err(_) => Err(end.error().await),
        },
        error = end.error() => Err(error),
    }
}

impl std::fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerHandle").field("ended", &self.0.end.reason()).finish()
    }
}

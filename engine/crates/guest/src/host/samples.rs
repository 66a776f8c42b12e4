//! What the users of a load thread write down.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use swarm_stats::{Limits, Recorder};

use crate::host::clock::Clock;

/// The samples of one load thread, and the clock that dates them. Uncontended: only its own users
/// record here, and once a second its owner drains it.
#[derive(Debug, Clone)]
pub struct Record {
    of_thread: Arc<OfThread>,
    clock: Arc<Clock>,
}

/// What the users of one load thread write to.
#[derive(Debug)]
struct OfThread {
    recorder: Mutex<Recorder>,
    /// Requests on their way. Beside the lock: a request ends without taking it.
    in_flight: AtomicU64,
}

impl Record {
    /// An empty record.
    pub fn new(limits: Limits, clock: Arc<Clock>) -> Self {
        let recorder = Mutex::new(Recorder::new(limits));
        let in_flight = AtomicU64::new(0);
        Self { of_thread: Arc::new(OfThread { recorder, in_flight }), clock }
    }

    /// The recorder.
    pub fn lock(&self) -> MutexGuard<'_, Recorder> {
        // A panic while recording leaves at worst one sample half counted; stopping every other
        // user of the thread for it would lose more.
        self.of_thread.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that have been given to a connection or wait for one, and are not answered, now.
    /// Any thread may ask.
    pub fn in_flight(&self) -> u64 {
        self.of_thread.in_flight.load(Ordering::Relaxed)
    }

    /// A request is on its way.
    pub(crate) fn request_begins(&self) {
        self.of_thread.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// A request that [`Self::request_begins`] has been told of is answered, has failed, or is
    /// given up.
    pub(crate) fn request_ends(&self) {
        self.of_thread.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// The master's clock in milliseconds.
    pub(crate) fn master_ms(&self) -> u64 {
        self.clock.master_ms(self.clock.now())
    }
}

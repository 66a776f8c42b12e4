//! One session's connections: at most so many to a host, used again while they are alive.
//!
//! Most sessions talk to one host over one connection, so that is what a pool holds in itself;
//! further hosts, further connections and a queue of those who wait are allocated when there are
//! some. A host's slots are counted, not handed around: [`Slot`] is a borrow.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::error::Fault;
use crate::h1::Connection;
use crate::url::Origin;

/// Most hosts that a session keeps connections to. At the limit the one that was not used for the
/// longest time is dropped.
const HOSTS_MAX: usize = 32;

/// Most requests of a session that wait for a connection to one host.
const WAITING_MAX: usize = 100_000;

/// Places of an empty queue whose memory is kept.
const WAITING_KEPT: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Pool {
    hosts: Mutex<Hosts>,
}

#[derive(Debug, Default)]
struct Hosts {
    /// The one used last.
    recent: Option<Host>,
    /// The others, the one used last stands last. Boxed: most sessions have none.
    #[expect(clippy::box_collection, reason = "a third of the size where there are none")]
    others: Option<Box<Vec<Host>>>,
}

#[derive(Debug)]
struct Host {
    origin: Arc<Origin>,
    /// Slots in use.
    busy: usize,
    /// The idle connection that was used last.
    idle: Option<Connection>,
    /// What only a host with more than one request at a time has.
    crowd: Option<Box<Crowd>>,
}

#[derive(Debug, Default)]
struct Crowd {
    /// Idle connections that were used before `Host::idle`.
    idle: Vec<Connection>,
    /// Who waits for a slot, in the order of asking. Sending hands a slot over.
    waiting: VecDeque<oneshot::Sender<()>>,
}

/// The right to have one exchange with a host, given back when dropped. As an idle connection is
/// always preferred to a new one, there are never more connections than slots.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    pool: &'a Pool,
    origin: &'a Arc<Origin>,
    /// Given back already?
    released: bool,
}

/// How well an idle connection is looked at before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// By what the runtime knows of it, which costs nothing.
    Usual,
    /// The kernel is asked as well about one that has been idle for a while, for a request that
    /// will not be sent a second time: an end that has arrived costs a new connection then, and
    /// not the request.
    High {
        /// As in [`Connection::rest`].
        now_ms: u32,
    },
}

/// A slot, and the idle connection to use, if there is one.
pub(crate) type Taken<'a> = (Slot<'a>, Option<Connection>);

impl Pool {
    /// A slot if one is free now, of `slots_max` to a host.
    pub(crate) fn take<'a>(
        &'a self,
        origin: &'a Arc<Origin>,
        slots_max: usize,
        care: Care,
    ) -> Result<Option<Taken<'a>>, Fault> {
        let mut hosts = self.lock();
        let host = hosts.host(origin)?;
        if host.busy >= slots_max {
            return Ok(None);
        }
        host.busy += 1;
        let idle = host.idle(care);
        drop(hosts);
        Ok(Some((Slot { pool: self, origin, released: false }, idle)))
    }

    /// The next slot that becomes free, in the order of asking. Cancel safe.
    pub(crate) async fn wait<'a>(
        &'a self,
        origin: &'a Arc<Origin>,
        slots_max: usize,
        care: Care,
    ) -> Result<Taken<'a>, Fault> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut hosts = self.lock();
            let host = hosts.host(origin)?;
            if host.busy < slots_max {
                // One became free since the caller looked.
                host.busy += 1;
                let idle = host.idle(care);
                drop(hosts);
                return Ok((Slot { pool: self, origin, released: false }, idle));
            }
            let waiting = &mut host.crowd.get_or_insert_default().waiting;
            if waiting.len() >= WAITING_MAX {
                // Those who gave up are still in the queue.
                waiting.retain(|sender| !sender.is_closed());
            }
            if waiting.len() >= WAITING_MAX {
                let message =
                    format!("more than {WAITING_MAX} requests wait for {slots_max} connections");
                return Err(Fault::other(message));
            }
            waiting.push_back(sender);
        }
        let mut place = Place { receiver, pool: self, origin };
        let granted = (&mut place.receiver).await;
        granted.map_err(|_closed| Fault::other("session is closed"))?;
        // The place holds nothing more: what was sent has been received.
        let slot = Slot { pool: self, origin, released: false };
        let idle = self.lock().find(origin).and_then(|host| host.idle(care));
        Ok((slot, idle))
    }

    fn release(&self, origin: &Arc<Origin>, connection: Option<Connection>) {
        let mut hosts = self.lock();
        // A host with a slot in use is never dropped.
        let Some(host) = hosts.find(origin) else { return };
        if let Some(connection) = connection
            && let Some(older) = host.idle.replace(connection)
        {
            host.crowd.get_or_insert_default().idle.push(older);
        }
        if let Some(crowd) = &mut host.crowd {
            while let Some(next) = crowd.waiting.pop_front() {
                if next.send(()).is_ok() {
                    // The slot is now theirs.
                    return;
                }
            }
            // The memory of a long queue goes with it.
            if crowd.waiting.capacity() > WAITING_KEPT {
                crowd.waiting = VecDeque::new();
            }
        }
        host.busy -= 1;
    }

    fn lock(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// Keeps a connection for later, if it can be used again, and frees the slot.
    ///
    /// Whether the server closed it meanwhile is looked at when it is taken again.
    pub(crate) fn put(mut self, connection: Connection) {
        let kept = connection.is_kept().then_some(connection);
        self.released = true;
        self.pool.release(self.origin, kept);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if !self.released {
            self.pool.release(self.origin, None);
        }
    }
}

/// A place in the queue.
struct Place<'a> {
    receiver: oneshot::Receiver<()>,
    pool: &'a Pool,
    origin: &'a Arc<Origin>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.receiver.close();
        if self.receiver.try_recv().is_ok() {
            // Given up after a slot had been handed over: on to the next.
            self.pool.release(self.origin, None);
        }
    }
}

impl Host {
    fn is(&self, origin: &Arc<Origin>) -> bool {
        Arc::ptr_eq(&self.origin, origin) || self.origin == *origin
    }

    /// The connection that was used last and is still alive.
    fn idle(&mut self, care: Care) -> Option<Connection> {
        loop {
            let older = || self.crowd.as_mut().and_then(|crowd| crowd.idle.pop());
            let mut connection = self.idle.take().or_else(older)?;
            if connection.is_reusable(care) {
                return Some(connection);
            }
        }
    }

    fn is_unused(&self) -> bool {
        self.busy == 0
    }
}

impl Hosts {
    fn find(&mut self, origin: &Arc<Origin>) -> Option<&mut Host> {
        let others = self.others.iter_mut().flat_map(|others| others.iter_mut().rev());
        self.recent.iter_mut().chain(others).find(|host| host.is(origin))
    }

    /// The host, new if need be, which becomes the one used last.
    fn host(&mut self, origin: &Arc<Origin>) -> Result<&mut Host, Fault> {
        if !self.recent.as_ref().is_some_and(|host| host.is(origin)) {
            self.promote(origin)?;
        }
        self.recent.as_mut().ok_or_else(|| Fault::other("session without a host"))
    }

    /// Makes the host the recent one.
    #[cold]
    fn promote(&mut self, origin: &Arc<Origin>) -> Result<(), Fault> {
        let Some(recent) = &mut self.recent else {
            self.recent = Some(Host::new(origin));
            return Ok(());
        };
        let others = self.others.get_or_insert_default();
        let host = match others.iter().rposition(|host| host.is(origin)) {
            Some(at) => others.remove(at),
            None => Host::new(origin),
        };
        others.push(std::mem::replace(recent, host));
        if others.len() < HOSTS_MAX {
            return Ok(());
        }
        if let Some(oldest) = others.iter().position(Host::is_unused) {
            others.remove(oldest);
            return Ok(());
        }
        // All are in use: the newcomer goes.
        self.recent = others.pop();
        Err(Fault::other(format!("requests to {HOSTS_MAX} hosts at once")))
    }
}

impl Host {
    fn new(origin: &Arc<Origin>) -> Self {
        Self { origin: Arc::clone(origin), busy: 0, idle: None, crowd: None }
    }
}

//! One session's connections: at most so many to a host, used again while they are alive.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Fault;
use crate::h1::Connection;
use crate::url::Origin;

/// Most hosts that a session keeps connections to. At the limit the one that was not used for the
/// longest time is dropped.
const HOSTS_MAX: usize = 32;

#[derive(Debug)]
pub(crate) struct Pool {
    connections_per_host_max: usize,
    /// The one used last stands last.
    hosts: Mutex<Vec<Host>>,
}

#[derive(Debug)]
struct Host {
    origin: Arc<Origin>,
    idle: Vec<Connection>,
    slots: Arc<Semaphore>,
}

/// The right to have one exchange with a host. As an idle connection is always preferred to a new
/// one, there are never more connections than slots.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Semaphore>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(connections_per_host_max: usize) -> Self {
        Self { connections_per_host_max, hosts: Mutex::new(Vec::new()) }
    }

    /// A slot if one is free now.
    pub(crate) fn try_slot(&self, origin: &Arc<Origin>) -> Result<Option<Slot>, Fault> {
        let slots = self.slots(origin)?;
        let permit = Arc::clone(&slots).try_acquire_owned().ok();
        Ok(permit.map(|permit| Slot { slots, _permit: permit }))
    }

    /// The next slot that becomes free, in the order of asking. Cancel safe.
    pub(crate) async fn slot(&self, origin: &Arc<Origin>) -> Result<Slot, Fault> {
        let slots = self.slots(origin)?;
        let permit = Arc::clone(&slots).acquire_owned().await;
        let permit = permit.map_err(|_closed| Fault::other("session is closed"))?;
        Ok(Slot { slots, _permit: permit })
    }

    /// The connection to the slot's host that was used last.
    pub(crate) fn take_idle(&self, slot: &Slot) -> Option<Connection> {
        let mut hosts = self.lock();
        let host = hosts.iter_mut().rev().find(|host| Arc::ptr_eq(&host.slots, &slot.slots))?;
        while let Some(connection) = host.idle.pop() {
            if connection.is_reusable() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for later, and frees the slot.
    pub(crate) fn put(&self, slot: Slot, connection: Connection) {
        if !connection.is_reusable() {
            return;
        }
        let mut hosts = self.lock();
        let host = hosts.iter_mut().rev().find(|host| Arc::ptr_eq(&host.slots, &slot.slots));
        if let Some(host) = host {
            host.idle.push(connection);
        }
        drop(hosts);
        drop(slot);
    }

    /// The semaphore of a host, which becomes the one used last.
    fn slots(&self, origin: &Arc<Origin>) -> Result<Arc<Semaphore>, Fault> {
        let mut hosts = self.lock();
        let same = |host: &Host| Arc::ptr_eq(&host.origin, origin) || host.origin == *origin;
        if let Some(at) = hosts.iter().rposition(same) {
            let slots = Arc::clone(&hosts[at].slots);
            hosts[at..].rotate_left(1);
            return Ok(slots);
        }
        if hosts.len() >= HOSTS_MAX {
            let Some(at) = hosts.iter().position(|h| Arc::strong_count(&h.slots) == 1) else {
                return Err(Fault::other(format!("requests to {HOSTS_MAX} hosts at once")));
            };
            hosts.remove(at);
        }
        let slots = Arc::new(Semaphore::new(self.connections_per_host_max));
        let host = Host { origin: Arc::clone(origin), idle: Vec::new(), slots };
        let slots = Arc::clone(&host.slots);
        hosts.push(host);
        Ok(slots)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

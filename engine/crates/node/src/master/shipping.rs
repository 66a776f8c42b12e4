//! Modules on their way to workers: how fast they go, and how far they are.

use std::num::NonZeroU64;
use std::rc::Rc;
use std::time::Duration;

use swarm_core::bandwidth::Bandwidth;
use swarm_wire::limits::MODULE_CHUNK_BYTES;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::state::State;

/// What may go at once after a pause: what the limit lets through in this part of a second, and
/// two chunks at least. A timer ends up to a millisecond late, and what is due must not be lost.
const BURSTS_PER_S: u64 = 20;
const BURST_BYTES_MIN: u64 = 2 * MODULE_CHUNK_BYTES as u64;

/// Lets modules pass at a limited rate. Chunks of all workers queue, so each worker gets the same
/// share; nothing but modules has to pass.
#[derive(Debug)]
pub(super) struct Sluice {
    /// Whoever has it is the next to pass. It is handed on in the order of asking.
    bandwidth: Mutex<Bandwidth>,
    since: Instant,
}

impl Sluice {
    pub(super) fn new(bytes_per_s: NonZeroU64) -> Self {
        let burst = (bytes_per_s.get() / BURSTS_PER_S).max(BURST_BYTES_MIN);
        let bandwidth = Mutex::new(Bandwidth::new(bytes_per_s.get(), burst));
        Self { bandwidth, since: Instant::now() }
    }

    /// Waits until so many bytes may go.
    ///
    /// # Cancel safety
    /// Dropped, it has taken nothing.
    pub(super) async fn pass(&self, bytes: usize) {
        let mut bandwidth = self.bandwidth.lock().await;
        while let Err(wait) = bandwidth.pass(self.since.elapsed(), bytes as u64) {
            sleep(wait).await;
        }
    }
}

/// A module on its way to a worker.
#[derive(Debug)]
pub(super) struct Shipment {
    /// Bytes before this one have gone.
    at: usize,
    /// The first that went.
    from: usize,
    since: Duration,
}

impl State {
    /// Bytes from `from` on are to be sent. What they have to pass, if their bandwidth is limited.
    pub(super) fn module_part(&mut self, connection: u64, from: usize) -> Option<Rc<Sluice>> {
        let now = self.clock.now();
        let (size, id) = (self.config.module.len(), self.id_of(connection));
        if let Some(connection) = self.connections.get_mut(&connection) {
            let shipment = connection.shipment.get_or_insert_with(|| {
                let whence = match from {
                    0 => String::new(),
                    from => format!(", from byte {from} on"),
                };
                tracing::info!("sending the module ({size} bytes) to {id}{whence}");
                Shipment { at: from, from, since: now }
            });
            shipment.at = from;
        }
        self.sluice.clone()
    }

    /// The worker has all of it.
    pub(super) fn module_sent(&mut self, connection: u64) {
        let (now, id) = (self.clock.now(), self.id_of(connection));
        let shipment = self.connections.get_mut(&connection).and_then(|it| it.shipment.take());
        if let Some(Shipment { from, since, .. }) = shipment {
            let bytes = self.config.module.len() - from;
            let seconds = now.saturating_sub(since).as_secs_f64();
            tracing::info!("worker {id} has the module: {bytes} bytes in {seconds:.1} s");
        }
    }

    /// How much of the module has gone to a worker that fetches it, in percent.
    pub(super) fn module_percent(&self, connection: u64) -> Option<u32> {
        let shipment = self.connections.get(&connection)?.shipment.as_ref()?;
        let percent = (shipment.at * 100).checked_div(self.config.module.len())?;
        u32::try_from(percent).ok()
    }

    fn id_of(&self, connection: u64) -> String {
        let worker = self.cluster.worker_of(connection);
        worker.map(|worker| worker.info().id.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::task::{LocalSet, spawn_local};

    use super::*;

    /// A chunk for each in turn, whoever asked first; and who has gone takes nothing along.
    #[tokio::test(start_paused = true)]
    async fn all_workers_get_the_same_share() {
        let rate = NonZeroU64::new(10 * MODULE_CHUNK_BYTES as u64).unwrap();
        let sluice = Rc::new(Sluice::new(rate));
        let passed: Rc<[Cell<u32>; 5]> = Rc::default();
        let local = LocalSet::new();
        local
            .run_until(async {
                for worker in 0..5 {
                    let (sluice, passed) = (Rc::clone(&sluice), Rc::clone(&passed));
                    spawn_local(async move {
                        loop {
                            sluice.pass(MODULE_CHUNK_BYTES).await;
                            passed[worker].set(passed[worker].get() + 1);
                        }
                    });
                }
                // They ask first.
                sleep(Duration::from_millis(1)).await;
                let end = Instant::now() + Duration::from_millis(10_050);
                while Instant::now() < end {
                    let wait = sluice.pass(MODULE_CHUNK_BYTES);
                    let passed = tokio::time::timeout(Duration::from_millis(1), wait).await;
                    assert!(passed.is_err(), "others have asked before");
                }
            })
            .await;
        let passed = passed.iter().map(Cell::get);
        // A hundred in ten seconds, and the burst, which may be one worker's.
        assert_eq!(passed.clone().sum::<u32>(), 102);
        assert!(passed.clone().all(|passed| (20..=22).contains(&passed)), "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_high_limit_is_reached_though_timers_are_coarse() {
        let sluice = Sluice::new(NonZeroU64::new(1 << 30).unwrap());
        let begin = Instant::now();
        for _ in 0..(1 << 30) / MODULE_CHUNK_BYTES {
            sluice.pass(MODULE_CHUNK_BYTES).await;
        }
        let took = begin.elapsed();
        assert!((900..1_100).contains(&took.as_millis()), "{took:?}");
    }
}

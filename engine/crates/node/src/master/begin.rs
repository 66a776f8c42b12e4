//! How a master begins: anew, or with what an earlier one has left in its state directory.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use swarm_core::cluster::{Cluster, State as TestState};
use swarm_core::dispatch::ClassShare;
use swarm_core::message::Settings;
use swarm_guest::Clock;

use super::{MasterConfig, StartError};
use crate::journal::kept::{Kept, Results};
use crate::journal::record::Record;
use crate::journal::{Journal, Scribe};

/// Tests are numbered from the seconds since 1970, so that a restarted master's numbers are new.
fn first_test(origin: SystemTime) -> u32 {
    let seconds = origin.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    #[expect(clippy::cast_possible_truncation, reason = "only has to differ; good until 2106")]
    {
        seconds as u32
    }
}

/// What a master begins with.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) clock: Clock,
    /// Unix time of the clock's origin.
    pub(super) origin_unix_ms: u64,
    pub(super) cluster: Cluster,
    pub(super) results: Results,
    pub(super) scribe: Option<Scribe>,
    /// What happens first.
    pub(super) records: Vec<Record>,
}

impl Beginning {
    /// A master that begins, or goes on with what is in its journal.
    pub(super) fn new(config: &MasterConfig, journal: Option<Journal>) -> Result<Self, StartError> {
        let origin = SystemTime::now();
        let unix = origin.duration_since(UNIX_EPOCH).unwrap_or_default();
        let classes = config.plan.classes.iter();
        let classes: Vec<_> = classes
            .map(|class| ClassShare { name: class.name.clone(), population: class.population })
            .collect();
        let Some(journal) = journal else {
            let mut cluster = Cluster::new(config.digest, classes, first_test(origin));
            cluster.set_rebalancing(config.rebalance);
            return Ok(Self {
                clock: Clock::new(),
                origin_unix_ms: u64::try_from(unix.as_millis()).unwrap_or(0),
                cluster,
                results: Results::new(config.settings.clone()),
                scribe: None,
                records: Vec::new(),
            });
        };
        let (now, away) = journal.clock();
        let origin_unix_ms = journal.origin_unix_ms();
        let (scribe, kept) = journal.start()?;
        let Kept { mut results, cluster, given, .. } = kept;
        let mut cluster = match cluster {
            None => Cluster::new(config.digest, classes, first_test(origin)),
            Some(mut memory) => {
                if given && let Some(test) = &mut memory.test {
                    // That master was told to end, and has ended its workers.
                    test.state = TestState::Stopped;
                }
                Cluster::restore(config.digest, classes, first_test(origin), memory, now)?
            }
        };
        cluster.set_rebalancing(config.rebalance);
        let first = if cluster.is_busy() {
            goes_on(now, away)
        } else {
            // Of the last test the host is kept, which the page may have chosen.
            let host = config.settings.host.clone().or(results.settings.host.take());
            Record::Settings(Box::new(Settings { host, ..config.settings.clone() }))
        };
        let (clock, scribe) = (Clock::at(now), Some(scribe));
        Ok(Self { clock, origin_unix_ms, cluster, results, scribe, records: vec![first] })
    }
}

/// Tells the reader of the result.
fn goes_on(now: Duration, away: Duration) -> Record {
    let text = format!(
        "the master has restarted and goes on with the test, after {:.1} s without one",
        away.as_secs_f64()
    );
    tracing::info!("{text}");
    Record::Notice { at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX), text }
}

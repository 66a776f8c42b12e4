//! What the records add up to. The master applies each to its own results as it makes it, and who
//! makes a checkpoint or succeeds the master to what it finds on disk: there is one way in which
//! things happen.

use serde::{Deserialize, Serialize};
use swarm_core::cluster::State as TestState;
use swarm_core::cluster::memory::Memory;
use swarm_core::message::Settings;
use swarm_stats::{Ledger, Limits, Totals};
use swarm_web::view::Notice;

use super::record::Record;

/// Notices kept for the reader of the result; the first ones, for they tell how it began.
pub(crate) const NOTICES_MAX: usize = 1000;

/// The results of the current or last test, and what they need.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) totals: Totals,
    pub(crate) ledger: Ledger,
    pub(crate) notices: Vec<Notice>,
    /// Samples are missing that no lost worker accounts for.
    pub(crate) incomplete: bool,
    /// Settings of the next test.
    pub(crate) settings: Settings,
    /// When the last test ended, in milliseconds of the master's clock; `None` while one runs.
    pub(crate) ended_ms: Option<u64>,
}

impl Results {
    /// Before the first test.
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            totals: Totals::new(Limits::default()),
            ledger: Ledger::new(),
            notices: Vec::new(),
            incomplete: false,
            settings,
            ended_ms: None,
        }
    }

    /// Lets it happen.
    pub(crate) fn apply(&mut self, record: &Record) {
        match record {
            Record::Report { worker, report } => {
                self.ledger.resume(report.stream, report.sequence);
                self.totals.apply(worker, report);
            }
            Record::Heard { stream, sequence } => self.ledger.resume(*stream, *sequence),
            Record::Begun { at_ms } => {
                self.totals.start(*at_ms);
                self.notices.clear();
                self.incomplete = false;
                self.ended_ms = None;
            }
            Record::Ended { at_ms } => {
                self.totals.stop(*at_ms);
                self.ended_ms = Some(*at_ms);
            }
            Record::Reset { at_ms } => self.totals.reset(*at_ms),
            Record::Users { at_ms, users, in_flight } => {
                self.totals.set_users(*at_ms, *users);
                self.totals.set_in_flight(*at_ms, *in_flight);
            }
            Record::Notice { at_ms, text } => {
                if self.notices.len() < NOTICES_MAX {
                    self.notices.push(Notice { at_ms: *at_ms, text: text.clone() });
                }
            }
            Record::Incomplete => self.incomplete = true,
            Record::Settings(settings) => self.settings = Settings::clone(settings),
            Record::Cluster(_) | Record::Given => {}
        }
    }
}

/// All that a successor has to know.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) results: Results,
    /// `None` until something has happened to the cluster.
    pub(crate) cluster: Option<Memory>,
    /// The latest time of the master's clock that is known, in milliseconds.
    pub(crate) last_ms: u64,
    /// The result of the last test was handed over in order.
    pub(crate) given: bool,
}

impl Kept {
    /// What a master knows before its first test.
    pub(crate) fn new(settings: Settings) -> Self {
        Self { results: Results::new(settings), cluster: None, last_ms: 0, given: false }
    }

    /// Lets it happen.
    pub(crate) fn apply(&mut self, record: Record) {
        self.results.apply(&record);
        match record {
            Record::Begun { at_ms } => {
                self.last_ms = self.last_ms.max(at_ms);
                self.given = false;
            }
            Record::Ended { at_ms }
            | Record::Reset { at_ms }
            | Record::Users { at_ms, .. }
            | Record::Notice { at_ms, .. } => self.last_ms = self.last_ms.max(at_ms),
            Record::Cluster(changes) => match &mut self.cluster {
                Some(memory) => memory.update(*changes),
                None => self.cluster = Some(*changes),
            },
            Record::Given => self.given = true,
            Record::Report { .. }
            | Record::Heard { .. }
            | Record::Incomplete
            | Record::Settings(_) => {}
        }
    }

    /// Where the test is that was left behind.
    pub(crate) fn test_state(&self) -> TestState {
        let test = self.cluster.as_ref().and_then(|cluster| cluster.test.as_ref());
        test.map_or(TestState::Ready, |test| test.state)
    }
}

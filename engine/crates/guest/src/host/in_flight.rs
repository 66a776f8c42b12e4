//! A request on its way, and what it takes of connections.

use swarm_client::{AddressUse, AddressUses, Progress, Session};
use swarm_stats::{AddressCounts, ConnectionCounts, Recorder};

use crate::host::samples::Record;

/// A request on its way. Dropped before it is over, it has been given up: as interrupted if a
/// connection had it, for then the target may know of it.
pub(super) struct InFlight<'a> {
    record: &'a Record,
    pub(super) progress: Progress,
    is_over: bool,
}

/// What a request took of connections.
pub(crate) struct Taken {
    pub(crate) connections: ConnectionCounts,
    /// At which addresses, if that is asked for.
    addresses: Option<Box<AddressUses>>,
}

impl<'a> InFlight<'a> {
    pub(super) fn begin(record: &'a Record, session: &Session) -> Self {
        record.request_begins();
        Self { record, progress: session.progress(), is_over: false }
    }

    /// It has an answer, or has failed.
    pub(super) fn over(mut self, failed: bool) -> Taken {
        self.is_over = true;
        Taken::of(&mut self.progress, failed)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.record.request_ends();
        if self.is_over {
            return;
        }
        let taken = Taken::of(&mut self.progress, false);
        let mut recorder = self.record.lock();
        if self.progress.is_sent() {
            recorder.interrupted(&taken.connections);
        } else {
            recorder.unsent();
        }
        taken.record_addresses(&mut recorder, None);
    }
}

impl Taken {
    fn of(progress: &mut Progress, failed: bool) -> Self {
        let connections = ConnectionCounts {
            opened: progress.opened().into(),
            reused: progress.reused().into(),
            failed: u64::from(failed && progress.is_connecting()),
            resent: progress.resent().into(),
        };
        Self { connections, addresses: progress.take_addresses().map(Box::new) }
    }

    /// Records all of it, of a request whose sample somebody else records.
    pub(crate) fn record(&self, recorder: &mut Recorder, failed: bool) {
        recorder.connections(&self.connections);
        self.record_addresses(recorder, Some(failed));
    }

    /// Records what came of each address. `failed`: of the sample, if the request is one.
    pub(crate) fn record_addresses(&self, recorder: &mut Recorder, failed: Option<bool>) {
        let Some(uses) = &self.addresses else { return };
        for (place, AddressUse { address, opened, failed: attempts }) in
            uses.rows.iter().enumerate()
        {
            let sample = failed.filter(|_| uses.last == Some(place));
            let counts = AddressCounts {
                opened: (*opened).into(),
                failed: (*attempts).into(),
                requests: sample.is_some().into(),
                failures: sample.unwrap_or(false).into(),
            };
            recorder.address(*address, counts);
        }
    }
}

//! A journal of every kind of record, and a disk in memory: for tests and the fuzzer.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use redb::StorageBackend;
use swarm_core::cluster::{Cluster, Load};
use swarm_core::dispatch::ClassShare;
use swarm_core::message::{Digest, PROTOCOL_VERSION, Settings, WorkerInfo};
use swarm_core::plan::Population;
use swarm_stats::delta::{Delta, EntryDelta, Report};

use super::disk::{Chore, Disk, Done, bytes_of, pieces};
use super::kept::Kept;
use super::record::{FORMAT, Record};

/// The scenario of [`settings`]' tests.
pub(super) const DIGEST: Digest = [7; 32];

pub(super) fn settings() -> Settings {
    Settings { host: Some("http://127.0.0.1:1".to_owned()), seed: 5, ..Settings::default() }
}

pub(super) fn report(stream: u64, sequence: u64) -> Record {
    let mut entry = EntryDelta { requests: 3, sum_us: 30, ..EntryDelta::new("GET", "/cart") };
    (entry.min_us, entry.max_us) = (10, 10);
    entry.times.record(10, 3);
    let delta = Delta { entries: vec![entry], ..Delta::default() };
    let (from_ms, to_ms) = (sequence * 1000, sequence * 1000 + 1000);
    let report = Report { stream, sequence, from_ms, to_ms, test: 1, delta };
    Record::Report { worker: format!("w{stream}"), report: Box::new(report) }
}

fn cluster() -> Record {
    let class = ClassShare { name: "User".to_owned(), population: Population::Weight(1.0) };
    let mut cluster = Cluster::new(DIGEST, vec![class], 100);
    let worker = WorkerInfo {
        id: "w1".to_owned(),
        stream: 1,
        version: "0".to_owned(),
        protocol: PROTOCOL_VERSION,
        cores: 2,
        users_max: Some(20),
        weight: 3,
        attempt: 2,
    };
    cluster.join(Duration::ZERO, 1, worker).0.expect("it is the first of its name");
    let (settings, only_classes) = (settings(), Vec::new());
    let load = Load { users: 10, spawn_rate: 1.0, run_time: None, settings, only_classes };
    cluster.start(Duration::from_secs(1), load).expect("a sound load");
    Record::Cluster(Box::new(cluster.memory(0)))
}

/// Groups of records: every kind there is.
pub(super) fn groups() -> Vec<Vec<Record>> {
    let users = |at_ms, users| Record::Users { at_ms, users, in_flight: 2 };
    let notice = |text: &str| Record::Notice { at_ms: 1_500, text: text.to_owned() };
    vec![
        vec![Record::Settings(Box::new(settings())), cluster(), Record::Begun { at_ms: 1_000 }],
        vec![report(1, 1), users(2_000, 4)],
        vec![notice("worker w2 sent report 5 where 1 was due"), Record::Incomplete],
        vec![Record::Heard { stream: 2, sequence: 4 }, report(2, 5)],
        vec![Record::Reset { at_ms: 4_000 }],
        vec![report(1, 2), report(2, 6), report(1, 3)],
        vec![Record::Ended { at_ms: 6_000 }],
        vec![Record::Given],
    ]
}

/// The bytes of it without the ledger, whose map has no order; of that the streams of the groups.
pub(super) fn fingerprint(kept: &Kept) -> Vec<u8> {
    let Kept { results, cluster, last_ms, given } = kept;
    let seen = (
        &results.totals,
        [1, 2].map(|stream| results.ledger.applied(stream)),
        &results.notices,
        (results.incomplete, &results.settings, cluster, last_ms, given),
    );
    postcard::to_allocvec(&seen).expect("plain data")
}

/// Bytes that a disk in memory has room for.
const DISK_BYTES_MAX: usize = if cfg!(test) { 256 << 20 } else { 64 << 20 };

/// What happens to a disk.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Len(usize),
    Write(usize, Vec<u8>),
    Sync,
}

/// A disk in memory that remembers what was done to it, and can be full.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<Mutex<MemoryState>>);

#[derive(Debug, Default)]
struct MemoryState {
    bytes: Vec<u8>,
    ops: Vec<Op>,
    full: bool,
    /// What was done is not remembered: it would be too much.
    forgetful: bool,
}

impl Memory {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(MemoryState { bytes, ..MemoryState::default() })))
    }

    #[cfg(test)]
    pub(super) fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    #[cfg(test)]
    pub(super) fn forget(&self) {
        self.state().forgetful = true;
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    #[cfg(test)]
    pub(super) fn ops(&self) -> Vec<Op> {
        self.state().ops.clone()
    }

    fn state(&self) -> MutexGuard<'_, MemoryState> {
        self.0.lock().expect("nobody panics meanwhile")
    }

    fn change(&self, op: Op) -> Result<(), io::Error> {
        let mut state = self.state();
        if state.full && !matches!(op, Op::Sync) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        apply(&mut state.bytes, &op);
        if !state.forgetful {
            state.ops.push(op);
        }
        Ok(())
    }
}

pub(super) fn apply(bytes: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Len(len) => bytes.resize(*len, 0),
        Op::Write(at, data) => {
            let end = at + data.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[*at..end].copy_from_slice(data);
        }
        Op::Sync => {}
    }
}

/// A place on the disk; beyond its end there is none.
fn place(offset: u64) -> Result<usize, io::Error> {
    let place = usize::try_from(offset).ok().filter(|&place| place <= DISK_BYTES_MAX);
    place.ok_or_else(|| io::ErrorKind::StorageFull.into())
}

impl StorageBackend for Memory {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let state = self.state();
        let rest = place(offset).ok().and_then(|at| state.bytes.get(at..));
        let part = rest.and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.change(Op::Len(place(len)?))
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.change(Op::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.change(Op::Write(place(offset)?, data.to_vec()))
    }
}

/// A new database on this disk.
pub(super) fn begin(memory: &Memory) -> Disk {
    let disk = Disk::on(memory.clone()).expect("an empty disk");
    let begun = disk.begin([FORMAT, swarm_stats::FORMAT], b"", &Kept::new(settings()));
    begun.expect("a sound disk");
    disk
}

/// Adds a group.
pub(super) fn append(disk: &Disk, first: u64, group: &[Record]) {
    let bytes = postcard::to_allocvec(group).expect("plain data");
    disk.commit(first, &bytes, &Chore::None).expect("a sound disk");
}

/// Bytes of a piece, so that even a small checkpoint has several.
pub(super) const PIECE_BYTES: usize = 40;

/// Writes a checkpoint of the groups before this one, piece by piece, and removes what is of no
/// use then.
pub(super) fn checkpoint(disk: &Disk, group: u64) {
    let (kept, extent) = disk.load().expect("a sound database");
    assert_eq!(extent.next_group, group);
    let bytes = bytes_of(&kept);
    let pieces = pieces(group, &bytes, PIECE_BYTES);
    assert!(pieces.len() > 2);
    for piece in pieces {
        disk.commit(group, b"", &Chore::Put(piece)).expect("a sound disk");
    }
    while disk.commit(group, b"", &Chore::Remove).expect("a sound disk") == Done::Partly {}
}

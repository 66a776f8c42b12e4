//! A journal whose disk dies, fails and rots.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use redb::StorageBackend;
use swarm_core::cluster::{Cluster, Load};
use swarm_core::dispatch::ClassShare;
use swarm_core::message::Settings;
use swarm_core::plan::Population;
use swarm_stats::delta::{Delta, EntryDelta, Report};
use tempfile::TempDir;

use super::disk::bytes_of;
use super::*;

const DIGEST: Digest = [7; 32];

fn settings() -> Settings {
    Settings { host: Some("http://127.0.0.1:1".to_owned()), seed: 5, ..Settings::default() }
}

fn report(stream: u64, sequence: u64) -> Record {
    let mut entry = EntryDelta { requests: 3, sum_us: 30, ..EntryDelta::new("GET", "/cart") };
    (entry.min_us, entry.max_us) = (10, 10);
    entry.times.record(10, 3);
    let delta = Delta { entries: vec![entry], ..Delta::default() };
    let (from_ms, to_ms) = (sequence * 1000, sequence * 1000 + 1000);
    let report = Report { stream, sequence, from_ms, to_ms, test: 1, delta };
    Record::Report { worker: format!("w{stream}"), report }
}

fn cluster() -> Record {
    let class = ClassShare { name: "User".to_owned(), population: Population::Weight(1.0) };
    let mut cluster = Cluster::new(DIGEST, vec![class], 100);
    let load = Load { users: 10, spawn_rate: 1.0, run_time: None, settings: settings() };
    cluster.start(Duration::from_secs(1), load).expect("a sound load");
    Record::Cluster(Box::new(cluster.memory(0)))
}

/// Groups of records: every kind there is.
fn groups() -> Vec<Vec<Record>> {
    let users = |at_ms, users| Record::Users { at_ms, users };
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

/// What the first `count` groups add up to, for comparing.
fn state_after(count: usize) -> Vec<u8> {
    let mut kept = Kept::new(settings());
    groups().into_iter().take(count).flatten().for_each(|record| kept.apply(record));
    fingerprint(&kept)
}

/// The bytes of it without the ledger, whose map has no order; of that the streams of the groups.
fn fingerprint(kept: &Kept) -> Vec<u8> {
    let Kept { results, cluster, last_ms, given } = kept;
    let seen = (
        &results.totals,
        [1, 2].map(|stream| results.ledger.applied(stream)),
        &results.notices,
        (results.incomplete, &results.settings, cluster, last_ms, given),
    );
    postcard::to_allocvec(&seen).expect("plain data")
}

/// What happens to a disk.
#[derive(Debug, Clone)]
enum Op {
    Len(u64),
    Write(u64, Vec<u8>),
    Sync,
}

/// A disk in memory that remembers what was done to it, and can be full.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<MemoryState>>);

#[derive(Debug, Default)]
struct MemoryState {
    bytes: Vec<u8>,
    ops: Vec<Op>,
    full: bool,
}

impl Memory {
    fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(MemoryState { bytes, ..MemoryState::default() })))
    }

    fn set_full(&self, full: bool) {
        self.0.lock().unwrap().full = full;
    }

    fn change(&self, op: Op) -> Result<(), io::Error> {
        let mut state = self.0.lock().unwrap();
        if state.full && !matches!(op, Op::Sync) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        apply(&mut state.bytes, &op);
        state.ops.push(op);
        Ok(())
    }
}

fn apply(bytes: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Len(len) => bytes.resize(usize::try_from(*len).unwrap(), 0),
        Op::Write(at, data) => {
            let at = usize::try_from(*at).unwrap();
            bytes[at..at + data.len()].copy_from_slice(data);
        }
        Op::Sync => {}
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let state = self.0.lock().unwrap();
        let at = usize::try_from(offset).unwrap();
        let end = io::Error::from(io::ErrorKind::UnexpectedEof);
        out.copy_from_slice(state.bytes.get(at..at + out.len()).ok_or(end)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.change(Op::Len(len))
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.change(Op::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.change(Op::Write(offset, data.to_vec()))
    }
}

/// A new database on this disk.
fn begin(memory: &Memory) -> Disk {
    let disk = Disk::on(memory.clone()).unwrap();
    disk.begin([FORMAT, swarm_stats::FORMAT], b"", &Kept::new(settings())).unwrap();
    disk
}

/// The disk as a crash leaves it after `count` operations, of the next one only a part.
fn crashed(ops: &[Op], count: usize, part: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ops.iter().take(count).for_each(|op| apply(&mut bytes, op));
    if let Some(Op::Write(at, data)) = ops.get(count) {
        apply(&mut bytes, &Op::Write(*at, data[..part.min(data.len())].to_vec()));
    }
    bytes
}

/// A crash between any two operations, and within any: what was said to be safe is there, and what
/// is there is a state that there was.
#[test]
fn a_crash_at_any_moment_loses_nothing_that_was_safe() {
    let memory = Memory::default();
    let disk = begin(&memory);
    // Operations after which so many groups are safe.
    let mut safe = BTreeMap::from([(memory.0.lock().unwrap().ops.len(), 0)]);
    for (number, group) in (0..).zip(groups()) {
        disk.append(number, &postcard::to_allocvec(&group).unwrap()).unwrap();
        let count = usize::try_from(number).unwrap() + 1;
        if count == 5 {
            let (kept, _) = disk.load().unwrap();
            disk.checkpoint(&bytes_of(&kept)).unwrap();
        }
        safe.insert(memory.0.lock().unwrap().ops.len(), count);
    }
    let states: Vec<_> = (0..=groups().len()).map(state_after).collect();
    let ops = memory.0.lock().unwrap().ops.clone();
    let first = *safe.keys().next().unwrap();
    for count in first..=ops.len() {
        let length = match ops.get(count) {
            Some(Op::Write(_, data)) => data.len(),
            _ => 1,
        };
        let least = *safe.range(..=count).next_back().unwrap().1;
        for part in (0..length).step_by((length / 7).max(1)) {
            let disk = Disk::on(Memory::of(crashed(&ops, count, part))).unwrap();
            let (kept, _) = disk.load().unwrap();
            let found = fingerprint(&kept);
            let found = states.iter().rposition(|state| *state == found);
            let found = found.expect("it is a state that there was");
            assert!(found >= least, "{found} of {least} groups after {count} operations");
        }
    }
}

/// Takes a directory as a master does, and writes these groups.
fn written(dir: &Path, groups: Vec<Vec<Record>>) {
    let journal = Journal::open(dir, "shop", DIGEST, &settings()).unwrap();
    let (mut scribe, _) = journal.start().unwrap();
    groups.into_iter().for_each(|group| scribe.write(group, None));
    scribe.end(Record::Incomplete);
}

fn found(dir: &Path) -> Result<Journal, JournalError> {
    Journal::open(dir, "shop", DIGEST, &settings())
}

#[test]
fn what_was_written_is_found() {
    let dir = TempDir::new().unwrap();
    let state = dir.path().join("deep/state");
    assert_eq!(found(&state).unwrap().found(), Found::Nothing);
    written(&state, groups().into_iter().take(6).collect());
    let journal = found(&state).unwrap();
    assert_eq!(journal.found(), Found::Running);
    let mut expected = Kept::new(settings());
    groups().into_iter().take(6).flatten().for_each(|record| expected.apply(record));
    expected.apply(Record::Incomplete);
    assert_eq!(fingerprint(&journal.kept), fingerprint(&expected));
    let (now, away) = journal.clock();
    assert!(now >= Duration::from_millis(2_000) && away <= now, "{now:?} {away:?}");
    drop(journal);
    written(&state, vec![vec![Record::Given]]);
    assert_eq!(found(&state).unwrap().found(), Found::Nothing);
}

/// Every byte of the file, one at a time, and every length: it is told, or it did not matter.
#[test]
fn damage_is_told_and_never_read_as_something_else() {
    let dir = TempDir::new().unwrap();
    written(dir.path(), groups().into_iter().take(6).collect());
    let path = dir.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    let expected = fingerprint(&found(dir.path()).unwrap().kept);
    // The file is the same for everyone: what is opened is a copy.
    let other = TempDir::new().unwrap();
    let copy = other.path().join(FILE);
    let mut told = 0;
    let mut look = |bytes: &[u8], what: String| {
        std::fs::write(&copy, bytes).unwrap();
        match found(other.path()) {
            Ok(journal) => assert_eq!(fingerprint(&journal.kept), expected, "{what}"),
            Err(JournalError::Damaged { path, .. }) => {
                assert_eq!(path, copy);
                told += 1;
            }
            // Its first bytes say how the file is laid out.
            Err(JournalError::Io { .. }) => told += 1,
            Err(other) => panic!("{what}: {other}"),
        }
    };
    let used = whole.len() - whole.iter().rev().take_while(|byte| **byte == 0).count();
    for at in (0..320).chain((320..used).step_by(97)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        look(&bytes, format!("byte {at}"));
    }
    for length in (0..used).step_by(1_777) {
        look(&whole[..length], format!("{length} bytes"));
    }
    assert!(told > 100, "{told}");
}

#[test]
fn a_directory_is_for_one_master_and_one_scenario() {
    let dir = TempDir::new().unwrap();
    let journal = found(dir.path()).unwrap();
    let error = found(dir.path()).unwrap_err().to_string();
    let process = format!("is in use by process {}", std::process::id());
    assert!(error.contains(&process) && error.contains("--state-dir"), "{error}");
    drop(journal);
    let other = Journal::open(dir.path(), "bank", [9; 32], &settings()).unwrap_err();
    let error = other.to_string();
    assert!(error.contains("scenario shop (sha256 0707") && error.contains("bank (sha256 0909"));
    // The name alone does not matter.
    drop(Journal::open(dir.path(), "shop-2", DIGEST, &settings()).unwrap());
    written(dir.path(), groups().into_iter().take(2).collect());
    let changed = Settings { tags: vec!["slow".to_owned()], ..settings() };
    let error = Journal::open(dir.path(), "shop", DIGEST, &changed).unwrap_err().to_string();
    assert!(error.contains("with another --tags"), "{error}");
    let free = Settings { host: None, seed: 99, ..settings() };
    drop(Journal::open(dir.path(), "shop", DIGEST, &free).unwrap());
}

#[test]
fn a_newer_version_is_told() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(FILE);
    let version = [FORMAT + 1, swarm_stats::FORMAT];
    drop(Disk::create(&path, version, b"?", &Kept::new(settings())).unwrap());
    let error = found(dir.path()).unwrap_err().to_string();
    let (theirs, ours) = (FORMAT + 1, FORMAT);
    let stats = swarm_stats::FORMAT;
    assert!(error.contains(&format!("format {theirs}.{stats}, this swarm reads {ours}.{stats}")));
}

/// A scribe on a disk in memory.
fn scribe(memory: &Memory) -> Scribe {
    let disk = begin(memory);
    let (progress, watched) = watch::channel(Progress::default());
    let (sender, inbox) = channel();
    let again = memory.clone();
    let open = Box::new(move || Disk::on(again.clone()));
    let kept = Kept::new(settings());
    let writer = Writer::new(open, disk, kept, Extent::default(), progress);
    let scribe = Scribe::start(writer, sender, inbox, watched, 0).unwrap();
    Scribe { path: PathBuf::from("state.redb"), ..scribe }
}

#[tokio::test]
async fn what_cannot_be_written_is_not_safe_until_it_can() {
    let memory = Memory::default();
    let mut scribe = scribe(&memory);
    let mut groups = groups().into_iter();
    scribe.write(groups.next().unwrap(), None);
    scribe.safe(scribe.written()).await;
    let mut progress = scribe.progress();
    progress.borrow_and_update();

    memory.set_full(true);
    groups.for_each(|group| scribe.write(group, None));
    let (one, all) = (scribe.safe(1), scribe.safe(scribe.written()));
    let failing = progress.wait_for(|progress| progress.failing.is_some()).await.unwrap().clone();
    assert_eq!(failing.safe, 1);
    one.await;
    let soon = tokio::time::timeout(Duration::from_millis(1_500), all).await;
    assert!(soon.is_err(), "nothing is safe that is not written");

    memory.set_full(false);
    scribe.safe(scribe.written()).await;
    assert_eq!(scribe.progress().borrow().failing, None);
    drop(scribe);
    let bytes = memory.0.lock().unwrap().bytes.clone();
    let (kept, _) = Disk::on(Memory::of(bytes)).unwrap().load().unwrap();
    assert_eq!(fingerprint(&kept), state_after(8));
}

#[tokio::test]
async fn reports_wait_for_room_in_the_queue() {
    let memory = Memory::default();
    let mut scribe = scribe(&memory);
    memory.set_full(true);
    let half = scribe.room(QUEUE_BYTES_MAX / 2).await;
    scribe.write(vec![report(1, 1)], half);
    let half = scribe.room(QUEUE_BYTES_MAX / 2).await;
    scribe.write(vec![report(1, 2)], half);
    let more = scribe.room(1);
    assert!(tokio::time::timeout(Duration::from_millis(100), more).await.is_err());
    memory.set_full(false);
    assert!(scribe.room(1).await.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 64, ..Default::default()
    })]

    /// What the writer keeps for its checkpoints is what the records add up to, wherever the
    /// checkpoints are.
    #[test]
    fn checkpoints_change_nothing(at in prop::collection::btree_set(0_usize..8, 0..8)) {
        let memory = Memory::default();
        let disk = begin(&memory);
        for (number, group) in (0..).zip(groups()) {
            disk.append(number, &postcard::to_allocvec(&group).unwrap()).unwrap();
            if at.contains(&usize::try_from(number).unwrap()) {
                let (kept, _) = disk.load().unwrap();
                disk.checkpoint(&bytes_of(&kept)).unwrap();
            }
        }
        let (kept, extent) = disk.load().unwrap();
        prop_assert_eq!(fingerprint(&kept), state_after(8));
        prop_assert_eq!(extent.record_bytes == 0, at.contains(&7));
    }
}

/// FNV-1a: enough to notice a change.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Nothing in the bytes tells of which version they are. When this fails, what an earlier program
/// has left is misread: raise `FORMAT`, and then put the new numbers here.
#[test]
fn the_format_is_what_its_version_says() {
    let records = postcard::to_allocvec(&groups()).unwrap();
    let prints = [hash(&records), hash(&state_after(6))];
    assert_eq!((FORMAT, prints), (1, [0x5411_d090_602d_1427, 0x4e67_3af8_4cd1_e72a]));
}

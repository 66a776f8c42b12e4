//! A journal whose disk dies, fails and rots.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::disk::{Chore, bytes_of, pieces};
use super::made::{DIGEST, Memory, Op, PIECE_BYTES, append, apply, begin, checkpoint};
use super::made::{fingerprint, groups, report, settings};
use super::*;

/// What the first `count` groups add up to, for comparing.
fn state_after(count: usize) -> Vec<u8> {
    let mut kept = Kept::new(settings());
    groups().into_iter().take(count).flatten().for_each(|record| kept.apply(record));
    fingerprint(&kept)
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
    let mut safe = BTreeMap::from([(memory.ops().len(), 0)]);
    for (number, group) in (0..).zip(groups()) {
        append(&disk, number, &group);
        let count = usize::try_from(number).unwrap() + 1;
        if count == 5 {
            checkpoint(&disk, number + 1);
        }
        safe.insert(memory.ops().len(), count);
    }
    let states: Vec<_> = (0..=groups().len()).map(state_after).collect();
    let ops = memory.ops();
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
    let writer = Writer::new(open, disk, Extent::default(), progress);
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
    let bytes = memory.bytes();
    let (kept, _) = Disk::on(Memory::of(bytes)).unwrap().load().unwrap();
    assert_eq!(fingerprint(&kept), state_after(8));
}

/// Records come while a checkpoint is on its way, and it is interrupted: what counts is the one
/// before and all records, and what is left over does no harm to the next.
#[test]
fn an_unfinished_checkpoint_does_not_count() {
    let memory = Memory::default();
    let disk = begin(&memory);
    let groups = groups();
    append(&disk, 0, &groups[0]);
    let (kept, _) = disk.load().unwrap();
    // One of more bytes than the next has: its last pieces would be in the way.
    let mut bytes = bytes_of(&kept);
    bytes.resize(5 * bytes.len(), 0xff);
    for (number, piece) in (1..).zip(pieces(3, &bytes, PIECE_BYTES)) {
        if number < piece_count(&bytes) {
            disk.commit(1, b"", &Chore::Put(piece)).unwrap();
        }
    }
    append(&disk, 1, &groups[1]);
    append(&disk, 2, &groups[2]);
    let (kept, extent) = disk.load().unwrap();
    assert_eq!(fingerprint(&kept), state_after(3));
    assert_eq!((extent.next_group, extent.record_bytes > 0), (3, true));
    checkpoint(&disk, 3);
    let (kept, extent) = disk.load().unwrap();
    assert_eq!(fingerprint(&kept), state_after(3));
    assert_eq!((extent.next_group, extent.record_bytes), (3, 0));
    (3..).zip(&groups[3..]).for_each(|(number, group)| append(&disk, number, group));
    assert_eq!(fingerprint(&disk.load().unwrap().0), state_after(8));
}

fn piece_count(bytes: &[u8]) -> usize {
    bytes.len().div_ceil(PIECE_BYTES)
}

/// A scribe that has written a lot: the directory does not grow with it, and all of it counts.
#[tokio::test]
async fn what_is_written_does_not_grow_with_the_test() {
    let memory = Memory::default();
    memory.forget();
    let mut scribe = scribe(&memory);
    let filler = "x".repeat(1_000_000);
    let begun = [Record::Begun { at_ms: 1_000 }];
    scribe.write(begun.into_iter().collect(), None);
    for at_ms in 0..300 {
        let text = format!("{at_ms} {filler}");
        // A new test begins each time, so what it all adds up to stays small.
        scribe.write(vec![Record::Begun { at_ms }, Record::Notice { at_ms, text }], None);
        scribe.safe(scribe.written()).await;
    }
    drop(scribe);
    let bytes = memory.bytes();
    assert!(bytes.len() < 200 << 20, "{} bytes", bytes.len());
    let (kept, extent) = Disk::on(Memory::of(bytes)).unwrap().load().unwrap();
    assert_eq!(extent.next_group, 301);
    assert_eq!(kept.results.notices.len(), 1);
    assert!(kept.results.notices[0].text.starts_with("299 x"));
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

    /// Checkpoints are what the records add up to, wherever they are.
    #[test]
    fn checkpoints_change_nothing(at in prop::collection::btree_set(0_usize..8, 0..8)) {
        let memory = Memory::default();
        let disk = begin(&memory);
        for (number, group) in (0..).zip(groups()) {
            append(&disk, number, &group);
            if at.contains(&usize::try_from(number).unwrap()) {
                checkpoint(&disk, number + 1);
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
    assert_eq!((FORMAT, prints), (4, [0x64df_a910_adf1_07a6, 0xd22a_5a32_d02e_d730]));
}

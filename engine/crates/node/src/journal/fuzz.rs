//! A journal that is not what was written: what must hold all the same. Driven by the fuzzer in
//! `engine/fuzz`.

use std::sync::OnceLock;
use std::time::Duration;

use swarm_core::cluster::Cluster;
use swarm_core::dispatch::ClassShare;
use swarm_core::plan::Population;

use super::disk::{Disk, add_up, bytes_of};
use super::kept::Kept;
use super::made::{Memory, append, begin, checkpoint, fingerprint, groups, settings};

/// Bytes of a page of the database.
const PAGE_BYTES: usize = 4096;

/// A database as it was after each commit, and what is in the last.
struct Written {
    versions: Vec<Vec<u8>>,
    newest: Vec<u8>,
}

fn written() -> &'static Written {
    static WRITTEN: OnceLock<Written> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let memory = Memory::default();
        let disk = begin(&memory);
        let mut versions = Vec::new();
        for (number, group) in (0..).zip(groups()) {
            append(&disk, number, &group);
            if number == 4 {
                checkpoint(&disk, number + 1);
            }
            versions.push(memory.bytes());
        }
        let (kept, _) = disk.load().expect("a sound database");
        // What is written at the end of it all is part of it.
        drop(disk);
        versions.push(memory.bytes());
        let whole = Disk::on(Memory::of(versions.last().expect("just added").clone()));
        let (again, _) = whole.expect("undamaged").load().expect("undamaged");
        assert!(fingerprint(&again) == fingerprint(&kept), "it is found again");
        Written { versions, newest: fingerprint(&kept) }
    })
}

/// A database, damaged as `data` says: it is told, or it did not matter.
///
/// # Panics
/// When something else than what was written is read.
pub fn database(data: &[u8]) {
    let written = written();
    let mut bytes = written.versions.last().expect("there are some").clone();
    data.chunks_exact(5)
        .take(8)
        .for_each(|damage| do_damage(&mut bytes, damage, &written.versions));
    let Ok(disk) = Disk::on(Memory::of(bytes)) else { return };
    if disk.contents().is_err() {
        return;
    }
    let Ok((kept, _)) = disk.load() else { return };
    assert!(fingerprint(&kept) == written.newest, "something else was read than was written");
}

fn do_damage(bytes: &mut Vec<u8>, damage: &[u8], versions: &[Vec<u8>]) {
    let &[kind, low, middle, high, value] = damage else { return };
    let used = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let place = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    if used == 0 {
        return;
    }
    let at = place % used;
    let page = at - at % PAGE_BYTES;
    let end = (page + PAGE_BYTES).min(bytes.len());
    match kind % 8 {
        0 => bytes[at] ^= value,
        1 => bytes[at] = value,
        2 => bytes[page..end].fill(value),
        3 => bytes[at..end].fill(value),
        4 => bytes.truncate(at),
        // A page of an earlier time, as if its last write had been lost. Not the first one: with it
        // the whole is what it was then, and only the disk can know.
        5 if page > 0 => {
            let version = &versions[usize::from(value) % versions.len()];
            if let Some(old) = version.get(page..end) {
                bytes[page..end].copy_from_slice(old);
            }
        }
        6 => {
            let other = usize::from(value) * PAGE_BYTES % bytes.len();
            let length = (end - page).min(bytes.len() - other);
            bytes.copy_within(other..other + length, page);
        }
        7 => bytes.insert(at, value),
        _ => {}
    }
}

/// A checkpoint or groups of records, as `data` says: an error, or a state that a master can go on
/// with and that is kept as it is.
///
/// # Panics
/// When it is not kept as it is.
pub fn contents(data: &[u8]) {
    let Some((&what, bytes)) = data.split_first() else { return };
    let mut kept = Kept::new(settings());
    if what & 1 == 0 {
        if add_up(&mut kept, bytes).is_err() {
            return;
        }
    } else {
        let Ok(read) = postcard::from_bytes(bytes) else { return };
        kept = read;
    }
    let again: Kept = postcard::from_bytes(&bytes_of(&kept)).expect("it has just been written");
    assert!(fingerprint(&again) == fingerprint(&kept), "it is kept otherwise");
    goes_on(kept);
}

/// As a master's beginning.
fn goes_on(kept: Kept) {
    let now = Duration::from_millis(kept.last_ms);
    let class = ClassShare { name: "User".to_owned(), population: Population::Weight(1.0) };
    let mut totals = kept.results.totals;
    let _ = totals.snapshot(kept.last_ms);
    let Some(memory) = kept.cluster else { return };
    let Ok(mut cluster) = Cluster::restore(memory.module, vec![class], 1, memory, now) else {
        return;
    };
    for seconds in 1..20 {
        let _ = cluster.tick(now.saturating_add(Duration::from_secs(seconds)));
    }
    let _ = cluster.memory(0);
}

/// Contents to begin with: all records there are, and what they add up to.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![Vec::new(), vec![0]];
    let mut kept = Kept::new(settings());
    for group in groups() {
        let bytes = postcard::to_allocvec(&group).expect("plain data");
        seeds.push([&[0], &bytes[..]].concat());
        add_up(&mut kept, &bytes).expect("sound records");
        seeds.push([&[1], &bytes_of(&kept)[..]].concat());
    }
    seeds
}

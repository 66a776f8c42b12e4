//! What the target received: a tally a thread, summed when somebody asks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use crate::group::Part;

/// Most distinct paths that are counted by name; requests of later ones are [`OTHER_PATHS`].
pub const PATHS_MAX: usize = 1024;
/// The name under which requests are counted whose path is one too many or too long.
pub const OTHER_PATHS: &str = "(other)";
/// Longest path that is counted by name, in bytes.
const PATH_BYTES_MAX: usize = 256;
/// One more than the greatest status the target answers.
const STATUS_END: usize = 600;

/// What a target received since it started or since its counts were reset.
///
/// Requests to `/counts` and below appear in none of the request counts, so asking does not
/// change the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests whose head was complete and well-formed, answered or not.
    pub total: u64,
    /// The same by path, without the query. Their sum is `total`.
    pub paths: BTreeMap<String, u64>,
    /// Answers to those requests by status. The fault routes end without one.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests refused because they break the protocol or a limit: bad heads, which are not in
    /// `total`, and bad bodies, whose heads are.
    pub bad_requests: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now, which no reset changes.
    pub open: u64,
}

/// All threads' tallies. Each thread writes to its own, so their locks are hardly ever waited for.
#[derive(Debug)]
pub(crate) struct Ledger {
    tallies: Box<[Padded]>,
    /// Paths counted by name, by whichever thread saw them first. Only the holder of a tally
    /// may lock it, never the other way round.
    names: Mutex<HashSet<Box<str>>>,
}

/// Keeps the tallies of two threads out of one cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Padded(Mutex<Tally>);

#[derive(Debug)]
struct Tally {
    total: u64,
    bad_requests: u64,
    connections: u64,
    open: u64,
    other_paths: u64,
    paths: HashMap<Box<str>, u64>,
    statuses: Box<[u64; STATUS_END]>,
}

impl Tally {
    fn new(open: u64) -> Self {
        Self {
            total: 0,
            bad_requests: 0,
            connections: 0,
            open,
            other_paths: 0,
            paths: HashMap::new(),
            statuses: Box::new([0; STATUS_END]),
        }
    }

    fn add_to(&self, counts: &mut Counts) {
        counts.total += self.total;
        counts.bad_requests += self.bad_requests;
        counts.connections += self.connections;
        counts.open += self.open;
        for (path, n) in &self.paths {
            *counts.paths.entry(path.to_string()).or_default() += n;
        }
        if self.other_paths > 0 {
            *counts.paths.entry(OTHER_PATHS.to_owned()).or_default() += self.other_paths;
        }
        for (status, n) in (0u16..).zip(self.statuses.iter()).filter(|(_, n)| **n > 0) {
            *counts.statuses.entry(status).or_default() += n;
        }
    }
}

impl Ledger {
    pub(crate) fn new(threads: usize) -> Self {
        let tallies = (0..threads).map(|_| Padded(Mutex::new(Tally::new(0)))).collect();
        Self { tallies, names: Mutex::default() }
    }

    /// Counts a request by `thread` for `path`, which has no query.
    pub(crate) fn request(&self, thread: usize, path: &str) {
        let mut tally = self.tally(thread);
        tally.total += 1;
        if let Some(n) = tally.paths.get_mut(path) {
            *n += 1;
        } else if self.admit(path) {
            tally.paths.insert(path.into(), 1);
        } else {
            tally.other_paths += 1;
        }
    }

    /// Counts an answer.
    pub(crate) fn answer(&self, thread: usize, status: u16) {
        debug_assert!(usize::from(status) < STATUS_END, "routes check the status they answer");
        self.tally(thread).statuses[usize::from(status)] += 1;
    }

    /// Counts a refused request.
    pub(crate) fn bad_request(&self, thread: usize) {
        self.tally(thread).bad_requests += 1;
    }

    /// Counts a connection that opens.
    pub(crate) fn opened(&self, thread: usize) {
        let mut tally = self.tally(thread);
        tally.connections += 1;
        tally.open += 1;
    }

    /// Counts a connection of this thread that closes.
    pub(crate) fn closed(&self, thread: usize) {
        self.tally(thread).open -= 1;
    }

    /// The sum over all threads at one moment.
    pub(crate) fn counts(&self) -> Counts {
        sum(&self.all())
    }

    /// The sum over all threads at one moment, from which counting starts again.
    pub(crate) fn take(&self) -> Counts {
        self.part(true).counts
    }

    /// As [`Self::counts`] or, with `take`, [`Self::take`], and whether there was no room for
    /// further names.
    pub(crate) fn part(&self, take: bool) -> Part {
        let mut all = self.all();
        let counts = sum(&all);
        let full = self.names().len() >= PATHS_MAX;
        if take {
            self.restart(&mut all);
        }
        Part { counts, full }
    }

    fn restart(&self, all: &mut [MutexGuard<'_, Tally>]) {
        for tally in all {
            **tally = Tally::new(tally.open);
        }
        self.names().clear();
    }

    /// Whether `path` is or can be counted by name. The same answer for every thread, so that a
    /// path is never partly counted by name and partly among the others.
    fn admit(&self, path: &str) -> bool {
        let mut names = self.names();
        let room = names.len() < PATHS_MAX && path.len() <= PATH_BYTES_MAX;
        names.contains(path) || (room && names.insert(path.into()))
    }

    fn tally(&self, thread: usize) -> MutexGuard<'_, Tally> {
        self.tallies[thread].0.lock().expect("counting does not panic")
    }

    fn all(&self) -> Vec<MutexGuard<'_, Tally>> {
        (0..self.tallies.len()).map(|thread| self.tally(thread)).collect()
    }

    fn names(&self) -> MutexGuard<'_, HashSet<Box<str>>> {
        self.names.lock().expect("admitting a path does not panic")
    }
}

fn sum(tallies: &[MutexGuard<'_, Tally>]) -> Counts {
    let mut counts = Counts::default();
    for tally in tallies {
        tally.add_to(&mut counts);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up() {
        let ledger = Ledger::new(2);
        for thread in [0, 1, 1] {
            ledger.opened(thread);
            ledger.request(thread, "/");
            ledger.answer(thread, 200);
        }
        ledger.closed(1);
        ledger.bad_request(0);
        let counts = ledger.counts();
        assert_eq!(counts.total, 3);
        assert_eq!(counts.paths, BTreeMap::from([("/".to_owned(), 3)]));
        assert_eq!(counts.statuses, BTreeMap::from([(200, 3)]));
        assert_eq!((counts.connections, counts.open, counts.bad_requests), (3, 2, 1));
    }

    #[test]
    fn a_path_too_many_is_another_path_for_every_thread() {
        let ledger = Ledger::new(2);
        for n in 0..PATHS_MAX + 5 {
            ledger.request(n % 2, &format!("/{n}"));
        }
        // Known by the other thread only: still counted by name.
        ledger.request(1, "/0");
        ledger.request(0, &format!("/{PATHS_MAX}"));
        let counts = ledger.counts();
        assert_eq!(counts.paths.len(), PATHS_MAX + 1);
        assert_eq!(counts.paths[OTHER_PATHS], 6);
        assert_eq!(counts.paths["/0"], 2);
        assert_eq!(counts.paths.values().sum::<u64>(), counts.total);
    }

    #[test]
    fn a_path_too_long_is_another_path() {
        let ledger = Ledger::new(1);
        ledger.request(0, &"/".repeat(PATH_BYTES_MAX));
        ledger.request(0, &"/".repeat(PATH_BYTES_MAX + 1));
        assert_eq!(ledger.counts().paths[OTHER_PATHS], 1);
    }

    #[test]
    fn taking_starts_again_but_keeps_what_is_open() {
        let ledger = Ledger::new(2);
        ledger.opened(0);
        for n in 0..2 * PATHS_MAX {
            ledger.request(0, &format!("/{n}"));
        }
        assert_eq!(ledger.take().total, 2 * PATHS_MAX as u64);
        assert_eq!(ledger.counts(), Counts { open: 1, ..Counts::default() });
        ledger.request(1, "/new");
        assert_eq!(ledger.counts().paths["/new"], 1, "there is room for names again");
    }
}

//! Sets of user ids, held as runs of consecutive ids: a million users are a few hundred runs.
//!
//! The dispatcher gives ids out in blocks, so what a set costs, in memory and on the wire, grows
//! with the number of steps that made it and not with the number of its users. Ids in no order at
//! all cost one run each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Consecutive ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRun {
    /// The lowest.
    pub first: u32,
    /// The highest, itself included.
    pub last: u32,
}

impl IdRun {
    /// How many ids.
    fn count(self) -> u64 {
        u64::from(self.last - self.first) + 1
    }
}

/// A set of ids. Runs in it neither overlap nor touch, so equal sets have equal runs; as data it is
/// the list of its runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<IdRun>", into = "Vec<IdRun>")]
pub struct IdSet {
    /// The last id of each run by its first.
    runs: BTreeMap<u32, u32>,
    len: u64,
}

impl IdSet {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many ids.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Has it no id?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many runs its ids form: what it costs.
    #[must_use]
    pub fn run_count(&self) -> usize {
        self.runs.len()
    }

    /// The runs, ascending.
    pub fn runs(&self) -> impl Iterator<Item = IdRun> + '_ {
        self.runs.iter().map(|(&first, &last)| IdRun { first, last })
    }

    /// The ids, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.runs().flat_map(|run| run.first..=run.last)
    }

    /// Is `id` in it?
    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        self.runs.range(..=id).next_back().is_some_and(|(_, &last)| last >= id)
    }

    /// Adds an id. False when it was there.
    pub fn insert(&mut self, id: u32) -> bool {
        let new = !self.contains(id);
        if new {
            self.insert_run(IdRun { first: id, last: id });
        }
        new
    }

    /// Adds the ids of a run, some of which may be there. A run that ends before it begins has
    /// none.
    pub fn insert_run(&mut self, run: IdRun) {
        let IdRun { mut first, mut last } = run;
        if first > last {
            return;
        }
        // Those that overlap or touch become one with it, from the last on.
        while let Some((&start, &end)) = self.runs.range(..=last.saturating_add(1)).next_back()
            && end.saturating_add(1) >= first
        {
            self.drop_run(IdRun { first: start, last: end });
            (first, last) = (first.min(start), last.max(end));
        }
        self.push(IdRun { first, last });
    }

    /// Takes an id out. False when it was not there.
    pub fn remove(&mut self, id: u32) -> bool {
        let there = self.contains(id);
        if there {
            self.remove_run(IdRun { first: id, last: id });
        }
        there
    }

    /// Takes the ids of a run out, some of which may not be there.
    pub fn remove_run(&mut self, run: IdRun) {
        let IdRun { first, last } = run;
        while let Some((&start, &end)) = self.runs.range(..=last).next_back()
            && end >= first
        {
            self.drop_run(IdRun { first: start, last: end });
            if end > last {
                self.push(IdRun { first: last + 1, last: end });
            }
            if start < first {
                self.push(IdRun { first: start, last: first - 1 });
            }
        }
    }

    /// Takes the highest id out.
    pub fn pop_last(&mut self) -> Option<u32> {
        let id = *self.runs.last_key_value()?.1;
        self.remove(id);
        Some(id)
    }

    /// Takes the lowest `n` ids out, or all when there are fewer.
    pub fn take_first(&mut self, n: u64) -> Self {
        let mut taken = Self::new();
        while taken.len < n
            && let Some((&first, &last)) = self.runs.first_key_value()
        {
            let wanted = u32::try_from(n - taken.len - 1).unwrap_or(u32::MAX);
            let run = IdRun { first, last: last.min(first.saturating_add(wanted)) };
            self.remove_run(run);
            taken.push(run);
        }
        taken
    }

    /// Adds all ids of `other`.
    pub fn insert_all(&mut self, other: &Self) {
        other.runs().for_each(|run| self.insert_run(run));
    }

    /// Takes all ids of `other` out.
    pub fn remove_all(&mut self, other: &Self) {
        other.runs().for_each(|run| self.remove_run(run));
    }

    /// The ids that `other` does not have.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = Self::new();
        let mut cuts = other.runs().peekable();
        for run in self.runs() {
            let mut next = Some(run.first);
            while let Some(first) = next {
                while cuts.next_if(|cut| cut.last < first).is_some() {}
                let cut = cuts.peek().filter(|cut| cut.first <= run.last);
                let end = cut.map_or(Some(run.last), |cut| cut.first.checked_sub(1));
                if let Some(last) = end.filter(|&last| last >= first) {
                    rest.push(IdRun { first, last });
                }
                next = cut.filter(|cut| cut.last < run.last).map(|cut| cut.last + 1);
            }
        }
        rest
    }

    /// The ids that `other` has too.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::new();
        let (mut ours, mut theirs) = (self.runs().peekable(), other.runs().peekable());
        while let (Some(one), Some(two)) = (ours.peek(), theirs.peek()) {
            let run = IdRun { first: one.first.max(two.first), last: one.last.min(two.last) };
            if run.first <= run.last {
                both.push(run);
            }
            if one.last < two.last {
                ours.next();
            } else {
                theirs.next();
            }
        }
        both
    }

    /// Adds a run that neither overlaps nor touches another one.
    fn push(&mut self, run: IdRun) {
        self.runs.insert(run.first, run.last);
        self.len += run.count();
    }

    fn drop_run(&mut self, run: IdRun) {
        self.runs.remove(&run.first);
        self.len -= run.count();
    }
}

impl Extend<u32> for IdSet {
    fn extend<T: IntoIterator<Item = u32>>(&mut self, ids: T) {
        ids.into_iter().for_each(|id| {
            self.insert(id);
        });
    }
}

impl FromIterator<u32> for IdSet {
    fn from_iter<T: IntoIterator<Item = u32>>(ids: T) -> Self {
        let mut set = Self::new();
        set.extend(ids);
        set
    }
}

impl From<Vec<IdRun>> for IdSet {
    fn from(runs: Vec<IdRun>) -> Self {
        runs.into_iter().collect()
    }
}

impl From<IdSet> for Vec<IdRun> {
    fn from(ids: IdSet) -> Self {
        ids.runs().collect()
    }
}

impl FromIterator<IdRun> for IdSet {
    fn from_iter<T: IntoIterator<Item = IdRun>>(runs: T) -> Self {
        let mut set = Self::new();
        runs.into_iter().for_each(|run| set.insert_run(run));
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Ids in a narrow space, so that runs meet; both ends of the whole space are in it.
    fn ids() -> impl Strategy<Value = BTreeSet<u32>> {
        let id = prop_oneof![8 => 0..60_u32, 1 => u32::MAX - 8..=u32::MAX];
        prop::collection::btree_set(id, 0..50)
    }

    fn set(ids: &BTreeSet<u32>) -> IdSet {
        ids.iter().copied().collect()
    }

    fn check(set: &IdSet, expected: &BTreeSet<u32>) {
        assert_eq!(set.iter().collect::<Vec<_>>(), expected.iter().copied().collect::<Vec<_>>());
        assert_eq!(set.len(), expected.len() as u64);
        let runs: Vec<_> = set.runs().collect();
        let apart = |pair: &[IdRun]| u64::from(pair[0].last) + 1 < u64::from(pair[1].first);
        assert!(runs.windows(2).all(apart), "{runs:?}");
        assert_eq!(runs.iter().copied().collect::<IdSet>(), *set);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// The standard library's set is the judge.
        #[test]
        fn does_what_a_set_of_numbers_does(one in ids(), two in ids(), n in 0..70_usize) {
            let (a, b) = (set(&one), set(&two));
            check(&a, &one);
            check(&a.difference(&b), &(&one - &two));
            check(&a.intersection(&b), &(&one & &two));
            let mut all = a.clone();
            all.insert_all(&b);
            check(&all, &(&one | &two));
            all.remove_all(&b);
            check(&all, &(&one - &two));
            for id in &two {
                prop_assert_eq!(a.contains(*id), one.contains(id));
            }
            let mut rest = a.clone();
            check(&rest.take_first(n as u64), &one.iter().copied().take(n).collect());
            check(&rest, &one.iter().copied().skip(n).collect());
            prop_assert_eq!(rest.pop_last(), one.iter().copied().skip(n).last());
        }

        #[test]
        fn runs_go_in_and_out(
            runs in prop::collection::vec((any::<bool>(), 0..60_u32, 0..20_u32), 0..30),
        ) {
            let (mut set, mut expected) = (IdSet::new(), BTreeSet::new());
            for (adds, first, more) in runs {
                let run = IdRun { first, last: first + more };
                if adds {
                    set.insert_run(run);
                    expected.extend(run.first..=run.last);
                } else {
                    set.remove_run(run);
                    expected.retain(|id| !(run.first..=run.last).contains(id));
                }
                check(&set, &expected);
            }
        }
    }

    #[test]
    fn a_million_ids_in_a_row_are_one_run() {
        let mut ids = IdSet::new();
        for step in 0..50 {
            ids.insert_run(IdRun { first: step * 20_000, last: step * 20_000 + 19_999 });
        }
        assert_eq!((ids.len(), ids.run_count()), (1_000_000, 1));
    }
}

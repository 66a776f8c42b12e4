//! Which class gains or loses the next user.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::ClassShare;
use crate::plan::Population;

/// Larger weights are scaled down together: only their ratio counts, and beside a huge weight one
/// user more would be lost in rounding.
const WEIGHT_MAX: f64 = 1e6;

/// What every class is entitled to.
#[derive(Debug, Clone)]
pub(super) struct Shares(Vec<Share>);

#[derive(Debug, Clone, Copy)]
struct Share {
    /// Weight among its like: the number itself for a fixed class.
    weight: f64,
    fixed: Option<u32>,
    /// Place of the class's name among all names: the last tie-break.
    name: usize,
}

/// The order in which classes gain users: the least goes first. Losing is the exact reverse, so
/// the counts of a number of users do not depend on how they were reached.
///
/// Inside a tier a user counts by how much it lessens the Kullback-Leibler divergence of the
/// counts from the weights.
#[derive(Debug, Clone, Copy)]
struct Key {
    tier: Tier,
    /// Negative; the lower, the more the divergence falls.
    change: f64,
    count_after: f64,
    weight: f64,
    name: usize,
}

/// Fixed classes are served first and cut last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Fixed,
    Weighted,
    /// Beyond what the class is entitled to: never gained, lost first.
    Surplus,
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.tier
            .cmp(&other.tier)
            .then(self.change.total_cmp(&other.change))
            .then(self.count_after.total_cmp(&other.count_after))
            .then(self.weight.total_cmp(&other.weight))
            .then(self.name.cmp(&other.name))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

impl Shares {
    pub(super) fn new(classes: &[ClassShare]) -> Self {
        let mut by_name: Vec<usize> = (0..classes.len()).collect();
        by_name.sort_by(|&a, &b| classes[a].name.cmp(&classes[b].name));
        let mut shares: Vec<Share> = classes
            .iter()
            .map(|class| match class.population {
                Population::Weight(weight) => Share { weight, fixed: None, name: 0 },
                Population::Fixed(users) => {
                    Share { weight: f64::from(users), fixed: Some(users), name: 0 }
                }
            })
            .collect();
        for (place, &class) in by_name.iter().enumerate() {
            shares[class].name = place;
        }
        Self(shares).scaled()
    }

    /// Shares that repeat the ratio of `counts`.
    pub(super) fn like(counts: &[u32]) -> Self {
        let share = |(name, &users)| Share { weight: f64::from(users), fixed: None, name };
        Self(counts.iter().enumerate().map(share).collect()).scaled()
    }

    fn scaled(mut self) -> Self {
        let weighted = |share: &&mut Share| share.fixed.is_none();
        let largest = self.0.iter_mut().filter(weighted).map(|share| share.weight);
        let scale = WEIGHT_MAX / largest.fold(WEIGHT_MAX, f64::max);
        self.0.iter_mut().filter(weighted).for_each(|share| share.weight *= scale);
        self
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many users `class` may still gain; `None` is no limit.
    pub(super) fn room(&self, class: usize, count: u32) -> Option<u32> {
        match self.0[class].fixed {
            Some(fixed) => Some(fixed.saturating_sub(count)),
            None if self.0[class].weight > 0.0 => None,
            None => Some(0),
        }
    }

    /// The classes that gain the next users, for those of `eligible`.
    pub(super) fn growth(&self, counts: &[u32], eligible: impl Fn(usize) -> bool) -> Growth<'_> {
        let mut growth = Growth { shares: self, counts: counts.to_vec(), heap: BinaryHeap::new() };
        (0..self.len()).filter(|&class| eligible(class)).for_each(|class| growth.offer(class));
        growth
    }

    /// The classes that lose the next users.
    pub(super) fn decline(&self, counts: &[u32]) -> Decline<'_> {
        let mut decline =
            Decline { shares: self, counts: counts.to_vec(), heap: BinaryHeap::new() };
        (0..self.len()).for_each(|class| decline.offer(class));
        decline
    }

    /// Of `classes`, the one that loses a user first.
    pub(super) fn first_to_go(
        &self,
        counts: &[u32],
        classes: impl Iterator<Item = usize>,
    ) -> Option<usize> {
        classes.max_by_key(|&class| self.key(class, counts[class].saturating_sub(1)))
    }

    /// The key of the user that makes `count` of `class` one more.
    fn key(&self, class: usize, count: u32) -> Key {
        let Share { weight, fixed, name } = self.0[class];
        let tier = match fixed {
            Some(fixed) if count < fixed => Tier::Fixed,
            None if weight > 0.0 => Tier::Weighted,
            Some(_) | None => Tier::Surplus,
        };
        let count_after = weight + f64::from(count) + 1.0;
        // weight * log2(x / (x + 1)) for x = weight + count, exact also where x is large.
        let change = weight * (-1.0 / count_after).ln_1p();
        Key { tier, change, count_after, weight, name }
    }
}

/// An endless sequence of classes, unless no class may gain.
#[derive(Debug)]
pub(super) struct Growth<'a> {
    shares: &'a Shares,
    counts: Vec<u32>,
    heap: BinaryHeap<Reverse<(Key, usize)>>,
}

impl Growth<'_> {
    fn offer(&mut self, class: usize) {
        let key = self.shares.key(class, self.counts[class]);
        if key.tier < Tier::Surplus {
            self.heap.push(Reverse((key, class)));
        }
    }
}

impl Iterator for Growth<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let Reverse((_, class)) = self.heap.pop()?;
        self.counts[class] += 1;
        self.offer(class);
        Some(class)
    }
}

/// The sequence of classes down to no user at all.
#[derive(Debug)]
pub(super) struct Decline<'a> {
    shares: &'a Shares,
    counts: Vec<u32>,
    /// With the count that the key was made for; another count now makes the entry void.
    heap: BinaryHeap<(Key, usize, u32)>,
}

impl Decline<'_> {
    fn offer(&mut self, class: usize) {
        if let Some(count) = self.counts[class].checked_sub(1) {
            self.heap.push((self.shares.key(class, count), class, count + 1));
        }
    }
}

impl Iterator for Decline<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while let Some((_, class, count)) = self.heap.pop() {
            if self.counts[class] == count {
                self.counts[class] -= 1;
                self.offer(class);
                return Some(class);
            }
        }
        None
    }
}

/// A sequence of classes that users are taken from, where a class may have to stand in for
/// another one because the worker has no user of that.
pub(super) trait Sequence: Iterator<Item = usize> {
    /// Of `classes`, the one that should lose a user first.
    fn first_of(&self, classes: impl Iterator<Item = usize>) -> Option<usize>;

    /// `actual` lost the user that `planned` should have lost.
    fn replaced(&mut self, planned: usize, actual: usize);
}

impl Sequence for Decline<'_> {
    fn first_of(&self, classes: impl Iterator<Item = usize>) -> Option<usize> {
        self.shares.first_to_go(&self.counts, classes)
    }

    fn replaced(&mut self, planned: usize, actual: usize) {
        self.counts[planned] += 1;
        self.counts[actual] = self.counts[actual].saturating_sub(1);
        self.offer(planned);
        self.offer(actual);
    }
}

impl Sequence for Growth<'_> {
    fn first_of(&self, classes: impl Iterator<Item = usize>) -> Option<usize> {
        classes.min_by_key(|&class| self.shares.key(class, self.counts[class]))
    }

    // The mix of a few moved users is allowed to be off by the ones that were not to be had.
    fn replaced(&mut self, _planned: usize, _actual: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(weights: &[f64], users: usize) -> String {
        let class = |(index, &weight): (usize, &f64)| ClassShare {
            name: char::from(b'A' + u8::try_from(index).unwrap()).to_string(),
            population: Population::Weight(weight),
        };
        let shares = Shares::new(&weights.iter().enumerate().map(class).collect::<Vec<_>>());
        let letter = |class| char::from(b'A' + u8::try_from(class).unwrap());
        shares.growth(&vec![0; weights.len()], |_| true).take(users).map(letter).collect()
    }

    #[test]
    fn weights_give_the_known_sequences() {
        assert_eq!(sequence(&[5.0, 1.0], 14), "AABAAAAABAAAAA");
        assert_eq!(sequence(&[4.0, 5.0], 14), "BABABABABBABAB");
        assert_eq!(sequence(&[1.0, 2.0, 3.0], 14), "CBACBCCBACBCCB");
        assert_eq!(sequence(&[3.0, 1.0], 14), "ABAAABAAABAAAB");
        assert_eq!(sequence(&[10.0, 3.0, 1.0], 14), "AABAACABAAABAA");
        assert_eq!(sequence(&[1.0, 1.0, 1.0], 6), "ABCABC");
    }

    #[test]
    fn huge_tiny_and_zero_weights_keep_their_ratio() {
        for scale in [1e300, 1e12, 1e-12, 1e-300] {
            let got = sequence(&[3.0 * scale, scale, 0.0], 400);
            assert_eq!(got.matches('A').count(), 300, "scale {scale}");
            assert_eq!(got.matches('C').count(), 0, "scale {scale}");
        }
    }

    #[test]
    fn decline_is_growth_backwards() {
        let population = [
            Population::Weight(2.0),
            Population::Fixed(3),
            Population::Weight(0.7),
            Population::Fixed(1),
        ];
        let classes: Vec<_> = population
            .iter()
            .enumerate()
            .map(|(index, &population)| ClassShare { name: format!("{index}"), population })
            .collect();
        let shares = Shares::new(&classes);
        let up: Vec<usize> = shares.growth(&[0; 4], |_| true).take(200).collect();
        let mut counts = [0_u32; 4];
        up.iter().for_each(|&class| counts[class] += 1);
        let mut down: Vec<usize> = shares.decline(&counts).collect();
        down.reverse();
        assert_eq!(up, down);
    }

    #[test]
    fn a_class_that_stood_in_is_made_up_for() {
        let even =
            |name: &str| ClassShare { name: name.to_owned(), population: Population::Weight(1.0) };
        let shares = Shares::new(&[even("a"), even("b")]);
        let mut decline = shares.decline(&[3, 3]);
        assert_eq!(decline.next(), Some(1));
        decline.replaced(1, 0);
        assert_eq!(decline.by_ref().take(2).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(decline.count(), 3);
    }
}

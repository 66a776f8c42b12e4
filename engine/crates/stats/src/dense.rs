//! A count for every bucket up to the largest in use: where many samples come together, and what
//! percentiles are read from.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::histogram::Histogram;
use crate::layout::{FINE, highest_in};

/// It grows by so many buckets at a time.
const STEP: usize = 256;

/// Counts by bucket.
#[derive(Debug, Clone)]
pub(crate) struct Dense<const BITS: u32 = FINE> {
    counts: Vec<u64>,
    /// All counts before this one are 0.
    first: usize,
    samples: u64,
}

impl<const BITS: u32> Default for Dense<BITS> {
    fn default() -> Self {
        Self { counts: Vec::new(), first: usize::MAX, samples: 0 }
    }
}

impl<const BITS: u32> Dense<BITS> {
    /// Adds samples to a bucket of this layout.
    #[inline]
    pub(crate) fn add_bucket(&mut self, bucket: u32, count: u64) {
        let bucket = bucket as usize;
        if bucket >= self.counts.len() {
            self.grow(bucket);
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(count);
        self.first = self.first.min(bucket);
        self.samples = self.samples.saturating_add(count);
    }

    #[cold]
    fn grow(&mut self, bucket: usize) {
        self.counts.resize((bucket + 1).next_multiple_of(STEP), 0);
    }

    /// Adds all samples of another one.
    pub(crate) fn add(&mut self, more: &Self) {
        if self.counts.len() < more.counts.len() {
            self.counts.resize(more.counts.len(), 0);
        }
        let from = more.first.min(more.counts.len());
        for (count, more) in self.counts[from..].iter_mut().zip(&more.counts[from..]) {
            // Compiled to vectors, which saturating is not. A report counts up to 2^40: it would
            // take millions of the largest to overflow.
            *count = count.wrapping_add(*more);
        }
        self.first = self.first.min(more.first);
        self.samples = self.samples.saturating_add(more.samples);
    }

    /// Forgets all samples and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.counts.clear();
        (self.first, self.samples) = (usize::MAX, 0);
    }

    pub(crate) fn samples(&self) -> u64 {
        self.samples
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// (bucket, count) from the first in use on, empty ones included.
    fn used(&self) -> impl Iterator<Item = (u32, u64)> {
        let from = self.first.min(self.counts.len());
        let buckets = u32::try_from(from).unwrap_or(u32::MAX)..;
        buckets.zip(self.counts[from..].iter().copied())
    }

    /// The values at `percents`, which must rise; all 0 without a sample. A value is the upper end
    /// of the bucket of the smallest sample that has at least that share of all samples at or
    /// below it.
    pub(crate) fn values_at<const N: usize>(&self, percents: [f64; N]) -> [u64; N] {
        let mut values = [0; N];
        if self.samples == 0 {
            return values;
        }
        let ranks = percents.map(|percent| rank(percent, self.samples));
        let (mut passed, mut found) = (0_u64, 0);
        for (bucket, count) in self.used() {
            passed = passed.saturating_add(count);
            while found < N && ranks[found] <= passed {
                values[found] = highest_in::<BITS>(bucket);
                found += 1;
            }
            if found == N {
                break;
            }
        }
        values
    }
}

/// The buckets in use: most are not.
impl<const BITS: u32> Serialize for Dense<BITS> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let used: Vec<(u32, u64)> = self.used().filter(|&(_, count)| count > 0).collect();
        used.serialize(serializer)
    }
}

impl<'de, const BITS: u32> Deserialize<'de> for Dense<BITS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // It checks order, counts and the number of buckets, of which a coarse layout has fewer.
        let used = Histogram::deserialize(deserializer)?;
        let mut dense = Self::default();
        // The largest first: then it has its size at once.
        used.buckets().iter().rev().for_each(|&(bucket, count)| dense.add_bucket(bucket, count));
        Ok(dense)
    }
}

impl Dense {
    /// The buckets in use.
    pub(crate) fn to_histogram(&self) -> Histogram {
        let buckets = self.used().filter(|&(_, count)| count > 0).collect();
        Histogram::from_buckets(buckets)
            .expect("buckets are visited by rising number, and the empty ones left out")
    }

    /// Adds all samples of a histogram.
    pub(crate) fn add_histogram(&mut self, more: &Histogram) {
        for &(bucket, count) in more.buckets() {
            self.add_bucket(bucket, count);
        }
    }
}

/// Rank of the smallest sample with at least `percent` of the samples at or below it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the percentage is clamped to 0..100, and the rank to the number of samples"
)]
fn rank(percent: f64, samples: u64) -> u64 {
    const MILLIONTHS: u128 = 1_000_000;
    // In integers: 99.9 / 100 * 1000 is more than 999 in floating point.
    let millionths = (percent.clamp(0.0, 100.0) * MILLIONTHS as f64).round() as u128;
    let rank = (millionths * u128::from(samples)).div_ceil(100 * MILLIONTHS);
    (rank as u64).clamp(1, samples.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::bucket_of;

    #[test]
    fn ranks_are_exact() {
        assert_eq!(rank(99.9, 1_000), 999);
        assert_eq!(rank(99.99, 10_000), 9_999);
        assert_eq!(rank(66.0, 100), 66);
        assert_eq!(rank(50.0, 1), 1);
        assert_eq!(rank(50.0, 3), 2);
        assert_eq!(rank(0.0, 7), 1);
        assert_eq!(rank(100.0, u64::MAX), u64::MAX);
    }

    #[test]
    fn a_percentile_is_the_smallest_value_that_covers_its_share() {
        let mut dense = <Dense>::default();
        assert_eq!(dense.values_at([50.0, 100.0]), [0, 0]);
        for time_us in 1..=1_000 {
            dense.add_bucket(bucket_of::<FINE>(time_us), 1);
        }
        assert_eq!(dense.values_at([50.0, 99.9, 100.0]), [500, 999, 1_000]);
    }
}

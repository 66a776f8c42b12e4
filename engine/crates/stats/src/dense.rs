//! A count for every bucket in use: where many samples come together, and what percentiles are
//! read from.
//!
//! Buckets come in chunks, and a chunk without a sample takes no memory. Without that a single slow
//! response would make a name's counts as long as the way up to it: 70 KiB for one that took 300 ms
//! beside thousands of less than one.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::chunk::{CHUNK, Chunk};
use crate::histogram::Histogram;
use crate::layout::{FINE, highest_in};

/// Counts by bucket.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dense<const BITS: u32 = FINE> {
    /// By number of the bucket. As many as there were up to the largest in use.
    chunks: Vec<Option<Chunk>>,
    samples: u64,
}

impl<const BITS: u32> Dense<BITS> {
    /// Adds samples to a bucket of this layout.
    #[inline]
    pub(crate) fn add_bucket(&mut self, bucket: u32, count: u64) {
        let (chunk, place) = (bucket as usize / CHUNK, bucket as usize % CHUNK);
        let chunk = match self.chunks.get_mut(chunk) {
            Some(Some(chunk)) => chunk,
            _ => self.new_chunk(chunk),
        };
        chunk.add(place, count);
        self.samples = self.samples.saturating_add(count);
    }

    #[cold]
    fn new_chunk(&mut self, at: usize) -> &mut Chunk {
        if at >= self.chunks.len() {
            self.chunks.resize_with(at + 1, Option::default);
        }
        self.chunks[at].insert(Chunk::default())
    }

    /// Adds all samples of another one.
    pub(crate) fn add(&mut self, more: &Self) {
        if self.chunks.len() < more.chunks.len() {
            self.chunks.resize_with(more.chunks.len(), Option::default);
        }
        for (chunk, more) in self.chunks.iter_mut().zip(&more.chunks) {
            match (chunk, more) {
                (_, None) => {}
                (none @ None, more) => none.clone_from(more),
                (Some(chunk), Some(more)) => chunk.add_all(more),
            }
        }
        self.samples = self.samples.saturating_add(more.samples);
    }

    /// Forgets all samples and keeps the memory, for the next sum of many.
    pub(crate) fn clear(&mut self) {
        self.chunks.iter_mut().flatten().for_each(Chunk::clear);
        self.samples = 0;
    }

    pub(crate) fn samples(&self) -> u64 {
        self.samples
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// (bucket, count) of the buckets in use, by rising bucket.
    fn used(&self) -> impl Iterator<Item = (u32, u64)> {
        let chunks = (0_u32..).step_by(CHUNK).zip(&self.chunks);
        let used = chunks.filter_map(|(first, chunk)| Some((first, chunk.as_ref()?)));
        let counts = used.flat_map(|(first, chunk)| (first..).zip(chunk.counts()));
        counts.filter(|&(_, count)| count > 0)
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

/// The buckets in use.
impl<const BITS: u32> Serialize for Dense<BITS> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // With its length before it, as not every format can do without.
        self.used().collect::<Vec<_>>().serialize(serializer)
    }
}

impl<'de, const BITS: u32> Deserialize<'de> for Dense<BITS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // It checks order, counts and the number of buckets, of which a coarse layout has fewer.
        let used = Histogram::deserialize(deserializer)?;
        let mut dense = Self::default();
        used.buckets().iter().for_each(|&(bucket, count)| dense.add_bucket(bucket, count));
        Ok(dense)
    }
}

impl Dense {
    /// The buckets in use.
    pub(crate) fn to_histogram(&self) -> Histogram {
        Histogram::from_buckets(self.used().collect())
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

    /// One slow response among many quick ones is not paid for with all the buckets between.
    #[test]
    fn only_chunks_in_use_take_memory() {
        let (slow, mut dense) = (bucket_of::<FINE>(300_000), <Dense>::default());
        for time_us in (0..640).chain([300_000]) {
            dense.add_bucket(bucket_of::<FINE>(time_us), 1);
        }
        let mut sum = <Dense>::default();
        sum.add(&dense);
        sum.add(&dense);
        for dense in [&dense, &sum] {
            assert_eq!(dense.chunks.iter().flatten().count(), 640 / CHUNK + 1);
            assert_eq!(dense.values_at([100.0])[0], highest_in::<FINE>(slow));
        }
        let expected = (0..640).map(|time_us| (bucket_of::<FINE>(time_us), 2));
        assert_eq!(sum.used().collect::<Vec<_>>(), expected.chain([(slow, 2)]).collect::<Vec<_>>());
        sum.clear();
        assert!(sum.is_empty() && sum.used().next().is_none());
        sum.add_bucket(7, 1);
        assert_eq!((sum.samples(), sum.used().collect::<Vec<_>>()), (1, vec![(7, 1)]));
    }
}

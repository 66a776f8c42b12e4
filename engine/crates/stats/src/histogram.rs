//! Histograms as they are recorded, sent and merged: only the buckets that hold something.
//!
//! What a load thread records of one name in a second falls into a handful of the thousands of
//! buckets that a span of times has, so a list of (bucket, count) is what reports carry. Merging
//! is addition of counts. The layout is that of an HdrHistogram of three significant digits
//! that begins at 1: values below 2,048 have a bucket each, and every doubling above has 1,024
//! buckets. It has no end: the largest number has a bucket too.

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::layout::{FINE, bucket_of, highest_in};

/// Number of buckets of the layout: all are below this.
pub const BUCKETS: u32 = bucket_of::<FINE>(u64::MAX) + 1;

/// Counts by bucket, for the buckets that hold something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<(u32, u64)>")]
pub struct Histogram {
    /// (bucket, count), by rising bucket; no count is 0.
    buckets: Vec<(u32, u64)>,
    samples: u64,
}

/// Buckets that make no histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BucketsError {
    /// The layout has fewer.
    #[error("has bucket {0}, the last is {last}", last = BUCKETS - 1)]
    NoSuchBucket(u32),
    /// A bucket follows on itself or on a later one.
    #[error("has bucket {0} out of order")]
    OutOfOrder(u32),
    /// A bucket without a sample is left out.
    #[error("has nothing in bucket {0}")]
    Empty(u32),
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.buckets.serialize(serializer)
    }
}

impl TryFrom<Vec<(u32, u64)>> for Histogram {
    type Error = BucketsError;

    fn try_from(buckets: Vec<(u32, u64)>) -> Result<Self, BucketsError> {
        Self::from_buckets(buckets)
    }
}

impl Histogram {
    /// An empty histogram.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A histogram of (bucket, count) by rising bucket.
    ///
    /// # Errors
    /// If a bucket does not exist, is empty or not larger than the one before. Counts that add up
    /// to more than 64 bits hold are none: a sum of histograms stays at the most, too, and what was
    /// added up and saved has to be readable.
    pub fn from_buckets(buckets: Vec<(u32, u64)>) -> Result<Self, BucketsError> {
        let (mut samples, mut next) = (0_u64, 0);
        for &(bucket, count) in &buckets {
            if bucket >= BUCKETS {
                return Err(BucketsError::NoSuchBucket(bucket));
            }
            if bucket < next {
                return Err(BucketsError::OutOfOrder(bucket));
            }
            if count == 0 {
                return Err(BucketsError::Empty(bucket));
            }
            samples = samples.saturating_add(count);
            next = bucket + 1;
        }
        Ok(Self { buckets, samples })
    }

    /// A histogram of buckets in any order, which may be there several times.
    pub(crate) fn from_unsorted(mut buckets: Vec<(u32, u64)>) -> Self {
        buckets.sort_unstable_by_key(|&(bucket, _)| bucket);
        buckets.dedup_by(|more, kept| {
            let same = more.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(more.1);
            }
            same
        });
        let samples = buckets.iter().fold(0_u64, |sum, &(_, count)| sum.saturating_add(count));
        Self { buckets, samples }
    }

    /// Records a value so many times. For single values; load threads record in bulk.
    pub fn record(&mut self, value: u64, count: u64) {
        if count > 0 {
            self.add_bucket(bucket_of::<FINE>(value), count);
        }
    }

    fn add_bucket(&mut self, bucket: u32, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |&(bucket, _)| bucket) {
            Ok(place) => self.buckets[place].1 = self.buckets[place].1.saturating_add(count),
            Err(place) => self.buckets.insert(place, (bucket, count)),
        }
        self.samples = self.samples.saturating_add(count);
    }

    /// Adds all samples of `more`.
    pub fn add(&mut self, more: &Self) {
        if self.buckets.is_empty() {
            self.clone_from(more);
            return;
        }
        // Most buckets are there already; those that are not are put in with one pass.
        let mut new = Vec::new();
        for &(bucket, count) in &more.buckets {
            match self.buckets.binary_search_by_key(&bucket, |&(bucket, _)| bucket) {
                Ok(place) => self.buckets[place].1 = self.buckets[place].1.saturating_add(count),
                Err(_) => new.push((bucket, count)),
            }
        }
        self.samples = self.samples.saturating_add(more.samples);
        if !new.is_empty() {
            self.buckets.extend(new);
            // Stable, because that is quick with what is there: two runs that rise.
            self.buckets.sort_by_key(|&(bucket, _)| bucket);
        }
    }

    /// (bucket, count) by rising bucket; every count is above 0.
    #[must_use]
    pub fn buckets(&self) -> &[(u32, u64)] {
        &self.buckets
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Is there no sample?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// Samples in the bucket of this value.
    #[must_use]
    pub fn count_at(&self, value: u64) -> u64 {
        let wanted = bucket_of::<FINE>(value);
        let place = self.buckets.binary_search_by_key(&wanted, |&(bucket, _)| bucket);
        place.map_or(0, |place| self.buckets[place].1)
    }

    /// The largest value that the last bucket in use holds, `None` without a sample.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.buckets.last().map(|&(bucket, _)| highest_in::<FINE>(bucket))
    }

    /// Can `min` be the smallest of the samples, where those above `limit` are recorded as that?
    #[must_use]
    pub fn begins_with(&self, min: u64, limit: u64) -> bool {
        let first = self.buckets.first();
        first.is_some_and(|&(bucket, _)| bucket == bucket_of::<FINE>(min.min(limit)))
    }

    /// Can `max` be the largest of the samples, where those above `limit` are recorded as that?
    #[must_use]
    pub fn ends_with(&self, max: u64, limit: u64) -> bool {
        let last = self.buckets.last();
        last.is_some_and(|&(bucket, _)| bucket == bucket_of::<FINE>(max.min(limit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_histogram() {
        let made = |buckets: &[(u32, u64)]| Histogram::from_buckets(buckets.to_vec());
        assert_eq!(made(&[(BUCKETS, 1)]), Err(BucketsError::NoSuchBucket(BUCKETS)));
        assert_eq!(made(&[(3, 1), (3, 1)]), Err(BucketsError::OutOfOrder(3)));
        assert_eq!(made(&[(3, 1), (2, 1)]), Err(BucketsError::OutOfOrder(2)));
        assert_eq!(made(&[(3, 0)]), Err(BucketsError::Empty(3)));
        assert_eq!(made(&[(3, u64::MAX), (4, 1)]).map(|all| all.samples()), Ok(u64::MAX));
        let good = made(&[(0, 2), (BUCKETS - 1, 1)]).unwrap();
        assert_eq!((good.samples(), good.max()), (3, Some(u64::MAX)));
    }

    #[test]
    fn knows_its_ends() {
        let mut times = Histogram::new();
        assert!(!times.begins_with(0, 100) && !times.ends_with(0, 100));
        times.record(5, 1);
        times.record(90, 2);
        assert!(times.begins_with(5, 100) && !times.begins_with(4, 100));
        assert!(times.ends_with(90, 100) && times.ends_with(200, 90) && !times.ends_with(91, 100));
    }
}

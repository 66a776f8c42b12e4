//! Counting samples of one name in one second, of which there may be three or a hundred thousand.
//!
//! A few are kept as they come; more are counted bucket by bucket. So a name that is seldom asked
//! for takes some hundred bytes, and a busy one no longer for each sample than an addition.

use serde::{Deserialize, Serialize};

use crate::dense::Dense;
use crate::histogram::Histogram;
use crate::layout::{FINE, bucket_of};

/// Additions that are kept as they come: 4 KiB, where counting them bucket by bucket takes 48 bytes
/// and more for each chunk of buckets that the values are spread over.
const FEW_MAX: usize = 1024;

/// Counts by bucket of the fine layout.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// (bucket, count); a bucket may be there several times. Empty when there is `many`.
    ///
    /// Of 16 bits, because a master holds as many of these as names times seconds of a window: the
    /// buckets of all values fit, and a count that does not is one of `many`.
    few: Vec<(u16, u16)>,
    many: Option<Dense>,
}

impl Tally {
    /// Records a value once.
    #[inline]
    pub(crate) fn record(&mut self, value: u64) {
        self.add(bucket_of::<FINE>(value), 1);
    }

    /// Adds samples to a bucket.
    #[inline]
    pub(crate) fn add(&mut self, bucket: u32, count: u64) {
        if let Some(many) = &mut self.many {
            return many.add_bucket(bucket, count);
        }
        match (u16::try_from(bucket), u16::try_from(count)) {
            (Ok(bucket), Ok(count)) if self.few.len() < FEW_MAX => self.few.push((bucket, count)),
            _ => self.overflow(bucket, count),
        }
    }

    #[cold]
    fn overflow(&mut self, bucket: u32, count: u64) {
        let mut many = Dense::default();
        self.add_to(&mut many);
        many.add_bucket(bucket, count);
        self.few = Vec::new();
        self.many = Some(many);
    }

    /// What was added, while there are few.
    fn few(&self) -> impl Iterator<Item = (u32, u64)> {
        self.few.iter().map(|&(bucket, count)| (bucket.into(), count.into()))
    }

    /// Adds all samples to `sum`.
    pub(crate) fn add_to(&self, sum: &mut Dense) {
        match &self.many {
            Some(many) => sum.add(many),
            None => self.few().for_each(|(bucket, count)| sum.add_bucket(bucket, count)),
        }
    }

    /// Forgets all samples, and gives their memory back: kept, it would be that of the busiest
    /// second each of a name's slots has seen, and grow for as long as a test has busier ones.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What was counted.
    pub(crate) fn into_histogram(self) -> Histogram {
        match &self.many {
            Some(many) => many.to_histogram(),
            None => Histogram::from_unsorted(self.few().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_count_the_same() {
        for samples in [0, 1, FEW_MAX as u64, FEW_MAX as u64 + 1, 5_000] {
            let (mut tally, mut expected) = (Tally::default(), Histogram::new());
            for sample in 0..samples {
                let value = sample * sample * 7 % 90_001;
                tally.record(value);
                expected.record(value, 1);
            }
            let mut sum = Dense::default();
            tally.add_to(&mut sum);
            assert_eq!(sum.to_histogram(), expected);
            assert_eq!(tally.into_histogram(), expected);
        }
    }

    #[test]
    fn a_large_count_is_counted_as_it_is() {
        for (value, count) in [(7, u64::from(u16::MAX)), (7, 1 << 16), (u64::MAX, 1 << 40)] {
            let (mut tally, mut expected) = (Tally::default(), Histogram::new());
            for (value, count) in [(3, 2), (value, count), (value, 1)] {
                tally.add(bucket_of::<FINE>(value), count);
                expected.record(value, count);
            }
            assert_eq!(tally.into_histogram(), expected);
        }
    }
}

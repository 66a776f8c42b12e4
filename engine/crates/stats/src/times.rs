//! The one layout of all histograms, and exact ranks on them.
//!
//! Times are recorded in microseconds with three significant digits. A histogram begins small and
//! grows with the values; it ends at one hour: a longer time is recorded there as one hour, while
//! sum and maximum, which are kept beside the histogram, stay exact.

use std::cell::Cell;

use hdrhistogram::Histogram;

use crate::delta::EntryDelta;
use crate::snapshot::{PERCENTILES, TimesMs};

/// Largest time that a histogram tells apart, in microseconds: one hour.
pub const HIGHEST_US: u64 = 3_600_000_000;

/// Decimal digits to which a recorded value is right.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// Up to this many samples it is faster to jump from rank to rank than to visit each bucket.
const SPARSE_SAMPLES_MAX: u64 = 256;

/// An empty histogram in the layout of this crate; it grows as needed.
#[must_use]
pub fn new_histogram() -> Histogram<u64> {
    with_room_to(2)
}

/// As [`new_histogram`], with room for values up to `high` from the start.
pub(crate) fn with_room_to(high: u64) -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, high.max(2), SIGNIFICANT_DIGITS)
        .expect("bounds from 1 to at least 2 with three digits are valid");
    histogram.auto(true);
    histogram
}

/// Records a time; above an hour as an hour.
#[inline]
pub(crate) fn record_us(histogram: &mut Histogram<u64>, time_us: u64, count: u64) {
    histogram
        .record_n(time_us.min(HIGHEST_US), count)
        .expect("a growing histogram takes every value up to an hour");
}

/// Adds all samples of `more`.
pub(crate) fn add_histogram(histogram: &mut Histogram<u64>, more: &Histogram<u64>) {
    const GROWS: &str = "a growing histogram takes every value";
    // A histogram that came over the network does not grow until it is told to.
    histogram.auto(true);
    if more.len() > SPARSE_SAMPLES_MAX {
        histogram.add(more).expect(GROWS);
    } else {
        each_bucket(more, |value, count| histogram.record_n(value, count).expect(GROWS));
    }
}

/// Calls `each(value, count)` for every bucket with samples, by rising value. Recording `value`
/// again in a histogram of the same layout hits the same bucket.
pub(crate) fn each_bucket(histogram: &Histogram<u64>, mut each: impl FnMut(u64, u64)) {
    let samples = histogram.len();
    if samples > SPARSE_SAMPLES_MAX {
        for bucket in histogram.iter_recorded() {
            each(bucket.value_iterated_to(), bucket.count_at_value());
        }
        return;
    }
    // The library skips empty buckets fastest when asked for a rank: each question is for the
    // sample after the bucket found last.
    let seen = Cell::new(0);
    let next_rank =
        std::iter::from_fn(|| (seen.get() < samples).then(|| quantile(seen.get() + 1, samples)));
    for value in histogram.value_at_quantiles(next_rank) {
        let count = histogram.count_at(value);
        each(value, count);
        seen.set(seen.get() + count.max(1));
    }
}

/// The quantile that finds the sample of this rank (1 to `samples`). It lies half a sample below
/// the rank, so that no rounding of floating point can move it to a neighbour.
#[expect(clippy::cast_precision_loss, reason = "half a sample is far above the error below 2^51")]
fn quantile(rank: u64, samples: u64) -> f64 {
    (rank as f64 - 0.5) / samples as f64
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

/// The values at `percents`, which must rise; all 0 without a sample. A value is the upper end of
/// the bucket of the smallest sample that has at least that share of all samples at or below it.
pub(crate) fn values_at<const N: usize>(
    histogram: &Histogram<u64>,
    percents: [f64; N],
) -> [u64; N] {
    let samples = histogram.len();
    let mut values = [0; N];
    if samples > 0 {
        let quantiles = percents.map(|percent| quantile(rank(percent, samples), samples));
        for (value, found) in values.iter_mut().zip(histogram.value_at_quantiles(quantiles)) {
            *value = found;
        }
    }
    values
}

/// The value at one percentile in milliseconds, `None` without a sample. The same rule as for all
/// percentiles of this crate.
#[must_use]
pub fn percentile_ms(histogram: &Histogram<u64>, percent: f64) -> Option<f64> {
    (!histogram.is_empty()).then(|| to_ms(values_at(histogram, [percent])[0]))
}

/// The 50th and 95th percentile in milliseconds, `None` without a sample.
pub(crate) fn p50_p95_ms(
    histogram: &Histogram<u64>,
    min_us: u64,
    max_us: u64,
) -> Option<(f64, f64)> {
    let within = |value: u64| to_ms(value.min(max_us).max(min_us));
    let [p50, p95] = values_at(histogram, [50.0, 95.0]);
    (!histogram.is_empty()).then(|| (within(p50), within(p95)))
}

/// Microseconds as milliseconds.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 microseconds, 285 years")]
pub(crate) fn to_ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// Mean of `sum` over `count`; 0 without any.
#[expect(clippy::cast_precision_loss, reason = "figures to show; 53 bits are enough")]
pub(crate) fn mean(sum: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}

/// The response times of an entry as reports show them.
pub(crate) fn times_ms(entry: &EntryDelta) -> TimesMs {
    if entry.times.is_empty() {
        return TimesMs::default();
    }
    let within = |value: u64| to_ms(value.min(entry.max_us).max(entry.min_us));
    let mut percentiles = values_at(&entry.times, PERCENTILES).map(within);
    percentiles[PERCENTILES.len() - 1] = to_ms(entry.max_us);
    let [median, .., p95, _, p99, p99_9, _, max] = percentiles;
    TimesMs {
        min: to_ms(entry.min_us),
        median,
        mean: mean(entry.sum_us, entry.requests) / 1000.0,
        p95,
        p99,
        p99_9,
        max,
        percentiles,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut histogram = new_histogram();
        for time_us in 1..=1_000 {
            record_us(&mut histogram, time_us, 1);
        }
        assert_eq!(values_at(&histogram, [50.0, 99.9, 100.0]), [500, 999, 1_000]);
        assert_eq!(percentile_ms(&histogram, 95.0), Some(0.95));
        assert_eq!(percentile_ms(&new_histogram(), 95.0), None);
    }

    #[test]
    fn above_an_hour_is_an_hour_in_the_histogram() {
        let mut histogram = new_histogram();
        record_us(&mut histogram, u64::MAX, 1);
        assert!(histogram.equivalent(histogram.max(), HIGHEST_US));
    }

    #[test]
    fn both_ways_to_walk_the_buckets_see_the_same() {
        for samples in [0, 1, SPARSE_SAMPLES_MAX, SPARSE_SAMPLES_MAX + 1] {
            let mut histogram = new_histogram();
            for sample in 0..samples {
                record_us(&mut histogram, sample * sample * 7 % 90_001, 1 + sample % 2);
            }
            let mut walked = new_histogram();
            each_bucket(&histogram, |value, count| {
                record_us(&mut walked, value, count);
            });
            assert_eq!(walked, histogram);
        }
    }
}

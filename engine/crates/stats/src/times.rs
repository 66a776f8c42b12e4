//! Times in microseconds and milliseconds.
//!
//! Times are recorded in microseconds with three significant digits, up to one hour: a longer time
//! is recorded as one hour, while sum and maximum, which are kept beside the histogram, stay
//! exact.

use crate::dense::Dense;
use crate::snapshot::{PERCENTILES, TimesMs};

/// Largest time that a histogram of times tells apart, in microseconds: one hour.
pub const HIGHEST_US: u64 = 3_600_000_000;

/// Decimal digits to which a recorded value is right.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// The values at `percents`, which must rise, in milliseconds; `None` without a sample.
pub(crate) fn percentiles_ms<const N: usize>(
    times: &Dense,
    percents: [f64; N],
    min_us: u64,
    max_us: u64,
) -> Option<[f64; N]> {
    let within = |value: u64| to_ms(value.min(max_us).max(min_us));
    (!times.is_empty()).then(|| times.values_at(percents).map(within))
}

/// The 50th and 95th percentile in milliseconds; `None` without a sample.
pub(crate) fn p50_p95_ms(times: &Dense, min_us: u64, max_us: u64) -> Option<(f64, f64)> {
    percentiles_ms(times, [50.0, 95.0], min_us, max_us).map(|[p50, p95]| (p50, p95))
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

/// What is shown of times with these exact figures beside them.
pub(crate) fn times_ms(times: &Dense, sum_us: u64, min_us: u64, max_us: u64) -> TimesMs {
    let Some(mut percentiles) = percentiles_ms(times, PERCENTILES, min_us, max_us) else {
        return TimesMs::default();
    };
    percentiles[PERCENTILES.len() - 1] = to_ms(max_us);
    let [median, .., p95, _, p99, p99_9, _, max] = percentiles;
    TimesMs {
        min: to_ms(min_us),
        median,
        mean: mean(sum_us, times.samples()) / 1000.0,
        p95,
        p99,
        p99_9,
        max,
        percentiles,
    }
}

//! Metrics of the guest's own: their kinds, what is refused, and how two of them add up.

use std::fmt;

use thiserror::Error;

use crate::delta::{MetricDelta, MetricValue};
use crate::dense::Dense;
use crate::histogram::Histogram;
use crate::layout::{FINE, roundest_in};
use crate::rows::{Key, Keyed};
use crate::snapshot::{MetricFigures, MetricSnapshot, PERCENTILES};

/// Largest value that the histogram of a trend tells apart; a larger one is recorded there as this
/// one, while sum, minimum and maximum stay exact.
pub const TREND_MAX: f64 = 1e12;

/// Steps of a trend's histogram in one unit.
const TREND_STEPS: f64 = 1_000.0;

/// What a metric measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Additions.
    Count,
    /// A value that is set.
    Gauge,
    /// Values with percentiles.
    Trend,
    /// A condition that held or not.
    Check,
}

impl MetricKind {
    /// `count`, `gauge`, `trend` or `check`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Gauge => "gauge",
            Self::Trend => "trend",
            Self::Check => "check",
        }
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an update of a metric was not recorded.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum MetricError {
    /// One name has one kind.
    #[error("metric `{name}` is a {first} and cannot be a {now} too: use another name")]
    OtherKind {
        /// Name of the metric.
        name: String,
        /// The kind that it was first used with.
        first: MetricKind,
        /// The kind of the refused update.
        now: MetricKind,
    },
    /// NaN or infinite.
    #[error("value {value} of metric `{name}` is not a finite number")]
    NotFinite {
        /// Name of the metric.
        name: String,
        /// The refused value.
        value: f64,
    },
    /// Trends have no negative values.
    #[error("value {value} of trend `{name}` is negative: a gauge takes negative values")]
    Negative {
        /// Name of the metric.
        name: String,
        /// The refused value.
        value: f64,
    },
    /// The table is full.
    #[error("metric `{name}` is one too many: there are {metrics_max} names already")]
    TooMany {
        /// Name of the metric.
        name: String,
        /// [`Limits::metrics_max`](crate::limits::Limits::metrics_max).
        metrics_max: usize,
    },
}

impl MetricValue {
    /// The kind of this value.
    #[must_use]
    pub fn kind(&self) -> MetricKind {
        match self {
            Self::Count { .. } => MetricKind::Count,
            Self::Gauge { .. } => MetricKind::Gauge,
            Self::Trend { .. } => MetricKind::Trend,
            Self::Check { .. } => MetricKind::Check,
        }
    }

    /// Adds what another recorder has recorded under the same name. Of two gauges the one set last
    /// wins, the larger one if both were set in the same millisecond.
    ///
    /// The kinds must be the same; a value of another kind is left out.
    pub(crate) fn add(&mut self, other: &Self) {
        debug_assert_eq!(self.kind(), other.kind(), "metrics are looked up by name and kind");
        match (self, other) {
            (Self::Count { sum, updates }, Self::Count { sum: more, updates: others }) => {
                *sum = finite(*sum + more);
                *updates = updates.saturating_add(*others);
            }
            (
                Self::Gauge { last, last_ms, min, max },
                Self::Gauge { last: other, last_ms: other_ms, min: other_min, max: other_max },
            ) => {
                if other_ms > last_ms || (other_ms == last_ms && other > last) {
                    (*last, *last_ms) = (*other, *other_ms);
                }
                *min = min.min(*other_min);
                *max = max.max(*other_max);
            }
            (
                Self::Trend { values, sum, min, max },
                Self::Trend { values: others, sum: other_sum, min: other_min, max: other_max },
            ) => {
                values.add(others);
                *sum = finite(*sum + other_sum);
                *min = min.min(*other_min);
                *max = max.max(*other_max);
            }
            (Self::Check { passes, fails }, Self::Check { passes: more, fails: others }) => {
                *passes = passes.saturating_add(*more);
                *fails = fails.saturating_add(*others);
            }
            _ => {}
        }
    }
}

/// Records a value of a trend, which must be finite and not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is between 0 and `TREND_MAX * TREND_STEPS`"
)]
pub(crate) fn record_trend(values: &mut Histogram, value: f64) {
    let steps = (value.clamp(0.0, TREND_MAX) * TREND_STEPS).round() as u64;
    values.record(steps, 1);
}

/// `sum`, or the largest number of its sign: JSON has no infinity.
pub(crate) fn finite(sum: f64) -> f64 {
    sum.clamp(f64::MIN, f64::MAX)
}

impl Keyed for MetricDelta {
    /// By kind too: recorders that disagree about the kind of a name lose nothing.
    fn key(&self) -> Key<'_> {
        [&self.name, self.value.kind().as_str(), ""]
    }
}

/// The figures of a metric as reports show them.
pub(crate) fn figures(metric: &MetricDelta) -> MetricSnapshot {
    let value = match &metric.value {
        MetricValue::Count { sum, updates } => {
            MetricFigures::Count { sum: *sum, updates: *updates }
        }
        MetricValue::Gauge { last, min, max, .. } => {
            MetricFigures::Gauge { last: *last, min: *min, max: *max }
        }
        MetricValue::Trend { values, sum, min, max } => trend_figures(values, *sum, *min, *max),
        MetricValue::Check { passes, fails } => {
            MetricFigures::Check { passes: *passes, fails: *fails }
        }
    };
    MetricSnapshot { name: metric.name.clone(), value }
}

#[expect(clippy::cast_precision_loss, reason = "figures to show; 53 bits are enough")]
fn trend_figures(values: &Histogram, sum: f64, min: f64, max: f64) -> MetricFigures {
    let mut dense = Dense::default();
    dense.add_histogram(values);
    let value = |steps: u64| roundest_in::<FINE>(steps) as f64 / TREND_STEPS;
    let within = |steps: u64| value(steps).min(max).max(min);
    let mut percentiles = dense.values_at(PERCENTILES).map(within);
    percentiles[PERCENTILES.len() - 1] = max;
    let mean = if values.is_empty() { 0.0 } else { sum / values.samples() as f64 };
    MetricFigures::Trend { values: values.samples(), min, mean, max, percentiles }
}

/// The value of a metric with one update, and how a further update of the same kind is recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Update {
    /// Added.
    Count(f64),
    /// Set, at a time in milliseconds of the master's clock.
    Gauge(f64, u64),
    /// Recorded.
    Trend(f64),
    /// Held or not.
    Check(bool),
}

impl Update {
    pub(crate) fn kind(self) -> MetricKind {
        match self {
            Self::Count(_) => MetricKind::Count,
            Self::Gauge(..) => MetricKind::Gauge,
            Self::Trend(_) => MetricKind::Trend,
            Self::Check(_) => MetricKind::Check,
        }
    }

    /// Refuses what no metric of this kind can hold.
    pub(crate) fn check(self, name: &str) -> Result<(), MetricError> {
        let (Self::Count(value) | Self::Gauge(value, _) | Self::Trend(value)) = self else {
            return Ok(());
        };
        if !value.is_finite() {
            return Err(MetricError::NotFinite { name: name.to_owned(), value });
        }
        if matches!(self, Self::Trend(_)) && value < 0.0 {
            return Err(MetricError::Negative { name: name.to_owned(), value });
        }
        Ok(())
    }

    /// The value after this update alone.
    pub(crate) fn first(self) -> MetricValue {
        match self {
            Self::Count(sum) => MetricValue::Count { sum, updates: 1 },
            Self::Gauge(value, last_ms) => {
                MetricValue::Gauge { last: value, last_ms, min: value, max: value }
            }
            Self::Trend(value) => {
                let mut values = Histogram::new();
                record_trend(&mut values, value);
                MetricValue::Trend { values, sum: value, min: value, max: value }
            }
            Self::Check(ok) => MetricValue::Check { passes: u64::from(ok), fails: u64::from(!ok) },
        }
    }

    /// Adds this update to a value of the same kind.
    pub(crate) fn apply(self, to: &mut MetricValue) {
        match (self, to) {
            (Self::Trend(value), MetricValue::Trend { values, sum, min, max }) => {
                record_trend(values, value);
                *sum = finite(*sum + value);
                *min = min.min(value);
                *max = max.max(value);
            }
            // One recorder sets its gauge in order: the last one counts, also within a millisecond.
            (Self::Gauge(value, at_ms), MetricValue::Gauge { last, last_ms, min, max }) => {
                (*last, *last_ms) = (value, at_ms.max(*last_ms));
                *min = min.min(value);
                *max = max.max(value);
            }
            (update, to) => to.add(&update.first()),
        }
    }
}

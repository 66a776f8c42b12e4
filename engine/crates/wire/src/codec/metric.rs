//! Metrics of the guest's own.

use swarm_stats::delta::{MetricDelta, MetricValue};

use super::field::{Result, at_most, finite, holds, read_text, sound, text};
use super::histogram::{Encoder, Range, decode};
use crate::generated::swarm_capnp::{metric, trend};
use crate::limits::{CLOCK_MS_MAX, COUNT_MAX, METHOD_BYTES_MAX};

pub(crate) fn write(
    metric: &MetricDelta,
    mut to: metric::Builder<'_>,
    encoder: &mut Encoder,
) -> Result<()> {
    check(&metric.value)?;
    to.set_name(text("name", &metric.name, METHOD_BYTES_MAX)?);
    let to = to.init_value();
    match &metric.value {
        MetricValue::Count { sum, updates } => {
            let mut to = to.init_count();
            to.set_sum(*sum);
            to.set_updates(*updates);
        }
        MetricValue::Gauge { last, last_ms, min, max } => {
            let mut to = to.init_gauge();
            to.set_last(*last);
            to.set_last_ms(*last_ms);
            to.set_min(*min);
            to.set_max(*max);
        }
        MetricValue::Trend { values, sum, min, max } => {
            let mut to = to.init_trend();
            to.set_values(encoder.encode("values", values, Range::Any)?);
            to.set_sum(*sum);
            to.set_min(*min);
            to.set_max(*max);
        }
        MetricValue::Check { passes, fails } => {
            let mut to = to.init_check();
            to.set_passes(*passes);
            to.set_fails(*fails);
        }
    }
    Ok(())
}

pub(crate) fn read(from: metric::Reader<'_>) -> Result<MetricDelta> {
    let name = read_text("name", from.get_name(), METHOD_BYTES_MAX)?;
    let value = match sound("value", from.get_value().which())? {
        metric::value::Count(count) => {
            let count = sound("count", count)?;
            MetricValue::Count { sum: count.get_sum(), updates: count.get_updates() }
        }
        metric::value::Gauge(gauge) => {
            let gauge = sound("gauge", gauge)?;
            MetricValue::Gauge {
                last: gauge.get_last(),
                last_ms: gauge.get_last_ms(),
                min: gauge.get_min(),
                max: gauge.get_max(),
            }
        }
        metric::value::Trend(trend) => read_trend(sound("trend", trend)?)?,
        metric::value::Check(check) => {
            let check = sound("check", check)?;
            MetricValue::Check { passes: check.get_passes(), fails: check.get_fails() }
        }
    };
    check(&value)?;
    Ok(MetricDelta { name, value })
}

fn read_trend(from: trend::Reader<'_>) -> Result<MetricValue> {
    Ok(MetricValue::Trend {
        values: decode("values", from.get_values(), Range::Any)?,
        sum: from.get_sum(),
        min: from.get_min(),
        max: from.get_max(),
    })
}

fn check(value: &MetricValue) -> Result<()> {
    match value {
        MetricValue::Count { sum, updates } => {
            finite("sum", *sum)?;
            at_most("updates", *updates, COUNT_MAX, "updates")
        }
        MetricValue::Gauge { last, last_ms, min, max } => {
            finite("min", *min)?;
            finite("max", *max)?;
            at_most("lastMs", *last_ms, CLOCK_MS_MAX, "ms")?;
            holds("last", min <= last && last <= max, "lies outside its smallest and largest")
        }
        // Without values there is no smallest and no largest; what stands there instead is the
        // recorder's affair, as long as it compares.
        MetricValue::Trend { values, sum, min, max } if values.is_empty() => {
            finite("sum", *sum)?;
            holds("min", !min.is_nan(), "is NaN, must be a number")?;
            holds("max", !max.is_nan(), "is NaN, must be a number")
        }
        MetricValue::Trend { sum, min, max, .. } => {
            finite("sum", *sum)?;
            finite("min", *min)?;
            finite("max", *max)?;
            holds("min", min <= max, "is larger than max")
        }
        MetricValue::Check { passes, fails } => {
            at_most("passes", *passes, COUNT_MAX, "checks")?;
            at_most("fails", *fails, COUNT_MAX, "checks")
        }
    }
}

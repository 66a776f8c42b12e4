//! Deltas in parts, for messages that must not be too long.

use crate::addresses::AddressDelta;
use crate::delta::{
    Delta, EntryDelta, ErrorDelta, ExceptionDelta, LatenessDelta, MetricDelta, MetricValue,
};
use crate::histogram::Histogram;

/// Bytes that a row takes in a message beside its texts and buckets, at most.
const ROW_BYTES: usize = 128;

/// Bytes that a delta takes in a message beside its rows, at most.
const DELTA_BYTES: usize = 256;

/// Bytes that a bucket takes in a message, at most: its number three, its count the rest.
const BUCKET_BYTES: usize = 9;

/// What one part holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartMax {
    /// Rows of each list; at least 1.
    pub rows: usize,
    /// Bytes in a message, by [`Delta::message_bytes`]. A row that is larger has a part of its own.
    pub bytes: usize,
}

impl Delta {
    /// The same in parts. They add up to the whole; one that fits is the whole itself. What is no
    /// list of rows is in the first part.
    ///
    /// # Panics
    /// When `max.rows` is 0.
    #[must_use]
    pub fn into_parts(mut self, max: PartMax) -> Vec<Self> {
        assert!(max.rows > 0, "a part has rows");
        let mut parts = Vec::new();
        loop {
            let mut room = Room { max, bytes: 0 };
            let rest = Self {
                entries: room.split_off(&mut self.entries),
                errors: room.split_off(&mut self.errors),
                exceptions: room.split_off(&mut self.exceptions),
                metrics: room.split_off(&mut self.metrics),
                lateness: room.split_off(&mut self.lateness),
                addresses: room.split_off(&mut self.addresses),
                ..Self::default()
            };
            parts.push(self);
            if rest.is_empty() {
                return parts;
            }
            self = rest;
        }
    }

    /// Bytes that it takes in a message, at most. In memory it is up to twice that.
    #[must_use]
    pub fn message_bytes(&self) -> usize {
        fn sum<T: Row>(rows: &[T]) -> usize {
            rows.iter().map(Row::bytes).sum()
        }
        sum(&self.entries)
            + sum(&self.errors)
            + sum(&self.exceptions)
            + sum(&self.metrics)
            + sum(&self.lateness)
            + sum(&self.addresses)
            + self.args_read.len() * size_of::<u32>()
            + DELTA_BYTES
    }
}

/// What is left of a part.
struct Room {
    max: PartMax,
    bytes: usize,
}

impl Room {
    /// Takes off what does not fit.
    fn split_off<T: Row>(&mut self, rows: &mut Vec<T>) -> Vec<T> {
        let mut fitting = 0;
        for row in rows.iter().take(self.max.rows) {
            let bytes = self.bytes.saturating_add(row.bytes());
            // The first row of all goes through whatever its size is, or there would be no end.
            if bytes > self.max.bytes && self.bytes > 0 {
                break;
            }
            self.bytes = bytes;
            fitting += 1;
        }
        rows.split_off(fitting)
    }
}

/// A row of any list.
trait Row {
    /// Bytes in a message, at most; above 0.
    fn bytes(&self) -> usize;
}

fn buckets(histogram: &Histogram) -> usize {
    histogram.buckets().len() * BUCKET_BYTES
}

impl Row for EntryDelta {
    fn bytes(&self) -> usize {
        ROW_BYTES + self.method.len() + self.name.len() + buckets(&self.times)
    }
}

impl Row for ErrorDelta {
    fn bytes(&self) -> usize {
        ROW_BYTES + self.method.len() + self.name.len() + self.error.len()
    }
}

impl Row for ExceptionDelta {
    fn bytes(&self) -> usize {
        ROW_BYTES + self.message.len() + self.trace.len()
    }
}

impl Row for MetricDelta {
    fn bytes(&self) -> usize {
        let values = match &self.value {
            MetricValue::Trend { values, .. } => buckets(values),
            MetricValue::Count { .. } | MetricValue::Gauge { .. } | MetricValue::Check { .. } => 0,
        };
        ROW_BYTES + self.name.len() + values
    }
}

impl Row for LatenessDelta {
    fn bytes(&self) -> usize {
        ROW_BYTES + buckets(&self.times)
    }
}

impl Row for AddressDelta {
    fn bytes(&self) -> usize {
        ROW_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AddressCounts, ConnectionCounts, Limits, Recorder, Sample};

    fn whole() -> Delta {
        let mut recorder = Recorder::new(Limits::default());
        for name in 0..25 {
            let entry = recorder.intern("GET", &format!("/{name}"));
            let sample = Sample {
                response_time_us: 7,
                bytes: 3,
                error: Some("no"),
                at_ms: 1,
                ..Sample::default()
            };
            recorder.record(entry, sample);
        }
        recorder.exception("a", "b");
        let connections = ConnectionCounts { reused: 1, ..ConnectionCounts::default() };
        recorder.interrupted(&connections);
        recorder.unsent();
        recorder.arg_read(3);
        recorder.lateness(5);
        for last in 0..25 {
            let counts = AddressCounts { opened: 1, ..AddressCounts::default() };
            recorder.address(Some(([10, 0, 0, last], 80).into()), counts);
        }
        recorder.drain()
    }

    fn sum(parts: Vec<Delta>) -> Delta {
        let mut sum = Delta::default();
        for part in parts {
            sum.merge(part);
        }
        sum
    }

    #[test]
    fn parts_are_short_and_add_up_to_the_whole() {
        let whole = whole();
        let parts = whole.clone().into_parts(PartMax { rows: 10, bytes: usize::MAX });
        assert_eq!(parts.iter().map(|part| part.entries.len()).collect::<Vec<_>>(), [10, 10, 5]);
        assert_eq!(parts.iter().map(|part| part.errors.len()).max(), Some(10));
        assert_eq!(sum(parts), whole);
        let one = PartMax { rows: 1, bytes: usize::MAX };
        assert_eq!(Delta::default().into_parts(one), [Delta::default()]);
    }

    #[test]
    fn parts_keep_their_bytes() {
        let whole = whole();
        let max = PartMax { rows: usize::MAX, bytes: 1_000 };
        let parts = whole.clone().into_parts(max);
        assert!(parts.iter().all(|part| part.message_bytes() <= max.bytes + DELTA_BYTES + 4));
        assert_eq!(sum(parts), whole);
        let tiny = whole.clone().into_parts(PartMax { rows: usize::MAX, bytes: 1 });
        assert_eq!((tiny.len(), sum(tiny)), (25 + 25 + 1 + 1 + 25, whole));
    }
}

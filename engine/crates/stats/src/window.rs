//! The last seconds of one entry: what `current_*` figures are made of.

use serde::{Deserialize, Serialize};

use crate::dense::Dense;
use crate::split::TimesPart;
use crate::tally::Tally;

/// Seconds that the current figures cover.
pub(crate) const WINDOW_SECONDS: u64 = 10;

/// Seconds kept of each entry: the window, those that are not settled, and some to come.
const SLOTS: u64 = 16;

/// One second of one entry.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Slot {
    second: u64,
    requests: u64,
    failures: u64,
    times: Tally,
}

/// The last seconds of one entry. What belongs to a second that has left the window is ignored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Window {
    /// By second modulo [`SLOTS`]; empty until the first sample.
    slots: Vec<Slot>,
}

impl Window {
    /// The slot of a second; `None` when a newer second has taken its place.
    fn slot(&mut self, second: u64) -> Option<&mut Slot> {
        if self.slots.is_empty() {
            self.slots.resize_with(usize::try_from(SLOTS).unwrap_or(0), Slot::default);
        }
        let slot = self.slots.get_mut(usize::try_from(second % SLOTS).ok()?)?;
        if slot.second < second {
            (slot.second, slot.requests, slot.failures) = (second, 0, 0);
            slot.times.clear();
        }
        (slot.second == second).then_some(slot)
    }

    /// Adds response times. Those of seconds that are no longer held are left out.
    pub(crate) fn add_times(&mut self, parts: &[TimesPart]) {
        for &(second, bucket, count) in parts {
            if let Some(slot) = self.slot(second) {
                slot.times.add(bucket, count);
            }
        }
    }

    /// Adds to the counts of a second.
    pub(crate) fn add_counts(&mut self, second: u64, requests: u64, failures: u64) {
        if let Some(slot) = self.slot(second) {
            slot.requests = slot.requests.saturating_add(requests);
            slot.failures = slot.failures.saturating_add(failures);
        }
    }

    /// Requests and failures in these seconds; their times are added to `times`.
    pub(crate) fn sum(&self, seconds: std::ops::Range<u64>, times: &mut Dense) -> (u64, u64) {
        let mut sum = (0_u64, 0_u64);
        for slot in self.slots.iter().filter(|slot| seconds.contains(&slot.second)) {
            sum.0 = slot.requests.saturating_add(sum.0);
            sum.1 = slot.failures.saturating_add(sum.1);
            slot.times.add_to(times);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{FINE, bucket_of};

    #[test]
    fn sums_the_seconds_asked_for() {
        let mut window = Window::default();
        for second in 0..30 {
            window.add_counts(second, 1, 0);
            window.add_times(&[(second, bucket_of::<FINE>(1_000 + second), 1)]);
        }
        window.add_counts(3, 100, 100);
        window.add_times(&[(3, bucket_of::<FINE>(9_000), 100)]);
        let mut times = Dense::default();
        assert_eq!(window.sum(18..28, &mut times), (10, 0));
        assert_eq!((times.samples(), times.values_at([0.0, 100.0])), (10, [1_018, 1_027]));
    }
}

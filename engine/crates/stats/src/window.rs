//! The last seconds of one entry: what `current_*` figures are made of.

use hdrhistogram::Histogram;

use crate::times::record_us;

/// Seconds that the current figures cover.
pub(crate) const WINDOW_SECONDS: u64 = 10;

/// Seconds kept of each entry: the window, those that are not settled, and some to come.
const SLOTS: u64 = 16;

/// Counts by value, for a histogram with few samples: a dense one for each second of each entry
/// would take 64 KiB and more.
#[derive(Debug, Default)]
struct Sparse {
    /// (value, count); a value may be there several times.
    counts: Vec<(u64, u64)>,
    /// Values are joined when there are this many.
    join_at: usize,
}

impl Sparse {
    const JOIN_AT_MIN: usize = 256;

    fn clear(&mut self) {
        self.counts.clear();
        self.join_at = Self::JOIN_AT_MIN;
    }

    fn add(&mut self, value: u64, count: u64) {
        if self.counts.len() >= self.join_at {
            // Stable, because that is quick with what is there: runs that rise already.
            self.counts.sort_by_key(|&(value, _)| value);
            self.counts.dedup_by(|more, kept| {
                let same = more.0 == kept.0;
                if same {
                    kept.1 = kept.1.saturating_add(more.1);
                }
                same
            });
            // Twice what is left: the cost of joining is spread over as many additions.
            self.join_at = Self::JOIN_AT_MIN.max(2 * self.counts.len());
        }
        self.counts.push((value, count));
    }
}

/// One second of one entry.
#[derive(Debug, Default)]
struct Slot {
    second: u64,
    requests: u64,
    failures: u64,
    times: Sparse,
}

/// The last seconds of one entry. What belongs to a second that has left the window is ignored.
#[derive(Debug, Default)]
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

    /// Adds samples with this response time to a second.
    pub(crate) fn add_times(&mut self, second: u64, time_us: u64, count: u64) {
        if let Some(slot) = self.slot(second) {
            slot.times.add(time_us, count);
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
    pub(crate) fn sum(
        &self,
        seconds: std::ops::Range<u64>,
        times: &mut Histogram<u64>,
    ) -> (u64, u64) {
        let mut sum = (0_u64, 0_u64);
        for slot in self.slots.iter().filter(|slot| seconds.contains(&slot.second)) {
            sum.0 = slot.requests.saturating_add(sum.0);
            sum.1 = slot.failures.saturating_add(sum.1);
            for &(value, count) in &slot.times.counts {
                record_us(times, value, count);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times::new_histogram;

    #[test]
    fn sums_the_seconds_asked_for() {
        let mut window = Window::default();
        for second in 0..30 {
            window.add_counts(second, 1, 0);
            window.add_times(second, 1_000 + second, 1);
        }
        window.add_counts(3, 100, 100);
        window.add_times(3, 9_000, 100);
        let mut times = new_histogram();
        assert_eq!(window.sum(18..28, &mut times), (10, 0));
        assert_eq!((times.len(), times.min(), times.max()), (10, 1_018, 1_027));
    }

    #[test]
    fn joins_equal_values_and_keeps_their_counts() {
        let mut sparse = Sparse::default();
        sparse.clear();
        for sample in 0..10_000 {
            sparse.add(sample % 300, 2);
        }
        assert!(sparse.counts.len() <= 600, "{} values are kept", sparse.counts.len());
        let mut counts = [0; 300];
        for (value, count) in sparse.counts {
            counts[usize::try_from(value).unwrap()] += count;
        }
        assert!(
            counts
                .iter()
                .enumerate()
                .all(|(value, &count)| { count == if value < 100 { 68 } else { 66 } })
        );
    }
}

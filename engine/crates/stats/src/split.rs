//! Sharing out a report over the seconds that it covers.
//!
//! A report says how many samples there were in its interval, not when each was. They are taken as
//! evenly spread: each second gets the share of the interval that lies in it, rounded so that the
//! parts add up to the whole, for each figure and for each bucket of a histogram. A report that
//! lies within one second, as those of workers that report on the second do, is not divided.

/// Seconds of the test that one report is shared out over. A longer one, of a worker that stood
/// still, goes to the newest of its seconds.
pub(crate) const SPLIT_SECONDS_MAX: u64 = 60;

/// Samples of one second in one bucket: (second, bucket, count).
pub(crate) type TimesPart = (u64, u32, u64);

/// The part of one second in what the seconds before it have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    second: u64,
    part_ms: u64,
    left_ms: u64,
}

/// The seconds of one report, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Split {
    shares: Vec<Share>,
    /// Of each share: what came by and what it took of it, since [`Self::begin`].
    taken: Vec<(u64, u64)>,
}

impl Split {
    /// Prepares for an interval in milliseconds since the start of the test.
    pub(crate) fn cover(&mut self, from_ms: u64, to_ms: u64) {
        let to_ms = to_ms.max(from_ms);
        // The interval ends before `to_ms`, but an empty one is in the second of its moment.
        let last = if to_ms > from_ms { (to_ms - 1) / 1000 } else { to_ms / 1000 };
        let first = (from_ms / 1000).max((last + 1).saturating_sub(SPLIT_SECONDS_MAX));
        let from_ms = from_ms.max(first * 1000);
        self.shares.clear();
        for second in first..=last {
            let left_ms = to_ms - from_ms.max(second * 1000);
            let end_ms = second.saturating_add(1).saturating_mul(1000).min(to_ms);
            let part_ms = end_ms - from_ms.max(second * 1000);
            // All of nothing, for an empty interval, is a whole.
            self.shares.push(Share { second, part_ms: part_ms.max(1), left_ms: left_ms.max(1) });
        }
        self.begin();
    }

    /// Begins a new figure: shares are rounded over all counts since the last call.
    pub(crate) fn begin(&mut self) {
        self.taken.clear();
        self.taken.resize(self.shares.len(), (0, 0));
    }

    /// Calls `give(second, part)` for each second that gets a part of `count`; the parts add up to
    /// it.
    pub(crate) fn give(&mut self, count: u64, mut give: impl FnMut(u64, u64)) {
        let mut left = count;
        for (share, (passed, taken)) in self.shares.iter().zip(&mut self.taken) {
            *passed = passed.saturating_add(left);
            // Never falls and never grows faster than `passed`: a part is neither negative nor
            // more than is left.
            let due = share.of(*passed);
            let part = due - *taken;
            *taken = due;
            if part > 0 {
                give(share.second, part);
            }
            left -= part;
        }
    }

    /// The newest second.
    pub(crate) fn last_second(&self) -> u64 {
        self.shares.last().map_or(0, |share| share.second)
    }
}

impl Share {
    /// This share of `count`, rounded half up. All of it in the last second.
    #[expect(clippy::cast_possible_truncation, reason = "a share is not more than the count")]
    fn of(self, count: u64) -> u64 {
        if self.part_ms == self.left_ms {
            return count;
        }
        let (part, left) = (u128::from(self.part_ms), u128::from(self.left_ms));
        ((u128::from(count) * part * 2 + left) / (2 * left)) as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shared(from_ms: u64, to_ms: u64, counts: &[u64]) -> Vec<(u64, u64)> {
        let mut split = Split::default();
        split.cover(from_ms, to_ms);
        let mut parts = Vec::new();
        for &count in counts {
            split.give(count, |second, part| parts.push((second, part)));
        }
        parts
    }

    #[test]
    fn an_interval_within_a_second_is_not_divided() {
        assert_eq!(shared(3000, 4000, &[7]), [(3, 7)]);
        assert_eq!(shared(3999, 4000, &[7]), [(3, 7)]);
        assert_eq!(shared(4000, 4000, &[7]), [(4, 7)]);
        assert_eq!(shared(4000, 3000, &[7]), [(4, 7)], "a reversed interval is its start");
    }

    #[test]
    fn each_second_gets_its_part() {
        assert_eq!(shared(400, 1400, &[10]), [(0, 6), (1, 4)]);
        assert_eq!(shared(500, 3500, &[300]), [(0, 50), (1, 100), (2, 100), (3, 50)]);
        assert_eq!(shared(400, 1400, &[1, 1, 1]), [(0, 1), (1, 1), (0, 1)], "also of ones");
        let long = shared(0, 100_000, &[60]);
        assert_eq!(long.len() as u64, SPLIT_SECONDS_MAX);
        assert_eq!((long[0], long[59]), ((40, 1), (99, 1)));
    }

    proptest! {
        #[test]
        fn nothing_is_lost(
            from_ms in 0_u64..5_000,
            length_ms in 0_u64..90_000,
            counts in prop::collection::vec(prop_oneof![0_u64..20, Just(u64::MAX >> 20)], 0..40),
        ) {
            let parts = shared(from_ms, from_ms + length_ms, &counts);
            let given: u64 = parts.iter().map(|(_, part)| part).sum();
            prop_assert_eq!(given, counts.iter().sum::<u64>());
            for (second, _) in parts {
                prop_assert!(second >= from_ms / 1000);
                prop_assert!(second <= (from_ms + length_ms) / 1000);
            }
        }

        #[test]
        fn failures_never_outnumber_requests(
            from_ms in 0_u64..1_000,
            length_ms in 0_u64..5_000,
            requests in 0_u64..50,
            failed in 0_u64..50,
        ) {
            let failures = failed.min(requests);
            let mut seconds = [(0, 0); 8];
            let slot = |second| usize::try_from(second).unwrap();
            let mut split = Split::default();
            split.cover(from_ms, from_ms + length_ms);
            split.give(requests, |second, part| seconds[slot(second)].0 += part);
            split.begin();
            split.give(failures, |second, part| seconds[slot(second)].1 += part);
            prop_assert!(seconds.iter().all(|(requests, failures)| failures <= requests));
        }
    }
}

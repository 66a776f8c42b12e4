//! The test second by second.
//!
//! Second `n` is that from `n` to `n + 1` seconds after the start of the test (or the reset).
//! Workers report each second, so a second is complete [`SETTLE_MS`] after its end. What comes
//! later still, after a broken link, goes to the second it belongs to: its counts as long as the
//! series holds that second, its times as long as the second has its histogram
//! ([`OPEN_SECONDS`]); percentiles of a second are never made from other percentiles.

use std::collections::VecDeque;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::dense::Dense;
use crate::snapshot::Second;
use crate::split::TimesPart;
use crate::times::p50_p95_ms;
use crate::window::WINDOW_SECONDS;

/// Seconds that the series holds. Older ones are dropped, from the series only.
pub const SECONDS_MAX: usize = 3_600;

/// How long after its end a second counts as complete, in milliseconds: one interval of reports,
/// and as much for them to arrive.
pub const SETTLE_MS: u64 = 2_000;

/// Seconds, counted from the newest, whose percentiles still take late samples.
pub const OPEN_SECONDS: usize = 60;

/// Seconds that a report may lie ahead of the master's clock, as last told to the series. What is
/// further ahead has a wrong clock, and would push true seconds out.
const AHEAD_SECONDS_MAX: u64 = 60;

/// The last second that has a time in milliseconds.
const SECOND_LAST: u64 = u64::MAX / 1000;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Slot {
    /// As last told; `None` is as in the second before.
    users: Option<u32>,
    in_flight: Option<u64>,
    requests: u64,
    failures: u64,
    /// `None` without a sample, and when the second is closed.
    times: Option<Dense>,
    /// Of a closed second.
    p50_p95_ms: Option<(f64, f64)>,
}

/// The aggregate of all entries by seconds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Consecutive seconds, oldest first.
    slots: VecDeque<Slot>,
    /// The second of the first slot.
    first: u64,
    /// Users in the last second that was dropped, and requests on their way.
    users_before: u32,
    in_flight_before: u64,
    /// The newest second that the master's own clock has reached.
    clock: u64,
}

impl Series {
    /// Does it keep its limits? One that was saved may be of anybody.
    pub(crate) fn is_sound(&self) -> bool {
        let newest = self.first.checked_add(self.slots.len().saturating_sub(1) as u64);
        self.slots.len() <= SECONDS_MAX && newest.is_some_and(|newest| newest <= SECOND_LAST)
    }

    /// Number of the second after the newest.
    fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// The master's clock has reached this second.
    pub(crate) fn reach(&mut self, second: u64) {
        self.clock = self.clock.max(second);
        self.extend_to(second);
    }

    /// Can samples be placed in this second?
    pub(crate) fn holds(&self, second: u64) -> bool {
        second >= self.first && second <= self.clock.saturating_add(AHEAD_SECONDS_MAX)
    }

    fn extend_to(&mut self, second: u64) {
        let seconds_max = SECONDS_MAX as u64;
        if second >= self.end().saturating_add(seconds_max) {
            // All that is there would be dropped one by one.
            (self.users_before, self.in_flight_before) = (self.users(), self.in_flight());
            self.slots.clear();
            self.first = second + 1 - seconds_max;
        }
        while self.end() <= second {
            if self.slots.len() == SECONDS_MAX
                && let Some(dropped) = self.slots.pop_front()
            {
                self.users_before = dropped.users.unwrap_or(self.users_before);
                self.in_flight_before = dropped.in_flight.unwrap_or(self.in_flight_before);
                self.first += 1;
            }
            self.slots.push_back(Slot::default());
            if let Some(closing) = self.slots.len().checked_sub(OPEN_SECONDS + 1) {
                self.slots[closing].close();
            }
        }
    }

    fn slot(&mut self, second: u64) -> Option<&mut Slot> {
        if !self.holds(second) {
            return None;
        }
        self.extend_to(second);
        let position = usize::try_from(second.checked_sub(self.first)?).ok()?;
        self.slots.get_mut(position)
    }

    pub(crate) fn add_counts(&mut self, second: u64, requests: u64, failures: u64) {
        if let Some(slot) = self.slot(second) {
            slot.requests = slot.requests.saturating_add(requests);
            slot.failures = slot.failures.saturating_add(failures);
        }
    }

    /// Adds response times, but for those of seconds that have no histogram any more.
    pub(crate) fn add_times(&mut self, parts: &[TimesPart]) {
        for &(second, bucket, count) in parts {
            let closed_before = self.end().saturating_sub(OPEN_SECONDS as u64);
            if second < closed_before {
                continue;
            }
            if let Some(slot) = self.slot(second) {
                slot.times.get_or_insert_default().add_bucket(bucket, count);
            }
        }
    }

    /// Users alive in this second of the master's clock and until told otherwise.
    pub(crate) fn set_users(&mut self, second: u64, users: u32) {
        self.reach(second);
        if let Some(slot) = self.slot(second) {
            slot.users = Some(users);
        }
    }

    /// Requests on their way in this second of the master's clock and until told otherwise.
    pub(crate) fn set_in_flight(&mut self, second: u64, in_flight: u64) {
        self.reach(second);
        if let Some(slot) = self.slot(second) {
            slot.in_flight = Some(in_flight);
        }
    }

    /// Users alive, as last told.
    pub(crate) fn users(&self) -> u32 {
        self.slots.iter().rev().find_map(|slot| slot.users).unwrap_or(self.users_before)
    }

    /// Requests on their way, as last told.
    fn in_flight(&self) -> u64 {
        self.slots.iter().rev().find_map(|slot| slot.in_flight).unwrap_or(self.in_flight_before)
    }

    /// The last seconds of those before `complete`.
    pub(crate) fn window(complete: u64) -> Range<u64> {
        complete.saturating_sub(WINDOW_SECONDS)..complete
    }

    /// Requests and failures in these seconds; their times are added to `times`.
    pub(crate) fn sum(&self, seconds: Range<u64>, times: &mut Dense) -> (u64, u64) {
        let mut sum = (0_u64, 0_u64);
        for (second, slot) in (self.first..).zip(&self.slots) {
            if seconds.contains(&second) {
                sum.0 = slot.requests.saturating_add(sum.0);
                sum.1 = slot.failures.saturating_add(sum.1);
                if let Some(more) = &slot.times {
                    times.add(more);
                }
            }
        }
        sum
    }

    /// The seconds before `complete`, oldest first; `start_ms` is that of the test.
    pub(crate) fn seconds(&self, complete: u64, start_ms: u64) -> Vec<Second> {
        let (mut users, mut in_flight) = (self.users_before, self.in_flight_before);
        let mut seconds = Vec::with_capacity(self.slots.len());
        for (second, slot) in (self.first..complete).zip(&self.slots) {
            users = slot.users.unwrap_or(users);
            in_flight = slot.in_flight.unwrap_or(in_flight);
            seconds.push(Second {
                at_ms: start_ms.saturating_add(second * 1000),
                users,
                in_flight,
                requests: slot.requests,
                failures: slot.failures,
                p50_p95_ms: slot.percentiles(),
            });
        }
        seconds
    }

    /// Number of the second after the newest that has anything in it.
    pub(crate) fn filled_to(&self) -> u64 {
        let empty = |slot: &&Slot| slot.requests == 0 && slot.users.is_none();
        self.end() - self.slots.iter().rev().take_while(empty).count() as u64
    }

    /// Forgets everything but the users alive and the requests on their way.
    pub(crate) fn restart(&mut self) {
        let (users_before, in_flight_before) = (self.users(), self.in_flight());
        *self = Self { users_before, in_flight_before, ..Self::default() };
    }
}

impl Slot {
    fn percentiles(&self) -> Option<(f64, f64)> {
        self.times.as_ref().map_or(self.p50_p95_ms, |times| p50_p95_ms(times, 0, u64::MAX))
    }

    fn close(&mut self) {
        self.p50_p95_ms = self.percentiles();
        self.times = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_seconds_and_carries_users() {
        let mut series = Series::default();
        series.set_users(0, 5);
        series.set_in_flight(1, 3);
        series.add_counts(1, 7, 1);
        let seconds_max = SECONDS_MAX as u64;
        series.reach(seconds_max + 9);
        let seconds = series.seconds(seconds_max + 10, 1_000);
        assert_eq!(seconds.len(), SECONDS_MAX);
        assert_eq!((seconds[0].at_ms, seconds[0].users, seconds[0].in_flight), (11_000, 5, 3));
        assert!(!series.holds(9) && series.holds(10));
        series.reach(1_000_000_000);
        assert_eq!(series.slots.len(), SECONDS_MAX);
        let last = &series.seconds(u64::MAX, 0)[SECONDS_MAX - 1];
        assert_eq!((last.users, last.in_flight), (5, 3));
    }

    #[test]
    fn seconds_that_have_no_time_in_milliseconds_are_not_sound() {
        let from = |first| Series { first, ..Series::default() };
        assert!(from(SECOND_LAST).is_sound());
        assert!(!from(SECOND_LAST + 1).is_sound() && !from(u64::MAX).is_sound());
        // What the end of time makes of a series can be read again.
        let mut series = Series::default();
        series.reach(SECOND_LAST);
        assert!(series.is_sound());
        let seconds = series.seconds(u64::MAX, 0);
        assert_eq!(seconds.last().map(|last| last.at_ms), Some(SECOND_LAST * 1000));
        series.slots.push_back(Slot::default());
        assert!(!series.is_sound());
    }

    #[test]
    fn a_closed_second_keeps_its_percentiles() {
        let mut series = Series::default();
        series.add_times(&[(0, 2_000, 1)]);
        series.add_counts(0, 1, 0);
        let open = series.seconds(1, 0);
        series.reach(OPEN_SECONDS as u64);
        series.add_times(&[(0, 9_000, 100)]);
        series.add_counts(0, 100, 0);
        let closed = series.seconds(1, 0);
        assert_eq!(closed[0].p50_p95_ms, open[0].p50_p95_ms);
        assert_eq!(closed[0].requests, 101);
    }

    #[test]
    fn a_clock_far_ahead_pushes_nothing_out() {
        let mut series = Series::default();
        series.add_counts(u64::MAX / 1000, 1, 0);
        series.add_counts(AHEAD_SECONDS_MAX, 1, 0);
        assert_eq!(series.end(), AHEAD_SECONDS_MAX + 1);
    }
}

//! How fast a ramp goes: whole users per step, and the steps evenly in time.

use std::time::Duration;

use thiserror::Error;

/// Lowest rate, in users a second: one user in 11 days.
pub const RATE_MIN: f64 = 1e-6;

/// Highest rate, in users a second: all that a test can have.
pub const RATE_MAX: f64 = 1e7;

/// Most steps that are due at once. After a longer halt the ramp goes on from there, later than
/// planned, instead of bursting.
pub const STEPS_DUE_MAX: u32 = 3;

/// A rate that no ramp can have.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("spawn rate is {0} users a second: choose one from {RATE_MIN} to {RATE_MAX}")]
pub struct RateError(pub f64);

/// Checks a rate in users a second.
///
/// # Errors
/// It is not a number from [`RATE_MIN`] to [`RATE_MAX`].
pub fn check_rate(rate: f64) -> Result<(), RateError> {
    if (RATE_MIN..=RATE_MAX).contains(&rate) { Ok(()) } else { Err(RateError(rate)) }
}

/// Users of one step, and the time from one step to the next: as many whole users as `rate` (users
/// a second) has, at least one.
///
/// The rate must be one that [`check_rate`] accepts; another one counts as the nearest of those,
/// and what is no number as [`RATE_MIN`].
#[must_use]
pub fn users_per_step(rate: f64) -> (u32, Duration) {
    let rate = if rate.is_nan() { RATE_MIN } else { rate.clamp(RATE_MIN, RATE_MAX) };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and between 1 and RATE_MAX, which is below u32::MAX"
    )]
    let users = rate.floor().max(1.0) as u32;
    (users, Duration::from_secs_f64(f64::from(users) / rate))
}

/// The steps of a ramp. The first is due at once; when the users are there, after the last one,
/// its owner drops it.
///
/// Every step is due at a time counted from the start, so what the steps themselves cost does not
/// slow the ramp.
#[derive(Debug, Clone, PartialEq)]
pub struct Ramp {
    users_per_step: u32,
    wait: Duration,
    start: Duration,
    taken: u32,
}

impl Ramp {
    /// Starts now, at `rate` users a second.
    ///
    /// # Errors
    /// As [`check_rate`].
    pub fn new(now: Duration, rate: f64) -> Result<Self, RateError> {
        check_rate(rate)?;
        let (users_per_step, wait) = users_per_step(rate);
        Ok(Self { users_per_step, wait, start: now, taken: 0 })
    }

    /// Users of one step.
    #[must_use]
    pub fn users_per_step(&self) -> u32 {
        self.users_per_step
    }

    /// Time from one step to the next.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// When the next step is due.
    #[must_use]
    pub fn next_due(&self) -> Duration {
        self.start.saturating_add(self.wait.saturating_mul(self.taken))
    }

    /// The next step is not due before this time, and those after it follow from there.
    pub fn delay(&mut self, until: Duration) {
        if self.next_due() < until {
            self.start = until;
            self.taken = 0;
        }
    }

    /// Takes the steps that are due: their number, at most [`STEPS_DUE_MAX`].
    #[must_use]
    pub fn take_due(&mut self, now: Duration) -> u32 {
        let mut steps = 0;
        while steps < STEPS_DUE_MAX && self.next_due() <= now {
            steps += 1;
            self.advance();
        }
        if self.next_due() <= now {
            self.start = now.saturating_add(self.wait);
            self.taken = 0;
        }
        steps
    }

    fn advance(&mut self) {
        if self.taken == u32::MAX {
            self.start = self.next_due();
            self.taken = 0;
        }
        self.taken += 1;
    }
}

/// When it is a user's turn within `spread`. All workers agree on it, so a user that moves stops
/// here when it is about to start there; and as multiples of the golden ratio fill an interval
/// evenly, so do the users of a ramp, whose ids follow each other, over all workers together.
pub(crate) fn turn(id: u32, spread: Duration) -> Duration {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    spread.mul_f64((f64::from(id) * GOLDEN).fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_users_at_even_times() {
        let cases = [
            (0.5, 1, 2.0),
            (1.0, 1, 1.0),
            (2.0, 2, 1.0),
            (2.4, 2, 2.0 / 2.4),
            (4.0, 4, 1.0),
            (9.0, 9, 1.0),
            (100.0, 100, 1.0),
        ];
        for (rate, users, seconds) in cases {
            let expected = (users, Duration::from_secs_f64(seconds));
            assert!(check_rate(rate).is_ok());
            assert_eq!(users_per_step(rate), expected, "rate {rate}");
        }
    }

    #[test]
    fn impossible_rates_are_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9, 1e8] {
            assert!(check_rate(rate).is_err(), "rate {rate}");
            let (users, wait) = users_per_step(rate);
            assert!(users > 0 && wait > Duration::ZERO, "rate {rate}");
        }
        let message = check_rate(0.0).unwrap_err().to_string();
        assert_eq!(message, "spawn rate is 0 users a second: choose one from 0.000001 to 10000000");
    }

    #[test]
    fn steps_keep_to_the_start_whatever_they_cost() {
        let second = Duration::from_secs(1);
        let start = second * 50;
        let mut ramp = Ramp::new(start, 3.0).unwrap();
        assert_eq!((ramp.users_per_step(), ramp.next_due()), (3, start));
        assert_eq!(ramp.take_due(start), 1);
        assert_eq!(ramp.take_due(start), 0, "a step is taken once");
        assert_eq!(ramp.next_due(), start + second);
        // Late by 0.4 s: the next one is not late.
        assert_eq!(ramp.take_due(start + second * 14 / 10), 1);
        assert_eq!(ramp.next_due(), start + second * 2);
        // Late by more than a step: both are due.
        assert_eq!(ramp.take_due(start + second * 31 / 10), 2);
        assert_eq!(ramp.next_due(), start + second * 4);
    }

    #[test]
    fn a_long_halt_does_not_end_in_a_burst() {
        let mut ramp = Ramp::new(Duration::ZERO, 5000.0).unwrap();
        let now = Duration::from_secs(60);
        assert_eq!(ramp.take_due(now), STEPS_DUE_MAX);
        assert_eq!(ramp.take_due(now), 0);
        assert_eq!(ramp.next_due(), now + ramp.wait());
    }

    #[test]
    fn a_ramp_that_never_ends_keeps_its_pace() {
        let mut ramp = Ramp::new(Duration::ZERO, 2.0).unwrap();
        ramp.taken = u32::MAX - 1;
        let due = ramp.next_due();
        assert_eq!(ramp.take_due(due + Duration::from_secs(1)), 2);
        assert_eq!(ramp.next_due(), due + Duration::from_secs(2));
    }
}

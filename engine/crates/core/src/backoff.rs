//! Pauses between attempts to reach a master.

use std::time::Duration;

/// The first pause is this long at most.
pub const PAUSE_MIN: Duration = Duration::from_millis(200);

/// No pause is longer. A master that starts waits for its workers for longer than this; see
/// [`crate::agent::REFUSAL_LEASE`].
pub const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Doublings after which a pause is as long as it gets, whatever the constants are.
const DOUBLINGS_MAX: u32 = 16;

/// Pauses that double, up to a limit. Each is drawn between half and all of that, so that thousands
/// of workers that have lost their master at the same moment do not come back at the same moment.
#[derive(Debug, Clone)]
pub struct Backoff {
    rng: fastrand::Rng,
    attempts: u32,
}

impl Backoff {
    /// The pauses of one process; two with the same seed pause alike.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), attempts: 0 }
    }

    /// Returns the pause before the next attempt.
    pub fn pause(&mut self) -> Duration {
        let longest = PAUSE_MIN.saturating_mul(1 << self.attempts.min(DOUBLINGS_MAX));
        self.attempts = self.attempts.saturating_add(1);
        longest.min(PAUSE_MAX).mul_f64(0.5 + self.rng.f64() / 2.0)
    }

    /// The last attempt went well: the next outage begins with a short pause.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_begin_anew() {
        let mut backoff = Backoff::new(7);
        for _ in 0..2 {
            let mut longest = PAUSE_MIN;
            for _ in 0..200 {
                let pause = backoff.pause();
                assert!((longest / 2..=longest).contains(&pause), "{pause:?} of {longest:?}");
                longest = (longest * 2).min(PAUSE_MAX);
            }
            backoff.reset();
        }
    }

    #[test]
    fn workers_that_lose_their_master_together_come_back_apart() {
        const WORKERS: u32 = 2_000;
        // The first attempts, by tenths of the time in which they come.
        let mut tenths = [0_u32; 10];
        for seed in 0..u64::from(WORKERS) {
            let mut backoff = Backoff::new(seed);
            let first = backoff.pause();
            let tenth = (first - PAUSE_MIN / 2).as_micros() * 10 / (PAUSE_MIN / 2).as_micros();
            tenths[usize::try_from(tenth).unwrap().min(9)] += 1;
        }
        let share = WORKERS / 10;
        assert!(tenths.iter().all(|&count| count.abs_diff(share) < share / 2), "{tenths:?}");
    }

    #[test]
    fn a_seed_gives_the_same_pauses_again() {
        let pauses = |seed| {
            let mut backoff = Backoff::new(seed);
            [(); 5].map(|()| backoff.pause())
        };
        assert_eq!(pauses(3), pauses(3));
        assert_ne!(pauses(3), pauses(4));
    }
}

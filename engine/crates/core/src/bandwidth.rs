//! How many bytes may pass in a second.

use std::time::Duration;

const NANOS_PER_S: i128 = 1_000_000_000;

/// Lets so many bytes a second through, and a burst of those that were not used before.
#[derive(Debug, Clone, Copy)]
pub struct Bandwidth {
    bytes_per_s: u64,
    burst_bytes: u64,
    /// What may pass at `at`, in bytes times nanoseconds a second: nothing is lost by rounding.
    room: i128,
    at: Duration,
}

impl Bandwidth {
    /// `bytes_per_s` in the long run, at least 1, and `burst_bytes` at once after a rest.
    #[must_use]
    pub fn new(bytes_per_s: u64, burst_bytes: u64) -> Self {
        let room = i128::from(burst_bytes) * NANOS_PER_S;
        Self { bytes_per_s: bytes_per_s.max(1), burst_bytes, room, at: Duration::ZERO }
    }

    /// Lets `bytes` pass. More than a burst pass when a whole burst could, and what follows waits
    /// the longer. Time that goes back stands still.
    ///
    /// # Errors
    /// How long they have to wait, if nothing else passes meanwhile; nothing has passed then.
    pub fn pass(&mut self, now: Duration, bytes: u64) -> Result<(), Duration> {
        let full = i128::from(self.burst_bytes) * NANOS_PER_S;
        let elapsed = now.saturating_sub(self.at).as_nanos();
        let elapsed = i128::try_from(elapsed).unwrap_or(i128::MAX);
        let more = elapsed.saturating_mul(i128::from(self.bytes_per_s));
        self.room = self.room.saturating_add(more).min(full);
        self.at = self.at.max(now);
        let lacking = i128::from(bytes.min(self.burst_bytes)) * NANOS_PER_S - self.room;
        if lacking > 0 {
            let rate = i128::from(self.bytes_per_s);
            let nanos = u64::try_from((lacking + rate - 1) / rate).unwrap_or(u64::MAX);
            return Err(Duration::from_nanos(nanos));
        }
        self.room -= i128::from(bytes) * NANOS_PER_S;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_and_then_what_the_rate_lets_through() {
        let mut bandwidth = Bandwidth::new(1_000, 500);
        assert_eq!(bandwidth.pass(Duration::ZERO, 500), Ok(()));
        assert_eq!(bandwidth.pass(Duration::ZERO, 1), Err(Duration::from_millis(1)));
        assert_eq!(bandwidth.pass(SECOND / 4, 300), Err(SECOND / 20), "50 bytes are lacking");
        assert_eq!(bandwidth.pass(SECOND / 4, 250), Ok(()), "what waits has taken nothing");
        assert_eq!(bandwidth.pass(100 * SECOND, 500), Ok(()));
        assert!(bandwidth.pass(100 * SECOND, 1).is_err(), "rest makes no more than a burst");
        assert!(bandwidth.pass(SECOND, 1).is_err(), "time that goes back gives nothing");
    }

    #[test]
    fn more_than_a_burst_pass_and_are_paid_for() {
        let mut bandwidth = Bandwidth::new(1_000, 500);
        assert_eq!(bandwidth.pass(Duration::ZERO, 2_500), Ok(()));
        assert_eq!(bandwidth.pass(Duration::ZERO, 500), Err(5 * SECOND / 2));
        assert_eq!(bandwidth.pass(5 * SECOND / 2, 500), Ok(()));
    }

    proptest! {
        /// However it is asked, no more passes than burst and rate allow, and who waits as long as
        /// it was told passes.
        #[test]
        fn never_more_than_burst_and_rate(
            rate in 1_u64..10_000_000_000,
            burst in 1_u64..1_000_000,
            asked in prop::collection::vec((0_u64..2_000_000_000, 1_u64..1_000_000), 1..100),
        ) {
            let mut bandwidth = Bandwidth::new(rate, burst);
            let (mut now, mut passed) = (Duration::ZERO, 0_u128);
            for (pause, bytes) in asked {
                let bytes = bytes.min(burst);
                now += Duration::from_nanos(pause);
                if let Err(wait) = bandwidth.pass(now, bytes) {
                    now += wait;
                    prop_assert_eq!(bandwidth.pass(now, bytes), Ok(()));
                }
                passed += u128::from(bytes);
                let allowed = now.as_nanos() * u128::from(rate) / 1_000_000_000;
                prop_assert!(passed <= u128::from(burst) + allowed);
            }
        }
    }
}

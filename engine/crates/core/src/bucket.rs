//! How often something may happen: so many in a row, and then so many in a given time.

use std::time::Duration;

/// Lets through one for each interval, and a burst of those that were not used before.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    interval: Duration,
    /// What a full burst amounts to.
    tolerance: Duration,
    /// When the next would be due, if all came evenly.
    due: Duration,
}

impl Bucket {
    /// One for each `interval`, and `burst` at once after a rest.
    #[must_use]
    pub const fn new(interval: Duration, burst: u32) -> Self {
        let tolerance = interval.saturating_mul(burst.saturating_sub(1));
        Self { interval, tolerance, due: Duration::ZERO }
    }

    /// Takes one; false says that it is one too many, and leaves everything as it was.
    pub fn take(&mut self, now: Duration) -> bool {
        let due = self.due.max(now);
        if due - now > self.tolerance {
            return false;
        }
        self.due = due + self.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn taken(bucket: &mut Bucket, now: Duration) -> usize {
        (0..1_000).take_while(|_| bucket.take(now)).count()
    }

    #[test]
    fn a_burst_and_then_what_the_interval_lets_through() {
        let mut bucket = Bucket::new(SECOND / 10, 20);
        assert_eq!(taken(&mut bucket, Duration::ZERO), 20);
        assert_eq!(taken(&mut bucket, SECOND), 10);
        assert_eq!(taken(&mut bucket, SECOND), 0, "what was refused does not count");
        assert_eq!(taken(&mut bucket, 100 * SECOND), 20, "rest makes no more than a burst");
    }

    #[test]
    fn who_keeps_to_the_rate_is_never_refused() {
        let mut bucket = Bucket::new(SECOND / 10, 1);
        assert!((0..1_000_u32).all(|n| bucket.take(n * (SECOND / 10))));
        assert!(!bucket.take(999 * (SECOND / 10)), "two at a time are one too many");
    }
}

//! The test's clock.

#[cfg(not(feature = "dense"))]
pub(crate) use crate::bindings::swarm::scenario::clock as wit;
#[cfg(feature = "dense")]
pub(crate) use crate::bindings::swarm::scenario::clock_async as wit;
use std::time::Duration;

/// Time since the test began.
#[must_use]
pub fn now() -> Duration {
    duration(wit::now())
}

/// Waits inside a task, rounded up to whole milliseconds. Between tasks, the class's `wait` does.
#[cfg(not(feature = "dense"))]
pub fn sleep(time: Duration) {
    wit::sleep(milliseconds(time));
}

/// Milliseconds of the host, with microseconds behind the point.
pub(crate) fn duration(ms: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and the host's times are positive"
    )]
    let us = (ms * 1000.0).round() as u64;
    Duration::from_micros(us)
}

/// Rounded up, so that a short time does not become none; at most 49 days.
pub(crate) fn milliseconds(time: Duration) -> u32 {
    let parts = u64::from(time.subsec_nanos().div_ceil(1_000_000));
    let ms = time.as_secs().saturating_mul(1000).saturating_add(parts);
    u32::try_from(ms).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{duration, milliseconds};
    use std::time::Duration;

    #[test]
    fn milliseconds_round_up_and_saturate() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_millis(1500)), 1500);
        assert_eq!(milliseconds(Duration::from_nanos(999_999_999)), 1000);
        assert_eq!(milliseconds(Duration::MAX), u32::MAX);
    }

    #[test]
    fn the_hosts_milliseconds_keep_their_microseconds() {
        assert_eq!(duration(12.345), Duration::from_micros(12_345));
        assert_eq!(duration(0.0), Duration::ZERO);
    }
}

//! Waiting for what takes a while.

use std::time::{Duration, Instant};

/// How long anything may take that is not about time. Long, because a busy machine is no failure.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Pause between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `condition` holds.
///
/// # Panics
///
/// It does not hold within `timeout`.
#[track_caller]
pub fn wait_until(what: &str, timeout: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, timeout, || condition().then_some(()));
}

/// Waits until `value` is there.
///
/// # Panics
///
/// It is not there within `timeout`.
#[track_caller]
pub fn wait_for<T>(what: &str, timeout: Duration, mut value: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(start.elapsed() < timeout, "waited {timeout:?} in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_returned_once_it_is_there() {
        let mut looks = 0;
        let value = wait_for("the third look", PATIENCE, || {
            looks += 1;
            (looks == 3).then_some("here")
        });
        assert_eq!((value, looks), ("here", 3));
    }

    #[test]
    #[should_panic(expected = "waited 20ms in vain: pigs to fly")]
    fn what_never_comes_is_named() {
        wait_until("pigs to fly", Duration::from_millis(20), || false);
    }
}

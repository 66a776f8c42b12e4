use super::*;

#[test]
fn any_number_is_a_time() {
    for (ms, time) in [
        (1.5, Duration::from_micros(1500)),
        (0.0, Duration::ZERO),
        (-1.0, Duration::ZERO),
        (f64::NAN, Duration::ZERO),
        (f64::NEG_INFINITY, Duration::ZERO),
    ] {
        assert_eq!(duration(ms), time, "{ms}");
    }
    assert_eq!(duration(f64::INFINITY), duration(1e300));
    assert!(duration(f64::INFINITY) > Duration::from_secs(24 * 3600));
}

#[tokio::test]
async fn whoever_waits_for_an_event_is_woken_once() {
    let events = Events::default();
    events.wake(1);
    let (one, other) = (events.of(1), events.of(2));
    let mut one = std::pin::pin!(one);
    let mut other = std::pin::pin!(other);
    assert!(futures_util::poll!(one.as_mut()).is_pending(), "it was woken before");
    assert!(futures_util::poll!(other.as_mut()).is_pending());
    events.wake(1);
    assert!(futures_util::poll!(one.as_mut()).is_ready());
    assert!(futures_util::poll!(other.as_mut()).is_pending());
    assert!(events.lock().contains_key(&2) && !events.lock().contains_key(&1));
}

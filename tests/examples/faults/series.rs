//! Figures of a number that was looked at again and again.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

/// A number at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) at: Duration,
    pub(crate) value: u64,
}

/// Of the points within `time`, the ones that follow each other.
fn within(points: &[Point], time: Range<Duration>) -> &[Point] {
    let from = points.partition_point(|point| point.at < time.start);
    let to = points.partition_point(|point| point.at < time.end);
    &points[from..to.max(from)]
}

/// From the begin of `time` until the number was in `wanted` and stayed there; `None` if it was
/// not in the end, or nobody looked.
pub(crate) fn settled(
    points: &[Point],
    time: Range<Duration>,
    wanted: &RangeInclusive<u64>,
) -> Option<Duration> {
    let begin = time.start;
    let points = within(points, time);
    let last = points.iter().rposition(|point| !wanted.contains(&point.value));
    match last {
        None => points.first().map(|_| Duration::ZERO),
        Some(last) => points.get(last + 1).map(|point| point.at.saturating_sub(begin)),
    }
}

/// The longest time without a break for which `odd` held.
pub(crate) fn longest(
    points: &[Point],
    time: Range<Duration>,
    odd: impl Fn(u64) -> bool,
) -> Duration {
    let (mut longest, mut since) = (Duration::ZERO, None);
    for point in within(points, time) {
        if let Some(since) = since {
            longest = longest.max(point.at.saturating_sub(since));
        }
        since = odd(point.value).then(|| since.unwrap_or(point.at));
    }
    longest
}

/// The least and the greatest number.
pub(crate) fn extremes(points: &[Point], time: Range<Duration>) -> Option<(u64, u64)> {
    let values = || within(points, time.clone()).iter().map(|point| point.value);
    values().min().zip(values().max())
}

/// Of a number that only grows: by how much within the time, a second.
pub(crate) fn rate(points: &[Point], time: Range<Duration>) -> Option<f64> {
    let [first, .., last] = within(points, time) else { return None };
    let grown = last.value.checked_sub(first.value)?;
    Some(grown as f64 / (last.at - first.at).as_secs_f64())
}

/// The greatest [`rate`] of any second within the time.
pub(crate) fn fastest_second(points: &[Point], time: Range<Duration>) -> Option<f64> {
    const SECOND: Duration = Duration::from_secs(1);
    let end = time.end;
    let begins = within(points, time).iter().map(|point| point.at);
    let rates = begins
        .filter(|begin| *begin + SECOND <= end)
        .filter_map(|begin| rate(points, begin..begin + SECOND));
    rates.max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A look each 100 ms.
    fn series(values: &[u64]) -> Vec<Point> {
        (0..).map(|n| Duration::from_millis(n * 100)).zip(values).map(point).collect()
    }

    fn point((at, value): (Duration, &u64)) -> Point {
        Point { at, value: *value }
    }

    fn all() -> Range<Duration> {
        Duration::ZERO..Duration::from_secs(1000)
    }

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_number_is_back_when_it_stays() {
        let points = series(&[9, 5, 9, 8, 9, 9]);
        assert_eq!(settled(&points, all(), &(9..=10)), Some(millis(400)));
        assert_eq!(settled(&points, millis(200)..millis(900), &(9..=10)), Some(millis(200)));
        assert_eq!(settled(&points, millis(400)..millis(900), &(9..=10)), Some(millis(0)));
        assert_eq!(settled(&points, millis(0)..millis(350), &(9..=10)), None, "not in the end");
        assert_eq!(settled(&[], all(), &(9..=10)), None);
    }

    #[test]
    fn the_longest_stretch_counts() {
        let points = series(&[9, 5, 9, 8, 8, 9, 5]);
        assert_eq!(longest(&points, all(), |n| n < 9), millis(200));
        assert_eq!(longest(&points, all(), |n| n > 9), millis(0));
        assert_eq!(extremes(&points, all()), Some((5, 9)));
        assert_eq!(extremes(&points, millis(5000)..millis(6000)), None);
    }

    #[test]
    fn rates_are_by_the_second() {
        let values: Vec<u64> = (0..30).map(|n| if n < 15 { n * 10 } else { n * 30 }).collect();
        let points = series(&values);
        assert_eq!(rate(&points, millis(0)..millis(1400)), Some(100.0));
        assert_eq!(rate(&points, millis(1500)..millis(3000)), Some(300.0));
        assert!(fastest_second(&points, all()).unwrap() > 300.0, "the step is in it");
    }
}

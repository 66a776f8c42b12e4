//! Spans of time as people write them: `300s`, `20m`, `1h30m`, `3h30m10s`, or bare seconds.

/// Longest span accepted, in seconds: 366 days.
pub const SPAN_S_MAX: u64 = 366 * 24 * 3600;

/// Why a text is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Not understood.
    #[error("{0:?} is no time: write it like 300, 300s, 20m, 3h or 1h30m")]
    Form(String),
    /// Zero.
    #[error("the time must be at least 1 second")]
    Zero,
    /// Over [`SPAN_S_MAX`].
    #[error("the time is over the limit of 366 days")]
    TooLong,
}

/// Reads a span of time in seconds.
///
/// # Errors
/// When it is none, zero, or over [`SPAN_S_MAX`].
pub fn parse(text: &str) -> Result<u64, SpanError> {
    let seconds =
        total_s(text.trim()).ok_or_else(|| SpanError::Form(text.chars().take(60).collect()))?;
    match seconds {
        0 => Err(SpanError::Zero),
        1..=SPAN_S_MAX => Ok(seconds),
        _ => Err(SpanError::TooLong),
    }
}

/// Adds up hours, minutes and seconds, each at most once and in this order.
fn total_s(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse().unwrap_or(u64::MAX));
    }
    let mut rest = text;
    let mut total_s = 0_u64;
    for (unit, seconds) in [('h', 3600), ('m', 60), ('s', 1)] {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let part_s = number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(seconds);
        total_s = total_s.saturating_add(part_s);
        rest = after;
    }
    rest.is_empty().then_some(total_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let cases = [("20", 20), ("300s", 300), ("20m", 1200), ("3h", 10_800), ("1h30m", 5400)];
        for (text, seconds) in cases {
            assert_eq!(parse(text), Ok(seconds), "{text}");
        }
        assert_eq!(parse("3h30m10s"), Ok(12_610));
    }

    #[test]
    fn says_what_is_wrong() {
        for text in ["", "m", "ten", "10x", "1m1h", "-5", "1.5", "5 s"] {
            assert_eq!(parse(text), Err(SpanError::Form(text.to_owned())), "{text}");
        }
        assert_eq!(parse("0s"), Err(SpanError::Zero));
        for text in ["9999999h", "99999999999999999999999h", "99999999999999999999999"] {
            assert_eq!(parse(text), Err(SpanError::TooLong), "{text}");
        }
    }
}

//! Reports: what the world gets to read of a [`Snapshot`](crate::snapshot::Snapshot).

pub mod csv;
mod grid;
pub mod json;
pub mod table;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The last millisecond of the year 9999, where RFC 3339 ends.
const LAST_UNIX_MS: u64 = 253_402_300_799_999;

/// A Unix time in milliseconds as RFC 3339 text in UTC, like `2024-05-17T09:30:00.5Z`. Times after
/// the year 9999 are written as its end.
#[must_use]
pub fn rfc3339(unix_ms: u64) -> String {
    let nanoseconds = i128::from(unix_ms.min(LAST_UNIX_MS)) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
        .expect("years 1970 to 9999 are in range")
        .format(&Rfc3339)
        .expect("years up to 9999 have a text")
}

/// A number with at most `places` decimals and no trailing zeros.
fn decimals(number: f64, places: usize) -> String {
    let text = format!("{number:.places$}");
    let text = if places > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A percentage without trailing zeros, as columns are headed: `99.9%`.
fn percent(level: f64) -> String {
    format!("{}%", decimals(level, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_210_096_789), "2024-02-29T12:34:56.789Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn numbers_have_no_trailing_zeros() {
        assert_eq!(decimals(1.5, 3), "1.5");
        assert_eq!(decimals(100.0, 3), "100");
        assert_eq!(decimals(0.000_4, 3), "0");
        assert_eq!(decimals(-0.000_4, 3), "0");
        assert_eq!(decimals(120.4, 0), "120");
        assert_eq!(percent(99.99), "99.99%");
    }
}

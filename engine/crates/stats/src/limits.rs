//! Limits on everything that grows with what a scenario or a target says, and what is done above
//! them.

use std::borrow::Cow;

/// Name of the entry that takes the samples of names above [`Limits::names_max`]. Its method is
/// empty.
pub const OTHER_NAME: &str = "(other)";

/// Error text that takes the failures above [`Limits::errors_max`], under [`OTHER_NAME`].
pub const OTHER_ERRORS: &str = "(other errors)";

/// Message that takes the exceptions above [`Limits::exceptions_max`].
pub const OTHER_EXCEPTIONS: &str = "(other exceptions)";

/// Id that takes the counts of workers above [`Limits::workers_max`].
pub const OTHER_WORKERS: &str = "(other workers)";

/// How much a recorder and the totals keep. What is above a limit is counted exactly, but under a
/// common name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Distinct (method, name) pairs. In a recorder a pair takes about 200 bytes, with samples
    /// since the last drain up to 8 KiB more, above 512 samples 16 to 190 KiB, by how far their
    /// times spread; in the totals that for the whole test, and for each of the last seconds.
    pub names_max: usize,
    /// Length of methods, names and names of metrics; longer ones are cut.
    pub name_bytes_max: usize,
    /// Distinct (method, name, error): in one delta of a recorder, in all of the totals.
    pub errors_max: usize,
    /// Length of an error text and of an exception's message; longer ones are cut.
    pub error_bytes_max: usize,
    /// Distinct (message, trace): in one delta of a recorder, in all of the totals.
    pub exceptions_max: usize,
    /// Length of a trace; longer ones are cut.
    pub trace_bytes_max: usize,
    /// Distinct metrics of the guest's own.
    pub metrics_max: usize,
    /// Workers whose requests the totals count one by one.
    pub workers_max: usize,
    /// Addresses that are counted one by one: in one delta of a recorder, in all of the totals.
    pub addresses_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            names_max: 2_000,
            name_bytes_max: 500,
            errors_max: 1_000,
            error_bytes_max: 1_000,
            exceptions_max: 200,
            trace_bytes_max: 8_000,
            metrics_max: 200,
            workers_max: 10_000,
            addresses_max: 256,
        }
    }
}

/// The end of a text that was cut.
const ELLIPSIS: &str = "…";

/// `text`, cut to at most `bytes_max` bytes; a cut text ends with `…`.
pub(crate) fn cut(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let mut end = bytes_max.saturating_sub(ELLIPSIS.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}{ELLIPSIS}", &text[..end]))
}

/// Is it what [`cut`] has made of a longer text? A text of that length that ends with an ellipsis
/// of its own is taken for one.
pub(crate) fn was_cut(text: &str, bytes_max: usize) -> bool {
    // A character that did not fit wholly takes up to three bytes of the room with it.
    text.len() + 3 >= bytes_max && text.ends_with(ELLIPSIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_between_characters_and_within_the_limit() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer text", 8), "longe…");
        let cut_umlauts = cut("äöüäöü", 8);
        assert_eq!(cut_umlauts, "äö…");
        assert!(cut_umlauts.len() <= 8);
    }

    #[test]
    fn a_cut_text_is_told_from_a_short_one() {
        for text in ["longer text", "äöüäöü", "日本語日本語", "🐝🐝🐝🐝"] {
            assert!(was_cut(&cut(text, 8), 8), "{text}");
        }
        for text in ["short", "8 bytes.", "…", ""] {
            assert!(!was_cut(&cut(text, 8), 8), "{text}");
        }
    }
}

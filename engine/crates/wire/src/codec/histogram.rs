//! Histograms: HdrHistogram's V2 encoding without compression.
//!
//! The header names a size that the decoder allocates, and the reader of the payload trusts what
//! it reads, so both are looked at first. Sent histograms are trimmed: their header says the
//! largest value that they hold, not the largest they could, and the receiver allocates no more
//! cells than are in use.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};

use super::field::{Result, at_most, holds, sound};
use crate::error::FieldError;
use crate::limits::{COUNT_MAX, HISTOGRAM_BYTES_MAX, HISTOGRAM_DIGITS, HISTOGRAM_TIME_US_MAX};

/// What the encoding starts with, for "V2, counts of up to 64 bits, not compressed".
const COOKIE: u32 = 0x1c84_9313;
/// Bytes before the payload: cookie, payload length, offset, digits, low, high, ratio.
const HEADER_BYTES: usize = 40;
/// Where the header says the largest value.
const HIGH_AT: usize = 24;
/// Bytes with the continuation bit that a number up to [`COUNT_MAX`] has at most.
const CONTINUATIONS_MAX: usize = 5;
/// The smallest value that a header may give as the largest: twice the lowest.
const HIGH_MIN: u64 = 2;

/// Which values a histogram may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// Microseconds up to [`HISTOGRAM_TIME_US_MAX`].
    Time,
    /// Whatever a guest recorded.
    Any,
}

impl Range {
    fn max(self) -> u64 {
        match self {
            Range::Time => HISTOGRAM_TIME_US_MAX,
            Range::Any => u64::MAX,
        }
    }
}

/// Encodes histograms, reusing its buffers.
pub(crate) struct Encoder {
    serializer: V2Serializer,
    bytes: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new() -> Encoder {
        Encoder { serializer: V2Serializer::new(), bytes: Vec::new() }
    }

    /// The encoded histogram, valid until the next call.
    pub(crate) fn encode(
        &mut self,
        field: &str,
        histogram: &Histogram<u64>,
        range: Range,
    ) -> Result<&[u8]> {
        check_shape(field, histogram.low(), u32::from(histogram.sigfig()), histogram.max(), range)?;
        at_most(field, histogram.len(), COUNT_MAX, "samples")?;
        self.bytes.clear();
        sound(field, self.serializer.serialize(histogram, &mut self.bytes))?;
        let high = histogram.max().max(HIGH_MIN);
        self.bytes[HIGH_AT..HIGH_AT + 8].copy_from_slice(&high.to_be_bytes());
        Ok(&self.bytes)
    }
}

/// Decodes histograms, reusing its buffers.
pub(crate) struct Decoder(Deserializer);

impl Decoder {
    pub(crate) fn new() -> Decoder {
        Decoder(Deserializer::new())
    }

    pub(crate) fn decode(
        &mut self,
        field: &str,
        bytes: capnp::Result<&[u8]>,
        range: Range,
    ) -> Result<Histogram<u64>> {
        let mut bytes = sound(field, bytes)?;
        at_most(field, bytes.len() as u64, HISTOGRAM_BYTES_MAX as u64, "bytes long")?;
        check_bytes(field, bytes, range)?;
        let histogram: Histogram<u64> = sound(field, self.0.deserialize(&mut bytes))?;
        at_most(field, histogram.len(), COUNT_MAX, "samples")?;
        // Cells come by the thousand, so there is room for more than the header's largest value.
        at_most(field, histogram.max(), range.max(), "as the largest value")?;
        Ok(histogram)
    }
}

/// Checks all that decides how much memory and which arithmetic decoding takes.
fn check_bytes(field: &str, bytes: &[u8], range: Range) -> Result<()> {
    let Some((header, payload)) = bytes.split_at_checked(HEADER_BYTES) else {
        return Err(FieldError::new(field, "is cut off in the header"));
    };
    let u32_at = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().expect("4 bytes"));
    let u64_at = |at: usize| u64::from_be_bytes(header[at..at + 8].try_into().expect("8 bytes"));
    holds(field, u32_at(0) == COOKIE, "is not a V2 histogram")?;
    holds(field, u32_at(4) as usize == payload.len(), "has another length than its header says")?;
    let high = u64_at(HIGH_AT);
    check_shape(field, u64_at(16), u32_at(12), high, range)?;
    holds(field, high >= HIGH_MIN, "has a header with no room for a value")?;
    let too_long = |number: &[u8]| number.iter().all(|byte| byte & 0x80 != 0);
    let numbers_fit = !payload.windows(CONTINUATIONS_MAX + 1).any(too_long);
    holds(field, numbers_fit, format_args!("has a count above {COUNT_MAX}"))
}

/// Every histogram has one precision, so that all of them can be added up.
fn check_shape(field: &str, low: u64, digits: u32, high: u64, range: Range) -> Result<()> {
    holds(field, low == 1, format_args!("has the lowest value {low}, must be 1"))?;
    holds(
        field,
        digits == u32::from(HISTOGRAM_DIGITS),
        format_args!("keeps {digits} digits, must keep {HISTOGRAM_DIGITS}"),
    )?;
    at_most(field, high, range.max(), "as the largest value")
}

//! Histograms: the buckets in use, each as two numbers: how many buckets were skipped since the
//! one before (since the beginning, for the first), and its count. A number is in LEB128: seven
//! bits a byte, the lowest first, the highest bit says that more follow.
//!
//! So a histogram takes two to three bytes for each bucket in use, whatever the buckets are, and
//! every list of numbers has its buckets in order. The receiver allocates no more than was sent.

use swarm_stats::Histogram;

use super::field::{Result, at_most, holds, sound};
use crate::error::FieldError;
use crate::limits::{COUNT_MAX, HISTOGRAM_BYTES_MAX, HISTOGRAM_TIME_US_MAX};

/// Bits of a number in one byte.
const BITS: u32 = 7;
/// Set in a byte that is not the last of its number.
const MORE: u8 = 1 << BITS;

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

/// Encodes histograms, reusing its buffer.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// The encoded histogram, valid until the next call.
    pub(crate) fn encode(
        &mut self,
        field: &str,
        histogram: &Histogram,
        range: Range,
    ) -> Result<&[u8]> {
        check(field, histogram, range)?;
        self.bytes.clear();
        let mut next = 0;
        for &(bucket, count) in histogram.buckets() {
            self.number(u64::from(bucket - next));
            self.number(count);
            next = bucket + 1;
        }
        Ok(&self.bytes)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are what is wanted")]
    fn number(&mut self, mut number: u64) {
        while number >= u64::from(MORE) {
            self.bytes.push(number as u8 | MORE);
            number >>= BITS;
        }
        self.bytes.push(number as u8);
    }
}

/// The histogram in these bytes.
pub(crate) fn decode(field: &str, bytes: capnp::Result<&[u8]>, range: Range) -> Result<Histogram> {
    let mut bytes = sound(field, bytes)?;
    at_most(field, bytes.len() as u64, HISTOGRAM_BYTES_MAX as u64, "bytes long")?;
    // A bucket takes at least two bytes, so there is nothing to reserve beyond what was sent.
    let mut buckets = Vec::with_capacity(bytes.len() / 2);
    let mut next = 0_u64;
    while !bytes.is_empty() {
        let bucket = next.saturating_add(number(field, &mut bytes)?);
        let count = number(field, &mut bytes)?;
        // The library refuses a number of 32 bits that is no bucket.
        buckets.push((u32::try_from(bucket).unwrap_or(u32::MAX), count));
        next = bucket.saturating_add(1);
    }
    let histogram =
        Histogram::from_buckets(buckets).map_err(|error| FieldError::new(field, error))?;
    check(field, &histogram, range)?;
    Ok(histogram)
}

fn check(field: &str, histogram: &Histogram, range: Range) -> Result<()> {
    at_most(field, histogram.samples(), COUNT_MAX, "samples")?;
    at_most(field, histogram.max().unwrap_or(0), range.max(), "as the largest value")
}

/// Takes a number off the front of `bytes`.
fn number(field: &str, bytes: &mut &[u8]) -> Result<u64> {
    let (mut number, mut shift) = (0_u64, 0);
    loop {
        let Some((&byte, rest)) = bytes.split_first() else {
            return Err(FieldError::new(field, "is cut off in a number"));
        };
        *bytes = rest;
        let bits = u64::from(byte & !MORE);
        let fits = shift < u64::BITS && bits << shift >> shift == bits;
        holds(field, fits, "has a number of more than 64 bits")?;
        number |= bits << shift;
        if byte & MORE == 0 {
            return Ok(number);
        }
        shift += BITS;
    }
}

//! Which values share a bucket.
//!
//! With `BITS` bits, values below 2^(BITS + 1) have a bucket each, and every doubling above is cut
//! into 2^BITS buckets of the same width: a value differs from any other of its bucket by less
//! than one part in 2^BITS.

/// The layout of what is recorded, sent and merged: three significant digits.
pub(crate) const FINE: u32 = 10;

/// A layout for figures of which there are thousands: right to 1 %, an eighth of the memory.
pub(crate) const COARSE: u32 = 7;

/// The bucket of a value.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the shifted value has BITS + 1 bits")]
pub(crate) const fn bucket_of<const BITS: u32>(value: u64) -> u32 {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(BITS + 1);
    (shift << BITS) + (value >> shift) as u32
}

/// The largest value of a bucket.
#[inline]
pub(crate) const fn highest_in<const BITS: u32>(bucket: u32) -> u64 {
    let shift = (bucket >> BITS).saturating_sub(1);
    let lowest = ((bucket - (shift << BITS)) as u64) << shift;
    lowest + ((1 << shift) - 1)
}

/// The roundest value of the bucket that this is the largest value of: the multiple of the largest
/// power of ten. All values of a bucket are equally true, and of whole numbers it is the one that
/// was recorded.
pub(crate) const fn roundest_in<const BITS: u32>(highest: u64) -> u64 {
    let shift = (bucket_of::<BITS>(highest) >> BITS).saturating_sub(1);
    let lowest = highest - ((1 << shift) - 1);
    let mut roundest = highest;
    let mut power: u64 = 10;
    loop {
        let candidate = highest - highest % power;
        if candidate < lowest {
            return roundest;
        }
        roundest = candidate;
        match power.checked_mul(10) {
            Some(next) => power = next,
            None => return roundest,
        }
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The library's layout is the judge: same ends, same neighbours.
        #[test]
        fn three_digits_are_those_of_an_hdr_histogram(bits in 0_u32..63, low in any::<u64>()) {
            let value = (1_u64 << bits) | (low & ((1 << bits) - 1));
            let theirs = Histogram::<u64>::new(3).unwrap();
            let highest = highest_in::<FINE>(bucket_of::<FINE>(value));
            prop_assert_eq!(highest, theirs.highest_equivalent(value));
            prop_assert_eq!(
                bucket_of::<FINE>(theirs.next_non_equivalent(value)),
                bucket_of::<FINE>(value) + 1
            );
        }

        #[test]
        fn a_bucket_is_narrow(value in any::<u64>()) {
            fn check<const BITS: u32>(value: u64) {
                let highest = highest_in::<BITS>(bucket_of::<BITS>(value));
                assert!(highest >= value && (highest - value) <= value >> BITS);
                assert_eq!(bucket_of::<BITS>(highest), bucket_of::<BITS>(value));
            }
            check::<FINE>(value);
            check::<COARSE>(value);
        }
    }

    #[test]
    fn the_roundest_value_is_in_the_bucket_and_ends_with_the_most_zeros() {
        let roundest = |value| roundest_in::<FINE>(highest_in::<FINE>(bucket_of::<FINE>(value)));
        for (value, expected) in [
            (0, 0),
            (7, 7),
            (2_047, 2_047),
            (3_000, 3_000),
            (3_001, 3_000),
            (1_234_000, 1_234_000),
            (999_999, 1_000_000),
            (1_000_000_000, 1_000_000_000),
        ] {
            assert_eq!(roundest(value), expected, "of {value}");
        }
        let value = roundest(u64::MAX);
        assert_eq!(bucket_of::<FINE>(value), bucket_of::<FINE>(u64::MAX));
    }

    #[test]
    fn the_ends_have_buckets() {
        assert_eq!((bucket_of::<FINE>(0), highest_in::<FINE>(0)), (0, 0));
        assert_eq!(highest_in::<FINE>(bucket_of::<FINE>(u64::MAX)), u64::MAX);
        assert_eq!(highest_in::<COARSE>(bucket_of::<COARSE>(u64::MAX)), u64::MAX);
    }
}

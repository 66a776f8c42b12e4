//! Random choices that are the same in every run with the same test seed.

use crate::runtime::{FromSeat, Seat};

/// A user's source of randomness, seeded by the host: same test seed and user, same choices.
///
/// Declare a field of this type in the user class. Not for secrets.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl FromSeat for Random {
    fn from_seat(seat: &Seat) -> Self {
        Self::new(seat.user.seed)
    }
}

impl Random {
    /// A source of its own, from a seed.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        Self { state: u64::from(seed) }
    }

    /// SplitMix64: any seed is a good one, and eight bytes of state do.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `min` to `max`, both included, evenly. With `min` above `max`: `min`.
    pub fn between(&mut self, min: u32, max: u32) -> u32 {
        let span = u64::from(max.saturating_sub(min)) + 1;
        // 32 random bits scaled to the span: the bias is below one in 2^32 / span.
        let scaled = ((self.next() >> 32) * span) >> 32;
        let offset = scaled as u32;
        min + offset
    }

    /// A number in `0.0..1.0`, evenly.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
        let bits = (self.next() >> 11) as f64;
        bits / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of these; none of an empty list.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let last = u32::try_from(items.len().checked_sub(1)?).unwrap_or(u32::MAX);
        items.get(self.between(0, last) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_stream_is_splitmix64() {
        // The published first outputs of SplitMix64 for seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn choices_stay_in_range_and_reach_both_ends() {
        let mut random = Random::new(7);
        let mut seen = [0_u32; 6];
        for _ in 0..6_000 {
            seen[random.between(5, 10) as usize - 5] += 1;
        }
        assert!(seen.iter().all(|&n| (800..1_200).contains(&n)), "{seen:?}");
        assert_eq!(random.between(9, 9), 9);
        assert_eq!(random.between(9, 3), 9);
        let full = random.between(0, u32::MAX);
        assert_ne!(full, random.between(0, u32::MAX));
        assert_eq!(random.pick::<u8>(&[]), None);
        assert_eq!(random.pick(&[4]), Some(&4));
        let heads = (0..10_000).filter(|_| random.chance(0.25)).count();
        assert!((2_200..2_800).contains(&heads), "{heads}");
    }
}

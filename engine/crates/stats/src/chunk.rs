//! The counts of a few buckets side by side.

/// Buckets of a chunk. Slow responses are few and spread widely: of a larger chunk, most would be
/// empty there.
pub(crate) const CHUNK: usize = 16;

/// Counts of 16 bits, and of 64 from the first that does not fit. Most chunks of a name are those
/// of rare response times, and a long test has ever more of them.
#[derive(Debug, Clone)]
pub(crate) enum Chunk {
    Narrow(Box<[u16; CHUNK]>),
    Wide(Box<[u64; CHUNK]>),
}

impl Default for Chunk {
    fn default() -> Self {
        Self::Narrow(Box::default())
    }
}

impl Chunk {
    /// Adds samples to the bucket at `place`.
    #[inline]
    pub(crate) fn add(&mut self, place: usize, count: u64) {
        match self {
            Self::Wide(counts) => counts[place] = counts[place].saturating_add(count),
            Self::Narrow(counts) => {
                let sum = u64::from(counts[place]).saturating_add(count);
                match u16::try_from(sum) {
                    Ok(sum) => counts[place] = sum,
                    Err(_) => self.widened()[place] = sum,
                }
            }
        }
    }

    /// Adds the counts of another one, bucket by bucket.
    pub(crate) fn add_all(&mut self, more: &Self) {
        if let (Self::Narrow(counts), Self::Narrow(more)) = (&mut *self, more) {
            let mut sums = **counts;
            let mut fits = true;
            for (sum, more) in sums.iter_mut().zip(more.iter()) {
                let (wrapped, overflows) = sum.overflowing_add(*more);
                *sum = wrapped;
                fits &= !overflows;
            }
            if fits {
                **counts = sums;
                return;
            }
        }
        // Compiled to vectors, which saturating is not. A report counts up to 2^40: it would take
        // millions of the largest to overflow.
        for (count, more) in self.widened().iter_mut().zip(more.counts()) {
            *count = count.wrapping_add(more);
        }
    }

    /// All counts, by place.
    #[inline]
    pub(crate) fn counts(&self) -> [u64; CHUNK] {
        match self {
            Self::Narrow(counts) => counts.map(u64::from),
            Self::Wide(counts) => **counts,
        }
    }

    /// Forgets the counts and keeps the memory.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Narrow(counts) => counts.fill(0),
            Self::Wide(counts) => counts.fill(0),
        }
    }

    /// The counts, of 64 bits from now on.
    fn widened(&mut self) -> &mut [u64; CHUNK] {
        if let Self::Narrow(counts) = self {
            *self = Self::Wide(Box::new(counts.map(u64::from)));
        }
        match self {
            Self::Wide(counts) => counts,
            Self::Narrow(_) => unreachable!("it has just been made wide"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u64 = u16::MAX as u64;

    fn with(place: usize, count: u64) -> Chunk {
        let mut chunk = Chunk::default();
        chunk.add(place, count);
        chunk
    }

    #[test]
    fn a_count_is_what_was_added_at_the_border_of_both_widths() {
        for (first, then) in [
            (MOST, 0),
            (MOST - 1, 1),
            (MOST, 1),
            (1, MOST),
            (0, MOST + 1),
            (1 << 40, 1),
            (5, 1 << 40),
        ] {
            let mut chunk = with(3, first);
            chunk.add(4, 7);
            chunk.add(3, then);
            let mut expected = [0; CHUNK];
            (expected[3], expected[4]) = (first + then, 7);
            assert_eq!(chunk.counts(), expected);
            let mut sum = with(3, first);
            sum.add_all(&with(3, then));
            sum.add_all(&with(4, 7));
            assert_eq!(sum.counts(), expected);
            assert_eq!(matches!(sum, Chunk::Narrow(_)), first + then <= MOST);
            sum.clear();
            assert_eq!(sum.counts(), [0; CHUNK]);
        }
    }

    #[test]
    fn a_count_stays_at_the_most_there_is() {
        let mut chunk = with(0, u64::MAX);
        chunk.add(0, 1);
        assert_eq!(chunk.counts()[0], u64::MAX);
    }
}

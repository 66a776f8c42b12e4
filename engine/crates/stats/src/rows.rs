//! Rows that are found by their texts without building a key: what a recorder looks up for each
//! sample, and what merging looks up for each row.

use std::hash::{BuildHasher, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What makes a row unique. Parts that a kind of row does not need are empty.
pub(crate) type Key<'a> = [&'a str; 3];

/// A row that knows its key. The key of a row must not change while it is in [`Rows`].
pub(crate) trait Keyed {
    /// The texts that make the row unique.
    fn key(&self) -> Key<'_>;
}

/// As the standard one, with fewer steps: the bytes of the parts, and where they end.
#[inline]
fn hash(hasher: &DefaultHashBuilder, [first, second, third]: Key<'_>) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(second.as_bytes());
    state.write(first.as_bytes());
    if !third.is_empty() {
        state.write(third.as_bytes());
    }
    state.write_usize(first.len() ^ third.len().rotate_left(usize::BITS / 2));
    state.finish()
}

/// Rows in the order of their arrival, each key once.
#[derive(Debug)]
pub(crate) struct Rows<T> {
    rows: Vec<T>,
    index: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), index: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }
}

impl<T: Keyed> Rows<T> {
    /// Takes rows over; of rows with the same key the first is found.
    pub(crate) fn from_vec(rows: Vec<T>) -> Self {
        let mut taken = Self { rows: Vec::with_capacity(rows.len()), ..Self::default() };
        for row in rows {
            taken.push(row);
        }
        taken
    }

    /// Position of the row with this key.
    #[inline]
    pub(crate) fn find(&self, key: Key<'_>) -> Option<usize> {
        let wanted = hash(&self.hasher, key);
        self.index.find(wanted, |&row| self.rows[row].key() == key).copied()
    }

    /// Adds a row whose key is not there yet, and returns its position.
    pub(crate) fn push(&mut self, row: T) -> usize {
        let (rows, hasher) = (&mut self.rows, &self.hasher);
        let wanted = hash(hasher, row.key());
        let position = rows.len();
        rows.push(row);
        self.index.insert_unique(wanted, position, |&other| hash(hasher, rows[other].key()));
        position
    }

    /// Position of the row with this key. A row that is not there yet is made by `new`, while there
    /// are fewer than `rows_max`; above that it is the row with the key `other`, which may be one
    /// more.
    pub(crate) fn find_or_push(
        &mut self,
        key: Key<'_>,
        rows_max: usize,
        other: Key<'_>,
        new: impl Fn(Key<'_>) -> T,
    ) -> usize {
        let known = self.find(key);
        let key = if known.is_some() || self.rows.len() < rows_max { key } else { other };
        known.or_else(|| self.find(key)).unwrap_or_else(|| self.push(new(key)))
    }

    /// All rows, and none are left.
    pub(crate) fn take(&mut self) -> Vec<T> {
        self.index.clear();
        std::mem::take(&mut self.rows)
    }

    pub(crate) fn into_vec(self) -> Vec<T> {
        self.rows
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.rows.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.rows.iter_mut()
    }
}

/// As a list: the index is made anew.
impl<T: Serialize> Serialize for Rows<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rows.serialize(serializer)
    }
}

impl<'de, T: Keyed + Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from_vec)
    }
}

impl<T> std::ops::Index<usize> for Rows<T> {
    type Output = T;

    #[inline]
    fn index(&self, position: usize) -> &T {
        &self.rows[position]
    }
}

impl<T> std::ops::IndexMut<usize> for Rows<T> {
    #[inline]
    fn index_mut(&mut self, position: usize) -> &mut T {
        &mut self.rows[position]
    }
}

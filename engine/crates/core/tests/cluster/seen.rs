//! What a test sees of its world.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::world::World;

impl World {
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn alive(&self) -> usize {
        self.nodes.values().map(|node| node.alive.len()).sum()
    }

    pub(crate) fn alive_on(&self, id: &str) -> usize {
        self.nodes[id].alive.len()
    }

    pub(crate) fn ids(&self) -> BTreeSet<u32> {
        self.nodes.values().flat_map(|node| node.alive.iter().copied()).collect()
    }

    pub(crate) fn ids_by_worker(&self) -> Vec<BTreeSet<u32>> {
        self.nodes.values().map(|node| node.alive.clone()).collect()
    }

    /// Fewest and most users on a worker that is not at fault.
    pub(crate) fn spread(&self) -> (usize, usize) {
        let able = self.nodes.values().filter(|node| node.fault.is_none());
        let users: Vec<_> = able.map(|node| node.alive.len()).collect();
        (*users.iter().min().expect("a worker"), *users.iter().max().expect("a worker"))
    }

    pub(crate) fn notices(&self) -> &[String] {
        &self.notices
    }

    /// When users started, ascending.
    pub(crate) fn starts(&self) -> Vec<Duration> {
        let mut starts = self.starts.clone();
        starts.sort();
        starts
    }
}

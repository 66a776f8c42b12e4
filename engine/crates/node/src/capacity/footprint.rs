//! What instances of a module take, measured: some are made, as users have them, and let go.

use std::time::Duration;

use swarm_guest::Module;

use super::system::{self, Taken};

/// Instances that are measured: enough that a map or a page more or less does not matter.
const INSTANCES: usize = 48;

/// Time for making them. A module of a language runtime gets fewer, each of them large.
const TIME_MAX: Duration = Duration::from_millis(100);

/// What one instance takes while its user rests.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Footprint {
    pub(super) maps: f64,
    pub(super) address_space_bytes: f64,
    pub(super) memory_bytes: f64,
}

/// Of a module's instances. Zero where all users of a thread share one, and where none can be
/// made: then no user will run, whatever the limits, and each attempt is told as an exception.
pub(super) async fn of(module: &Module) -> Footprint {
    // What the first of all takes for all of them does not count.
    drop(module.probe(1, TIME_MAX).await);
    let before = system::taken();
    let instances = match module.probe(INSTANCES, TIME_MAX).await {
        Ok(instances) if !instances.is_empty() => instances,
        _ => return Footprint::default(),
    };
    let after = system::taken();
    let footprint = per_instance(before, after, instances.len());
    drop(instances);
    footprint
}

fn per_instance(before: Taken, after: Taken, instances: usize) -> Footprint {
    let instances = instances.max(1) as f64;
    let each = |before: u64, after: u64| after.saturating_sub(before) as f64 / instances;
    Footprint {
        maps: each(before.maps, after.maps),
        address_space_bytes: each(before.address_space_bytes, after.address_space_bytes),
        memory_bytes: each(before.memory_bytes, after.memory_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_shared_by_all() {
        let taken = |maps, address_space_bytes, memory_bytes| Taken {
            maps,
            address_space_bytes,
            memory_bytes,
            files: 0,
        };
        let footprint = per_instance(taken(100, 1000, 900), taken(300, 5000, 800), 50);
        assert_eq!(footprint.maps, 4.0);
        assert_eq!(footprint.address_space_bytes, 80.0);
        assert_eq!(footprint.memory_bytes, 0.0, "less than before is nothing");
    }
}

//! Instances as idle users have them, made to be measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use swarm_stats::Limits;

use crate::backend::isolated::{Instance, ThreadStack};
use crate::host::clock::Clock;
use crate::host::samples::Record;
use crate::scenario::module::{Module, ModuleError};

/// Instances that have answered a call and rest, as those of idle users do. They reach nothing.
pub struct Probe {
    instances: Vec<Instance>,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe").field("instances", &self.len()).finish()
    }
}

impl Probe {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }
}

impl Module {
    /// Makes up to so many instances, asks each for its plan, and keeps them. No further one is
    /// begun when `time_max` is over.
    ///
    /// # Errors
    /// When an instance cannot be made, or traps.
    pub async fn probe(
        &self,
        instances_max: usize,
        time_max: Duration,
    ) -> Result<Probe, ModuleError> {
        let Some(pre) = self.isolated() else {
            // Their users have no instance each.
            return Ok(Probe { instances: Vec::new() });
        };
        let begun = Instant::now();
        let memory = self.runtime().config().user_memory_bytes_max;
        let record = Record::new(Limits::default(), Arc::new(Clock::new()));
        let stack = ThreadStack::default();
        let mut instances = Vec::with_capacity(instances_max);
        while instances.len() < instances_max
            && (instances.is_empty() || begun.elapsed() < time_max)
        {
            let instance = Instance::new(pre, None, record.clone(), memory, 0, &stack).await;
            let mut instance = instance.map_err(ModuleError::from)?;
            let described = instance.probe().await;
            let described = described.map_err(ModuleError::from)?;
            described.map_err(ModuleError::DescribeError)?;
            instances.push(instance);
        }
        Ok(Probe { instances })
    }
}

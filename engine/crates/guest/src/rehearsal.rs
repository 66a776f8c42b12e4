//! Instances as idle users have them, made to be measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use swarm_stats::Limits;

use crate::clock::Clock;
use crate::instance::{Instance, ThreadStack};
use crate::module::{Module, ModuleError};
use crate::test::Record;

/// Instances that have answered a call and rest, as those of idle users do. They reach nothing.
pub struct Rehearsal {
    instances: Vec<Instance>,
}

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rehearsal").field("instances", &self.len()).finish()
    }
}

impl Rehearsal {
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
    pub async fn rehearse(
        &self,
        instances_max: usize,
        time_max: Duration,
    ) -> Result<Rehearsal, ModuleError> {
        if self.is_dense() {
            // Their users have no instance each.
            return Ok(Rehearsal { instances: Vec::new() });
        }
        let begun = Instant::now();
        let memory = self.runtime().config().user_memory_bytes_max;
        let record = Record::new(Limits::default(), Arc::new(Clock::new()));
        let stack = ThreadStack::default();
        let mut instances = Vec::with_capacity(instances_max);
        while instances.len() < instances_max
            && (instances.is_empty() || begun.elapsed() < time_max)
        {
            let instance = Instance::new(self, None, record.clone(), memory, 0, &stack).await;
            let mut instance = instance.map_err(ModuleError::from)?;
            let described = instance.rehearse().await;
            let described = described.map_err(ModuleError::from)?;
            described.map_err(ModuleError::DescribeError)?;
            instances.push(instance);
        }
        Ok(Rehearsal { instances })
    }
}

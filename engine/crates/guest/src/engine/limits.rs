//! What one guest instance may take: memory, tables, and the room for what the host keeps for it.

use wasmtime::ResourceLimiter;

/// Tables of one instance, and their elements: room for the largest language runtimes.
const TABLES_MAX: usize = 100;
const TABLE_ELEMENTS_MAX: usize = 200_000;
/// Core instances and memories of one component instance.
const INSTANCES_MAX: usize = 200;
const MEMORIES_MAX: usize = 20;

/// Handles of an instance, in the guest's table and in the host's: one for each user's client,
/// and those of requests and responses under way.
pub(crate) const HANDLES_MAX: usize = 16 << 20;

/// The limits of one instance, and what it has taken. A growth that would pass one ends the call:
/// a language runtime answers a refused growth with an obscure trap much later.
#[derive(Debug)]
pub(crate) struct InstanceLimits {
    memory_bytes: usize,
    memory_bytes_max: usize,
    held_bytes: usize,
    /// A growth of memory that would pass the limit is refused, and does not end the call.
    refuses: bool,
}

/// A guest wants more than it may have.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LimitError {
    #[error("needs more than the {} of memory that an instance may have", mib(*.0))]
    Memory(usize),
    #[error("needs a table of {0} elements; {TABLE_ELEMENTS_MAX} is the most")]
    Table(usize),
    #[error(
        "open requests and responses hold more than {}: drop those that are no longer needed",
        mib(*.0)
    )]
    Held(usize),
}

fn mib(bytes: usize) -> String {
    format!("{} MiB", bytes >> 20)
}

impl InstanceLimits {
    /// For an instance whose memories may have so many bytes together.
    pub(crate) fn new(memory_bytes_max: usize) -> Self {
        Self { memory_bytes: 0, memory_bytes_max, held_bytes: 0, refuses: false }
    }

    /// From now on the guest is told that there is no more memory, instead of being ended: it is
    /// one that can make an exception of that.
    pub(crate) fn refuse_memory(&mut self) {
        self.refuses = true;
    }

    /// The host keeps so many bytes more for the guest. It may hold as much as its own memory.
    pub(crate) fn hold(&mut self, bytes: usize) {
        self.held_bytes += bytes;
    }

    /// The host no longer keeps these bytes, which were held.
    pub(crate) fn release(&mut self, bytes: usize) {
        self.held_bytes -= bytes;
    }

    /// Does the guest hold more than it may?
    pub(crate) fn check_held(&self) -> Result<(), LimitError> {
        if self.held_bytes > self.memory_bytes_max {
            return Err(LimitError::Held(self.memory_bytes_max));
        }
        Ok(())
    }
}

impl ResourceLimiter for InstanceLimits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grown = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if grown > self.memory_bytes_max {
            if self.refuses {
                return Ok(false);
            }
            return Err(LimitError::Memory(self.memory_bytes_max).into());
        }
        self.memory_bytes = grown;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS_MAX {
            return Err(LimitError::Table(desired).into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_count_together() {
        let mut limits = InstanceLimits::new(4 << 20);
        limits.memory_growing(0, 1 << 20, None).expect("1 MiB");
        limits.memory_growing(0, 2 << 20, None).expect("3 MiB");
        limits.memory_growing(1 << 20, 2 << 20, None).expect("4 MiB");
        let error = limits.memory_growing(2 << 20, (2 << 20) + 1, None).expect_err("one more");
        assert!(error.to_string().contains("4 MiB"), "{error}");
    }

    #[test]
    fn who_can_bear_it_is_refused_memory_and_goes_on() {
        let mut limits = InstanceLimits::new(2 << 20);
        limits.refuse_memory();
        assert!(limits.memory_growing(0, 1 << 20, None).expect("1 MiB"));
        assert!(!limits.memory_growing(1 << 20, 3 << 20, None).expect("refused"));
        assert!(limits.memory_growing(1 << 20, 2 << 20, None).expect("what was refused is left"));
    }

    #[test]
    fn what_is_released_may_be_held_again() {
        let mut limits = InstanceLimits::new(1 << 20);
        limits.hold(1 << 20);
        limits.check_held().expect("as much as its memory");
        limits.hold(1);
        limits.check_held().expect_err("one more");
        limits.release(1 << 20);
        limits.check_held().expect("almost nothing");
    }
}

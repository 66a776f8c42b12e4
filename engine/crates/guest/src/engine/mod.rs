//! What swarm needs of wasmtime, and nothing of swarm: engines and their clock of slices, compiled
//! code on disk, limits, stacks, and values in a guest's memory.

pub(crate) mod budget;
pub(crate) mod canonical_abi;
pub(crate) mod code_cache;
pub(crate) mod digest;
pub(crate) mod kept;
pub(crate) mod limits;
pub mod runtime;
pub(crate) mod stack;
pub(crate) mod trap;

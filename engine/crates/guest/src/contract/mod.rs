//! The contract with guests, `wit/`: generated bindings, and what they mean in `swarm-core`'s
//! types.

pub(crate) mod bindings;
pub(crate) mod bindings_async;
pub(crate) mod convert;

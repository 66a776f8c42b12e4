//! Guests by wasmtime's component layer: every component runs so, at a higher cost than by
//! [`super::core_abi`].

pub(crate) mod concurrent;
pub(crate) mod linker;

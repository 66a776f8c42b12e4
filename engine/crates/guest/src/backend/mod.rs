//! The two ways to run a guest: by wasmtime's component layer ([`component`]), or straight in its
//! core module ([`core_abi`]). Both end in the same host functions, [`crate::host`].

pub(crate) mod call;
pub(crate) mod component;
pub(crate) mod concurrent;
pub(crate) mod core_abi;
pub(crate) mod isolated;
mod reason;

pub use reason::{Backend, Obstacle};

/// Where a guest finds its orders. Their length is in the word before.
#[cfg(fuzzing)]
pub const ORDERS: u32 = 0x1000;

//! Runs scenario components: the only crate that knows wasmtime.
//!
//! # Layout
//! Layers, from the bottom to the top. Each uses those before it and none after it, which the test
//! `layers` checks.
//!
//! - `contract`: the bindings of `wit/`, and what they mean in `swarm-core`'s types.
//! - `engine`: what swarm needs of wasmtime, and nothing of swarm: engines and their clock of
//!   slices
//!   ([`runtime`]), compiled code on disk, limits, stacks, values in a guest's memory.
//! - [`bundle`], `unpacked`: files that travel inside of a scenario, and where they are meanwhile.
//! - `host`: **the functions that a guest imports**, once for both back ends. `host::http` and
//!   `host::misc` are those of every guest, `host::concurrent` those of guests with many users,
//!   `host::script` those of scripting languages. `host::ctx` is what they work on,
//!   `host::exchange` what a request is.
//! - `backend`: **the two ways to run a guest**. `backend::component` goes by wasmtime's component
//!   layer, `backend::core_abi` straight into the core module. `backend::isolated` is an instance
//!   with one call at a time, either way.
//! - `scenario`: a file as a checked, compiled [`Module`], its plan, and a [`Test`] of it; `probe`:
//!   instances made to be measured.
//! - `users`: **the life of a user**. [`user`] has one with an instance of its own, or with turns
//!   in a
//!   shared one; [`multiplexed`] the many of one instance.
//! - `fuzz`: guests as fuzzers want them, for builds of fuzzers alone.
//!
//! Everything here runs on the caller's thread. A load thread runs thousands of [`user::run`]
//! futures side by side; a guest that computes is interrupted every [`runtime::SLICE`] so that its
//! neighbours get their turn.

mod backend;
pub mod bundle;
mod contract;
mod engine;
#[cfg(fuzzing)]
pub mod fuzz;
mod host;
mod scenario;
mod unpacked;
mod users;

pub use backend::{Backend, Obstacle};
pub use engine::runtime::{self, Runtime, RuntimeConfig, RuntimeError};
pub use host::clock::{self, Clock};
pub use host::samples::Record;
pub use scenario::module::{self, Module, ModuleError};
pub use scenario::probe::Probe;
pub use scenario::test::{self, Test, TestError};
pub use users::isolated::{self as user, Ended, Shard, Stop, Stopper};
pub use users::multiplexed::{self, Multiplexed};

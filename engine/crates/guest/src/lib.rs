//! Runs scenario components: the only crate that knows wasmtime.
//!
//! # Layout
//! - [`clock`]: the one place that reads the clock of a node.
//! - [`runtime`]: the engine, its settings and limits, the clock of its slices.
//! - `code_cache`: compiling, and compiled code on disk.
//! - [`module`]: a checked, compiled scenario, and what it says of itself. `precheck`: what can be
//!   checked without compiling it. [`bundle`]: files that travel inside of it; `unpacked`: where
//!   they are meanwhile.
//! - [`test`](mod@test): what all users of one test on one node have in common.
//! - [`user`]: the life of one virtual user. `caller`: who an exception is of.
//! - `backend`: which of its two ways a scenario runs, and why.
//! - `flat`: guests that need no component layer.
//! - `instance`, `slot`: one guest instance; users taking turns in it. `limits`: what it may take.
//! - `stack`: the one stack of a thread's guests. `off_stack`: waiting without holding it.
//! - [`dense`]: the users of a thread in one instance, as the world `scenario-async` allows.
//! - `host`: the functions that a guest imports. `sessions`: whose connections they use.
//! - `fuzz`: guests as fuzzers want them, for builds of fuzzers alone.
//! - `rehearsal`: instances as idle users have them, made to be measured.
//!
//! Everything here runs on the caller's thread. A load thread runs thousands of [`user::run`]
//! futures side by side; a guest that computes is interrupted every [`runtime::SLICE`] so that its
//! neighbours get their turn.

mod backend;
mod bindings;
pub mod bundle;
mod caller;
pub mod clock;
mod code_cache;
mod convert;
mod ctx;
pub mod dense;
mod flat;
#[cfg(fuzzing)]
pub mod fuzz;
mod host;
mod instance;
mod limits;
pub mod module;
mod off_stack;
mod precheck;
mod rehearsal;
pub mod runtime;
mod sessions;
mod slot;
mod stack;
mod stdio;
mod stop;
pub mod test;
mod unpacked;
pub mod user;

pub use backend::{Backend, Obstacle};
pub use clock::Clock;
pub use dense::Dense;
pub use module::{Module, ModuleError};
pub use rehearsal::Rehearsal;
pub use runtime::{Runtime, RuntimeConfig, RuntimeError};
pub use test::{Record, Test, TestError};
pub use user::{Ended, Shard, Stop, Stopper};

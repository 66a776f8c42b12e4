//! The decisions of swarm, without IO, tokio or wasm.
//!
//! # Layout
//! - [`plan`]: what a scenario consists of. [`task_ratio`]: how often its tasks run.
//! - [`validate`]: can it run, and which part of it do tags select?
//! - [`choice`]: a virtual user's next task, and when.
//! - [`dispatch`]: the placement of users on workers; [`pace`]: how fast it ramps.
//! - [`cluster`], [`agent`]: what a master and a worker do when.
//! - [`admission`], [`attempts`], [`bucket`]: who may come in, and how much anybody may ask.
//! - [`bandwidth`]: how many bytes may pass in a second. [`backoff`]: when to try again.
//! - [`limits`]: how much may be asked for.
//! - [`span`]: spans of time as people write them. [`token`]: secrets that are good enough.
//! - [`ids`]: sets of user ids, as runs.
//! - [`message`]: what master and workers tell each other, as plain data.
//!
//! Time is passed in: every state machine takes `now`, a [`std::time::Duration`] since an
//! arbitrary origin that its caller chooses once.
#![forbid(unsafe_code)]

/// Is a fault planted here? Never, but in the tests of the simulator.
#[cfg(feature = "planted-bugs")]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::is($crate::planted::Bug::$bug)
    };
}
#[cfg(not(feature = "planted-bugs"))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

pub mod admission;
pub mod agent;
pub mod attempts;
pub mod backoff;
pub mod bandwidth;
pub mod bucket;
pub mod choice;
pub mod cluster;
pub mod dispatch;
pub mod ids;
pub mod limits;
pub mod message;
pub mod pace;
pub mod plan;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod span;
pub mod task_ratio;
pub mod token;
pub mod validate;

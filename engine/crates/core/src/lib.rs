//! The decisions of swarm, without IO, tokio or wasm.
//!
//! # Layout
//! - [`plan`]: what a scenario consists of, checked.
//! - [`message`]: what master and workers tell each other, as plain data.
//!
//! Time is passed in: every state machine takes `now`, a [`std::time::Duration`] since an
//! arbitrary origin that its caller chooses once.
#![forbid(unsafe_code)]

pub mod message;
pub mod plan;

//! Exact, mergeable statistics of a load test.
//!
//! # Layout
//! - [`delta`]: what was recorded in one interval, as plain data that adds up.
//! - [`snapshot`]: the merged statistics at one moment, ready to be shown.
#![forbid(unsafe_code)]

pub mod delta;
pub mod snapshot;

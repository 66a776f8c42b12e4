//! Exact, mergeable statistics of a load test.
//!
//! # Layout
//! - [`delta`]: what was recorded in one interval, as plain data that adds up.
#![forbid(unsafe_code)]

pub mod delta;

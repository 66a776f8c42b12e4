//! The functions that a guest imports.

pub(crate) mod http;
mod in_flight;
mod misc;

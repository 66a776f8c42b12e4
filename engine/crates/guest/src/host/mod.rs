//! The functions that a guest imports.

pub(crate) mod http;
mod misc;

//! The functions that a guest imports, once for both back ends, and what they work on.

pub(crate) mod caller;
pub mod clock;
pub(crate) mod concurrent;
mod content;
pub(crate) mod ctx;
pub(crate) mod environment;
pub(crate) mod exchange;
pub(crate) mod http;
mod in_flight;
pub(crate) mod interrupts;
mod misc;
pub(crate) mod pending;
pub(crate) mod samples;
pub(crate) mod script;
pub(crate) mod script_wishes;
pub(crate) mod sessions;
pub(crate) mod stdio;
pub(crate) mod user_key;

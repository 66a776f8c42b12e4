//! The target on real sockets, from raw bytes to other people's clients.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;
mod counting;
mod faults;
mod others;
mod protocol;
mod routes;

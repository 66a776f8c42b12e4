//! Tests of the real binary, `target/release/swarm`: run `cargo build --release` first.

mod backends;
mod bad_scenarios;
mod bad_settings;
mod cluster;
mod console;
mod dense;
mod endings;
mod guest_faults;
mod guests;
mod harness;
mod languages;
mod limits;
mod names;
mod notices;
mod outputs;
mod page;
mod peer_faults;
mod resend;
mod security;
mod target_faults;
mod unanswered;
mod verdict;

//! Tests of the real binary, `target/release/swarm`: run `cargo build --release` first.

mod backends;
mod bad_scenarios;
mod bad_settings;
mod cluster;
mod dense;
mod guest_faults;
mod guests;
mod harness;
mod languages;
mod limits;
mod page;
mod peer_faults;
mod security;
mod target_faults;
mod verdict;

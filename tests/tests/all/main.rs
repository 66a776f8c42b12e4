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
mod locust_api;
mod many_names;
mod names;
mod notices;
mod outputs;
mod page;
mod peer_faults;
mod proxy;
mod resend;
mod security;
mod target_faults;
mod unanswered;
mod verdict;
mod web_api;

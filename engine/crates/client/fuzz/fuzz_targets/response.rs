//! Any bytes as the response of a server; `swarm_client::fuzz` says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| swarm_client::fuzz::response(data));

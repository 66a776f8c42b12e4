#![deny(unused_must_use)]

use swarm_sdk::prelude::*;

fn log_in(http: &Http) {
    http.post("/login").form(&[("username", "ann")]);
}

fn main() {}

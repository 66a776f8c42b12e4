use swarm_sdk::prelude::*;

#[user]
struct Idle;

#[tasks]
impl Idle {
    fn helper(&mut self) {}
}

#[user]
struct Elsewhere;

impl Elsewhere {
    #[task]
    fn index(&mut self) {}
}

#[tasks]
impl Default for Elsewhere {
    fn default() -> Self {
        Self
    }
}

fn main() {}

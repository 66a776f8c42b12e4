use swarm_sdk::prelude::*;

#[user]
struct NoTasks;

struct NoUser;

#[tasks]
impl NoUser {
    #[task]
    fn index(&mut self) {}
}

swarm_sdk::scenario!(NoTasks);
swarm_sdk::scenario!(NoUser);
swarm_sdk::scenario!();

#[user]
struct Shopper;

#[tasks]
impl Shopper {
    #[task]
    fn index(&mut self) {}
}

swarm_sdk::scenario!(Shopper, Shopper);
swarm_sdk::scenario!(Shopper; sharing = 0);

fn main() {}

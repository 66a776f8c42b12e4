//! Users that rest most of the time: for finding out how many of them a machine carries.

use swarm_sdk::prelude::*;

#[user(wait = between(10, 30))]
struct IdleUser {
    http: Http,
}

#[tasks]
impl IdleUser {
    #[task]
    fn index(&mut self) -> TaskResult {
        self.http.get("/")?;
        Ok(())
    }
}

swarm_sdk::scenario!(IdleUser);

//! Users that rest most of the time: for finding out how many of them a machine carries.
//!
//! With `--arg requests=none` they do nothing else: for finding out what a start costs without the
//! connection and the request that come with it.

use swarm_sdk::prelude::*;

#[user(wait = between(10, 30))]
struct IdleUser {
    http: Http,
    only_rests: bool,
}

#[tasks]
impl IdleUser {
    #[on_start]
    fn read_requests(&mut self) -> TaskResult {
        self.only_rests = args::get("requests").is_some_and(|requests| requests == "none");
        Ok(())
    }

    #[task]
    fn index(&mut self) -> TaskResult {
        if !self.only_rests {
            self.http.get("/")?;
        }
        Ok(())
    }
}

swarm_sdk::scenario!(IdleUser);

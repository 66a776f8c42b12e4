//! Users that rest most of the time, as those of `idle`, side by side in one instance.

use swarm_sdk::asynchronous::prelude::*;

#[user(wait = between(10, 30))]
struct IdleUser {
    http: Http,
}

#[tasks]
impl IdleUser {
    #[task]
    async fn index(&mut self) -> TaskResult {
        self.http.get("/").await?;
        Ok(())
    }
}

swarm_sdk::scenario!(IdleUser);

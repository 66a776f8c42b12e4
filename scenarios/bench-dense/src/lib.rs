//! What a request of a dense user costs: as `bench`, with an `async` task.

use swarm_sdk::asynchronous::prelude::*;

/// Queries repeat after so many requests.
const ITEMS: u32 = 1000;

#[user(wait = none)]
struct BenchUser {
    http: Http,
    item: u32,
}

#[tasks]
impl BenchUser {
    #[task]
    async fn index(&mut self) -> TaskResult {
        self.item = (self.item + 1) % ITEMS;
        let path = format!("/?item={}", self.item);
        self.http.get(&path).await?.expect_status(200)?;
        Ok(())
    }
}

swarm_sdk::scenario!(BenchUser);

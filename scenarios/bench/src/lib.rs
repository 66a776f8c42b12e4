//! What a request costs: one task without a wait, which gets `/` with a query built anew each time
//! and expects a 200. `cargo xtask bench` runs it beside the same scenario of other tools.
//!
//! `--arg names=200` spreads the requests over so many names in the statistics.

use swarm_sdk::prelude::*;

/// Queries repeat after so many requests.
const ITEMS: u32 = 1000;

#[user(wait = none)]
struct BenchUser {
    http: Http,
    item: u32,
    /// Names in the statistics; 0 leaves the one of the path.
    names: u32,
}

#[tasks]
impl BenchUser {
    #[on_start]
    fn read_names(&mut self) -> TaskResult {
        self.names = args::get("names").map_or(Ok(0), |names| names.parse())?;
        Ok(())
    }

    #[task]
    fn index(&mut self) -> TaskResult {
        self.item = (self.item + 1) % ITEMS;
        let path = format!("/?item={}", self.item);
        let response = if self.names == 0 {
            self.http.get(&path)?
        } else {
            let name = format!("/item/{}", self.item % self.names);
            self.http.request("GET", &path).name(&name).send()?
        };
        response.expect_status(200)?;
        Ok(())
    }
}

swarm_sdk::scenario!(BenchUser);

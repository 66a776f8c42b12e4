//! Two pages of a website: the smallest scenario there is.

use swarm_sdk::prelude::*;

#[user(wait = between(1, 5))]
struct WebsiteUser {
    http: Http,
}

#[tasks]
impl WebsiteUser {
    #[task]
    fn index(&mut self) -> TaskResult {
        self.http.get("/")?;
        Ok(())
    }

    #[task]
    fn about(&mut self) -> TaskResult {
        self.http.get("/about")?;
        Ok(())
    }
}

swarm_sdk::scenario!(WebsiteUser);

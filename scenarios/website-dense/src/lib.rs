//! Two pages of a website, with `async` tasks: the same source makes users with an instance each,
//! and with the feature `dense` users of whom a million live in one.

use swarm_sdk::asynchronous::prelude::*;

#[user(wait = between(60, 120))]
struct WebsiteUser {
    http: Http,
}

#[tasks]
impl WebsiteUser {
    #[task]
    async fn index(&mut self) -> TaskResult {
        self.http.get("/").await?;
        Ok(())
    }

    #[task]
    async fn about(&mut self) -> TaskResult {
        self.http.get("/about").await?;
        Ok(())
    }
}

swarm_sdk::scenario!(WebsiteUser);

//! A user that misbehaves as `--arg fault=...` says, and neighbours in the same instance. The tests
//! of the whole run it.

use swarm_sdk::asynchronous::prelude::*;

/// Longer than any test of it.
const LONG: Duration = Duration::from_secs(600);

#[user(fixed = 1, wait = constant(0.2))]
struct Villain {
    http: Http,
    runs: u32,
}

#[tasks]
impl Villain {
    #[task]
    async fn misbehave(&mut self) -> TaskResult {
        self.runs += 1;
        self.http.get("/").await?;
        match args::get("fault").as_deref() {
            Some("trap") if self.runs == 3 => panic!("the third run"),
            Some("spin") if self.runs == 3 => loop {
                std::hint::black_box(self.runs);
            },
            Some("sleep") => sleep(LONG).await,
            Some("slow") => drop(self.http.get("/hang").await?),
            _ => {}
        }
        Ok(())
    }
}

#[user(wait = constant(0.05))]
struct Neighbour {
    http: Http,
}

#[tasks]
impl Neighbour {
    #[on_start]
    async fn hello(&mut self) -> TaskResult {
        self.http.get("/about").await?;
        Ok(())
    }

    #[task]
    async fn visit(&mut self) -> TaskResult {
        let pages = ["/about", "/about"].map(|url| self.http.request("GET", url));
        for answer in self.http.batch(pages).await {
            answer?.expect_status(200)?;
        }
        Ok(())
    }

    #[on_stop]
    async fn goodbye(&mut self) -> TaskResult {
        self.http.get("/items").await?;
        Ok(())
    }
}

swarm_sdk::scenario!(Villain, Neighbour);

//! Calls every function that a scenario may import, and tells what came of each as figures of its
//! own. It is for the tests of the whole: by whichever backend it runs, and whether its users have
//! an instance each or share one, the same figures must come out.

#![allow(unexpected_cfgs, reason = "only contract-dense, of the same source, has `dense`")]

use std::collections::HashMap;
use std::time::{Instant, SystemTime};

use swarm_sdk::asynchronous::prelude::*;

/// Nobody listens there, and nobody may ask.
const FORBIDDEN: &str = "http://127.0.0.1:1/";

/// Tells something that was seen.
fn saw(what: &str) {
    metrics::count(what, 1.0);
}

/// Tells what came of a request.
fn saw_answer(of: &str, answer: &Result<Response, Error>) {
    match answer {
        Ok(answer) => saw(&format!("{of}: {} with {} bytes", answer.status(), answer.body().len())),
        Err(error) => saw(&format!("{of}: {:?}", error.kind())),
    }
}

#[user(wait = constant(0.01))]
struct Caller {
    http: Http,
    user: User,
    random: Random,
}

#[tasks(order = sequential)]
impl Caller {
    #[on_start]
    async fn begin(&mut self) -> TaskResult {
        self.http.get("/about").await?.expect_status(200)?;
        saw(&format!("user {} draws {}", self.user.id, self.random.between(1, 1_000_000)));
        saw(&format!("word: {:?}, other: {:?}", args::get("word"), args::get("other")));
        Ok(())
    }

    #[task]
    async fn read_an_answer(&mut self) -> TaskResult {
        let answer = self.http.get("/").await?;
        saw(&format!("type: {:?}", answer.header("Content-Type")));
        saw(&format!("nothing: {:?}", answer.header("x-nothing")));
        saw(&format!("sum: {}", answer.body().iter().map(|&byte| u64::from(byte)).sum::<u64>()));
        saw(&format!("letters: {}", answer.text().chars().filter(|c| c.is_alphabetic()).count()));
        metrics::check("it took time", answer.elapsed() > Duration::ZERO);
        Ok(())
    }

    #[task]
    async fn send_in_all_ways(&mut self) -> TaskResult {
        let echo = self.http.post("/echo").json(r#"{"a": "é"}"#).header("x-a", "b").send().await?;
        saw(&format!("echo: {}, {:?}", echo.text(), echo.header("content-type")));
        let bytes = self.http.put("/echo").body(&[0, 255, 7]).name("/echo as bytes").send().await?;
        saw(&format!("bytes: {:?}", bytes.body()));
        let form = self.http.post("/echo").form(&[("a b", "c&d")]).send().await?;
        saw(&format!("form: {}", form.text()));
        saw_answer("head", &self.http.head("/about").send().await);
        saw_answer("redirect", &self.http.request("GET", "/redirect/3").redirects(1).send().await);
        saw_answer("redirects", &self.http.request("GET", "/redirect/3").send().await);
        Ok(())
    }

    #[task]
    async fn fail_in_all_ways(&mut self) -> TaskResult {
        let slow = self.http.request("GET", "/hang").timeout(Duration::from_millis(40));
        saw_answer("timeout", &slow.send().await);
        saw_answer("forbidden", &self.http.get(FORBIDDEN).await);
        saw_answer("no url", &self.http.get("http://").await);
        saw_answer("garbage", &self.http.get("/garbage").await);
        self.http.get("/items").await?.fail("not to my taste");
        self.http.get("/status/404").await?.succeed();
        saw_answer("teapot", &self.http.get("/status/418").await);
        self.http.get("/status/503").await?.expect_status(200)?;
        Ok(())
    }

    #[task]
    async fn ask_for_much_at_once(&mut self) -> TaskResult {
        let urls = ["/", "/about", "/status/500", FORBIDDEN, "/items"];
        let batch = self.http.batch(urls.map(|url| self.http.request("GET", url))).await;
        for (url, answer) in urls.iter().zip(batch) {
            saw_answer(&format!("batch {url}"), &answer);
        }
        let nothing = self.http.batch([]).await;
        saw(&format!("batch of nothing: {}", nothing.count()));
        Ok(())
    }

    #[task]
    async fn count(&mut self) -> TaskResult {
        log::info(&format!("user {} counts", self.user.id));
        metrics::gauge("gauge", 2.5);
        metrics::trend("trend", 7.0);
        metrics::check("check", self.user.id.is_multiple_of(2));
        metrics::sample("OTHER", "sample", Duration::from_millis(3), 12, None);
        metrics::sample("OTHER", "sample", Duration::from_millis(5), 0, Some("no luck"));
        Err("this task ends with an error".into())
    }

    #[task]
    async fn use_the_standard_library(&mut self) -> TaskResult {
        let counts: HashMap<_, _> = ["a", "b", "c"].into_iter().zip(1..).collect();
        saw(&format!("map: {}", counts.values().sum::<i32>()));
        #[cfg(not(feature = "dense"))]
        saw(&format!("user {} hashes {}", self.user.id, hash_of("a text")));
        println!("a line on standard output");
        eprintln!("a line on standard error");
        let (begun, before) = (now(), today());
        sleep(Duration::from_millis(15)).await;
        metrics::check("the clock goes on", begun.elapsed_at_least(Duration::from_millis(15)));
        metrics::check("the date is one", before.is_some_and(|days| days > 20_000));
        Ok(())
    }

    #[task]
    async fn leave(&mut self) -> TaskResult<Then> {
        self.http.get("/items?last").await?;
        Ok(Then::Finish)
    }
}

/// By keys that the host gives to each instance: the same for the same test seed.
#[cfg(not(feature = "dense"))]
fn hash_of(text: &str) -> u64 {
    use std::hash::BuildHasher as _;
    std::hash::RandomState::new().hash_one(text)
}

/// A moment; of nothing where the target has no clock.
struct Moment(Option<Instant>);

impl Moment {
    fn elapsed_at_least(&self, time: Duration) -> bool {
        self.0.is_none_or(|begun| begun.elapsed() >= time)
    }
}

fn now() -> Moment {
    Moment(cfg!(target_os = "wasi").then(Instant::now))
}

/// Days since 1970.
fn today() -> Option<u64> {
    if !cfg!(target_os = "wasi") {
        return Some(u64::MAX);
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs() / (24 * 3600))
}

swarm_sdk::scenario!(Caller);

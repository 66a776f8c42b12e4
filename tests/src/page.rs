//! The web interface of a master or a run, as a client sees it.

use serde_json::Value;

use crate::http::{Response, get, post};
use crate::wait::{PATIENCE, wait_until};

/// A web interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    url: String,
}

impl Page {
    /// Of the interface at a base URL.
    pub fn new(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned() }
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `GET`s a path that begins with a slash.
    ///
    /// # Panics
    ///
    /// There is no answer.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        get(&format!("{}{path}", self.url))
    }

    /// `POST`s a form to a path that begins with a slash.
    ///
    /// # Panics
    ///
    /// There is no answer.
    #[track_caller]
    pub fn post(&self, path: &str, form: &[(&str, &str)]) -> Response {
        post(&format!("{}{path}", self.url), form)
    }

    /// Starts a test, or changes the number of users of the one that runs.
    ///
    /// # Panics
    ///
    /// The interface does not take it.
    #[track_caller]
    pub fn start(&self, users: u32, spawn_rate: f64) {
        let (users, spawn_rate) = (users.to_string(), spawn_rate.to_string());
        let form = [("user_count", users.as_str()), ("spawn_rate", spawn_rate.as_str())];
        let answer = self.post("/swarm", &form).json();
        assert_eq!(answer["success"], true, "{answer}");
    }

    /// Stops the test.
    ///
    /// # Panics
    ///
    /// The interface does not take it.
    #[track_caller]
    pub fn stop(&self) {
        let answer = self.get("/stop").json();
        assert_eq!(answer["success"], true, "{answer}");
    }

    /// The statistics.
    ///
    /// # Panics
    ///
    /// There are none.
    #[track_caller]
    pub fn stats(&self) -> Value {
        self.get("/stats/requests").json()
    }

    /// All that the page shows.
    ///
    /// # Panics
    ///
    /// There is no answer.
    #[track_caller]
    pub fn view(&self) -> Value {
        self.get("/api/v1/view").json()
    }

    /// Waits until so many workers are there: those that are lost or have left are not.
    ///
    /// # Panics
    ///
    /// They do not come within [`PATIENCE`].
    #[track_caller]
    pub fn wait_for_workers(&self, count: usize) {
        wait_until(&format!("{count} workers are ready"), PATIENCE, || {
            let stats = self.stats();
            let workers = stats["workers"].as_array().map(Vec::as_slice).unwrap_or_default();
            let gone = |worker: &&Value| worker["state"] == "left" || worker["state"] == "lost";
            workers.iter().filter(|worker| !gone(worker)).count() == count
        });
    }

    /// Waits until the test is in a state: `ready`, `spawning`, `running`, `stopped`...
    ///
    /// # Panics
    ///
    /// It is not within [`PATIENCE`].
    #[track_caller]
    pub fn wait_for_state(&self, state: &str) {
        wait_until(&format!("the test is {state}"), PATIENCE, || self.stats()["state"] == state);
    }
}

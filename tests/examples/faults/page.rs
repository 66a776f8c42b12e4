//! What a master says of itself: `/stats/requests`, which has the same form with both tools.

use std::collections::BTreeMap;

use serde_json::Value;

/// The page at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// `running`, `stopped`...
    pub(crate) state: String,
    /// Users alive in all.
    pub(crate) users: u64,
    /// Users of each worker that can run some.
    pub(crate) shares: Vec<u64>,
    /// Requests by path; a path is an entry's name.
    pub(crate) requests: BTreeMap<String, u64>,
    /// Requests that failed.
    pub(crate) failures: u64,
}

impl Look {
    /// Of an answer; `None` if it has not that form.
    pub(crate) fn of(stats: &Value) -> Option<Self> {
        let workers = stats["workers"].as_array()?.iter();
        let able = workers.filter(|worker| {
            ["ready", "spawning", "running", "stopping"]
                .contains(&worker["state"].as_str().unwrap_or_default())
        });
        let entries = stats["stats"].as_array()?.iter();
        let entries: Vec<_> = entries.filter(|entry| entry["name"] != "Aggregated").collect();
        let failures = entries.iter().map(|entry| entry["num_failures"].as_u64());
        Some(Self {
            state: stats["state"].as_str()?.to_owned(),
            users: stats["user_count"].as_u64()?,
            shares: able.map(|worker| worker["user_count"].as_u64()).collect::<Option<_>>()?,
            requests: by_path(&entries)?,
            failures: failures.sum::<Option<_>>()?,
        })
    }

    /// Do all users run, evenly on so many workers?
    pub(crate) fn is_even(&self, users: u64, workers: usize) -> bool {
        let (least, most) = (self.shares.iter().min(), self.shares.iter().max());
        self.state == "running"
            && self.users == users
            && self.shares.len() == workers
            && self.shares.iter().sum::<u64>() == users
            && least.zip(most).is_some_and(|(least, most)| most - least <= 1)
    }
}

/// Requests by path, of entries.
pub(crate) fn by_path(entries: &[&Value]) -> Option<BTreeMap<String, u64>> {
    let row = |entry: &&Value| {
        Some((entry["name"].as_str()?.to_owned(), entry["num_requests"].as_u64()?))
    };
    entries.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_is_even_when_each_worker_has_its_share() {
        let page = |shares: [u64; 3]| {
            let worker = |users| json!({ "state": "running", "user_count": users });
            let mut workers: Vec<_> = shares.iter().map(worker).collect();
            workers.push(json!({ "state": "missing", "user_count": 7 }));
            Look::of(&json!({
                "state": "running",
                "user_count": shares.iter().sum::<u64>(),
                "workers": workers,
                "stats": [
                    { "name": "/", "num_requests": 5, "num_failures": 1 },
                    { "name": "Aggregated", "num_requests": 5, "num_failures": 1 },
                ],
            }))
            .unwrap()
        };
        assert!(page([3, 3, 4]).is_even(10, 3));
        assert!(!page([2, 4, 4]).is_even(10, 3));
        assert!(!page([3, 3, 4]).is_even(10, 4));
        assert_eq!((page([1, 1, 1]).failures, page([1, 1, 1]).requests["/"]), (1, 5));
        assert_eq!(Look::of(&json!({})), None);
    }
}

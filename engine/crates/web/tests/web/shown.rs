//! What is shown, in the shapes that Locust's users know.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use swarm_stats::snapshot::Snapshot;
use swarm_web::view::{TestState, View};

use crate::site::{Site, entry, running};

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn stats_requests_has_locusts_keys_and_the_figures() {
    let site = Site::start(running()).await;
    let answer = site.get("/stats/requests").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let answer = answer.json();
    let top = [
        "stats",
        "errors",
        "total_rps",
        "total_fail_per_sec",
        "current_rps",
        "current_fail_per_sec",
        "total_avg_response_time",
        "fail_ratio",
        "current_response_time_percentiles",
        "state",
        "user_count",
        "workers",
        "worker_count",
    ];
    assert_eq!(keys(&answer), BTreeSet::from(top));
    let row = json!({
        "method": "GET", "name": "/<a> & b", "safe_name": "/&lt;a&gt; &amp; b",
        "num_requests": 30, "num_failures": 4,
        "median_response_time": 10.0, "avg_response_time": 12.25,
        "min_response_time": 1.5, "max_response_time": 100.5,
        "current_rps": 5.0, "current_fail_per_sec": 0.25, "avg_content_length": 100.0,
        "response_time_percentile_0.95": 40.0, "response_time_percentile_0.99": 90.0,
    });
    assert_eq!(answer["stats"][0], row);
    assert_eq!(answer["stats"][2]["name"], "Aggregated");
    assert_eq!(answer["stats"].as_array().unwrap().len(), 3);
    let error = json!({
        "method": "GET", "name": "/<a> & b", "error": "503 \"busy\"", "occurrences": 4,
        "first_seen": 1_700_000_006.0, "last_seen": 1_700_000_007.5,
    });
    assert_eq!(answer["errors"], json!([error]));
    let percentiles = json!({
        "response_time_percentile_0.5": 11.0, "response_time_percentile_0.95": 41.0
    });
    assert_eq!(answer["current_response_time_percentiles"], percentiles);
    assert_eq!(answer["fail_ratio"], 0.1);
    assert_eq!(answer["total_rps"], 5.0);
    assert_eq!(answer["state"], "running");
    assert_eq!(answer["user_count"], 4);
    let worker = json!({
        "id": "w0", "state": "running", "user_count": 3, "cpu_usage": 12.5,
        "memory_usage": 1_000_000
    });
    assert_eq!(answer["workers"][0], worker);
    assert_eq!(answer["worker_count"], 1, "the lost one does not count");
}

#[tokio::test]
async fn at_most_500_rows_and_the_aggregate_are_sent() {
    let entries = (0..600).map(|at| entry("GET", &format!("/{at:03}"), 1, 0)).collect();
    let total = entry("", "Aggregated", 600, 0);
    let stats = Snapshot { total, entries, ..Snapshot::default() };
    let site = Site::start(View { stats: Arc::new(stats), ..running() }).await;
    let answer = site.get("/stats/requests").await.json();
    let rows = answer["stats"].as_array().unwrap();
    assert_eq!(rows.len(), 501);
    assert_eq!(rows[499]["name"], "/499");
    assert_eq!(rows[500]["num_requests"], 600);
    let all = site.get("/stats/requests/csv").await;
    assert_eq!(all.text().lines().count(), 602, "the file has every name");
}

#[tokio::test]
async fn nothing_is_divided_by_nothing() {
    let site = Site::start(View { state: TestState::Ready, ..View::default() }).await;
    let answer = site.get("/stats/requests").await.json();
    assert_eq!(answer["fail_ratio"], 0.0);
    assert_eq!(answer["stats"][0]["avg_content_length"], 0.0);
    let none = &answer["current_response_time_percentiles"];
    assert_eq!(none["response_time_percentile_0.5"], Value::Null);
    assert_eq!(site.get("/tasks").await.json(), json!({ "per_class": {}, "total": {} }));
}

#[tokio::test]
async fn the_small_ones() {
    let site = Site::start(running()).await;
    let exception = json!({ "count": 2, "msg": "trap", "traceback": "at f", "nodes": "w0, w1" });
    let answer = site.get("/exceptions").await.json();
    assert_eq!(answer, json!({ "exceptions": [exception] }));
    let shares = json!({ "Buyer": { "ratio": 0.75 }, "Looker": { "ratio": 0.25 } });
    let answer = site.get("/tasks").await.json();
    assert_eq!(answer, json!({ "per_class": shares.clone(), "total": shares }));
    assert_eq!(site.get("/worker-count").await.json(), json!({ "worker_count": 1 }));
    let view = site.get("/api/v1/view").await.json();
    assert_eq!(view["scenario"], "shop.wasm");
    assert_eq!(view["stats"]["entries"][1]["response_time_ms"]["p99_9"], 99.0);
    assert_eq!(view["stats"]["seconds"][1]["requests"], 8);
    assert_eq!(view["workers"][1]["problem"], "connection closed");
}

#[tokio::test]
async fn the_files_are_named_after_the_moment_and_begin_as_locusts_do() {
    let site = Site::start(running()).await;
    let stats = "Type,Name,Request Count,Failure Count,Median Response Time,\
                 Average Response Time,Min Response Time,Max Response Time,\
                 Average Content Size,Requests/s,Failures/s,";
    for (path, file, begin, lines) in [
        ("/stats/requests/csv", "requests", stats, 4),
        ("/stats/failures/csv", "failures", "Method,Name,Error,Occurrences,", 2),
        ("/exceptions/csv", "exceptions", "Count,Message,Traceback,Nodes", 2),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
        let name = format!("attachment; filename=\"{file}_1700000025.csv\"");
        assert_eq!(answer.header("content-disposition"), Some(name.as_str()));
        assert!(answer.text().starts_with(begin), "{path}: {}", answer.text());
        assert_eq!(answer.text().lines().count(), lines, "{path}: {}", answer.text());
    }
}

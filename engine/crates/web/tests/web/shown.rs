//! What is shown, in the shapes that Locust's users know.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use swarm_stats::snapshot::{ErrorSnapshot, ExceptionSnapshot, Snapshot};
use swarm_web::view::{TestState, View, WorkerView};
use swarm_web::{HistoryFile, WebOptions};

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
        "method": "GET", "name": "/<a> & b",
        "num_requests": 30, "num_failures": 4,
        "median_response_time": 10.0, "avg_response_time": 12.25,
        "min_response_time": 1.5, "max_response_time": 100.5,
        "current_rps": 5.0, "current_fail_per_sec": 0.25,
        "total_rps": 4.0, "total_fail_per_sec": 0.5, "avg_content_length": 100.0,
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
    assert_eq!((&answer["total_rps"], &answer["total_fail_per_sec"]), (&json!(4.0), &json!(0.5)));
    let current = (&answer["current_rps"], &answer["current_fail_per_sec"]);
    assert_eq!(current, (&json!(5.0), &json!(0.25)));
    assert_eq!(answer["state"], "running");
    assert_eq!(answer["user_count"], 4);
    let worker = json!({
        "id": "w0", "state": "running", "user_count": 3, "cpu_usage": 12.5,
        "memory_usage": 1_000_000
    });
    assert_eq!(answer["workers"][0], worker);
    assert_eq!(answer["workers"][2]["state"], "left");
    assert_eq!(answer["worker_count"], 1, "who is lost or has left does not count");
}

/// A script that finds only some of the rows would not notice.
#[tokio::test]
async fn all_rows_are_sent() {
    let entries: Vec<_> = (0..2_001).map(|at| entry("GET", &format!("/{at}"), 1, 1)).collect();
    let error = running().stats.errors[0].clone();
    let errors = (0..1_001).map(|at| ErrorSnapshot { error: format!("{at}"), ..error.clone() });
    let exception = running().stats.exceptions[0].clone();
    let exceptions = (0..601)
        .map(|at| ExceptionSnapshot { message: format!("{at}"), ..exception.clone() })
        .collect();
    let worker = running().workers[0].clone();
    let workers = (0..601).map(|index| WorkerView { index, ..worker.clone() }).collect();
    let total = entry("", "Aggregated", 2_001, 2_001);
    let errors = errors.collect();
    let stats = Snapshot { total, entries, errors, exceptions, ..Snapshot::default() };
    let site = Site::start(View { stats: Arc::new(stats), workers, ..running() }).await;
    let answer = site.get("/stats/requests").await.json();
    let rows = answer["stats"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[2_001]["num_requests"]), (2_002, &json!(2_001)));
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1_001);
    assert_eq!(answer["workers"].as_array().unwrap().len(), 601);
    let exceptions = site.get("/exceptions").await.json();
    assert_eq!(exceptions["exceptions"].as_array().unwrap().len(), 601);
    for (path, lines) in
        [("/stats/requests/csv", 2_003), ("/stats/failures/csv", 1_002), ("/exceptions/csv", 602)]
    {
        assert_eq!(site.get(path).await.text().lines().count(), lines, "{path}");
    }
}

/// As in Locust, nothing is said of workers where there are none but this process.
#[tokio::test]
async fn a_test_in_one_process_has_no_workers() {
    let site = Site::start(View { is_local: true, ..running() }).await;
    let answer = site.get("/stats/requests").await.json();
    assert!(!keys(&answer).contains("workers") && !keys(&answer).contains("worker_count"));
    assert_eq!(site.get("/worker-count").await.json(), json!({ "worker_count": 0 }));
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
    let answer = site.get("/tasks").await.json();
    let looker = json!({ "ratio": 0.25, "tasks": { "look": { "ratio": 1.0 } } });
    let pay = json!({ "card": { "ratio": 0.5 }, "cash": { "ratio": 0.5 } });
    let buyer = json!({
        "ratio": 0.75,
        "tasks": { "look": { "ratio": 0.8 }, "pay": { "ratio": 0.2, "tasks": pay } }
    });
    assert_eq!(answer["per_class"], json!({ "Buyer": buyer, "Looker": looker }));
    let ratio = |path: &str| answer.pointer(path).unwrap()["ratio"].as_f64().unwrap();
    for (path, expected) in [
        ("/total/Buyer", 0.75),
        ("/total/Buyer/tasks/look", 0.6),
        ("/total/Buyer/tasks/pay", 0.15),
        ("/total/Buyer/tasks/pay/tasks/cash", 0.075),
        ("/total/Looker/tasks/look", 0.25),
    ] {
        assert!((ratio(path) - expected).abs() < 1e-9, "{path}: {answer}");
    }
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

#[tokio::test]
async fn what_locust_has_and_swarm_has_not_is_said() {
    let site = Site::start(running()).await;
    for (path, part) in [
        ("/stats/report", "no HTML report"),
        ("/stats/report?download=1", "no HTML report"),
        ("/logs", "standard error"),
        ("/stats/requests_full_history/csv", "--csv-full-history"),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.json()["message"].as_str().unwrap().contains(part), "{path}");
    }
}

#[tokio::test]
async fn the_history_is_the_file_as_far_as_it_is_written() {
    let file = std::env::temp_dir().join(format!("swarm-web-history-{}", std::process::id()));
    let line = "1700000000,5,GET,/,1,0\n";
    std::fs::write(&file, "of an earlier run").unwrap();
    let full_history = Some(HistoryFile::new(file.clone()));
    let options = WebOptions { full_history, ..WebOptions::default() };
    let site = Site::with(running(), options, |_| Ok("done".into())).await;
    let none = site.get("/stats/requests_full_history/csv").await;
    assert_eq!(none.status, 200);
    assert!(none.text().starts_with("Timestamp,User Count,Type,Name,"), "{}", none.text());
    assert_eq!(none.text().lines().count(), 1, "{}", none.text());
    // It is replaced, not written into.
    let new = file.with_extension("new");
    std::fs::write(&new, line.repeat(20_000)).unwrap();
    std::fs::rename(&new, &file).unwrap();
    let answer = site.get("/stats/requests_full_history/csv").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    let name = "attachment; filename=\"requests_full_history_1700000025.csv\"";
    assert_eq!(answer.header("content-disposition"), Some(name));
    assert_eq!(answer.text().matches(line).count(), 20_000);
    std::fs::remove_file(&file).unwrap();
    let gone = site.get("/stats/requests_full_history/csv").await;
    assert_eq!(gone.status, 500);
    assert!(gone.json()["message"].as_str().unwrap().contains("cannot read the history"));
}

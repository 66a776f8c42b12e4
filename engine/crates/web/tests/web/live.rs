//! The stream of server-sent events.

use std::sync::Arc;

use serde_json::{Value, json};
use swarm_stats::snapshot::{Second, Snapshot};
use swarm_web::view::View;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::site::{PATIENCE, Site, entry, running, second};

/// A client of the stream, with the head read.
struct Stream {
    reader: BufReader<TcpStream>,
    head: String,
}

impl Stream {
    async fn open(site: &Site) -> Self {
        let mut stream = site.connect().await;
        let request = "GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = timeout(PATIENCE, reader.read_line(&mut head)).await.expect("a head");
            assert_ne!(read.unwrap(), 0, "{head}");
        }
        Self { reader, head: head.to_ascii_lowercase() }
    }

    /// The next event `view`, or `None` at the end of the stream.
    async fn event(&mut self) -> Option<Value> {
        let mut line = String::new();
        loop {
            line.clear();
            let read = timeout(PATIENCE, self.reader.read_line(&mut line)).await;
            if read.expect("an event in time").unwrap() == 0 {
                return None;
            }
            if let Some(data) = line.strip_prefix("data: {") {
                return Some(serde_json::from_str(&format!("{{{data}")).unwrap());
            }
        }
    }
}

fn at_second(now_ms: u64, seconds: Vec<Second>) -> Arc<View> {
    let stats = Arc::new(Snapshot { seconds, ..Snapshot::default() });
    Arc::new(View { now_ms, stats, ..running() })
}

#[tokio::test]
async fn the_view_comes_at_once_and_then_what_changed() {
    let site = Site::start(running()).await;
    let mut stream = Stream::open(&site).await;
    assert!(stream.head.starts_with("http/1.1 200"), "{}", stream.head);
    assert!(stream.head.contains("content-type: text/event-stream"), "{}", stream.head);

    let event = stream.event().await.unwrap();
    assert_eq!(event["view"]["state"], "running");
    assert_eq!(event["tables"]["entries"]["rows"][0]["num_requests"], 30);
    for beside in ["seconds", "entries", "errors", "exceptions", "metrics"] {
        assert_eq!(event["view"]["stats"][beside], json!([]), "{beside} are sent beside the view");
    }
    assert_eq!(event["view"]["workers"], json!([]));
    assert_eq!(event["view"]["stats"]["total"]["num_requests"], 40);
    assert_eq!(event["oldest_second_ms"], 23_000);
    let shown = |at_ms: u64, requests: u64| {
        json!({
            "at_ms": at_ms, "users": 2, "in_flight": 1, "requests": requests, "failures": 0,
            "p50_p95_ms": [1.0, 2.0]
        })
    };
    assert_eq!(event["seconds"], json!([shown(23_000, 7), shown(24_000, 8)]));
    let view = &event["view"];
    let worker = &event["tables"]["workers"]["rows"][0];
    assert_eq!((&view["in_flight"], &worker["in_flight"]), (&json!(3), &json!(2)));
    assert_eq!(view["warnings"], json!(["the generator is late: by 7 s"]));
    let taken = json!({"opened": 4, "reused": 37, "failed": 0, "resent": 1});
    assert_eq!(view["stats"]["connections"], taken);
    let total = &view["stats"]["total"];
    assert_eq!((&total["num_resent"], &total["num_unanswered"]), (&json!(1), &json!(4)));

    // One second is new, one got a late report.
    let seconds = vec![second(23_000, 7), second(24_000, 9), second(25_000, 1)];
    site.view.send_replace(at_second(26_000, seconds));
    let event = stream.event().await.unwrap();
    assert_eq!(event["view"]["now_ms"], 26_000);
    let sent: Vec<_> = event["seconds"].as_array().unwrap().iter().collect();
    assert_eq!(sent.len(), 2);
    assert_eq!((&sent[0]["at_ms"], &sent[0]["requests"]), (&json!(24_000), &json!(9)));
    assert_eq!(sent[1]["at_ms"], 25_000);

    // A reset forgets them all.
    site.view.send_replace(at_second(27_000, Vec::new()));
    let event = stream.event().await.unwrap();
    assert_eq!((&event["oldest_second_ms"], &event["seconds"]), (&Value::Null, &json!([])));
}

#[tokio::test]
async fn a_burst_of_changes_is_one_event_with_the_newest() {
    let site = Site::start(running()).await;
    let mut stream = Stream::open(&site).await;
    stream.event().await.unwrap();
    for now_ms in 30_001..=30_100 {
        site.view.send_replace(at_second(now_ms, vec![second(29_000, now_ms)]));
    }
    let event = stream.event().await.unwrap();
    assert_eq!(event["view"]["now_ms"], 30_100);
    assert_eq!(event["seconds"][0]["requests"], 30_100);
}

/// Names and their requests in a table of an event.
fn rows(event: &Value) -> Vec<(String, u64)> {
    let rows = event["tables"]["entries"]["rows"].as_array().unwrap().iter();
    rows.map(|row| (row["name"].as_str().unwrap().into(), row["num_requests"].as_u64().unwrap()))
        .collect()
}

#[tokio::test]
async fn all_rows_come_first_and_then_those_that_changed() {
    let entries: Vec<_> = (0..2_001).map(|at| entry("GET", &format!("/{at}"), 1, 0)).collect();
    let with = |entries: &[_]| {
        let stats = Snapshot { entries: entries.to_vec(), ..(*running().stats).clone() };
        View { stats: Arc::new(stats), ..running() }
    };
    let site = Site::start(with(&entries)).await;
    let (mut stream, mut other) = (Stream::open(&site).await, Stream::open(&site).await);
    let event = stream.event().await.unwrap();
    assert_eq!((&event["tables"]["entries"]["all"], rows(&event).len()), (&json!(true), 2_001));
    assert_eq!(event["tables"]["workers"]["rows"].as_array().unwrap().len(), 3);
    assert_eq!(event["tables"]["errors"]["rows"][0]["error"], "503 \"busy\"");
    assert_eq!(event["tables"]["exceptions"]["rows"][0]["count"], 2);
    assert_eq!(event["login"], false);
    other.event().await.unwrap();

    let mut more = entries.clone();
    more[7] = entry("GET", "/7", 2, 0);
    more.push(entry("GET", "/new", 1, 0));
    site.view.send_replace(Arc::new(with(&more)));
    for stream in [&mut stream, &mut other] {
        let event = stream.event().await.unwrap();
        assert_eq!(event["tables"]["entries"]["all"], false);
        assert_eq!(rows(&event), [("/7".to_owned(), 2), ("/new".to_owned(), 1)]);
        let unchanged = json!({ "all": false, "rows": [] });
        for table in ["errors", "exceptions", "metrics", "workers"] {
            // A table without rows has none to keep.
            assert_eq!(event["tables"][table]["rows"], unchanged["rows"], "{table}");
        }
    }

    // After a reset the old ones are to be forgotten.
    site.view.send_replace(Arc::new(with(&[entry("GET", "/7", 1, 0)])));
    let event = stream.event().await.unwrap();
    assert_eq!(event["tables"]["entries"]["all"], true);
    assert_eq!(rows(&event), [("/7".to_owned(), 1)]);
}

#[tokio::test]
async fn a_row_is_no_longer_than_the_page_needs() {
    let mut long = entry("GET", "/a", 3, 1);
    long.response_time_ms.mean = 12.345_678_901_234_567;
    let stats = Arc::new(Snapshot { entries: vec![long], ..Snapshot::default() });
    let site = Site::start(View { stats, ..running() }).await;
    let event = Stream::open(&site).await.event().await.unwrap();
    let row = json!({
        "method": "GET", "name": "/a", "num_requests": 3, "num_failures": 1, "num_resent": 1,
        "bytes": 300,
        "response_time_ms": {
            "min": 1.5, "median": 10.0, "mean": 12.346, "p95": 40.0, "p99": 90.0, "max": 100.5
        },
        "rps": 4.0, "fail_per_sec": 0.5, "current_rps": 5.0, "current_fail_per_sec": 0.25,
    });
    assert_eq!(event["tables"]["entries"]["rows"], json!([row]));
}

#[tokio::test]
async fn streams_are_limited_and_a_closed_one_makes_room() {
    let site = Site::start(running()).await;
    let mut open = Vec::new();
    for _ in 0..64 {
        let mut stream = Stream::open(&site).await;
        stream.event().await.unwrap();
        open.push(stream);
    }
    let refused = site.get("/api/v1/live").await;
    assert_eq!(refused.status, 503);
    assert!(refused.json()["message"].as_str().unwrap().contains("64 pages"));
    open.pop();
    for _ in 0..200 {
        // The server notices the closed one soon, not at once.
        let stream = Stream::open(&site).await;
        if stream.head.starts_with("http/1.1 200") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the place of a closed stream was not given back");
}

#[tokio::test]
async fn the_stream_ends_when_the_server_does() {
    let mut site = Site::start(running()).await;
    let mut stream = Stream::open(&site).await;
    stream.event().await.unwrap();
    site.stop.take().unwrap().send(()).unwrap();
    assert_eq!(stream.event().await, None);
    timeout(PATIENCE, &mut site.served).await.unwrap().unwrap();
}

//! `/swarm`, `/stop`, `/stats/reset`.

use serde_json::json;
use swarm_web::WebOptions;
use swarm_web::view::{SwarmRequest, TestState, View};

use crate::site::{Asked, Site, running};

fn idle() -> View {
    View { state: TestState::Ready, ..running() }
}

#[tokio::test]
async fn a_form_starts_a_test_and_gets_locusts_answer() {
    let mut site = Site::start(idle()).await;
    let body = "user_count=20&spawn_rate=4&host=http%3A%2F%2F127.0.0.1%3A81&run_time=20m\
                &user_classes=Looker&profile=";
    let answer = site.post_form("/swarm", body).await;
    assert_eq!(answer.status, 200);
    let wanted = json!({
        "success": true, "message": "done", "host": "http://127.0.0.1:81", "run_time": 1200,
        "user_classes": ["Looker"]
    });
    assert_eq!(answer.json(), wanted);
    let asked = SwarmRequest {
        user_count: 20,
        spawn_rate: 4.0,
        host: Some("http://127.0.0.1:81".into()),
        run_time_s: Some(1_200),
        user_classes: Some(vec!["Looker".into()]),
    };
    assert_eq!(site.next_asked().await, Asked::Swarm(asked));
}

#[tokio::test]
async fn json_starts_a_test_too() {
    let mut site = Site::start(idle()).await;
    let json = ("Content-Type", "application/json");
    let body = r#"{"user_count": 3, "spawn_rate": 0.5}"#;
    let answer = site.send("POST /swarm", &[json], body).await;
    let host = "http://127.0.0.1:9000";
    assert_eq!(answer.json(), json!({ "success": true, "message": "done", "host": host }));
    let asked = SwarmRequest {
        user_count: 3,
        spawn_rate: 0.5,
        host: None,
        run_time_s: None,
        user_classes: None,
    };
    assert_eq!(site.next_asked().await, Asked::Swarm(asked));
}

#[tokio::test]
async fn an_edit_without_a_run_time_keeps_it() {
    let mut site = Site::start(running()).await;
    let answer = site.post_form("/swarm", "user_count=9&spawn_rate=1").await;
    assert_eq!(answer.json()["run_time"], 60);
    let Asked::Swarm(request) = site.next_asked().await else { panic!("not a swarm") };
    assert_eq!((request.user_count, request.run_time_s), (9, Some(60)));
}

#[tokio::test]
async fn bad_input_is_refused_with_400_and_asks_for_nothing() {
    let mut site = Site::start(idle()).await;
    for (body, part) in [
        ("", "number of users is missing"),
        ("user_count=0&spawn_rate=1", "number of users"),
        ("user_count=ten&spawn_rate=1", "`ten`"),
        ("user_count=1&spawn_rate=0", "spawn rate"),
        ("user_count=1&spawn_rate=NaN", "spawn rate"),
        ("user_count=1&spawn_rate=1&host=example.com", "host"),
        ("user_count=1&spawn_rate=1&host=file%3A%2F%2F%2Fetc%2Fpasswd", "host"),
        ("user_count=1&spawn_rate=1&run_time=tomorrow", "run time: \"tomorrow\" is no time"),
        ("user_count=1&spawn_rate=1&user_classes=Nobody", "it has Buyer, Looker"),
        ("user_count=1&spawn_rate=1&basket=large", "no field `basket`"),
    ] {
        let answer = site.post_form("/swarm", body).await;
        assert_eq!(answer.status, 400, "{body}");
        let answer = answer.json();
        assert_eq!(answer["success"], false);
        assert!(answer["message"].as_str().unwrap().contains(part), "{body}: {answer}");
    }
    let json = ("Content-Type", "application/json");
    assert_eq!(site.send("POST /swarm", &[json], "{nonsense").await.status, 400);
    assert_eq!(site.send("POST /swarm", &[json], "[]").await.status, 400);
    assert_eq!(site.send("POST /swarm", &[], "user_count=1&spawn_rate=1").await.status, 415);
    let long = format!("user_count=1&spawn_rate=1&host={}", "x".repeat(20_000));
    assert_eq!(site.post_form("/swarm", &long).await.status, 413);
    assert!(site.asked.try_recv().is_err(), "nothing reached the control thread");
}

#[tokio::test]
async fn a_refusal_of_the_master_is_409() {
    let refuse = |_: &Asked| Err("no worker is ready".to_owned());
    let site = Site::with(idle(), WebOptions::default(), refuse).await;
    for path in ["/swarm", "/stop", "/stats/reset"] {
        let answer = site.post_form(path, "user_count=1&spawn_rate=1").await;
        assert_eq!(answer.status, 409, "{path}");
        let wanted = json!({ "success": false, "message": "no worker is ready" });
        assert_eq!(answer.json(), wanted);
    }
}

#[tokio::test]
async fn stop_and_reset_take_post_and_locusts_get() {
    let mut site = Site::start(running()).await;
    for method in ["POST", "GET"] {
        let answer = site.send(&format!("{method} /stop"), &[], "").await;
        assert_eq!(answer.json(), json!({ "success": true, "message": "done" }));
        assert_eq!(site.next_asked().await, Asked::Stop);
        let answer = site.send(&format!("{method} /stats/reset"), &[], "").await;
        assert_eq!((answer.status, answer.text()), (200, "ok"));
        assert_eq!(site.next_asked().await, Asked::Reset);
    }
    assert_eq!(site.send("HEAD /stop", &[], "").await.status, 405);
    assert!(site.asked.try_recv().is_err(), "HEAD asked for nothing");
}

#[tokio::test]
async fn a_control_thread_that_is_gone_is_503() {
    let gone = |_: &Asked| -> Result<String, String> { panic!("the control thread ends") };
    let site = Site::with(running(), WebOptions::default(), gone).await;
    let answer = site.post_form("/stop", "").await;
    assert_eq!(answer.status, 503);
    assert!(answer.json()["message"].as_str().unwrap().contains("shutting down"));
    assert_eq!(site.post_form("/stop", "").await.status, 503);
}

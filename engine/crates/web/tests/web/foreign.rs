//! Pages from elsewhere and names that are not ours get nowhere.

use swarm_web::WebOptions;
use swarm_web::view::View;

use crate::site::{Site, running};

#[tokio::test]
async fn a_foreign_page_cannot_drive_the_master() {
    let mut site = Site::start(running()).await;
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let foreign: [(&str, &str); 5] = [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://127.0.0.1:1"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ];
    for mark in foreign {
        for head in ["POST /swarm", "POST /stop", "POST /stats/reset", "GET /stop"] {
            let answer = site.send(head, &[form, mark], "user_count=1&spawn_rate=1").await;
            assert_eq!(answer.status, 403, "{head} {mark:?}");
            assert_eq!(answer.json()["success"], false);
        }
    }
    let browser = ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)");
    for head in ["GET /stop", "GET /stats/reset"] {
        assert_eq!(site.send(head, &[browser], "").await.status, 403, "{head} by an image");
    }
    assert!(site.asked.try_recv().is_err(), "nothing reached the control thread");

    let own = format!("http://127.0.0.1:{}", site.port);
    for mark in [("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")] {
        assert_eq!(site.send("POST /stop", &[browser, mark], "").await.status, 200, "{mark:?}");
    }
}

#[tokio::test]
async fn a_foreign_page_is_not_fed_but_may_link() {
    let site = Site::start(running()).await;
    let foreign = ("Sec-Fetch-Site", "cross-site");
    for path in ["/api/v1/live", "/api/v1/view", "/stats/requests"] {
        let embedded = site.send(&format!("GET {path}"), &[foreign], "").await;
        assert_eq!(embedded.status, 403, "{path}");
    }
    let followed = [foreign, ("Sec-Fetch-Mode", "navigate")];
    assert_eq!(site.send("GET /stats/requests/csv", &followed, "").await.status, 200);
    assert_eq!(site.send("GET /", &followed, "").await.status, 200);
}

#[tokio::test]
async fn on_loopback_only_its_names_are_answered() {
    let allowed_hosts = vec!["Load.Example".parse().unwrap()];
    let options = WebOptions { allowed_hosts, ..Default::default() };
    let site = Site::with(View::default(), options, |_| Ok("done".into())).await;
    let port = site.port;
    for name in ["localhost", "127.0.0.1", "[::1]", "load.example"] {
        let host = format!("{name}:{port}");
        let answer = site.send("GET /worker-count", &[("Host", &host)], "").await;
        assert_eq!(answer.status, 200, "{host}");
    }
    for name in ["evil.example", "localhost.evil.example", "10.0.0.1", "169.254.169.254"] {
        let host = format!("{name}:{port}");
        // The page at a rebound name is of the same origin for the browser.
        let origin = format!("http://{host}");
        let marks = [("Host", host.as_str()), ("Origin", &origin)];
        for head in ["GET /", "GET /api/v1/view", "POST /stop"] {
            let refused = site.send(head, &marks, "").await;
            assert_eq!(refused.status, 403, "{head} {host}");
            let advice = format!("--web-allow-host {host}");
            assert!(refused.text().contains(&advice), "{head}: {}", refused.text());
        }
    }
}

/// A proxy in front calls the page by its public name or by its own; the browser by the public one.
#[tokio::test]
async fn behind_a_proxy_only_the_names_that_were_given_are_the_pages_own() {
    let allowed_hosts = vec!["loads.example.com".parse().unwrap()];
    let options = WebOptions { allowed_hosts, ..Default::default() };
    let mut site = Site::with(running(), options, |_| Ok("done".into())).await;
    let own = format!("127.0.0.1:{}", site.port);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for host in ["loads.example.com", own.as_str()] {
        for origin in ["https://loads.example.com", "http://loads.example.com"] {
            let marks = [("Host", host), ("Origin", origin), form];
            let body = "user_count=1&spawn_rate=1";
            let answer = site.send("POST /swarm", &marks, body).await;
            assert_eq!(answer.status, 200, "{host} {origin}: {}", answer.text());
            site.next_asked().await;
        }
        for origin in [
            "https://evil.example",
            "http://loads.example.com:3000",
            "https://loads.example.com.evil.example",
        ] {
            // What a proxy claims makes no difference: a foreign page could claim it as well.
            let claimed = ("X-Forwarded-Host", "evil.example");
            let marks = [("Host", host), ("Origin", origin), claimed, form];
            for head in ["POST /swarm", "POST /stop", "GET /stop", "GET /api/v1/view"] {
                let refused = site.send(head, &marks, "user_count=1&spawn_rate=1").await;
                assert_eq!(refused.status, 403, "{head} {host} {origin}");
            }
        }
    }
    assert!(site.asked.try_recv().is_err(), "nothing else reached the control thread");
}

//! The page, its files, and what every answer carries.

use swarm_web::view::View;
use swarm_web::{LoginToken, WebOptions};

use crate::site::Site;

#[tokio::test]
async fn the_page_and_its_files_are_served() {
    let site = Site::start(View::default()).await;
    let page = site.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));

    let linked: Vec<_> = page
        .text()
        .split('"')
        .filter_map(|part| part.strip_prefix("./"))
        .map(str::to_owned)
        .collect();
    assert!(linked.iter().any(|path| path.ends_with(".css")), "{linked:?}");
    for path in linked {
        let file = site.get(&format!("/{path}")).await;
        assert_eq!(file.status, 200, "{path}");
        assert!(!file.body.is_empty());
        let wanted = match path.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(file.header("content-type"), Some(wanted), "{path}");
        let for_ever = file.header("cache-control").unwrap().contains("immutable");
        assert_eq!(for_ever, path.starts_with("assets/"), "{path}");
    }
    assert_eq!(site.get("/assets/../Cargo.toml").await.status, 404);
}

#[tokio::test]
async fn every_answer_is_guarded_and_refusals_are_json() {
    let site = Site::start(View::default()).await;
    for (path, status) in [("/", 200), ("/tasks", 200), ("/nothing", 404), ("/swarm", 405)] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("deny"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        if status != 200 {
            assert_eq!(answer.json()["success"], false);
            assert!(answer.json()["message"].as_str().unwrap().contains(path));
        }
    }
    assert_eq!(site.get("/tasks").await.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn everything_can_live_under_a_path() {
    let base_path = "/load/test1".parse().unwrap();
    let login = Some(LoginToken::new(b"a token of sixteen bytes").unwrap());
    let options = WebOptions { base_path, login, ..WebOptions::default() };
    let site = Site::with(View::default(), options, |_| Ok("done".into())).await;
    let bearer = ("Authorization", "Bearer a token of sixteen bytes");
    let bare = site.send("GET /load/test1", &[], "").await;
    assert_eq!((bare.status, bare.header("location")), (308, Some("/load/test1/")));
    // A proxy may leave the path, or take it away.
    for base in ["/load/test1", ""] {
        for path in ["/", "/favicon.svg", "/stats/requests", "/login"] {
            let answer = site.send(&format!("GET {base}{path}"), &[bearer], "").await;
            assert_eq!(answer.status, 200, "{base}{path}");
        }
        let stopped = site.send(&format!("POST {base}/stop"), &[bearer], "").await;
        assert_eq!(stopped.status, 200, "{base}");
        // Redirects and cookies are for the browser, which sees the path either way.
        let html = ("Accept", "text/html");
        let asked = site.send(&format!("GET {base}/"), &[html], "").await;
        assert_eq!((asked.status, asked.header("location")), (303, Some("/load/test1/login")));
        let json = ("Content-Type", "application/json");
        let body = r#"{"token": "a token of sixteen bytes"}"#;
        let in_now = site.send(&format!("POST {base}/login"), &[json], body).await;
        let cookie = in_now.header("set-cookie").unwrap();
        assert!(cookie.contains("path=/load/test1/;"), "{cookie}");
    }
    assert_eq!(site.send("GET /load/", &[bearer], "").await.status, 404);
}

#[tokio::test]
async fn shutdown_ends_the_server() {
    let mut site = Site::start(View::default()).await;
    // An idle connection does not hold it up.
    let _idle = site.connect().await;
    assert_eq!(site.get("/worker-count").await.status, 200);
    site.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(crate::site::PATIENCE, &mut site.served).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", site.port)).await.is_err());
}

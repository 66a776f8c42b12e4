//! The page, its files, and what every answer carries.

use swarm_web::view::View;
use swarm_web::{WebError, WebOptions, serve};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

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
    let options = WebOptions { base_path: "/load".into(), ..WebOptions::default() };
    let site = Site::with(View::default(), options, |_| Ok("done".into())).await;
    let bare = site.get("/load").await;
    assert_eq!((bare.status, bare.header("location")), (308, Some("/load/")));
    assert_eq!(site.get("/load/").await.status, 200);
    assert_eq!(site.get("/load/favicon.svg").await.status, 200);
    assert_eq!(site.get("/load/stats/requests").await.status, 200);
    assert_eq!(site.post_form("/load/stop", "").await.status, 200);
    assert_eq!(site.get("/").await.status, 404);
    assert_eq!(site.get("/stats/requests").await.status, 404);
}

#[tokio::test]
async fn a_base_path_that_is_none_is_refused_before_serving() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (commands, _received) = mpsc::channel(1);
    let (_publish, view) = watch::channel(std::sync::Arc::new(View::default()));
    let control = swarm_web::view::Control { commands, view };
    let options = WebOptions { base_path: "load".into(), ..WebOptions::default() };
    let refused = serve(listener, control, options, std::future::pending()).await;
    assert!(matches!(refused, Err(WebError::BasePath(path)) if path == "load"));
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

//! The page behind a reverse proxy.

use swarm_tests::{Page, Response, Swarm, request};

use crate::guests::Guest;
use crate::verdict::{USAGE, refused};

/// As a browser behind a proxy sends it: by the proxy's name or by the page's own.
fn ask(page: &Page, host: &str, origin: &str, method: &str, path: &str) -> Response {
    let (host, origin) = (format!("Host: {host}"), format!("Origin: {origin}"));
    let form = "Content-Type: application/x-www-form-urlencoded";
    let url = format!("{}{path}", page.url());
    let body = if method == "POST" { "user_count=1&spawn_rate=1" } else { "" };
    request(method, &url, &[&host, &origin, form], body).expect("the page answers")
}

#[test]
fn behind_a_proxy_the_page_goes_by_the_names_that_it_was_given() {
    const PUBLIC: &str = "loads.example.com";
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let scenario = Guest::visiting(&["/"]).write(&swarm, "visitor");
    let host = ["-H", &target.url(), "--threads", "1"];
    let proxied = ["--web-allow-host", PUBLIC, "--web-base-path", "/load/test1"];
    let run = swarm.run(&scenario, &[&host[..], &proxied].concat());
    let address = run.page().url().strip_suffix("/load/test1").expect("it is said where");
    let own = address.strip_prefix("http://").expect("http").to_owned();
    // The proxy may take the path away, or leave it.
    for page in [Page::new(address), Page::new(run.page().url())] {
        let index = page.get("/");
        let linked: Vec<_> =
            index.body.split('"').filter_map(|part| part.strip_prefix("./")).collect();
        assert!(linked.len() >= 3, "{}", index.body);
        for path in linked {
            assert_eq!(page.get(&format!("/{path}")).status, 200, "{path}");
        }
        for host in [PUBLIC, &own] {
            for origin in ["https://loads.example.com", "http://loads.example.com"] {
                for (method, path) in [("POST", "/swarm"), ("POST", "/stop"), ("GET", "/tasks")] {
                    let answer = ask(&page, host, origin, method, path);
                    assert_eq!(answer.status, 200, "{host} {origin}: {}", answer.body);
                }
                page.wait_for_state("stopped");
            }
            let foreign = ask(&page, host, "https://evil.example", "POST", "/swarm");
            assert_eq!(foreign.status, 403, "{}", foreign.body);
        }
        let rebound = ask(&page, "evil.example", "http://evil.example", "POST", "/swarm");
        assert_eq!(rebound.status, 403, "{}", rebound.body);
    }
    // Without the flag, the refusal says how to go on.
    let run = swarm.run(&scenario, &host);
    let refused = ask(run.page(), PUBLIC, "https://loads.example.com", "POST", "/swarm");
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("--web-allow-host loads.example.com"), "{}", refused.body);
}

#[test]
fn names_and_paths_of_the_page_are_checked_before_anything_starts() {
    let swarm = Swarm::new();
    Guest::visiting(&["/"]).write(&swarm, "sound");
    let run = ["run", "sound.wasm", "-H", "http://127.0.0.1:1", "--web-port", "0"];
    for (flag, value, part) in [
        ("--web-allow-host", "https://loads.example.com", "without http:// and path"),
        ("--web-allow-host", "loads.example.com,*", "`*` is no name of a host"),
        ("--web-base-path", "load", "write it like /load/test1"),
        ("--web-base-path", "/load//x", "write it like /load/test1"),
    ] {
        refused(&swarm, &[&run[..], &[flag, value]].concat(), USAGE, &[flag, part]);
    }
}

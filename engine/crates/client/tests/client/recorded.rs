//! Heads as servers in general use write them.

use swarm_client::Request;

use crate::differential::{Outcome, Scripted, hyper_outcome};
use crate::server::Server;

/// A response in the manner of a server, a header to look for, and the length of its body.
struct Recorded {
    bytes: &'static str,
    header: (&'static str, &'static str),
    body_bytes: usize,
}

const RECORDED: [Recorded; 7] = [
    // nginx, a file.
    Recorded {
        bytes: "HTTP/1.1 200 OK\r\nServer: nginx/1.24.0\r\nDate: Mon, 06 May 2024 07:08:09 GMT\r\n\
            Content-Type: text/html\r\nContent-Length: 15\r\n\
            Last-Modified: Sun, 05 May 2024 10:00:00 GMT\r\nConnection: keep-alive\r\n\
            ETag: \"663757a0-f\"\r\nAccept-Ranges: bytes\r\n\r\n<h1>nginx</h1>\n",
        header: ("etag", "\"663757a0-f\""),
        body_bytes: 15,
    },
    // nginx in front of an application, compressed on the way.
    Recorded {
        bytes: "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 06 May 2024 07:08:09 GMT\r\n\
            Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
            Connection: keep-alive\r\nVary: Accept-Encoding\r\nX-Request-Id: 5f3c\r\n\r\n\
            c\r\n{\"items\":[1,\r\n3\r\n2]}\r\n0\r\n\r\n",
        header: ("x-request-id", "5f3c"),
        body_bytes: 15,
    },
    // Apache, nothing new.
    Recorded {
        bytes: "HTTP/1.1 304 Not Modified\r\nDate: Mon, 06 May 2024 07:08:09 GMT\r\n\
            Server: Apache/2.4.58 (Ubuntu)\r\nETag: \"2aa6-5f1\"\r\n\
            Keep-Alive: timeout=5, max=100\r\nConnection: Keep-Alive\r\n\r\n",
        header: ("keep-alive", "timeout=5, max=100"),
        body_bytes: 0,
    },
    // Node with Express.
    Recorded {
        bytes: "HTTP/1.1 404 Not Found\r\nX-Powered-By: Express\r\n\
            Content-Security-Policy: default-src 'none'\r\nX-Content-Type-Options: nosniff\r\n\
            Content-Type: text/html; charset=utf-8\r\nContent-Length: 10\r\n\
            Date: Mon, 06 May 2024 07:08:09 GMT\r\nConnection: keep-alive\r\n\
            Keep-Alive: timeout=5\r\n\r\nCannot GET",
        header: ("x-powered-by", "Express"),
        body_bytes: 10,
    },
    // A content delivery network, with cookies and long lines.
    Recorded {
        bytes: "HTTP/1.1 200 OK\r\nDate: Mon, 06 May 2024 07:08:09 GMT\r\n\
            Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 2\r\n\
            Connection: keep-alive\r\nCF-Cache-Status: DYNAMIC\r\n\
            Set-Cookie: __cf_bm=Zm9v.YmFy-1714979289-1.0.1.1; path=/; \
            expires=Mon, 06-May-24 07:38:09 GMT; domain=.shop.test; HttpOnly; Secure; \
            SameSite=None\r\nSet-Cookie: session=1; Path=/\r\n\
            Report-To: {\"endpoints\":[{\"url\":\"https:\\/\\/a.test\\/report?s=x%2F\"}],\
            \"group\":\"cf-nel\",\"max_age\":604800}\r\nServer: cloudflare\r\n\
            CF-RAY: 87f0a1b2c3d4e5f6-FRA\r\nalt-svc: h3=\":443\"; ma=86400\r\n\r\nok",
        header: ("cf-ray", "87f0a1b2c3d4e5f6-FRA"),
        body_bytes: 2,
    },
    // Python's http.server: it speaks HTTP/1.0 and closes.
    Recorded {
        bytes: "HTTP/1.0 200 OK\r\nServer: SimpleHTTP/0.6 Python/3.11.2\r\n\
            Date: Mon, 06 May 2024 07:08:09 GMT\r\nContent-type: text/plain\r\n\
            Content-Length: 3\r\nLast-Modified: Sun, 05 May 2024 10:00:00 GMT\r\n\r\nabc",
        header: ("content-type", "text/plain"),
        body_bytes: 3,
    },
    // An old device: no length, line feeds alone.
    Recorded {
        bytes: "HTTP/1.0 200 OK\nServer: GoAhead-Webs\nPragma: no-cache\n\n<html>up</html>",
        header: ("pragma", "no-cache"),
        body_bytes: 15,
    },
];

#[tokio::test]
async fn recorded_responses_are_understood() {
    for Recorded { bytes, header: (name, value), body_bytes } in &RECORDED {
        let server = Server::closing(*bytes).await;
        let response = server.session().send(Request::get("/")).await.expect("response");
        assert_eq!(response.header(name).as_deref(), Some(*value));
        assert_eq!(response.body.len(), *body_bytes, "{bytes}");
    }
}

#[tokio::test]
async fn they_come_to_the_same_as_with_hyper_wherever_they_are_cut() {
    let scripted = Scripted::start().await;
    for Recorded { bytes, .. } in &RECORDED {
        let bytes = bytes.as_bytes();
        let hyper = hyper_outcome("GET", bytes).await;
        assert!(matches!(hyper, Outcome::Response { .. }), "{hyper:?}");
        for cut in 1..bytes.len() {
            assert_eq!(hyper, scripted.outcome("GET", bytes, &[cut]).await, "cut at {cut}");
        }
    }
}

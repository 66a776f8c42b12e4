//! The client against a server of somebody else: Python's `http.server`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use swarm_client::{Request, Session};

use crate::server::session;

/// Keep-alive, echo of bodies, a chunked answer by hand; prints its port.
const PROGRAM: &str = r#"
import http.server, hashlib
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass
    def answer(self, status, body, chunked=False):
        self.send_response(status)
        self.send_header("X-Peer", str(self.client_address[1]))
        self.send_header("Transfer-Encoding" if chunked else "Content-Length",
                         "chunked" if chunked else str(len(body)))
        self.end_headers()
        if self.command == "HEAD": return
        if not chunked: return self.wfile.write(body)
        for at in range(0, len(body), 1000):
            piece = body[at:at + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")
    def do_GET(self):
        size = int(self.path.split("/")[-1])
        self.answer(200, b"x" * size, "chunked" in self.path)
    do_HEAD = do_GET
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(201, hashlib.sha256(body).hexdigest().encode())
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

struct Python(Child);

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn python() -> (Python, Session) {
    let child = Command::new("python3")
        .args(["-c", PROGRAM])
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs python3");
    let mut python = Python(child);
    let output = python.0.stdout.take().expect("piped");
    let mut port = String::new();
    BufReader::new(output).read_line(&mut port).expect("port");
    let session = session(&format!("http://127.0.0.1:{}", port.trim()), &[], |_| {});
    (python, session)
}

#[tokio::test]
async fn every_kind_of_answer_on_one_connection() {
    let (_python, session) = python();
    let mut peers = std::collections::HashSet::new();
    for size in [0, 1, 999, 1000, 1001, 8191, 8192, 8193, 100_000] {
        for path in ["plain", "chunked"] {
            let response = session.send(Request::get(format!("/{path}/{size}"))).await;
            let response = response.expect("response");
            assert_eq!((response.status, response.body.len()), (200, size), "{path}");
            peers.insert(response.header("x-peer").expect("peer").into_owned());
        }
        let head = session.send(Request::new("HEAD", format!("/plain/{size}"))).await;
        assert_eq!(head.expect("head").body_bytes, 0);
    }
    assert_eq!(peers.len(), 1, "one connection");
}

#[tokio::test]
async fn bodies_arrive_unchanged() {
    let (_python, session) = python();
    for (size, digest) in [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1 << 20, "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58"),
    ] {
        let body = Bytes::from(vec![0; size]);
        let response = session.send(Request { body, ..Request::new("POST", "/") }).await;
        let response = response.expect("response");
        assert_eq!((response.status, &response.body[..]), (201, digest.as_bytes()), "{size}");
    }
}

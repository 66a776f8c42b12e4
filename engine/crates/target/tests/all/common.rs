//! A target on a free port and a client that shows exactly what came back.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use serde_json::Value;
use swarm_target::{Counts, Running, Target, TargetConfig};

/// Long enough for any answer on a busy machine: a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn target(threads: usize) -> Running {
    let config = TargetConfig {
        host: "127.0.0.1".to_owned(),
        port: 0,
        threads: NonZeroUsize::new(threads).unwrap(),
    };
    Target::bind(&config).unwrap().spawn().unwrap()
}

/// Asks for counts until they are as wanted.
pub(crate) fn counts_until(
    target: &Running,
    what: &str,
    wanted: impl Fn(&Counts) -> bool,
) -> Counts {
    let start = Instant::now();
    loop {
        let counts = target.counts();
        if wanted(&counts) {
            return counts;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: {counts:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

/// One answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, received: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a request with these header lines and reads the answer.
    pub(crate) fn ask(&mut self, method: &str, path: &str, lines: &[&str], body: &str) -> Response {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n{lines}\r\n"
        );
        self.send(head + body);
        self.response(method)
    }

    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.ask("GET", path, &[], "")
    }

    /// Reads one answer, which must have a length unless it has no body.
    pub(crate) fn response(&mut self, method: &str) -> Response {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more(), "the connection ended in {:?}", self.received);
        };
        let head: Vec<u8> = self.received.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().unwrap();
        let status = status_line.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let mut response = Response { status, headers, body: Vec::new() };
        let length = response.header("content-length").map_or(0, |n| n.parse().unwrap());
        if method != "HEAD" {
            while self.received.len() < length {
                assert!(self.more(), "the connection ended in the body");
            }
            response.body = self.received.drain(..length).collect();
        }
        response
    }

    /// Fails unless the target closes the connection without sending more.
    pub(crate) fn expect_closed(&mut self) {
        let more = self.more();
        let received = String::from_utf8_lossy(&self.received);
        assert!(!more, "unexpected: {received:?}");
    }

    /// Everything up to the end of the connection, at most so many bytes of it.
    pub(crate) fn rest(&mut self, bytes_max: usize) -> Vec<u8> {
        while self.received.len() < bytes_max && self.more() {}
        std::mem::take(&mut self.received)
    }

    pub(crate) fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let n = self.stream.read(&mut buffer).unwrap();
        self.received.extend_from_slice(&buffer[..n]);
        n > 0
    }
}

//! A real server on a free port, a control thread that records, and raw requests.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use swarm_core::task_ratio::TaskRatio;
use swarm_stats::ConnectionCounts;
use swarm_stats::snapshot::{
    EntrySnapshot, ErrorSnapshot, ExceptionSnapshot, Second, Snapshot, TimesMs,
};
use swarm_web::view::{
    Answer, ClassView, Command, Control, SwarmRequest, TestState, View, WorkerPhase, WorkerView,
};
use swarm_web::{WebOptions, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing here takes long; this only ends a test that hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the control thread was asked.
#[derive(Debug, PartialEq)]
pub(crate) enum Asked {
    Swarm(SwarmRequest),
    Stop,
    Reset,
}

pub(crate) struct Site {
    pub(crate) port: u16,
    pub(crate) view: watch::Sender<Arc<View>>,
    pub(crate) asked: mpsc::UnboundedReceiver<Asked>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<()>,
}

impl Site {
    pub(crate) async fn start(view: View) -> Self {
        Self::with(view, WebOptions::default(), |_| Ok("done".into())).await
    }

    pub(crate) async fn with(
        view: View,
        options: WebOptions,
        mut answer: impl FnMut(&Asked) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (commands, mut received) = mpsc::channel(4);
        let (publish, view) = watch::channel(Arc::new(view));
        let (report, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(command) = received.recv().await {
                let (asked, reply) = match command {
                    Command::Swarm(request, reply) => (Asked::Swarm(request), reply),
                    Command::Stop(reply) => (Asked::Stop, reply),
                    Command::Reset(reply) => (Asked::Reset, reply),
                };
                reply.send(answer(&asked)).unwrap();
                report.send(asked).unwrap();
            }
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let control = Control { commands, view };
        let served = tokio::spawn(async move {
            serve(listener, control, options, shutdown).await.unwrap();
        });
        Self { port, view: publish, asked, stop: Some(stop), served }
    }

    /// Sends one request with `Connection: close` and reads the whole answer.
    pub(crate) async fn send(&self, head: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut text = format!("{head} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text += &format!("Host: 127.0.0.1:{}\r\n", self.port);
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that refuses a long body may reset after its answer.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer");
        Response::parse(&answer)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(&format!("GET {path}"), &[], "").await
    }

    pub(crate) async fn post_form(&self, path: &str, body: &str) -> Response {
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        self.send(&format!("POST {path}"), &[form], body).await
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    pub(crate) async fn next_asked(&mut self) -> Asked {
        timeout(PATIENCE, self.asked.recv()).await.expect("a command in time").unwrap()
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut body = bytes[end + 4..].to_vec();
        if head.contains("\r\ntransfer-encoding: chunked") {
            body = without_chunks(&body);
        }
        Self { status, head, body }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    /// A header's value, lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// What was sent in chunks, as one.
fn without_chunks(mut sent: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let line = sent.windows(2).position(|window| window == b"\r\n").expect("a length");
        let length = std::str::from_utf8(&sent[..line]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return whole;
        }
        let chunk = &sent[line + 2..];
        whole.extend_from_slice(&chunk[..length]);
        sent = &chunk[length + 2..];
    }
}

pub(crate) fn entry(
    method: &str,
    name: &str,
    num_requests: u64,
    num_failures: u64,
) -> EntrySnapshot {
    EntrySnapshot {
        method: method.into(),
        name: name.into(),
        num_requests,
        num_failures,
        num_unanswered: num_failures,
        num_resent: 1,
        bytes: num_requests * 100,
        response_time_ms: TimesMs {
            min: 1.5,
            median: 10.0,
            mean: 12.25,
            p95: 40.0,
            p99: 90.0,
            p99_9: 99.0,
            max: 100.5,
            percentiles: [100.5; 11],
        },
        rps: 4.0,
        fail_per_sec: 0.5,
        current_rps: 5.0,
        current_fail_per_sec: 0.25,
        current_ms: Some((11.0, 41.0)),
        current_percentiles_ms: Some([41.0; 11]),
    }
}

pub(crate) fn second(at_ms: u64, requests: u64) -> Second {
    Second { at_ms, users: 2, in_flight: 1, requests, failures: 0, p50_p95_ms: Some((1.0, 2.0)) }
}

/// Buyers look, or pay by a set of its own; lookers look.
fn tasks() -> Arc<[Vec<TaskRatio>]> {
    let task = |name: &str, ratio: f64, tasks: &[TaskRatio]| TaskRatio {
        name: name.to_owned(),
        ratio,
        tasks: tasks.to_vec(),
    };
    let pay = [task("card", 0.5, &[]), task("cash", 0.5, &[])];
    [vec![task("look", 0.8, &[]), task("pay", 0.2, &pay)], vec![task("look", 1.0, &[])]].into()
}

/// A test that runs with two names, one failure, one exception, a worker, a lost one and one that
/// has left.
pub(crate) fn running() -> View {
    let worker = |index: u32, state, problem: Option<&str>| WorkerView {
        id: format!("w{index}"),
        index,
        state,
        module_percent: None,
        user_count: 3,
        in_flight: 2,
        cpu_usage: 12.5,
        memory_usage: 1_000_000,
        lateness_ms: None,
        problem: problem.map(str::to_owned),
    };
    View {
        state: TestState::Running,
        scenario: "shop.wasm".into(),
        host: "http://127.0.0.1:9000".into(),
        user_count: 4,
        in_flight: 3,
        target_users: 4,
        spawn_rate: 2.0,
        run_time_s: Some(60),
        classes: vec![
            ClassView { name: "Buyer".into(), user_count: 3, runs: true },
            ClassView { name: "Looker".into(), user_count: 1, runs: true },
        ],
        tasks: tasks(),
        is_local: false,
        workers: vec![
            worker(0, WorkerPhase::Running, None),
            worker(1, WorkerPhase::Lost, Some("connection closed")),
            worker(2, WorkerPhase::Left, None),
        ],
        clock_origin_unix_ms: 1_700_000_000_000,
        test_start_ms: Some(5_000),
        test_end_ms: None,
        now_ms: 25_000,
        warnings: vec!["the generator is late: by 7 s".into()],
        notices: Vec::new(),
        stats: Arc::new(Snapshot {
            total: entry("", "Aggregated", 40, 4),
            entries: vec![entry("GET", "/<a> & b", 30, 4), entry("POST", "/c", 10, 0)],
            errors: vec![ErrorSnapshot {
                method: "GET".into(),
                name: "/<a> & b".into(),
                error: "503 \"busy\"".into(),
                occurrences: 4,
                first_ms: 6_000,
                last_ms: 7_500,
            }],
            exceptions: vec![ExceptionSnapshot {
                message: "trap".into(),
                trace: "at f".into(),
                count: 2,
                nodes: vec!["w0".into(), "w1".into()],
            }],
            seconds: vec![second(23_000, 7), second(24_000, 8)],
            connections: ConnectionCounts { opened: 4, reused: 37, failed: 0, resent: 1 },
            ..Snapshot::default()
        }),
    }
}

//! The page's port: raw bytes as requests. What must hold: an answer or the end of the connection
//! within a time, no answer that says "internal error", and behind a login neither a command nor
//! anything of the view for who has no token.
#![no_main]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use swarm_stats::snapshot::Snapshot;
use swarm_web::LoginToken;
use swarm_web::fuzz::Site;
use swarm_web::view::{Command, Control, TestState, View};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout_at;

use swarm_fuzz::{pieces, runtime};

libfuzzer_sys::fuzz_target!(
    init: begin(),
    |data: &[u8]| run(data)
);

/// The token that is in the seeds.
const KNOWN: &str = "a-token-that-is-known";
/// What only who has the token may see.
const MARK: &str = "zwiebelkuchen";
/// Virtual time within which a connection is over whose other end is gone, or says nothing any more
/// and waits for no stream.
const PATIENCE: Duration = Duration::from_secs(200);
/// Virtual time after which the other end is gone.
const LISTENS: Duration = Duration::from_secs(150);
/// Bytes of answers that are looked at; a stream of events has no end.
const ANSWERS_BYTES_MAX: usize = 4 << 20;

/// The first seeds are commands that come through without a login and with the right token, and not
/// with another; else the fuzzer would begin with nothing.
fn begin() {
    let seeds = seeds();
    assert_eq!([0, 1, 2].map(|number| commands(&seeds[number])), [1, 1, 0]);
    swarm_fuzz::write_seeds(&seeds);
}

/// Panics when something is done or told that should not be.
fn run(data: &[u8]) {
    commands(data);
}

/// How many commands come through.
fn commands(data: &[u8]) -> u32 {
    let &[mode, cuts, ref bytes @ ..] = data else { return 0 };
    let login = match mode % 3 {
        0 => None,
        1 => Some(KNOWN),
        _ => Some(unknown()),
    };
    let (commands, answers) = runtime().block_on(exchange(login, &mut pieces(bytes, cuts)));
    if login == Some(unknown()) {
        assert_eq!(commands, 0, "a command without a token");
        assert!(!holds(&answers, MARK.as_bytes()), "shown without a token");
    }
    assert!(answers.is_empty() || answers.starts_with(b"HTTP/1."), "no answer");
    // As a whole line: parts of it may be in what a refusal says about the request.
    let internal = b"HTTP/1.1 500 Internal Server Error\r\n";
    assert!(!holds(&answers, internal), "an internal error");
    commands
}

/// A token that is in no input.
fn unknown() -> &'static str {
    static UNKNOWN: OnceLock<String> = OnceLock::new();
    UNKNOWN.get_or_init(|| {
        use std::hash::{BuildHasher, RandomState};
        format!("{:032x}", u128::from(RandomState::new().hash_one(0)) << 64 | 0x5eed)
    })
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The number of commands that came through, and the answers' bytes.
async fn exchange(login: Option<&str>, pieces: &mut dyn Iterator<Item = &[u8]>) -> (u32, Vec<u8>) {
    let (commands, mut received) = mpsc::channel(4);
    let view = View {
        state: TestState::Running,
        scenario: MARK.to_owned(),
        host: format!("http://{MARK}.test"),
        stats: Arc::new(Snapshot::default()),
        ..View::default()
    };
    let (_publish, view) = watch::channel(Arc::new(view));
    let control = Control { commands, view };
    let token = login.map(|token| LoginToken::new(token.as_bytes()).expect("long enough"));
    let site = Site::new(&control, token.as_ref()).expect("random bytes");
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Some(command) = received.recv().await {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            let answer = if number % 2 == 0 { Ok("done".into()) } else { Err("no".into()) };
            let (Command::Swarm(_, reply) | Command::Stop(reply) | Command::Reset(reply)) = command;
            // Who asked may be gone.
            let _ = reply.send(answer);
        }
    });
    let (near, far) = tokio::io::duplex(16 << 10);
    let (mut from, mut to) = tokio::io::split(near);
    let serving = tokio::spawn(async move { site.serve(far).await });
    let gone = tokio::time::Instant::now() + LISTENS;
    let answers = tokio::spawn(async move {
        let mut answers = Vec::new();
        let mut buffer = [0; 8192];
        while let Ok(Ok(length @ 1..)) = timeout_at(gone, from.read(&mut buffer)).await {
            let room = ANSWERS_BYTES_MAX - answers.len();
            answers.extend_from_slice(&buffer[..length.min(room)]);
        }
        answers
    });
    for piece in pieces {
        if to.write_all(piece).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // What is asked for last may be a stream.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let _ = to.shutdown().await;
    drop(to);
    let ended = tokio::time::timeout(PATIENCE, serving).await;
    ended.expect("the connection has an end").expect("it does not panic");
    let answers = answers.await.expect("it does not panic");
    (count.load(Ordering::Relaxed), answers)
}

/// A request to each path, by a script and by a browser.
fn seeds() -> Vec<Vec<u8>> {
    let form = "user_count=5&spawn_rate=2.5&host=http%3A%2F%2F127.0.0.1%3A1&run_time=1m";
    let json = r#"{"user_count": 5, "spawn_rate": 2, "host": "http://a.test"}"#;
    let post = |path: &str, kind: &str, body: &str| {
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost:8089\r\nContent-Type: {kind}\r\n\
             Authorization: Bearer {KNOWN}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let form_type = "application/x-www-form-urlencoded";
    let mut requests = vec![
        post("/swarm", form_type, form),
        post("/swarm", "application/json", json),
        post("/login", form_type, &format!("token={KNOWN}&next=%2Fstats%2Frequests")),
        post("/logout", form_type, ""),
        post("/stop", form_type, "") + &post("/stats/reset", form_type, ""),
        "POST /swarm HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nuser_\r\n9\r\ncount=3&s\r\n0\r\n\r\n"
            .to_owned(),
    ];
    let paths = [
        "/",
        "/login",
        "/stop",
        "/stats/reset",
        "/stats/requests",
        "/stats/requests/csv",
        "/stats/failures/csv",
        "/exceptions",
        "/exceptions/csv",
        "/stats/requests_full_history/csv",
        "/stats/report",
        "/logs",
        "/tasks",
        "/worker-count",
        "/api/v1/view",
        "/api/v1/live",
        "/assets/x",
        "/nowhere?a=b",
    ];
    requests.extend(paths.map(|path| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8089\r\nSec-Fetch-Site: same-origin\r\n\
             Cookie: swarm-8089=x; a=b\r\nAccept: text/html\r\nAuthorization: Bearer {KNOWN}\r\n\
             Connection: close\r\n\r\n"
        )
    }));
    let seeds = requests.iter().zip(0..).flat_map(|(request, number): (_, u8)| {
        (0..3).map(move |mode| [&[mode, number % 2], request.as_bytes()].concat())
    });
    seeds.collect()
}

//! Resident memory of a session with one idle kept-alive connection.
//!
//! ```text
//! cargo run --release -p swarm-client --example idle_memory -- 5000
//! ```
//! The server is a second process of the same program, so that its memory does not count. The
//! kernel's socket buffers are not part of the figures.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use swarm_client::{AllowList, BaseUrl, ClientConfig, Request, Session, Shared};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error>;

/// Requests of each session: the first leaves parts of a connection's buffers untouched.
const ROUNDS: usize = 20;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nserver: test\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
    content-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match std::env::args().nth(1).ok_or("usage: idle_memory SESSIONS")?.as_str() {
        "serve" => runtime.block_on(serve()),
        sessions => {
            let sessions: usize = sessions.parse()?;
            let program = std::env::current_exe()?;
            let mut server = Command::new(program).arg("serve").stdout(Stdio::piped()).spawn()?;
            let output = server.stdout.take().ok_or("no output")?;
            let mut url = String::new();
            BufReader::new(output).read_line(&mut url)?;
            let outcome = runtime.block_on(measure(url.trim(), sessions));
            server.kill()?;
            server.wait()?;
            outcome
        }
    }
}

async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                if stream.write_all(ANSWER).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn measure(url: &str, count: usize) -> Result<(), Failure> {
    let base: BaseUrl = url.parse()?;
    let mut allowed = AllowList::default();
    allowed.target(&base);
    let shared = Shared::new(ClientConfig::default(), allowed)?;
    // What the first request of a process allocates is not a session's.
    Session::new(Arc::clone(&shared), Some(base.clone())).send(Request::get("/")).await?;

    let mut sessions = Vec::with_capacity(count);
    let empty = resident_bytes()?;
    for _ in 0..count {
        sessions.push(Session::new(Arc::clone(&shared), Some(base.clone())));
    }
    let fresh = resident_bytes()?;
    for _ in 0..ROUNDS {
        for session in &sessions {
            session.send(Request::get("/")).await?;
        }
    }
    let idle = resident_bytes()?;
    let each = |bytes: u64| bytes as f64 / count as f64;
    println!("session, never used        {:8.0} bytes", each(fresh - empty));
    println!("its idle connection        {:8.0} bytes", each(idle - fresh));
    println!("size_of Session            {:8} bytes", size_of::<Session>());
    let future = sessions[0].send(Request::get("/"));
    println!("future of a request        {:8} bytes", size_of_val(&future));
    Ok(())
}

fn resident_bytes() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib = line.split_whitespace().nth(1).ok_or("no number")?;
    Ok(kib.parse::<u64>()? * 1024)
}

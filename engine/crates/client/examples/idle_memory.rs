//! Resident memory of a session with one idle kept-alive connection.
//!
//! ```text
//! cargo run --release -p swarm-client --example idle_memory -- 5000
//! cargo run --release -p swarm-client --example idle_memory -- 5000 tls
//! ```
//! The server is a second process of the same program, so that its memory does not count. The
//! kernel's socket buffers are not part of the figures.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::PrivatePkcs8KeyDer;
use swarm_client::{AllowList, BaseUrl, ClientConfig, Request, Session, Shared};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

type Failure = Box<dyn std::error::Error>;

/// Requests of each session: the first leaves parts of a connection's buffers untouched.
const ROUNDS: usize = 20;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nserver: test\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
    content-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tls = std::env::args().nth(2).is_some_and(|argument| argument == "tls");
    match std::env::args().nth(1).ok_or("usage: idle_memory SESSIONS [tls]")?.as_str() {
        "serve" => runtime.block_on(serve(tls)),
        sessions => {
            let sessions: usize = sessions.parse()?;
            let mut program = Command::new(std::env::current_exe()?);
            program.args(["serve", if tls { "tls" } else { "plain" }]).stdout(Stdio::piped());
            let mut server = program.spawn()?;
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

async fn serve(tls: bool) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let scheme = if tls { "https" } else { "http" };
    println!("{scheme}://{}", listener.local_addr()?);
    let acceptor = tls.then(acceptor).transpose()?;
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            match acceptor {
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        answer(stream).await;
                    }
                }
                None => answer(stream).await,
            }
        });
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
        if stream.write_all(ANSWER).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// A server's side of TLS with a certificate made up on the spot.
fn acceptor() -> Result<TlsAcceptor, Failure> {
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn measure(url: &str, count: usize) -> Result<(), Failure> {
    let base: BaseUrl = url.parse()?;
    let mut allowed = AllowList::default();
    allowed.target(&base);
    let config = ClientConfig { insecure: true, ..ClientConfig::default() };
    let shared = Shared::new(config, allowed)?;
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

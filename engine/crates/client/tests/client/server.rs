//! A server that does what a test tells it, byte by byte, and counts its connections.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use swarm_client::{AllowList, BaseUrl, ClientConfig, Session, Shared};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Listens on a free port of loopback until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepts: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// One connection, as the server sees it.
pub(crate) struct Peer {
    /// 0 for the first connection.
    pub(crate) index: usize,
    pub(crate) stream: TcpStream,
}

impl Server {
    /// Runs `handler` for every connection.
    pub(crate) async fn start<H, F>(handler: H) -> Self
    where
        H: Fn(Peer) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let accepts = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&accepts);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("nodelay");
                let index = counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handler(Peer { index, stream }));
            }
        });
        Self { address, accepts, task }
    }

    /// Answers every request with the same bytes.
    pub(crate) async fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<[u8]> = bytes.into().into();
        Self::start(move |mut peer| {
            let bytes = Arc::clone(&bytes);
            async move {
                while peer.request().await.is_some() {
                    peer.send(&bytes).await;
                }
            }
        })
        .await
    }

    /// Answers one request of each connection with these bytes and closes it.
    pub(crate) async fn closing(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<[u8]> = bytes.into().into();
        Self::start(move |mut peer| {
            let bytes = Arc::clone(&bytes);
            async move {
                peer.request().await;
                peer.send(&bytes).await;
            }
        })
        .await
    }

    /// Answers each request with its own head and body as text.
    pub(crate) async fn echoing() -> Self {
        Self::echoing_below("HTTP/1.1 200 OK\r\n").await
    }

    /// Answers each request with these lines, and with its own head and body as text.
    pub(crate) async fn echoing_below(lines: &'static str) -> Self {
        Self::start(move |mut peer| async move {
            while let Some(request) = peer.request().await {
                let length = request.len();
                let answer = format!("{lines}content-length: {length}\r\n\r\n{request}");
                peer.send(answer.as_bytes()).await;
            }
        })
        .await
    }

    /// How many connections were accepted.
    pub(crate) fn accepts(&self) -> usize {
        self.accepts.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A session for this server alone.
    pub(crate) fn session(&self) -> Session {
        self.session_with(|_defaults| {})
    }

    /// A session for this server alone, with another configuration.
    pub(crate) fn session_with(&self, change: impl FnOnce(&mut ClientConfig)) -> Session {
        session(&self.url(), &[], change)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A session with a base URL, which is allowed, and other hosts allowed beside it.
pub(crate) fn session(
    base: &str,
    allowed: &[String],
    change: impl FnOnce(&mut ClientConfig),
) -> Session {
    let base: BaseUrl = base.parse().expect("base URL");
    let mut list = AllowList::default();
    list.target(&base);
    for entry in allowed {
        list.entry(entry).expect("entry");
    }
    let mut config = ClientConfig::default();
    change(&mut config);
    Session::new(Shared::new(config, list).expect("config"), Some(base))
}

/// A whole 200 response.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

impl Peer {
    /// The next request, head and body; `None` if the client closed the connection.
    pub(crate) async fn request(&mut self) -> Option<String> {
        let mut text = Vec::new();
        loop {
            if let Some(length) = request_length(&text)
                && text.len() >= length
            {
                assert_eq!(text.len(), length, "the client pipelined");
                return Some(String::from_utf8(text).expect("text"));
            }
            let mut buffer = [0; 4096];
            let read = self.stream.read(&mut buffer).await.unwrap_or(0);
            if read == 0 {
                return None;
            }
            text.extend_from_slice(&buffer[..read]);
        }
    }

    /// Writes, whether or not the client is still there.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Waits until the client has closed the connection.
    pub(crate) async fn closed(&mut self) {
        let mut buffer = [0; 4096];
        while self.stream.read(&mut buffer).await.unwrap_or(0) > 0 {}
    }

    /// Closes with a reset: that is what the kernel does when data is left unread.
    pub(crate) async fn reset(mut self) {
        self.stream.readable().await.expect("readable");
        let mut one = [0];
        self.stream.read_exact(&mut one).await.expect("one byte of a request");
    }
}

/// Length of head and body once the head is complete.
fn request_length(text: &[u8]) -> Option<usize> {
    let head = text.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let lines = std::str::from_utf8(&text[..head]).expect("text");
    let is_length = |name: &str| name.eq_ignore_ascii_case("content-length");
    let mut lines = lines.lines().filter_map(|line| line.split_once(": "));
    let length = lines.find_map(|(name, digits)| is_length(name).then_some(digits));
    Some(head + length.map_or(0, |digits| digits.parse::<usize>().expect("length")))
}

//! A server that does with each request what a test says, byte by byte, and counts what it got.
//!
//! For what the demo server does not do: ends of connections at a moment of the test's choosing.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;

/// Most bytes of a request.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// A request that a server has read wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// Requests that came before it on its connection.
    pub before: u64,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is answered with status 200; the connection stays.
    Answer,
    /// The connection is closed after so long, without an answer.
    Close(Duration),
    /// The connection is reset, without an answer.
    Reset,
    /// It is never answered; the connection stays.
    Hang,
}

/// A server on a free port of this machine. Dropped, it listens no more, and what hangs ends.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    listener: TcpListener,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    connections: AtomicU64,
    /// By method and path, and by fate: whether it was [`Fate::Answer`].
    requests: Mutex<BTreeMap<(String, String, bool), u64>>,
    /// Open connections by number.
    streams: Mutex<BTreeMap<u64, TcpStream>>,
}

impl Server {
    /// Asks `decide` about each request.
    ///
    /// # Panics
    ///
    /// There is no free port.
    #[track_caller]
    pub fn start(decide: impl Fn(&Received) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let (decide, own) = (Arc::new(decide), Arc::clone(&shared));
        let accepts = listener.try_clone().expect("a handle can be copied");
        let accepting = std::thread::spawn(move || {
            while let Ok((stream, _)) = accepts.accept() {
                own.accepted(stream, &decide);
            }
        });
        Self { address, listener, shared, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `--host` takes.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections that it has accepted.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Requests that it has read wholly.
    pub fn requests(&self) -> u64 {
        self.shared.requests().values().sum()
    }

    /// Requests of a method to a path that it has read wholly.
    pub fn requests_of(&self, method: &str, path: &str) -> u64 {
        [true, false].into_iter().map(|answered| self.count(method, path, answered)).sum()
    }

    /// Those of [`Self::requests_of`] that it has not answered.
    pub fn unanswered_of(&self, method: &str, path: &str) -> u64 {
        self.count(method, path, false)
    }

    fn count(&self, method: &str, path: &str, answered: bool) -> u64 {
        let key = (method.to_owned(), path.to_owned(), answered);
        self.shared.requests().get(&key).copied().unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // First nobody is let in any more: it ends the thread that accepts.
        let ended = SockRef::from(&self.listener).shutdown(Shutdown::Both);
        ended.expect("a listener can be ended");
        if let Some(accepting) = self.accepting.take() {
            // An error is a panic, which has been printed.
            let _ = accepting.join();
        }
        for stream in self.shared.streams().values() {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, BTreeMap<(String, String, bool), u64>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, BTreeMap<u64, TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accepted<F>(self: &Arc<Self>, stream: TcpStream, decide: &Arc<F>)
    where
        F: Fn(&Received) -> Fate + Send + Sync + 'static,
    {
        let number = self.connections.fetch_add(1, Ordering::SeqCst);
        self.streams().insert(number, stream.try_clone().expect("a handle can be copied"));
        let (shared, decide) = (Arc::clone(self), Arc::clone(decide));
        std::thread::spawn(move || {
            shared.talk(stream, &*decide);
            // With it the connection ends.
            shared.streams().remove(&number);
        });
    }

    fn talk(&self, mut stream: TcpStream, decide: &dyn Fn(&Received) -> Fate) {
        // An answer is one write.
        let _ = stream.set_nodelay(true);
        for before in 0.. {
            let Some((method, path)) = read_request(&mut stream) else { return };
            let received = Received { method, path, before };
            let fate = decide(&received);
            let Received { method, path, .. } = received;
            let key = (method, path, fate == Fate::Answer);
            *self.requests().entry(key).or_default() += 1;
            match fate {
                Fate::Answer if answer(&mut stream) => {}
                Fate::Answer => return,
                Fate::Close(after) => {
                    std::thread::sleep(after);
                    return;
                }
                Fate::Reset => return reset(&stream),
                Fate::Hang => {
                    // Until the client gives up, or the server is dropped.
                    let _ = stream.read(&mut [0]);
                    return;
                }
            }
        }
    }
}

fn answer(stream: &mut TcpStream) -> bool {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_ok()
}

/// Lets the end of the connection be a reset.
fn reset(stream: &TcpStream) {
    let set = SockRef::from(stream).set_linger(Some(Duration::ZERO));
    set.expect("a socket need not linger");
}

/// Method and path of the next request, when all of it has been read.
fn read_request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(request) = parse(&bytes) {
            return Some(request);
        }
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        if bytes.len() > REQUEST_BYTES_MAX {
            return None;
        }
    }
}

fn parse(bytes: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(Some(0), |length| length.parse().ok())?;
    if body.len() < length {
        return None;
    }
    let mut parts = head.split(' ');
    Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
}

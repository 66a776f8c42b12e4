//! Conversations as files: taken from a wire, and played to one of its ends.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use capnp::message::ReaderOptions;
use capnp_rpc::rpc_capnp::message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::spawn_local;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    workers: bool,
    bytes: Vec<u8>,
}

impl Line {
    pub(crate) fn is_workers(&self) -> bool {
        self.workers
    }

    /// Does it hold this text?
    pub(crate) fn says(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    pub(crate) fn is_call(&self) -> bool {
        let mut count = Count::default();
        count.add(&self.bytes);
        count.calls == 1
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recorded/{name}.txt"))
}

/// Is it to be recorded now?
pub(crate) fn recording(name: &str) -> bool {
    std::env::var_os("SWARM_RECORD").is_some() && !path(name).exists()
}

pub(crate) fn write(name: &str, lines: &[Line]) {
    let text = lines.iter().map(|line| {
        let who = if line.workers { "worker" } else { "master" };
        let bytes: String = line.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{who} {bytes}\n")
    });
    std::fs::write(path(name), text.collect::<String>()).unwrap();
}

pub(crate) fn read(name: &str) -> Vec<Line> {
    let text = std::fs::read_to_string(path(name)).unwrap();
    let lines = text.lines().map(|line| {
        let (who, hex) = line.split_once(' ').unwrap();
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes = (0..hex.len()).step_by(2).map(byte).collect();
        Line { workers: who == "worker", bytes }
    });
    lines.collect()
}

/// Between two ends, and remembers what they say in its order.
pub(crate) struct Tap(Rc<RefCell<Vec<Line>>>);

impl Tap {
    /// The worker's end, the master's end, and the tap between them.
    pub(crate) fn between() -> (DuplexStream, DuplexStream, Tap) {
        let (worker, near) = tokio::io::duplex(1 << 20);
        let (far, master) = tokio::io::duplex(1 << 20);
        let lines = Rc::<RefCell<Vec<Line>>>::default();
        let (near_read, near_write) = tokio::io::split(near);
        let (far_read, far_write) = tokio::io::split(far);
        for (workers, mut from, mut to) in
            [(true, near_read, far_write), (false, far_read, near_write)]
        {
            let lines = Rc::clone(&lines);
            spawn_local(async move {
                while let Some(bytes) = next(&mut from).await {
                    lines.borrow_mut().push(Line { workers, bytes: bytes.clone() });
                    if to.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                let _ = to.shutdown().await;
            });
        }
        (worker, master, Tap(lines))
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.0.borrow().clone()
    }
}

/// The next message of a stream, by its own table of segments.
async fn next(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 4];
    from.read_exact(&mut bytes).await.ok()?;
    let segments = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize + 1;
    let table = (4 * (segments + 1)).next_multiple_of(8);
    bytes.resize(table, 0);
    from.read_exact(&mut bytes[4..]).await.ok()?;
    let words = |i: usize| u32::from_le_bytes(bytes[4 * i..4 * i + 4].try_into().unwrap());
    let words: u32 = (1..=segments).map(words).sum();
    bytes.resize(table + 8 * words as usize, 0);
    from.read_exact(&mut bytes[table..]).await.ok()?;
    Some(bytes)
}

/// Calls and answers: what a conversation consists of. How capabilities are released between them
/// is nobody's promise.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    calls: usize,
    answers: usize,
}

impl Count {
    fn add(&mut self, bytes: &[u8]) {
        let reader = capnp::serialize::read_message(bytes, ReaderOptions::new()).unwrap();
        match reader.get_root::<message::Reader<'_>>().unwrap().which() {
            Ok(message::Call(_)) => self.calls += 1,
            Ok(message::Return(_)) => self.answers += 1,
            _ => {}
        }
    }

    fn covers(self, other: Count) -> bool {
        self.calls >= other.calls && self.answers >= other.answers
    }
}

/// Says what one side has said in a record, each time when the other has said as much as it did
/// then. Waits for the last of it; gives the stream back, still open.
pub(crate) async fn play(
    stream: DuplexStream,
    lines: &[Line],
    ours: impl Fn(&Line) -> bool,
) -> DuplexStream {
    let (mut from, mut to) = tokio::io::split(stream);
    let (mut heard, mut due) = (Count::default(), Count::default());
    for line in lines {
        if ours(line) {
            while !heard.covers(due) {
                let bytes = next(&mut from).await.expect("the other side has more to say");
                heard.add(&bytes);
            }
            to.write_all(&line.bytes).await.unwrap();
        } else {
            due.add(&line.bytes);
        }
    }
    while !heard.covers(due) {
        heard.add(&next(&mut from).await.expect("the other side has more to say"));
    }
    from.unsplit(to)
}

/// Says all of it at once, and waits for the end.
pub(crate) async fn shout(stream: DuplexStream, lines: &[Line], ours: impl Fn(&Line) -> bool) {
    let (mut from, mut to) = tokio::io::split(stream);
    for line in lines.iter().filter(|line| ours(line)) {
        if to.write_all(&line.bytes).await.is_err() {
            break;
        }
    }
    while next(&mut from).await.is_some() {}
}

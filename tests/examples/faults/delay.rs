//! A forwarding proxy between a worker and its master that holds bytes back, for kernels that
//! cannot delay packets.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// Pieces that may be on their way in one direction; then the sender waits.
const PIECES_MAX: usize = 1024;
/// Bytes of a piece.
const PIECE_BYTES: usize = 64 * 1024;
/// How often it is looked for a new connection.
const LOOK: Duration = Duration::from_millis(20);

/// The proxy. Dropped, it takes no further connections; those that are there end with their ends.
#[derive(Debug)]
pub(crate) struct Delay {
    port: u16,
    millis: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Delay {
    /// Forwards connections from a free port at `address` to `master`, without delay at first.
    #[track_caller]
    pub(crate) fn start(address: &str, master: SocketAddr) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("the hub has this address");
        listener.set_nonblocking(true).expect("sockets need not block");
        let port = listener.local_addr().expect("it is bound").port();
        let delay = Self { port, millis: Arc::default(), ended: Arc::default() };
        let (millis, ended) = (Arc::clone(&delay.millis), Arc::clone(&delay.ended));
        spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                match listener.accept() {
                    // Not connected to the master, it is closed, as the master's would be.
                    Ok((worker, _)) => drop(forward(&worker, master, &millis)),
                    Err(_) => sleep(LOOK),
                }
            }
        });
        delay
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Holds back what arrives from now on for so long, each way.
    pub(crate) fn set(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).expect("delays are short");
        self.millis.store(millis, Ordering::Relaxed);
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn forward(worker: &TcpStream, master: SocketAddr, millis: &Arc<AtomicU64>) -> std::io::Result<()> {
    worker.set_nonblocking(false)?;
    let master = TcpStream::connect(master)?;
    worker.set_nodelay(true)?;
    master.set_nodelay(true)?;
    for (from, to) in
        [(worker.try_clone()?, master.try_clone()?), (master.try_clone()?, worker.try_clone()?)]
    {
        let (sender, receiver) = sync_channel(PIECES_MAX);
        let millis = Arc::clone(millis);
        spawn(move || read(from, &sender, &millis));
        spawn(move || write(to, &receiver));
    }
    Ok(())
}

type Piece = (Instant, Vec<u8>);

fn read(mut from: TcpStream, sender: &SyncSender<Piece>, millis: &AtomicU64) {
    let mut buffer = vec![0; PIECE_BYTES];
    // An error ends a direction as its regular end does.
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let due = Instant::now() + Duration::from_millis(millis.load(Ordering::Relaxed));
        if sender.send((due, buffer[..length].to_vec())).is_err() {
            return;
        }
    }
}

fn write(mut to: TcpStream, receiver: &Receiver<Piece>) {
    while let Ok((due, bytes)) = receiver.recv() {
        sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    // The other direction may have more to say. It has ended already if this fails.
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_arrive_in_order_and_no_earlier_than_they_may() {
        let master = TcpListener::bind("127.0.0.1:0").unwrap();
        let delay = Delay::start("127.0.0.1", master.local_addr().unwrap());
        let mut worker = TcpStream::connect(("127.0.0.1", delay.port())).unwrap();
        let (mut end, _) = master.accept().unwrap();
        let time = Duration::from_millis(200);
        delay.set(time);
        let begun = Instant::now();
        worker.write_all(b"one ").unwrap();
        let mut byte = [0];
        end.read_exact(&mut byte).unwrap();
        assert!(begun.elapsed() >= time, "{:?}", begun.elapsed());
        delay.set(Duration::ZERO);
        worker.write_all(b"two").unwrap();
        worker.shutdown(Shutdown::Write).unwrap();
        let mut rest = String::new();
        end.read_to_string(&mut rest).unwrap();
        assert_eq!((byte, rest.as_str()), ([b'o'], "ne two"));
        end.write_all(b"back").unwrap();
        drop(end);
        let mut back = String::new();
        worker.read_to_string(&mut back).unwrap();
        assert_eq!(back, "back");
    }
}

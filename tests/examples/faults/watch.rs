//! What is seen while a test runs, several times a second: who is connected to the target, what it
//! has received, and what the page says.
//!
//! Each user of either tool has a connection of its own, which it keeps while it rests. So the
//! connections that the target's kernel holds for established are the users, and nothing that a
//! tool says of itself is needed. Two things are taken away, for nobody acts behind them: the
//! connections of a worker that is frozen, and those that a pulled cable has left behind, of which
//! only one end knows.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use swarm_tests::request;

use crate::cluster::{TARGET_PORT, WORKERS};
use crate::network::Host;
use crate::page::Look;
use crate::series::Point;

/// From one look at the target to the next: the kernel's list of 8,000 connections takes 30 ms.
const LOOK_AT_TARGET: Duration = Duration::from_millis(200);
/// From one look at the page to the next.
const LOOK_AT_PAGE: Duration = Duration::from_millis(100);
/// Looks that are kept: more than the longest test takes.
const LOOKS_MAX: usize = 20_000;
/// As the kernel writes the state of an established connection.
const ESTABLISHED: &str = "01";

/// How a worker's connections count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// As the target has them.
    AtTarget,
    /// Not at all: it is frozen.
    No,
    /// If both ends have them: its cable was pulled.
    AtBoth,
}

/// Two threads that look.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    begun: Instant,
    ended: AtomicBool,
    target: u32,
    workers: Mutex<Vec<(Counted, u32)>>,
    users: Mutex<Vec<Point>>,
    requests: Mutex<Vec<Point>>,
    pages: Mutex<Vec<(Duration, Look)>>,
}

impl Watch {
    /// Looks from now on, at processes by these ids, and at URLs.
    pub(crate) fn start(target: u32, workers: &[u32], counts: String, stats: String) -> Self {
        let shared = Arc::new(Shared {
            begun: Instant::now(),
            ended: AtomicBool::new(false),
            target,
            workers: Mutex::new(workers.iter().map(|pid| (Counted::AtTarget, *pid)).collect()),
            users: Mutex::default(),
            requests: Mutex::default(),
            pages: Mutex::default(),
        });
        let threads = vec![
            every(LOOK_AT_TARGET, &shared, move |shared| shared.look_at_target(&counts)),
            every(LOOK_AT_PAGE, &shared, move |shared| shared.look_at_page(&stats)),
        ];
        Self { shared, threads }
    }

    /// The time since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.shared.begun.elapsed()
    }

    /// Counts a worker's connections otherwise from now on.
    pub(crate) fn count(&self, worker: usize, counted: Counted) {
        lock(&self.shared.workers)[worker].0 = counted;
    }

    /// Another process is this worker from now on.
    pub(crate) fn replaced(&self, worker: usize, pid: u32) {
        lock(&self.shared.workers)[worker] = (Counted::AtTarget, pid);
    }

    /// Users by the target, of all looks so far.
    pub(crate) fn users(&self) -> Vec<Point> {
        lock(&self.shared.users).clone()
    }

    /// Requests at the target, of all looks so far.
    pub(crate) fn requests(&self) -> Vec<Point> {
        lock(&self.shared.requests).clone()
    }

    /// The page, of the looks within a time.
    pub(crate) fn pages(&self, time: &Range<Duration>) -> Vec<(Duration, Look)> {
        let pages = lock(&self.shared.pages);
        pages.iter().filter(|(at, _)| time.contains(at)).cloned().collect()
    }

    /// Waits until users by the target and the page are as wanted and stay so for `calm`, at most
    /// `limit`. Whether they did.
    pub(crate) fn wait(
        &self,
        calm: Duration,
        limit: Duration,
        wanted: impl Fn(u64, &Look) -> bool,
    ) -> bool {
        let begun = Instant::now();
        let mut since = Instant::now();
        loop {
            let users = lock(&self.shared.users).last().map(|point| point.value);
            let page = lock(&self.shared.pages).last().map(|(_, look)| look.clone());
            if !users.zip(page).is_some_and(|(users, page)| wanted(users, &page)) {
                since = Instant::now();
            } else if since.elapsed() >= calm {
                return true;
            }
            if begun.elapsed() > limit {
                return false;
            }
            sleep(LOOK_AT_PAGE);
        }
    }
}

fn every(
    time: Duration,
    shared: &Arc<Shared>,
    look: impl Fn(&Shared) + Send + 'static,
) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    spawn(move || {
        while !shared.ended.load(Ordering::Relaxed) {
            let next = Instant::now() + time;
            look(&shared);
            sleep(next.saturating_duration_since(Instant::now()));
        }
    })
}

/// The threads are not left behind.
impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It has told of its panic already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn look_at_target(&self, counts: &str) {
        let workers = lock(&self.workers).clone();
        if let Some(ends) = connections(self.target) {
            let mut seen = [0; WORKERS];
            let at_target = ends.iter().filter(|(local, _)| local.1 == TARGET_PORT);
            for worker in at_target.filter_map(|(_, remote)| Host::worker_of(remote.0)) {
                seen[worker] += 1;
            }
            let users = workers.iter().zip(seen).map(|((counted, pid), seen)| match counted {
                Counted::AtTarget => seen,
                Counted::No => 0,
                Counted::AtBoth => seen.min(outgoing(*pid)),
            });
            self.keep(&self.users, users.sum());
        }
        if let Ok(answer) = request("GET", counts, &[], "")
            && let Some(total) = answer.json()["total"].as_u64()
        {
            self.keep(&self.requests, total);
        }
    }

    fn look_at_page(&self, stats: &str) {
        // The master may be gone, by our own doing.
        let Ok(answer) = request("GET", stats, &[], "") else { return };
        let value = serde_json::from_str(&answer.body).unwrap_or_default();
        if let Some(look) = Look::of(&value) {
            let mut pages = lock(&self.pages);
            if pages.len() < LOOKS_MAX {
                pages.push((self.begun.elapsed(), look));
            }
        }
    }

    fn keep(&self, points: &Mutex<Vec<Point>>, value: u64) {
        let mut points = lock(points);
        if points.len() < LOOKS_MAX {
            points.push(Point { at: self.begun.elapsed(), value });
        }
    }
}

/// A host's address and a port.
type End = ([u8; 4], u16);

/// Established connections in the network of a process, from its own and the other's end; `None`
/// if the process is gone.
fn connections(pid: u32) -> Option<Vec<(End, End)>> {
    let path = PathBuf::from(format!("/proc/{pid}/net/tcp"));
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().skip(1).filter_map(connection).collect())
}

/// Established connections of a worker's host to the target.
fn outgoing(pid: u32) -> u64 {
    let ends = connections(pid).unwrap_or_default();
    ends.iter().filter(|(_, remote)| remote.1 == TARGET_PORT).count() as u64
}

fn connection(line: &str) -> Option<(End, End)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    if state != ESTABLISHED {
        return None;
    }
    Some((end(local)?, end(remote)?))
}

/// As the kernel writes it: the address in the order of this machine's bytes, the port as a number.
fn end(text: &str) -> Option<End> {
    let (address, port) = text.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?;
    Some((address.to_ne_bytes(), u16::from_str_radix(port, 16).ok()?))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("keeping a look does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn connections_are_seen_as_the_kernel_has_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap();
        let ends = ([127, 0, 0, 1], client.local_addr().unwrap().port());
        let seen = || {
            let all = connections(std::process::id()).unwrap();
            all.iter().filter(|(local, remote)| *local == ends || *remote == ends).count()
        };
        assert_eq!(seen(), 2, "both ends are here");
        drop((client, server));
        assert_eq!(seen(), 0);
        assert_eq!(connections(0), None);
    }
}

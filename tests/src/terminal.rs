//! A terminal for a child to print to, and what a person would see on it.

use std::fs::File;
use std::io::Read;
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use nix::pty::{Winsize, openpty};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vt100::Parser;

use crate::process::Streams;

/// Lines that have left the screen at its top and are still there to be read.
const SCROLLBACK_MAX: usize = 2000;

/// How long it takes at most until hanging up is noticed.
const LOOK_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// A terminal. Dropped, it hangs up, as when its window is closed.
#[derive(Debug)]
pub struct Terminal {
    child_end: OwnedFd,
    seen: Arc<Mutex<Seen>>,
    /// Owns our end.
    reading: Option<JoinHandle<()>>,
}

struct Seen {
    parser: Parser,
    bytes: Vec<u8>,
    hung_up: bool,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Terminal {
    /// A terminal of this size.
    ///
    /// # Panics
    ///
    /// The system has none to give.
    #[must_use]
    pub fn new(columns: u16, rows: u16) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).expect("the system has terminals");
        let some = |size| NonZeroU16::new(size).expect("a terminal has rows and columns");
        let parser = Parser::new(some(rows), some(columns), SCROLLBACK_MAX);
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new(), hung_up: false }));
        let reading = std::thread::spawn({
            let seen = Arc::clone(&seen);
            move || read(&File::from(pair.master), &seen)
        });
        Self { child_end: pair.slave, seen, reading: Some(reading) }
    }

    /// It as standard output and standard error of a child.
    ///
    /// # Panics
    ///
    /// There are too many open files.
    #[must_use]
    pub fn streams(&self) -> Streams {
        let end = || Stdio::from(self.child_end.try_clone().expect("a file can be open twice"));
        Streams { out: Some(end()), err: Some(end()) }
    }

    /// What is on its screen now.
    #[must_use]
    pub fn screen(&self) -> String {
        self.seen().parser.screen().contents()
    }

    /// Everything that was written to it, with what controls it.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen().bytes).into_owned()
    }

    /// Hangs up: whoever prints to it gets an error.
    ///
    /// # Panics
    ///
    /// What was printed could not be understood.
    pub fn hang_up(&mut self) {
        self.seen().hung_up = true;
        if let Some(reading) = self.reading.take() {
            reading.join().expect("what is printed can be shown");
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("looking at it does not panic")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- terminal ---\n{}\n---", self.screen());
        }
        self.hang_up();
    }
}

/// Reads until it is hung up.
fn read(from: &File, seen: &Mutex<Seen>) {
    let mut bytes = [0; 4096];
    loop {
        let mut watched = [PollFd::new(from, PollFlags::IN)];
        let ready = poll(&mut watched, Some(&LOOK_INTERVAL)).unwrap_or(0);
        let mut seen = seen.lock().expect("looking at it does not panic");
        if seen.hung_up {
            return;
        }
        let mut from = from;
        if ready > 0
            && let Ok(count) = from.read(&mut bytes)
        {
            seen.parser.process(&bytes[..count]);
            seen.bytes.extend_from_slice(&bytes[..count]);
        }
    }
}

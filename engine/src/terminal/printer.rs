//! The thread that writes a stream. Whoever prints hands over a text and never waits: what a
//! reader does, or does not do, reaches neither load nor control.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::queue::{BYTES_MAX, Item, Queue};
use super::screen::Screen;

/// Bytes that are written at a time. Up to so many a pipe takes whole, so that the lines of
/// processes which share one do not mix.
const WRITE_BYTES_MAX: usize = 4096;

/// How often a stream that does not take anything, and says so, is asked again.
const POLL_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The size that is taken for a terminal which does not tell it: columns and rows.
const SIZE: (usize, usize) = (80, 24);

/// Says that the stream cannot be written, for people. Called once, on the printer's thread.
pub(super) type Tell = Box<dyn Fn(&io::Error) + Send>;

/// A stream and its thread.
#[derive(Debug, Clone)]
pub(super) struct Printer {
    shared: Arc<Shared>,
    is_terminal: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    file: File,
}

#[derive(Debug, Default)]
struct State {
    queue: Queue,
    /// The thread is busy with what it has taken.
    writing: bool,
    /// Bytes that have been written so far.
    written: u64,
    /// Nobody will ever read it again.
    gone: bool,
    /// Nothing was taken for too long when so many bytes had been written: nobody waits again
    /// until there is one more.
    stalled_at: Option<u64>,
}

impl Printer {
    /// Starts the thread of a stream.
    ///
    /// # Errors
    /// When there is no thread.
    pub(super) fn start(file: File, name: &str, tell: Tell) -> io::Result<Self> {
        // One that cannot move its cursor is as good as a file.
        let is_dumb = std::env::var_os("TERM").is_some_and(|kind| kind == "dumb");
        let is_terminal = io::IsTerminal::is_terminal(&file) && !is_dumb;
        let state = Mutex::new(State::default());
        let shared = Arc::new(Shared { state, changed: Condvar::new(), file });
        let thread = Writer {
            shared: Arc::clone(&shared),
            screen: is_terminal.then(Screen::default),
            tell: Some(tell),
            mid_line: false,
            torn: false,
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(move || thread.run())?;
        Ok(Self { shared, is_terminal })
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Columns and rows, of a terminal.
    pub(super) fn size(&self) -> Option<(usize, usize)> {
        self.is_terminal.then(|| size(&self.shared.file))
    }

    /// Adds a text. Never waits.
    pub(super) fn print(&self, text: String) {
        let mut state = self.shared.lock();
        if !state.gone {
            state.queue.push(text);
            self.shared.changed.notify_all();
        }
    }

    /// Sets the lines below all text, which only a terminal shows. Never waits.
    pub(super) fn live(&self, lines: Vec<String>) {
        let mut state = self.shared.lock();
        if !state.gone && self.is_terminal {
            state.queue.set_live(lines);
            self.shared.changed.notify_all();
        }
    }

    /// Waits until all has been written. Gives up when nothing is taken for `stall_max`, and after
    /// `total_max` in any case, and is `false` then.
    pub(super) fn drain(&self, stall_max: Duration, total_max: Duration) -> bool {
        self.wait(stall_max, total_max, |state| state.queue.is_empty() && !state.writing)
    }

    /// Waits until half of the queue is free, as [`Self::drain`].
    pub(super) fn make_room(&self, stall_max: Duration, total_max: Duration) -> bool {
        self.wait(stall_max, total_max, |state| state.queue.bytes() <= BYTES_MAX / 2)
    }

    fn wait(
        &self,
        stall_max: Duration,
        total_max: Duration,
        done: impl Fn(&State) -> bool,
    ) -> bool {
        let begin = Instant::now();
        let mut state = self.shared.lock();
        let (mut written, mut since) = (state.written, begin);
        while !state.gone && !done(&state) {
            let now = Instant::now();
            if std::mem::replace(&mut written, state.written) != state.written {
                since = now;
            }
            let left = (since + stall_max).min(begin + total_max).saturating_duration_since(now);
            if left.is_zero() || state.stalled_at == Some(state.written) {
                state.stalled_at = Some(state.written);
                return false;
            }
            let woken = self.shared.changed.wait_timeout(state, left);
            (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}

impl Shared {
    /// A panic elsewhere is about to be printed: that one has held the lock is no reason not to.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Writer {
    shared: Arc<Shared>,
    /// Of a terminal.
    screen: Option<Screen>,
    /// `None` when it has been told.
    tell: Option<Tell>,
    /// What was written last did not end with its line.
    mid_line: bool,
    /// Because the rest of it could not be written.
    torn: bool,
}

impl Writer {
    fn run(mut self) {
        loop {
            let item = self.next();
            let mut bytes = self.bytes(&item);
            if std::mem::take(&mut self.torn) {
                bytes.insert(0, '\n');
            }
            if let Err(error) = self.write(bytes.as_bytes()) {
                self.failed(&item, &error);
            }
            self.shared.lock().writing = false;
            self.shared.changed.notify_all();
        }
    }

    fn next(&self) -> Item {
        let mut state = self.shared.lock();
        loop {
            if let Some(item) = state.queue.pop() {
                state.writing = true;
                return item;
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn bytes(&mut self, item: &Item) -> String {
        match (item, &mut self.screen) {
            (Item::Text { left_out, text }, screen) => {
                let text = match left_out {
                    0 => text.clone(),
                    count => format!("[... {count} lines were left out ...]\n{text}"),
                };
                match screen {
                    Some(screen) => screen.text(&text, size(&self.shared.file).0),
                    None => text,
                }
            }
            (Item::Live(lines), Some(screen)) => {
                screen.live(lines.clone(), size(&self.shared.file).0)
            }
            (Item::Live(_), None) => String::new(),
        }
    }

    /// Writes all of it, for as long as that takes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let mut file = &shared.file;
        let mut rest = bytes;
        while !rest.is_empty() {
            match file.write(&rest[..rest.len().min(WRITE_BYTES_MAX)]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.mid_line = rest[count - 1] != b'\n';
                    rest = &rest[count..];
                    shared.lock().written += count as u64;
                    shared.changed.notify_all();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Whoever shares the stream has set it so.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut watched = [PollFd::from_borrowed_fd(file.as_fd(), PollFlags::OUT)];
                    // Asked again in any case.
                    let _ = poll(&mut watched, Some(&POLL_INTERVAL));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// That is an event and not a fault: what is printed is lost, and all else goes on.
    fn failed(&mut self, item: &Item, error: &io::Error) {
        self.torn = self.mid_line;
        {
            let mut state = self.shared.lock();
            match error.kind() {
                // A full disk may have room later.
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    if let Item::Text { left_out, text } = item {
                        state.queue.leave_out(*left_out, text);
                    }
                }
                _ => {
                    state.gone = true;
                    state.queue.clear();
                }
            }
        }
        if let Some(tell) = self.tell.take() {
            tell(error);
        }
    }
}

fn size(file: &File) -> (usize, usize) {
    match rustix::termios::tcgetwinsize(file) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            (usize::from(size.ws_col), usize::from(size.ws_row))
        }
        _ => SIZE,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(50);

    fn printer() -> (io::PipeReader, Printer, mpsc::Receiver<ErrorKind>) {
        let (reader, writer) = io::pipe().unwrap();
        let (told, tells) = mpsc::channel();
        let tell = move |error: &io::Error| told.send(error.kind()).unwrap();
        let file = File::from(OwnedFd::from(writer));
        (reader, Printer::start(file, "test", Box::new(tell)).unwrap(), tells)
    }

    #[test]
    fn all_is_written_and_waited_for() {
        let (mut reader, printer, _) = printer();
        assert!(!printer.is_terminal() && printer.size().is_none());
        printer.live(vec!["is for terminals".into()]);
        printer.print("one\n".into());
        printer.print("two\n".into());
        assert!(printer.drain(LONG, LONG));
        let mut said = [0; 8];
        reader.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"one\ntwo\n");
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_nobody_up() {
        let (mut reader, printer, _) = printer();
        let line = format!("{}\n", "x".repeat(999));
        // Several times what pipe and queue take.
        for _ in 0..5_000 {
            printer.print(line.clone());
        }
        assert!(!printer.make_room(SHORT, LONG));
        assert!(!printer.drain(LONG, LONG), "it is not waited for a second time");
        printer.print("the end\n".into());
        // And whoever begins to read gets what was kept, and is told how much is missing.
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            let mut bytes = [0; 4096];
            while !text.ends_with("the end\n") {
                let count = reader.read(&mut bytes).unwrap();
                text += str::from_utf8(&bytes[..count]).unwrap();
            }
            text
        });
        printer.drain(LONG, LONG);
        let text = reading.join().unwrap();
        let gaps = text.lines().filter(|line| line.contains("left out"));
        let missing: usize =
            gaps.map(|gap| gap.split(' ').nth(1).unwrap().parse::<usize>().unwrap()).sum();
        assert!(missing > 3_000, "{missing}");
        assert_eq!(text.lines().filter(|line| line.starts_with('x')).count() + missing, 5_000);
    }

    #[test]
    fn a_reader_that_goes_away_is_told_once() {
        let (reader, printer, tells) = printer();
        drop(reader);
        printer.print("one\n".into());
        assert_eq!(tells.recv().unwrap(), ErrorKind::BrokenPipe);
        printer.drain(LONG, LONG);
        printer.print("two\n".into());
        printer.drain(LONG, LONG);
        assert!(tells.try_recv().is_err());
    }

    #[test]
    fn a_full_disk_is_tried_again() {
        let (told, tells) = mpsc::channel();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let tell = move |error: &io::Error| told.send(error.kind()).unwrap();
        let printer = Printer::start(full, "test", Box::new(tell)).unwrap();
        printer.print("one\n".into());
        printer.print("two\n".into());
        printer.drain(LONG, LONG);
        assert_eq!(tells.recv().unwrap(), ErrorKind::StorageFull);
        let state = printer.shared.lock();
        assert!(!state.gone && state.queue.is_empty());
    }
}

//! What a process prints, line by line, as it comes.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Lines kept from the start, where addresses are.
const FIRST_MAX: usize = 500;
/// Lines kept from the end, where the trouble is.
const LAST_MAX: usize = 2000;
/// Bytes of a line; a longer one is kept as several.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// How long a stream may stay open when its process has ended.
const END_MAX: Duration = Duration::from_secs(5);

/// The lines of one stream of a process, which a thread reads. When there are very many, those
/// in the middle are left out.
#[derive(Debug)]
pub struct Lines {
    kept: Arc<(Mutex<Kept>, Condvar)>,
}

#[derive(Debug, Default)]
struct Kept {
    first: Vec<String>,
    last: VecDeque<String>,
    left_out: usize,
    /// The stream has ended.
    ended: bool,
}

impl Kept {
    fn push(&mut self, line: String) {
        if self.first.len() < FIRST_MAX {
            self.first.push(line);
            return;
        }
        if self.last.len() == LAST_MAX {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(line);
    }

    fn find(&self, text: &str) -> Option<String> {
        self.first.iter().chain(&self.last).find(|line| line.contains(text)).cloned()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut add = |line: &str| text.extend([line, "\n"]);
        self.first.iter().for_each(|line| add(line));
        if self.left_out > 0 {
            add(&format!("... {} lines left out ...", self.left_out));
        }
        self.last.iter().for_each(|line| add(line));
        text
    }
}

impl Lines {
    /// Starts to read a stream, until it ends.
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let kept = Arc::new((Mutex::<Kept>::default(), Condvar::new()));
        let shared = Arc::clone(&kept);
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            while let Some(line) = next(&mut stream) {
                lock(&shared.0).push(line);
                shared.1.notify_all();
            }
            lock(&shared.0).ended = true;
            shared.1.notify_all();
        });
        Self { kept }
    }

    /// Waits for a line that contains `text`. `None` when the stream has ended or the time is up
    /// without one.
    pub fn wait_for(&self, text: &str, timeout: Duration) -> Option<String> {
        let start = Instant::now();
        let mut kept = lock(&self.kept.0);
        loop {
            if let Some(line) = kept.find(text) {
                return Some(line);
            }
            let left = timeout.checked_sub(start.elapsed()).filter(|_| !kept.ended)?;
            let waited = self.kept.1.wait_timeout(kept, left);
            kept = waited.expect("keeping a line does not panic").0;
        }
    }

    /// The first line that contains `text`, if it is there by now.
    pub fn find(&self, text: &str) -> Option<String> {
        lock(&self.kept.0).find(text)
    }

    /// All lines kept so far.
    pub fn text(&self) -> String {
        lock(&self.kept.0).text()
    }

    /// Waits for the end of the stream, which comes with the end of the process - unless that
    /// has left children behind, which are not waited for longer than [`END_MAX`].
    pub(crate) fn finish(&self) {
        let kept = lock(&self.kept.0);
        let ended = self.kept.1.wait_timeout_while(kept, END_MAX, |kept| !kept.ended);
        drop(ended.expect("keeping a line does not panic"));
    }
}

/// The next line without its end, or a part of a very long one.
fn next(stream: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    // A stream that cannot be read any more has ended as well.
    let read = stream.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).unwrap_or(0);
    (read > 0).then(|| String::from_utf8_lossy(line.trim_ascii_end()).into_owned())
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().expect("keeping a line does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_as_soon_as_they_are_there() {
        let (mut writer, reader) = std::os::unix::net::UnixStream::pair()
            .map(|(writer, reader)| (writer, Lines::of(reader)))
            .unwrap();
        std::io::Write::write_all(&mut writer, b"one\ntwo two\r\nthr").unwrap();
        assert_eq!(reader.wait_for("two", Duration::from_secs(60)).as_deref(), Some("two two"));
        assert_eq!(reader.find("thr"), None, "this line is not complete");
        drop(writer);
        // Long before the time is up: the stream has ended.
        assert_eq!(reader.wait_for("four", Duration::from_secs(3600)), None);
        assert_eq!(reader.text(), "one\ntwo two\nthr\n");
    }

    #[test]
    fn very_many_lines_lose_their_middle() {
        let all: String = (0..FIRST_MAX + LAST_MAX + 7).map(|n| format!("line {n}\n")).collect();
        let lines = Lines::of(std::io::Cursor::new(all));
        lines.finish();
        let text = lines.text();
        assert_eq!(text.lines().count(), FIRST_MAX + LAST_MAX + 1);
        assert!(text.contains("... 7 lines left out ..."));
        assert!(lines.find("line 0").is_some() && lines.find("line 2506").is_some());
        assert_eq!(lines.find("line 506"), None, "it was left out");
        assert_eq!(lines.find("line 507").as_deref(), Some("line 507"));
    }
}

//! What a process prints, line by line, as it comes.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard};

/// Lines kept from the start, where addresses are.
const FIRST_MAX: usize = 500;
/// Lines kept from the end, where the trouble is.
const LAST_MAX: usize = 2000;
/// Bytes of a line; a longer one is kept as several.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The lines of one stream of a process. When there are very many, those in the middle are left
/// out.
///
/// The process writes to a file and not to a pipe: what it has written is there to be read at
/// once, whoever looks. A reader of a pipe may be late, and a test that asks for a line that is
/// sure to be written by now would fail on a busy machine.
#[derive(Debug)]
pub struct Lines {
    file: File,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    first: Vec<String>,
    last: VecDeque<String>,
    left_out: usize,
    /// Bytes read so far.
    read: u64,
    /// The start of a line that has no end yet.
    partial: Vec<u8>,
}

impl Kept {
    /// Reads what has been written since.
    fn read_on(&mut self, file: &File) {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = file.read_at(&mut buffer, self.read).expect("the file is ours to read");
            if read == 0 {
                return;
            }
            self.read += read as u64;
            for &byte in &buffer[..read] {
                if byte == b'\n' || self.partial.len() == LINE_BYTES_MAX {
                    self.end_line();
                }
                if byte != b'\n' {
                    self.partial.push(byte);
                }
            }
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(self.partial.trim_ascii_end()).into_owned();
        self.partial.clear();
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
    /// A stream without a line, and what a process writes to it with.
    ///
    /// # Panics
    ///
    /// There is no place for temporary files.
    pub(crate) fn new() -> (Self, Stdio) {
        // It has no name, and is gone with the last who has it open. Both ends share its position,
        // which reading at a place of its own neither needs nor moves.
        let file = tempfile::tempfile().expect("there is a folder for temporary files");
        let writer = file.try_clone().expect("a file can be open twice");
        (Self { file, kept: Mutex::default() }, Stdio::from(writer))
    }

    /// The first line that contains `text`, if it has been written by now.
    pub fn find(&self, text: &str) -> Option<String> {
        self.kept().find(text)
    }

    /// All lines written so far.
    pub fn text(&self) -> String {
        self.kept().text()
    }

    /// What was written last without the end of a line is a line too: the process has ended.
    pub(crate) fn finish(&self) {
        let mut kept = self.kept();
        if !kept.partial.is_empty() {
            kept.end_line();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        let mut kept = self.kept.lock().expect("keeping a line does not panic");
        kept.read_on(&self.file);
        kept
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::Command;

    use super::*;

    /// Lines, and a process that writes everything it is given to them.
    fn copied(text: &str) -> Lines {
        let (lines, stream) = Lines::new();
        let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(stream).spawn().unwrap();
        cat.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(cat.wait().unwrap().success());
        lines
    }

    #[test]
    fn lines_are_there_as_soon_as_they_are_complete() {
        let lines = copied("one\ntwo two\r\nthr");
        assert_eq!(lines.find("two").as_deref(), Some("two two"));
        assert_eq!(lines.find("thr"), None, "this line is not complete");
        lines.finish();
        assert_eq!(lines.text(), "one\ntwo two\nthr\n");
    }

    #[test]
    fn very_many_lines_lose_their_middle() {
        let all: String = (0..FIRST_MAX + LAST_MAX + 7).map(|n| format!("line {n}\n")).collect();
        let lines = copied(&all);
        let text = lines.text();
        assert_eq!(text.lines().count(), FIRST_MAX + LAST_MAX + 1);
        assert!(text.contains("... 7 lines left out ..."));
        assert!(lines.find("line 0").is_some() && lines.find("line 2506").is_some());
        assert_eq!(lines.find("line 506"), None, "it was left out");
        assert_eq!(lines.find("line 507").as_deref(), Some("line 507"));
    }

    #[test]
    fn a_very_long_line_is_kept_as_several() {
        let lines = copied(&format!("{}\n", "x".repeat(LINE_BYTES_MAX + 1)));
        assert_eq!(lines.text(), format!("{}\nx\n", "x".repeat(LINE_BYTES_MAX)));
    }
}

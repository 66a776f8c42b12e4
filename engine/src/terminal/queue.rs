//! What waits to be written to a stream: bounded, the oldest first, and what had to be left out is
//! counted. Pure: the thread that writes is in `printer`.

use std::collections::VecDeque;

/// Most bytes that wait. The newest stay: when a reader comes back, the end of a test matters
/// more than its middle.
pub(super) const BYTES_MAX: usize = 1 << 20;

/// What is to be written next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Text to be added, and how many lines are missing before it.
    Text { left_out: u64, text: String },
    /// The lines below all text, in place of those before.
    Live(Vec<String>),
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    texts: VecDeque<String>,
    bytes: usize,
    /// Lines left out since that was told last.
    left_out: u64,
    live: Option<Vec<String>>,
}

impl Queue {
    /// Adds a text. What has waited longest is left out when there is too much.
    pub(super) fn push(&mut self, text: String) {
        if text.is_empty() {
            return;
        }
        self.bytes += text.len();
        self.texts.push_back(text);
        // One text is kept whatever its size.
        while self.bytes > BYTES_MAX && self.texts.len() > 1 {
            let Some(oldest) = self.texts.pop_front() else { return };
            self.bytes -= oldest.len();
            self.leave_out(0, &oldest);
        }
    }

    /// A text that could not be written, nor that lines are missing before it.
    pub(super) fn leave_out(&mut self, before: u64, text: &str) {
        self.left_out += before + lines(text);
    }

    /// Sets the lines below all text. Only the newest count.
    pub(super) fn set_live(&mut self, lines: Vec<String>) {
        self.live = Some(lines);
    }

    /// Takes what is to be written next.
    pub(super) fn pop(&mut self) -> Option<Item> {
        if let Some(text) = self.texts.pop_front() {
            self.bytes -= text.len();
            return Some(Item::Text { left_out: std::mem::take(&mut self.left_out), text });
        }
        self.live.take().map(Item::Live)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Does nothing wait?
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.live.is_none()
    }
}

fn lines(text: &str) -> u64 {
    let ended = text.bytes().filter(|&byte| byte == b'\n').count();
    let open = usize::from(!text.ends_with('\n'));
    (ended + open) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(queue: &mut Queue) -> (u64, String) {
        match queue.pop() {
            Some(Item::Text { left_out, text }) => (left_out, text),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn texts_come_in_order_and_then_the_newest_live_lines() {
        let mut queue = Queue::default();
        queue.set_live(vec!["old".into()]);
        queue.push("one\n".into());
        queue.push(String::new());
        queue.push("two\n".into());
        queue.set_live(vec!["new".into()]);
        assert_eq!(text(&mut queue), (0, "one\n".into()));
        assert_eq!(text(&mut queue), (0, "two\n".into()));
        assert_eq!(queue.pop(), Some(Item::Live(vec!["new".into()])));
        assert_eq!(queue.pop(), None);
        assert!(queue.is_empty() && queue.bytes() == 0);
    }

    #[test]
    fn the_oldest_are_left_out_counted_and_told_where_they_are_missing() {
        let mut queue = Queue::default();
        let line = format!("{}\n", "x".repeat(1023));
        for _ in 0..BYTES_MAX / 1024 + 5 {
            queue.push(line.clone());
        }
        assert_eq!(queue.bytes(), BYTES_MAX);
        assert_eq!(text(&mut queue), (5, line.clone()));
        assert_eq!(text(&mut queue), (0, line));
    }

    #[test]
    fn a_text_beyond_the_limit_is_kept_when_it_is_the_newest() {
        let mut queue = Queue::default();
        queue.push("first\nsecond\n".into());
        let long = "y".repeat(2 * BYTES_MAX);
        queue.push(long.clone());
        assert_eq!(text(&mut queue), (2, long));
    }

    #[test]
    fn what_could_not_be_written_is_told_with_the_next_text() {
        let mut queue = Queue::default();
        queue.leave_out(3, "a\nb");
        assert_eq!(queue.pop(), None, "there is nothing to tell it with");
        queue.push("c\n".into());
        assert_eq!(text(&mut queue), (5, "c\n".into()));
    }
}

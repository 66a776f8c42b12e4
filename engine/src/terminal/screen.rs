//! A few live lines at the bottom of a terminal that are replaced in place, with text going by
//! above them. Pure: it says which bytes to write.

use unicode_width::UnicodeWidthStr;

/// Clears from the cursor to the end of the screen.
const CLEAR_BELOW: &str = "\x1b[J";

/// The live lines that a terminal shows.
#[derive(Debug, Default)]
pub(super) struct Screen {
    live: Vec<String>,
    /// The last text had no line break at its end.
    open_line: bool,
}

impl Screen {
    /// Adds text above the live lines. `columns` is the terminal's width now.
    pub(super) fn text(&mut self, text: &str, columns: usize) -> String {
        let mut out = self.erase(columns);
        out += text;
        self.open_line = !text.ends_with('\n');
        // Live lines behind half a line would be torn apart from it by the next text.
        if self.open_line {
            self.live.clear();
        } else {
            self.draw(&mut out);
        }
        out
    }

    /// Replaces the live lines.
    pub(super) fn live(&mut self, lines: Vec<String>, columns: usize) -> String {
        let mut out = self.erase(columns);
        self.live = lines;
        if self.open_line && !self.live.is_empty() {
            out.push('\n');
            self.open_line = false;
        }
        self.draw(&mut out);
        out
    }

    /// Moves to the first of the live lines, and clears them. A line that has become wider than the
    /// terminal takes several rows.
    fn erase(&self, columns: usize) -> String {
        let columns = columns.max(1);
        let rows = |line: &String| width(line).div_ceil(columns).max(1);
        match self.live.iter().map(rows).sum::<usize>() {
            0 => String::new(),
            rows => format!("\r\x1b[{rows}A{CLEAR_BELOW}"),
        }
    }

    fn draw(&self, out: &mut String) {
        for line in &self.live {
            out.push_str(line);
            out.push('\n');
        }
    }
}

/// Columns that a line takes, its colours left out.
fn width(line: &str) -> usize {
    anstream::adapter::strip_str(line).to_string().width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_lines_are_replaced_and_text_goes_by_above_them() {
        let mut screen = Screen::default();
        let lines = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        assert_eq!(screen.text("log\n", 80), "log\n");
        assert_eq!(screen.live(lines(&["a", "b"]), 80), "a\nb\n");
        assert_eq!(screen.text("more\n", 80), "\r\x1b[2A\x1b[Jmore\na\nb\n");
        assert_eq!(screen.live(lines(&["c"]), 80), "\r\x1b[2A\x1b[Jc\n");
        assert_eq!(screen.live(Vec::new(), 80), "\r\x1b[1A\x1b[J");
        assert_eq!(screen.text("end\n", 80), "end\n");
    }

    #[test]
    fn lines_that_a_narrower_terminal_wraps_take_more_rows() {
        let mut screen = Screen::default();
        screen.live(vec!["x".repeat(100), "\x1b[31mred\x1b[0m".into()], 120);
        assert_eq!(screen.live(Vec::new(), 40), "\r\x1b[4A\x1b[J", "three rows and one");
    }

    #[test]
    fn half_a_line_is_not_torn_apart() {
        let mut screen = Screen::default();
        screen.live(vec!["a".into()], 80);
        assert_eq!(screen.text("half", 80), "\r\x1b[1A\x1b[Jhalf");
        assert_eq!(screen.text(" and half\n", 80), " and half\n");
        screen.text("half", 80);
        assert_eq!(screen.live(vec!["b".into()], 80), "\nb\n");
    }
}

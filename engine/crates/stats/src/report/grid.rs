//! Columns side by side, as wide as they need to be or as a terminal lets them.

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns between two cells.
const GAP: usize = 2;

/// A column that is cut or wrapped keeps so much, however narrow the terminal is.
const FLEXIBLE_WIDTH_MIN: usize = 12;

/// Where a cell's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    /// Right, with a bar behind the column.
    Bar,
}

/// What becomes of a column when there is not room for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It stays as it is.
    Keep,
    /// It is left out, the lowest number first.
    Drop(u8),
    /// Its texts lose their middle.
    Cut,
    /// Its texts go on in the next line.
    Wrap,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    title: String,
    align: Align,
    fit: Fit,
}

impl Column {
    pub(super) fn new(title: impl Into<String>, align: Align, fit: Fit) -> Self {
        Self { title: title.into(), align, fit }
    }
}

/// A text, and how it looks where there are colours.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(super) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    pub(super) fn bold(self) -> Self {
        Self { style: self.style.bold(), ..self }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, style: Style::new() }
    }
}

/// A table.
#[derive(Debug)]
pub(super) struct Grid {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// Rows below a second line: the aggregate.
    pub(super) footer: Vec<Vec<Cell>>,
}

impl Grid {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new(), footer: Vec::new() }
    }

    /// The table as text, at most `width_max` columns wide if that can be done.
    pub(super) fn render(&self, width_max: Option<usize>, styled: bool) -> String {
        let widths = self.widths(width_max);
        let bold = if styled { Style::new().bold() } else { Style::new() };
        let titles = self.columns.iter().map(|column| Cell::styled(&column.title, bold));
        let titles: Vec<_> = titles.collect();
        let rule = vec![Cell::from(String::new()); self.columns.len()];
        let mut text = self.line(&titles, &widths, ' ', styled);
        let rule = self.line(&rule, &widths, '-', false);
        text += &rule;
        for row in &self.rows {
            text += &self.lines(row, &widths, styled);
        }
        if !self.footer.is_empty() {
            text += &rule;
        }
        for row in &self.footer {
            text += &self.lines(row, &widths, styled);
        }
        text
    }

    /// The width of each column; `None` for one that is left out.
    fn widths(&self, width_max: Option<usize>) -> Vec<Option<usize>> {
        let natural = |at: usize| {
            let cells = self.rows.iter().chain(&self.footer).map(|row| row[at].text.width());
            cells.fold(self.columns[at].title.width(), usize::max)
        };
        let mut widths: Vec<_> = (0..self.columns.len()).map(|at| Some(natural(at))).collect();
        let Some(width_max) = width_max else { return widths };
        while self.total(&widths) > width_max {
            self.shrink(&mut widths, width_max);
            if self.total(&widths) <= width_max {
                break;
            }
            let dropped = (0..widths.len()).filter(|&at| widths[at].is_some());
            let rank = |at: &usize| match self.columns[*at].fit {
                Fit::Drop(rank) => Some(rank),
                _ => None,
            };
            let Some(next) = dropped.filter(|at| rank(at).is_some()).min_by_key(rank) else {
                break;
            };
            // What was cut may be whole again without it.
            for (at, column) in self.columns.iter().enumerate() {
                if matches!(column.fit, Fit::Cut | Fit::Wrap) {
                    widths[at] = Some(natural(at));
                }
            }
            widths[next] = None;
        }
        self.tighten(&mut widths);
        widths
    }

    /// Wrapped texts may end before their column does.
    fn tighten(&self, widths: &mut [Option<usize>]) {
        for (at, column) in self.columns.iter().enumerate() {
            let Some(width) = widths[at].filter(|_| column.fit == Fit::Wrap) else { continue };
            let texts = self.rows.iter().chain(&self.footer).map(|row| &row[at].text);
            let lines = texts.flat_map(|text| wrapped(text, width));
            let widest = lines.map(|line| line.width()).max().unwrap_or(0);
            widths[at] = Some(widest.max(column.title.width()).min(width));
        }
    }

    /// Takes from the columns that can be cut or wrapped what is too much, from the widest first.
    fn shrink(&self, widths: &mut [Option<usize>], width_max: usize) {
        let mut excess = self.total(widths).saturating_sub(width_max);
        while excess > 0 {
            let flexible =
                self.columns.iter().zip(widths.iter_mut()).filter_map(|(column, width)| {
                    let width = width.as_mut()?;
                    let least = FLEXIBLE_WIDTH_MIN.max(column.title.width());
                    (matches!(column.fit, Fit::Cut | Fit::Wrap) && *width > least).then_some(width)
                });
            let Some(widest) = flexible.max_by_key(|width| **width) else { return };
            *widest -= 1;
            excess -= 1;
        }
    }

    fn total(&self, widths: &[Option<usize>]) -> usize {
        let bar = |column: &Column| if column.align == Align::Bar { 2 } else { 0 };
        let columns = self.columns.iter().zip(widths);
        let shown = columns.filter_map(|(column, width)| Some((*width)? + bar(column) + GAP));
        shown.sum::<usize>().saturating_sub(GAP)
    }

    /// A row, in as many lines as its longest text takes.
    fn lines(&self, row: &[Cell], widths: &[Option<usize>], styled: bool) -> String {
        let fitted = row.iter().zip(widths).zip(&self.columns).map(|((cell, width), column)| {
            let parts = match (width, column.fit) {
                (Some(width), Fit::Cut) => vec![cut_middle(&cell.text, *width)],
                (Some(width), Fit::Wrap) => wrapped(&cell.text, *width),
                _ => vec![cell.text.clone()],
            };
            (parts, cell.style)
        });
        let fitted: Vec<_> = fitted.collect();
        let height = fitted.iter().map(|(parts, _)| parts.len()).max().unwrap_or(1);
        let line = |at: usize| {
            let cells = fitted.iter().map(|(parts, style)| {
                Cell::styled(parts.get(at).cloned().unwrap_or_default(), *style)
            });
            self.line(&cells.collect::<Vec<_>>(), widths, ' ', styled)
        };
        (0..height).map(line).collect()
    }

    fn line(&self, cells: &[Cell], widths: &[Option<usize>], fill: char, styled: bool) -> String {
        let mut line = String::new();
        let shown = cells.iter().zip(widths).zip(&self.columns);
        let shown = shown.filter_map(|((cell, width), column)| Some((cell, (*width)?, column)));
        for (position, (cell, width, column)) in shown.enumerate() {
            if position > 0 {
                line.extend([fill; GAP]);
            }
            let style = if styled { cell.style } else { Style::new() };
            let text = if cell.text.is_empty() {
                String::new()
            } else {
                format!("{style}{}{style:#}", cell.text)
            };
            let padding = std::iter::repeat_n(fill, width.saturating_sub(cell.text.width()));
            if column.align == Align::Left {
                line.push_str(&text);
                line.extend(padding);
            } else {
                line.extend(padding);
                line.push_str(&text);
            }
            if column.align == Align::Bar {
                line.extend([fill, '|']);
            }
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
}

/// A text without its middle, so that it takes at most `width_max` columns.
pub(super) fn cut_middle(text: &str, width_max: usize) -> String {
    if text.width() <= width_max {
        return text.to_owned();
    }
    let room = width_max.saturating_sub(1);
    let head = prefix(text.chars(), room.div_ceil(2));
    let tail: String = prefix(text.chars().rev(), room / 2).chars().rev().collect();
    format!("{head}…{tail}")
}

/// The first characters, as many as take at most `width_max` columns.
fn prefix(characters: impl Iterator<Item = char>, width_max: usize) -> String {
    let mut width = 0;
    let fits = |character: &char| {
        width += character.width().unwrap_or(0);
        width <= width_max
    };
    characters.take_while(fits).collect()
}

/// A text in lines of at most `width_max` columns, broken between words where there are some.
fn wrapped(text: &str, width_max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word.to_owned();
        loop {
            let line = lines.last_mut().expect("there is one");
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() <= width_max {
                line.extend(std::iter::repeat_n(' ', gap));
                line.push_str(&word);
                break;
            }
            if gap == 0 {
                // At least one, or it would never end.
                let head = prefix(word.chars(), width_max);
                let bytes = head.len().max(word.chars().next().map_or(1, char::len_utf8));
                line.push_str(&word[..bytes]);
                word.drain(..bytes);
                if word.is_empty() {
                    break;
                }
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let column = Column::new;
        let mut grid = Grid::new(vec![
            column("Name", Align::Left, Fit::Cut),
            column("Count", Align::Bar, Fit::Keep),
            column("First", Align::Right, Fit::Drop(1)),
            column("Second", Align::Right, Fit::Drop(0)),
        ]);
        let cells = |texts: [&str; 4]| texts.map(|text| Cell::from(text.to_owned())).to_vec();
        grid.rows.push(cells(["/a/name/of/thirty/letters/here", "12", "3", "4"]));
        grid.footer.push(cells(["all", "12", "3", "4"]));
        grid
    }

    #[test]
    fn columns_are_as_wide_as_need_be() {
        let text = grid().render(None, false);
        assert_eq!(
            text,
            "Name                            Count |  First  Second\n\
             --------------------------------------|---------------\n\
             /a/name/of/thirty/letters/here     12 |      3       4\n\
             --------------------------------------|---------------\n\
             all                                12 |      3       4\n"
        );
        assert_eq!(grid().render(Some(54), false), text);
    }

    #[test]
    fn names_are_cut_and_then_columns_left_out() {
        let widths = |width_max| {
            let text = grid().render(Some(width_max), false);
            let widths = text.lines().map(UnicodeWidthStr::width).max();
            (widths.unwrap(), text)
        };
        let (width, text) = widths(40);
        assert_eq!(width, 40);
        assert!(text.contains("/a/name/…rs/here     12 |      3       4\n"), "{text}");
        let (width, text) = widths(35);
        assert_eq!(width, 35, "{text}");
        assert!(text.contains("First") && !text.contains("Second"), "{text}");
        let (width, text) = widths(25);
        assert_eq!(width, 25, "{text}");
        assert!(!text.contains("First"), "{text}");
        // There is no less.
        assert_eq!(widths(3).0, 21);
    }

    #[test]
    fn long_texts_are_wrapped_between_words() {
        let column = Column::new;
        let mut grid = Grid::new(vec![
            column("#", Align::Right, Fit::Keep),
            column("Error", Align::Left, Fit::Wrap),
        ]);
        let text = "closed before the response was complete".to_owned();
        grid.rows.push(vec!["12".to_owned().into(), text.into()]);
        assert_eq!(
            grid.render(Some(24), false),
            " #  Error\n\
             ---------------------\n\
             12  closed before the\n    \
                 response was\n    \
                 complete\n"
        );
        assert_eq!(wrapped("abcdefghij klm", 4), ["abcd", "efgh", "ij", "klm"]);
        assert_eq!(wrapped("日本語", 1), ["日", "本", "語"]);
    }

    #[test]
    fn wide_letters_take_two_columns() {
        assert_eq!(cut_middle("日本語日本語", 7), "日…語");
        assert_eq!(cut_middle("日本語", 6), "日本語");
        assert_eq!(cut_middle("abcdef", 5), "ab…ef");
        assert_eq!(cut_middle("abcdef", 0), "…");
    }

    #[test]
    fn colours_take_no_room() {
        let mut grid = grid();
        grid.rows[0][1] = Cell::styled("12", Style::new().bold());
        let styled = grid.render(Some(54), true);
        assert!(styled.contains("   \u{1b}[1m12\u{1b}[0m |"), "{styled:?}");
        assert!(!grid.render(Some(54), false).contains('\u{1b}'));
    }
}

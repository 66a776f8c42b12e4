//! Tables for people.

/// A table with columns of even width. Columns of numbers are to the right. Each row has as many
/// cells as the head.
pub fn markdown(head: &[String], rows: &[Vec<String>]) -> String {
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let width = |column: usize| {
        let widest = cells(column).map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(head[column].chars().count()).max(2)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let is_number = |cell: &String| cell.starts_with(|c: char| c.is_ascii_digit());
    let right = |column: usize| cells(column).all(is_number);
    let line = |row: &[String]| {
        let padded = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if right(column) { format!(" {cell:>width$} |") } else { format!(" {cell:<width$} |") }
        });
        format!("|{}\n", padded.collect::<String>())
    };
    let rule = widths.iter().enumerate().map(|(column, width)| match right(column) {
        true => format!("-{}:|", "-".repeat(*width)),
        false => format!("-{}-|", "-".repeat(*width)),
    });
    let rule = format!("|{}\n", rule.collect::<String>());
    line(head) + &rule + &rows.iter().map(|row| line(row)).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_even_and_numbers_to_the_right() {
        let words = |row: [&str; 2]| row.map(ToOwned::to_owned).to_vec();
        let text = markdown(&words(["what", "n"]), &[words(["a", "100"]), words(["b", "7"])]);
        let lines = ["| what |   n |", "|------|----:|", "| a    | 100 |", "| b    |   7 |", ""];
        assert_eq!(text, lines.join("\n"));
    }
}

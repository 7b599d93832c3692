//! What verbs print for people: aligned, and in colour where the output has any.

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Style};

pub(super) const HEAD: Style = Style::new().bold();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
pub(super) const DIM: Style = Style::new().dimmed();

/// Styles, or none of them.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) color: bool,
}

impl Page {
    pub(super) fn new(color: bool) -> Self {
        Self { text: String::new(), color }
    }

    pub(super) fn styled(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub(super) fn line(&mut self, line: &str) {
        let _infallible = writeln!(self.text, "{}", line.trim_end());
    }

    /// Rows under a head, each column as wide as its widest cell.
    pub(super) fn table<const N: usize>(&mut self, head: [&str; N], rows: &[[String; N]]) {
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([head[column].chars().count()]).max().unwrap_or_default()
        };
        let widths: [usize; N] = std::array::from_fn(width);
        let aligned = |row: &[String; N]| {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ")
        };
        let head = self.styled(HEAD, aligned(&head.map(str::to_owned)).trim_end());
        self.line(&head);
        for row in rows {
            self.line(&aligned(row));
        }
    }
}

/// A text that cannot steer the terminal, whoever wrote it.
pub(super) fn safe(text: &str) -> String {
    let shown = |char: char| if char.is_control() && char != '\n' { char.escape_default().to_string() } else { char.to_string() };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut page = Page::new(false);
        page.table(["A", "LONG"], &[["wide é".to_owned(), "1".to_owned()], ["x".to_owned(), "22".to_owned()]]);
        assert_eq!(page.text, "A       LONG\nwide é  1\nx       22\n");
    }
}

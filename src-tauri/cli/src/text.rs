//! Text from repositories, made safe for a terminal, and rows of it.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

/// A character that could move the cursor, change colours, reorder or hide text.
pub(crate) fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// `text` on one line: line breaks and tabs become spaces, everything else that is hostile is written as its code.
pub(crate) fn line(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => safe.push(' '),
            // Writing to a String cannot fail.
            c if is_hostile(c) => drop(write!(safe, "\\u{{{:x}}}", u32::from(c))),
            c => safe.push(c),
        }
    }
    safe
}

/// The lines of `text`, each made safe, tabs as spaces.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(line)
}

/// How a piece of text stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
}

/// Whether colours are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Colours,
    Nothing,
}

impl Paint {
    /// `text`, which has to be safe already, in this look.
    pub(crate) fn paint(self, look: Look, text: &str) -> String {
        use anstyle::{AnsiColor, Style};
        let style = match look {
            Look::Plain => Style::new(),
            Look::Bold => Style::new().bold(),
            Look::Dim => Style::new().dimmed(),
            Look::Good => AnsiColor::Green.on_default(),
            Look::Bad => AnsiColor::Red.on_default().bold(),
            Look::Warn => AnsiColor::Yellow.on_default(),
        };
        match self {
            Self::Colours if look != Look::Plain && !text.is_empty() => format!("{style}{text}{style:#}"),
            _ => text.to_owned(),
        }
    }
}

/// One cell of a row.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    look: Look,
}

/// A cell with this text, made safe.
pub(crate) fn cell(text: impl AsRef<str>) -> Cell {
    Cell { text: line(text.as_ref()), look: Look::Plain }
}

impl Cell {
    pub(crate) fn look(self, look: Look) -> Self {
        Self { look, ..self }
    }
}

/// Rows with aligned columns, each line indented by `indent` spaces.
pub(crate) fn rows(paint: Paint, indent: usize, rows: &[Vec<Cell>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let mut written = " ".repeat(indent);
        for (cell, width) in row.iter().zip(&widths) {
            if *width == 0 {
                continue;
            }
            written.push_str(&paint.paint(cell.look, &cell.text));
            written.push_str(&" ".repeat(width - cell.text.width() + 2));
        }
        out.push_str(written.trim_end());
        out.push('\n');
    }
    out
}

/// `1 unit`, `2 units`.
pub(crate) fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// A time such as `2026-11-22T23:23:40.389645945Z` to the second.
pub(crate) fn time(rfc3339: &str) -> String {
    match rfc3339.split_once('T') {
        Some((day, clock)) => format!("{day} {} UTC", clock.get(..8).unwrap_or(clock)),
        None => rfc3339.to_owned(),
    }
}

/// The first ten characters of an id.
pub(crate) fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_escapes_and_reordering_end_here() {
        assert_eq!(line("a\u{1b}[31m\u{9b}2J b\u{202e}c\nd\te"), "a\\u{1b}[31m\\u{9b}2J b\\u{202e}c d e");
        assert_eq!(line("Größe 数 👩‍💻"), "Größe 数 👩‍💻");
    }

    #[test]
    fn columns_align_by_width_on_screen() {
        let table =
            [vec![cell("数"), cell("x")], vec![cell("abc"), cell("")], vec![cell("a"), cell("y").look(Look::Bad)]];
        assert_eq!(rows(Paint::Nothing, 2, &table), "  数   x\n  abc\n  a    y\n");
        assert_eq!(Paint::Colours.paint(Look::Good, "ok"), "\u{1b}[32mok\u{1b}[0m");
    }
}

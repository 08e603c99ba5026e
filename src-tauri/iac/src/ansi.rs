//! A tool's log → lines of styled text.
//!
//! Logs are hostile: a provider, a provisioner or a resource's name can put any byte into them. Of all terminal escapes
//! only colours and weights survive, as data; titles, hyperlinks, cursor movement, clipboard and all else are dropped.
//! Control characters are dropped, and those that reorder text on screen are written out, so that what is read is what
//! is there.
//!
//! - A carriage return begins the line anew, as progress displays mean it: the last state of the line is kept.
//! - An escape that is not closed ends with its line; it cannot swallow the rest of the log.
//! - A line longer than [`MAX_LINE_CHARS`] is cut, and says so.

use serde::{Deserialize, Serialize};
use vte::{Params, Parser, Perform};

/// Longest line in characters; the rest is replaced by a marker.
pub const MAX_LINE_CHARS: usize = 16 * 1024;

/// Distance of tab stops, as terminals have it.
const TAB_WIDTH: usize = 8;

/// One of the sixteen terminal colours, or an exact one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// 0 to 7 the normal colours, 8 to 15 the bright ones; the theme decides how they look.
    Palette(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

/// How a run of characters looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Style {
    /// Text colour; nothing for the default.
    pub fg: Option<Colour>,
    /// Bold.
    pub bold: bool,
    /// Dim.
    pub dim: bool,
    /// Italic.
    pub italic: bool,
    /// Underlined.
    pub underline: bool,
    /// Text and background swapped.
    pub inverse: bool,
}

/// Characters that look alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The characters; no control characters, no bidirectional controls.
    pub text: String,
    /// How they look.
    pub style: Style,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Line {
    /// Its spans, left to right; none when it is empty.
    pub spans: Vec<Span>,
}

impl Line {
    /// The line without its styles.
    #[must_use]
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    /// True when the line begins an error as `terraform` and `tofu` print them: `Error: …`, alone or in a box.
    #[must_use]
    pub fn is_error(&self) -> bool {
        let begins = |text: &str| text.starts_with("Error:");
        // The box and the word are separate spans in a coloured log.
        let mut rest = self.spans.iter().map(|span| span.text.trim_start_matches(['│', '|', ' ']));
        rest.find(|text| !text.is_empty()).is_some_and(begins)
    }
}

/// All lines of `log`. A last line without a line feed counts.
#[must_use]
pub fn parse(log: &[u8]) -> Vec<Line> {
    let mut reader = LogReader::default();
    let mut lines = reader.feed(log);
    lines.extend(reader.finish());
    lines
}

/// The lines without their styles, each ended by a line feed.
#[must_use]
pub fn plain_text(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        text.extend(line.spans.iter().map(|span| span.text.as_str()));
        text.push('\n');
    }
    text
}

/// Indexes of the lines that begin an error, for "jump to error".
#[must_use]
pub fn error_lines(lines: &[Line]) -> Vec<usize> {
    lines.iter().enumerate().filter(|(_, line)| line.is_error()).map(|(index, _)| index).collect()
}

/// Reads a log in pieces as they arrive; a piece may end anywhere, within an escape or a character too.
#[derive(Default)]
pub struct LogReader {
    parser: Parser,
    screen: Screen,
    /// The beginning of a character whose rest is still to come. The parser (vte 0.15) loses a character when one is
    /// split between two calls, so it never sees a part of one.
    held: Vec<u8>,
}

impl LogReader {
    /// Takes the next piece and returns the lines that it completed.
    pub fn feed(&mut self, piece: &[u8]) -> Vec<Line> {
        let mut joined = std::mem::take(&mut self.held);
        let whole = if joined.is_empty() {
            piece
        } else {
            joined.extend_from_slice(piece);
            &joined
        };
        let (finished, held) = whole.split_at(whole.len() - unfinished(whole));
        let lines = self.advance(finished);
        self.held = held.to_vec();
        lines
    }

    fn advance(&mut self, mut rest: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.parser.advance(&mut self.screen, &rest[..end]);
            self.parser = Parser::new();
            lines.push(self.screen.take_line());
            rest = &rest[end + 1..];
        }
        self.parser.advance(&mut self.screen, rest);
        lines
    }

    /// The last line, if it has no line feed.
    #[must_use]
    pub fn finish(mut self) -> Option<Line> {
        let line = self.screen.take_line();
        (!line.spans.is_empty()).then_some(line)
    }
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader").field("screen", &self.screen).finish_non_exhaustive()
    }
}

/// How many of the last bytes begin a character without ending it.
fn unfinished(bytes: &[u8]) -> usize {
    let begins = |count: &usize| {
        let tail = bytes.len().checked_sub(*count).and_then(|from| bytes.get(from..)).unwrap_or_default();
        std::str::from_utf8(tail).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    (1..=3).find(begins).unwrap_or_default()
}

/// The line that is being written.
#[derive(Debug, Default)]
struct Screen {
    spans: Vec<Span>,
    style: Style,
    /// Characters in the line so far.
    column: usize,
    /// Characters beyond the bound.
    cut: usize,
    /// A carriage return was seen; what is printed next begins the line anew.
    returned: bool,
}

impl Screen {
    fn take_line(&mut self) -> Line {
        if self.cut > 0 {
            let text = format!(" … {} more characters of this line are not shown", self.cut);
            self.spans.push(Span { text, style: Style { dim: true, ..Style::default() } });
        }
        let spans = std::mem::take(&mut self.spans);
        self.begin_line();
        Line { spans }
    }

    fn begin_line(&mut self) {
        self.spans.clear();
        self.column = 0;
        self.cut = 0;
        self.returned = false;
    }

    fn push(&mut self, c: char) {
        if self.returned {
            self.begin_line();
        }
        if self.column >= MAX_LINE_CHARS {
            self.cut += 1;
            return;
        }
        self.column += 1;
        match self.spans.last_mut() {
            Some(span) if span.style == self.style => span.text.push(c),
            _ => self.spans.push(Span { text: c.to_string(), style: self.style }),
        }
    }

    fn apply(&mut self, params: &Params) {
        if params.is_empty() {
            self.style = Style::default();
        }
        let mut params = params.iter();
        while let Some(param) = params.next() {
            match param {
                [38] => self.style.fg = extended_colour(&mut params).or(self.style.fg),
                // Backgrounds are not shown; their arguments must not be taken for styles.
                [48 | 58] => drop(extended_colour(&mut params)),
                [38, 5, index] => self.style.fg = indexed(*index),
                [38, 2, rgb @ ..] => self.style.fg = rgb_from_end(rgb),
                [4, kind] => self.style.underline = *kind != 0,
                [code] => self.apply_code(*code),
                _ => {}
            }
        }
    }

    fn apply_code(&mut self, code: u16) {
        match code {
            0 => self.style = Style::default(),
            1 => self.style.bold = true,
            2 => self.style.dim = true,
            3 => self.style.italic = true,
            4 => self.style.underline = true,
            7 => self.style.inverse = true,
            22 => (self.style.bold, self.style.dim) = (false, false),
            23 => self.style.italic = false,
            24 => self.style.underline = false,
            27 => self.style.inverse = false,
            30..=37 => self.style.fg = indexed(code - 30),
            39 => self.style.fg = None,
            90..=97 => self.style.fg = indexed(code - 90 + 8),
            _ => {}
        }
    }
}

/// The rest of `38;5;N` or `38;2;R;G;B`.
fn extended_colour<'p>(params: &mut impl Iterator<Item = &'p [u16]>) -> Option<Colour> {
    let mut next = || params.next().and_then(|param| param.first().copied());
    match next()? {
        5 => indexed(next()?),
        2 => rgb_from_end(&[next()?, next()?, next()?]),
        _ => None,
    }
}

/// `38:2:R:G:B` and `38:2:SPACE:R:G:B` are both in use; the last three numbers are the colour.
fn rgb_from_end(numbers: &[u16]) -> Option<Colour> {
    let [.., r, g, b] = numbers else { return None };
    Some(Colour::Rgb(u8::try_from(*r).ok()?, u8::try_from(*g).ok()?, u8::try_from(*b).ok()?))
}

/// A colour of xterm's table of 256: sixteen that the theme defines, a 6×6×6 cube, and 24 greys.
fn indexed(index: u16) -> Option<Colour> {
    let index = u8::try_from(index).ok()?;
    let level = |step: u8| if step == 0 { 0 } else { 55 + step * 40 };
    Some(match index {
        0..=15 => Colour::Palette(index),
        16..=231 => {
            let cube = index - 16;
            Colour::Rgb(level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        232..=255 => {
            let grey = 8 + (index - 232) * 10;
            Colour::Rgb(grey, grey, grey)
        }
    })
}

/// Characters that reorder or break text on screen without being seen (CVE-2021-42574).
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

impl Perform for Screen {
    fn print(&mut self, c: char) {
        if is_deceptive(c) {
            for shown in format!("⟨U+{:04X}⟩", u32::from(c)).chars() {
                self.push(shown);
            }
        } else if !c.is_control() {
            self.push(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.returned = true,
            b'\t' => {
                if self.returned {
                    self.begin_line();
                }
                for _ in 0..TAB_WIDTH - self.column % TAB_WIDTH {
                    self.push(' ');
                }
            }
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _ignore: bool, action: char) {
        if action == 'm' && intermediates.is_empty() {
            self.apply(params);
        }
    }
}

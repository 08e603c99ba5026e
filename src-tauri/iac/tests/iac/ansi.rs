//! Logs.

use countersign_iac::ansi::{self, Colour, Line, LogReader, MAX_LINE_CHARS, Style};
use proptest::prelude::*;

fn texts(log: &str) -> Vec<String> {
    ansi::parse(log.as_bytes()).iter().map(Line::text).collect()
}

#[test]
fn colours_and_weights_survive() {
    let lines = ansi::parse(b"\x1b[1m\x1b[31mError: \x1b[0mplain\x1b[38;5;196mA\x1b[38;5;12mB\x1b[38;2;1;2;3mC\x1b[38:2::4:5:6mD\x1b[39;4;48;5;1mE\x1b[m");
    let spans: Vec<(&str, Style)> = lines[0].spans.iter().map(|span| (span.text.as_str(), span.style)).collect();
    let fg = |fg| Style { fg: Some(fg), ..Style::default() };
    let expected = [
        ("Error: ", Style { fg: Some(Colour::Palette(1)), bold: true, ..Style::default() }),
        ("plain", Style::default()),
        ("A", fg(Colour::Rgb(255, 0, 0))),
        ("B", fg(Colour::Palette(12))),
        ("C", fg(Colour::Rgb(1, 2, 3))),
        ("D", fg(Colour::Rgb(4, 5, 6))),
        ("E", Style { underline: true, ..Style::default() }),
    ];
    assert_eq!(spans, expected);
}

#[test]
fn every_other_escape_is_dropped() {
    let log = "a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\c\x1b[2J\x1b[10;10Hd\x1b[?25le\x07\x08\x00f\x1bP1;2q#payload\x1b\\g\u{9b}31mh\x1b]52;c;ZXZpbA==\x07i";
    assert_eq!(texts(log), ["ablinkcdefg31mhi"]);
}

#[test]
fn an_unclosed_escape_ends_with_its_line() {
    for open in ["\x1b]0;", "\x1bP", "\x1b[1;", "\x1b_", "\x1b^", "\x1b"] {
        assert_eq!(texts(&format!("a{open}hidden\nError: seen\n"))[1], "Error: seen", "{open:?}");
    }
}

#[test]
fn progress_lines_keep_their_last_state() {
    assert_eq!(texts("10%\r50%\r100%\r\ndone\r\n"), ["100%", "done"]);
    assert_eq!(texts("kept\r"), ["kept"]);
}

#[test]
fn tabs_are_expanded_and_deceptive_characters_written_out() {
    assert_eq!(texts("a\tb"), ["a       b"]);
    assert_eq!(texts("x\u{202e}y\u{2066}z\u{2028}"), ["x⟨U+202E⟩y⟨U+2066⟩z⟨U+2028⟩"]);
    assert_eq!(texts("ümlaut ✓ 😀"), ["ümlaut ✓ 😀"]);
    assert_eq!(ansi::parse(b"a\xffb")[0].text(), "a\u{fffd}b");
}

#[test]
fn long_lines_are_cut_and_say_so() {
    let text = &texts(&"x".repeat(MAX_LINE_CHARS + 5))[0];
    assert!(text.ends_with("x … 5 more characters of this line are not shown"), "{}", &text[text.len() - 80..]);
}

#[test]
fn errors_are_found_in_boxes_and_without() {
    let log = "ok\n\x1b[31m╷\x1b[0m\x1b[0m\n\x1b[31m│\x1b[0m \x1b[0m\x1b[1m\x1b[31mError: \x1b[0m\x1b[0m\x1b[1mBad\x1b[0m\nError: Plain\nx (local-exec): Error: no\nNo Error: here\n│ Error: box\n";
    assert_eq!(ansi::error_lines(&ansi::parse(log.as_bytes())), [2, 3, 6]);
}

#[test]
fn plain_text_has_the_lines_alone() {
    assert_eq!(ansi::plain_text(&ansi::parse(b"\x1b[1ma\x1b[0m\n\nb")), "a\n\nb\n");
}

proptest! {
    #[test]
    fn pieces_do_not_matter(log in prop::collection::vec(any::<u8>(), 0..300), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(log.len() + 1)).collect();
        cuts.extend([0, log.len()]);
        cuts.sort_unstable();
        let mut reader = LogReader::default();
        let mut lines: Vec<Line> = cuts.windows(2).flat_map(|cut| reader.feed(&log[cut[0]..cut[1]])).collect();
        lines.extend(reader.finish());
        prop_assert_eq!(lines, ansi::parse(&log));
    }

    #[test]
    fn nothing_dangerous_gets_through(log in "[\\PC\x1b\\[\\]0-9;mHJ\r\n\x07\x00\u{202e}\u{9b}]{0,200}") {
        for line in ansi::parse(log.as_bytes()) {
            let text = line.text();
            prop_assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
        }
    }

    #[test]
    fn plain_lines_come_out_as_they_went_in(lines in prop::collection::vec("[a-zA-Z0-9äöü ✓.,:]{1,40}", 0..10)) {
        let log = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        prop_assert_eq!(ansi::plain_text(&ansi::parse(log.as_bytes())), log);
    }
}

//! Making foreign text safe to keep on one line of an error or a progress display.

/// `text` on one line without control or bidirectional-control characters, at most `limit` characters of it.
pub(crate) fn plain(text: &str, limit: usize) -> String {
    let harmless = |c: char| !c.is_control() && !is_direction_control(c);
    let spaced = text.chars().map(|c| if matches!(c, '\t' | '\n' | '\r') { ' ' } else { c });
    let mut line: String = spaced.filter(|c| harmless(*c)).take(limit + 1).collect();
    if line.chars().count() > limit {
        line.pop();
        line.push('…');
    }
    line.trim().to_owned()
}

/// Bytes from a repository as text; what is not UTF-8 becomes U+FFFD.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_direction_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn escapes_and_direction_marks_are_dropped() {
        assert_eq!(plain("\u{1b}[31mred\u{202e}\tx\n", 80), "[31mred x");
    }

    #[test]
    fn long_text_is_cut_visibly() {
        assert_eq!(plain("abcdef", 3), "abc…");
        assert_eq!(plain("abc", 3), "abc");
    }
}

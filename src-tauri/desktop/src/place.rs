//! Places in the window, as the UI's `#/…` paths. A link from outside can name a change to look at and nothing else.

use tauri::Url;

/// The scheme of links that open this app.
pub(crate) const SCHEME: &str = "countersign";

/// A place the UI can open. It only shows something; nothing is ever decided by opening a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(String);

impl Place {
    /// The page of a change.
    pub(crate) fn change(clone: &str, change: &str) -> Self {
        Self(format!("#/review/{}/{}", encoded(clone), encoded(change)))
    }

    /// The queue.
    pub(crate) fn queue() -> Self {
        Self("#/review".to_owned())
    }

    /// The list of statements.
    pub(crate) fn audit() -> Self {
        Self("#/audit".to_owned())
    }

    /// A place that was shown before, by its path.
    pub(crate) fn shown(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// Reads `countersign://change/CLONE/CHANGE`. Anything else, and anything more, is no link of ours.
    pub(crate) fn from_link(link: &str) -> Option<Self> {
        // Longer than any pair of ids; whatever sends more is not a person's link.
        if link.len() > 1024 {
            return None;
        }
        let url = Url::parse(link).ok()?;
        let is_plain =
            url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.port().is_none();
        if url.scheme() != SCHEME || url.host_str() != Some("change") || !is_plain {
            return None;
        }
        let parts: Vec<String> = url.path_segments()?.map(decoded).collect::<Option<_>>()?;
        match parts.as_slice() {
            [clone, change] if is_id(clone) && is_id(change) => Some(Self::change(clone, change)),
            _ => None,
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.0
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text != "." && text != ".." && !text.chars().any(char::is_control)
}

/// Everything but letters, digits and a few marks as `%XX`, so that no part can end or leave its place in the path.
fn encoded(part: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    part.bytes().map(byte).collect()
}

fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_a_change() {
        let cases = [
            ("countersign://change/live/change-7", "#/review/live/change-7"),
            ("countersign://change/a%20b/feature%2Fx", "#/review/a%20b/feature%2Fx"),
            ("COUNTERSIGN://change/live/%C3%BC", "#/review/live/%C3%BC"),
        ];
        for (link, path) in cases {
            assert_eq!(Place::from_link(link).unwrap().path(), path, "{link}");
        }
    }

    #[test]
    fn a_link_can_do_nothing_else() {
        let long = format!("countersign://change/live/{}", "x".repeat(1024));
        let refused = [
            "countersign://approve/live/7",
            "countersign://change/live/7/approve",
            "countersign://change/live/7?decision=approve",
            "countersign://change/live/7#sign",
            "countersign://change/live",
            "countersign://change/live/",
            "countersign://change//7",
            "countersign://change/live/..",
            "countersign://change/live/%2e%2e",
            "countersign://change/live/a%0ab",
            "countersign://change/live/%zz",
            "countersign://change/live/%",
            "countersign://change/live/%ff",
            "countersign://me@change/live/7",
            "countersign://change:80/live/7",
            "countersign:change/live/7",
            "https://change/live/7",
            "change/live/7",
            "",
            long.as_str(),
        ];
        for link in refused {
            assert_eq!(Place::from_link(link), None, "{link}");
        }
    }

    #[test]
    fn an_id_cannot_leave_its_place_in_a_path() {
        let place = Place::change("../settings", "a/b?c#d\"<script>");
        assert_eq!(place.path(), "#/review/..%2Fsettings/a%2Fb%3Fc%23d%22%3Cscript%3E");
    }
}

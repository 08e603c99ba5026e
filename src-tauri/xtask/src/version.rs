//! Versions as programs print them, and the oldest ones that will do.

use std::fmt;

/// A program's version; a part that is not printed counts as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) patch: u32,
}

impl Version {
    pub(crate) const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// The first `N.N` or `N.N.N` in what a program printed, whatever words stand around it.
    pub(crate) fn find(text: &str) -> Option<Self> {
        text.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(Self::parse)
    }

    fn parse(word: &str) -> Option<Self> {
        let mut parts = word.split('.').map(str::parse::<u32>);
        let major = parts.next()?.ok()?;
        let minor = parts.next()?.ok()?;
        let patch = parts.next().and_then(Result::ok).unwrap_or(0);
        Some(Self { major, minor, patch })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_version_in_what_programs_print() {
        let cases = [
            ("v20.20.2\n", Version::new(20, 20, 2)),
            ("rustc 1.95.0 (abc123 2026-03-21)", Version::new(1, 95, 0)),
            ("rustc 1.97.0-nightly (1234567 2026-05-01)", Version::new(1, 97, 0)),
            ("git version 2.39.5", Version::new(2, 39, 5)),
            ("git version 2.39.5 (Apple Git-154)", Version::new(2, 39, 5)),
            ("Terraform v1.11.4\non linux_amd64", Version::new(1, 11, 4)),
            ("OpenTofu v1.9.0\non linux_amd64", Version::new(1, 9, 0)),
            ("1.95", Version::new(1, 95, 0)),
        ];
        for (text, wanted) in cases {
            assert_eq!(Version::find(text), Some(wanted), "{text:?}");
        }
    }

    #[test]
    fn finds_nothing_where_there_is_no_version() {
        for text in ["", "command not found", "version 7", "a.b.c", "99999999999.1"] {
            assert_eq!(Version::find(text), None, "{text:?}");
        }
    }

    #[test]
    fn compares_numbers_and_not_letters() {
        assert!(Version::new(1, 100, 0) > Version::new(1, 95, 9));
        assert!(Version::new(20, 0, 0) > Version::new(9, 9, 9));
    }
}

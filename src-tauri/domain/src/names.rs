//! Validated names. Each type has one fallible constructor; what passed it needs no further check.
//!
//! All of them arrive from repositories, forges or signed bytes, so all are treated as hostile: control characters,
//! `..`, leading dashes and shell-relevant surprises are refused here, once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest accepted name in bytes; Git itself and common file systems stop at 255 for one path component and 4096
/// for a path.
pub const MAX_NAME_BYTES: usize = 1024;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {kind} {shown}: {problem}")]
pub struct NameError {
    /// Which kind of name was expected.
    pub kind: &'static str,
    /// The refused text, escaped and shortened so that it is safe to print.
    pub shown: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

fn refuse(kind: &'static str, text: &str, problem: &'static str) -> NameError {
    NameError { kind, shown: quoted(text), problem }
}

/// `text` in double quotes, control characters escaped, at most 80 characters of it: safe to print anywhere.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

macro_rules! name {
    ($(#[$meta:meta])* $type:ident, $kind:literal, $check:path) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Checks `text` and wraps it.
            ///
            /// # Errors
            /// [`NameError`] says what is wrong with it.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                match $check(&text) {
                    Ok(()) => Ok(Self(text)),
                    Err(problem) => Err(refuse($kind, &text, problem)),
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($type), self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name!(
    /// A directory inside a repository, from its root, `/`-separated: one deployable unit of live configuration, or a
    /// module. The root itself is `.`.
    UnitPath, "unit path", check_path
);
name!(
    /// A Git commit id: 40 (SHA-1) or 64 (SHA-256) lowercase hexadecimal digits.
    CommitId, "commit id", check_object_id
);
name!(
    /// A Git tree id, written like a commit id.
    TreeId, "tree id", check_object_id
);
name!(
    /// A branch name without `refs/heads/`, by the rules of git-check-ref-format(1), and never starting with a dash.
    BranchName, "branch name", check_ref_name
);
name!(
    /// What names a change on its forge: on a plain Git remote, its branch name.
    ChangeId, "change id", check_ref_name
);
name!(
    /// The repository's own name, as its policy on trunk declares it; every statement binds it.
    RepositoryId, "repository id", check_identifier
);
name!(
    /// A person as the policy and `allowed_signers` name them (the SSH principal).
    PersonId, "person", check_identifier
);
name!(
    /// A named group of units, such as `prod`.
    EnvironmentName, "environment name", check_identifier
);
name!(
    /// The id of a checklist question.
    QuestionId, "question id", check_identifier
);
name!(
    /// The SHA-256 fingerprint of an SSH public key as OpenSSH prints it: `SHA256:` and 43 base64 digits.
    Fingerprint, "key fingerprint", check_fingerprint
);
name!(
    /// A SHA-256 or HMAC-SHA-256 value: 64 lowercase hexadecimal digits.
    Digest, "digest", check_digest
);
name!(
    /// Random bits that make every statement unique: 32 lowercase hexadecimal digits (128 bits).
    Nonce, "nonce", check_nonce
);
name!(
    /// An age X25519 recipient, `age1…` in lowercase Bech32.
    Recipient, "age recipient", check_recipient
);

/// The id of a statement: the SHA-256 of its signed bytes.
pub type StatementId = Digest;

impl CommitId {
    /// The first ten digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..10]
    }
}

/// `bytes` as lowercase hexadecimal digits.
fn lower_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

impl Nonce {
    /// The 128 bits as a nonce; no bits are refused.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(lower_hex(&bytes))
    }
}

impl Digest {
    /// The 256 bits as a digest; no bits are refused.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(lower_hex(&bytes))
    }

    /// The first twelve digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl UnitPath {
    /// The repository's root.
    #[must_use]
    pub fn root() -> Self {
        Self(".".to_owned())
    }

    /// True for the repository's root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0 == "."
    }

    /// True when `file`, a path from the repository's root, lies in this directory or below it.
    #[must_use]
    pub fn contains(&self, file: &str) -> bool {
        self.is_root() || file.strip_prefix(self.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }
}

fn check_length(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > MAX_NAME_BYTES {
        return Err("it is longer than 1024 bytes");
    }
    if text.chars().any(|c| c.is_control() || is_bidi_control(c)) {
        return Err("it contains a control character");
    }
    Ok(())
}

/// Characters that reorder text on screen, so that what is read is not what is there (CVE-2021-42574).
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn check_path(text: &str) -> Result<(), &'static str> {
    check_length(text)?;
    if text == "." {
        return Ok(());
    }
    if text.contains('\\') {
        return Err("it contains a backslash");
    }
    for part in text.split('/') {
        match part {
            "" => return Err("it starts or ends with a slash, or has an empty part"),
            "." | ".." => return Err("it contains . or .."),
            _ if part.eq_ignore_ascii_case(".git") => return Err("it leads into .git"),
            _ => {}
        }
    }
    if text.starts_with('-') {
        return Err("it starts with a dash");
    }
    Ok(())
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn check_object_id(text: &str) -> Result<(), &'static str> {
    if !matches!(text.len(), 40 | 64) || !is_lower_hex(text) {
        return Err("expected 40 or 64 lowercase hexadecimal digits");
    }
    Ok(())
}

fn check_ref_name(text: &str) -> Result<(), &'static str> {
    check_length(text)?;
    if text.starts_with('-') {
        return Err("it starts with a dash");
    }
    if text.contains("..") || text.contains("@{") || text == "@" {
        return Err("it contains .. or @{");
    }
    if text.contains([' ', '~', '^', ':', '?', '*', '[', '\\']) {
        return Err("it contains a character Git does not allow in a branch name");
    }
    let bad_part = |part: &str| {
        part.is_empty() || part.starts_with('.') || part.ends_with('.') || part.to_ascii_lowercase().ends_with(".lock")
    };
    if text.split('/').any(bad_part) {
        return Err("a part of it is empty, starts or ends with a dot, or ends with .lock");
    }
    Ok(())
}

fn check_identifier(text: &str) -> Result<(), &'static str> {
    check_length(text)?;
    if text.len() > 128 {
        return Err("it is longer than 128 bytes");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
    if !text.chars().all(allowed) {
        return Err("only letters, digits and . _ - @ + are allowed");
    }
    if text.starts_with(['.', '-']) || text.contains("..") {
        return Err("it starts with a dot or a dash, or contains ..");
    }
    Ok(())
}

fn check_fingerprint(text: &str) -> Result<(), &'static str> {
    let digits = text.strip_prefix("SHA256:").ok_or("expected SHA256: and 43 base64 digits")?;
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    if digits.len() != 43 || !digits.bytes().all(base64) {
        return Err("expected SHA256: and 43 base64 digits");
    }
    Ok(())
}

fn check_digest(text: &str) -> Result<(), &'static str> {
    if text.len() != 64 || !is_lower_hex(text) {
        return Err("expected 64 lowercase hexadecimal digits");
    }
    Ok(())
}

fn check_nonce(text: &str) -> Result<(), &'static str> {
    if text.len() != 32 || !is_lower_hex(text) {
        return Err("expected 32 lowercase hexadecimal digits");
    }
    Ok(())
}

fn check_recipient(text: &str) -> Result<(), &'static str> {
    let digits = text.strip_prefix("age1").ok_or("expected age1 and 58 lowercase digits")?;
    if digits.len() != 58 || !digits.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Err("expected age1 and 58 lowercase digits");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_repository_are_refused() {
        for bad in
            ["", "..", "a/../b", "/etc", "a//b", "a/", "-rf", "a\nb", "a\u{202e}b", ".git/hooks", "a\\b", "x/.GIT"]
        {
            assert!(UnitPath::new(bad).is_err(), "{bad:?} was accepted");
        }
        for good in [".", "prod/orders-db", "a b/ü", "$(touch x)"] {
            assert!(UnitPath::new(good).is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn a_unit_contains_its_files_and_not_its_neighbours() {
        let unit = UnitPath::new("prod/web").unwrap_or_else(|_| UnitPath::root());
        assert!(unit.contains("prod/web/main.tf"));
        assert!(!unit.contains("prod/web2/main.tf"));
        assert!(!unit.contains("prod/web"));
    }

    #[test]
    fn branch_names_follow_git() {
        for bad in ["-x", "a..b", "a b", "a.lock", "x/.y", "a/", "@", "a@{1}", "a:b", "a\u{7f}"] {
            assert!(BranchName::new(bad).is_err(), "{bad:?} was accepted");
        }
        for good in ["main", "feature/grow-orders", "ümlaut", "a;b", "1"] {
            assert!(BranchName::new(good).is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn refused_names_print_safely() {
        let error = BranchName::new("a\u{1b}[31m b").map(|_| ()).map_err(|e| e.to_string());
        assert_eq!(error, Err(r#"invalid branch name "a\u{1b}[31m b": it contains a control character"#.to_owned()));
    }
}

//! Who may sign: OpenSSH's `allowed_signers` (ssh-keygen(1), ALLOWED SIGNERS), read strictly.
//!
//! Every file accepted here means the same to `ssh-keygen -Y verify`; the reverse does not hold. Refused, with line and
//! column: principals that are patterns or several, one key listed for two persons, `cert-authority`, RSA and other keys
//! that do not count, unknown or repeated options, and times without `Z` (each machine would read another moment).

use std::collections::HashMap;

use countersign_domain::names::{Fingerprint, NameError, PersonId, quoted};
use countersign_domain::statement::{SignatureRefusal, SignatureVerifier, Signer, StatementKind};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::public_key::{PublicKey, PublicKeyError};
use crate::sshsig;

/// Largest accepted file in bytes.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Where and why an `allowed_signers` file was refused. Nothing of a refused file is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct AllowedSignersError {
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: LineProblem,
}

/// What is wrong with a line of `allowed_signers`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// More than [`MAX_FILE_BYTES`].
    #[error("the file is larger than 4 MiB")]
    TooLarge,
    /// Not text.
    #[error("the file is not UTF-8 text")]
    NotText,
    /// A principal that does not name one person.
    #[error("{0}; name one person, without wildcards")]
    Person(#[from] NameError),
    /// Several principals on one line.
    #[error("a key belongs to one person; {0} names several")]
    SeveralPersons(String),
    /// The line ends early.
    #[error("expected {0}")]
    Missing(&'static str),
    /// The key does not count.
    #[error(transparent)]
    Key(#[from] PublicKeyError),
    /// The key stands for another person above.
    #[error("the key {key} is already listed for {person} on line {line}; one key cannot be two persons")]
    TwoPersons {
        /// The key.
        key: Fingerprint,
        /// Whose it is above.
        person: PersonId,
        /// Where.
        line: usize,
    },
    /// Certificates are refused by name.
    #[error("cert-authority is not accepted: list each person's plain key")]
    CertAuthority,
    /// An option OpenSSH does not know either.
    #[error("unknown option {0}; known are namespaces, valid-after and valid-before")]
    UnknownOption(String),
    /// An option given twice.
    #[error("the option {0} is given twice")]
    RepeatedOption(&'static str),
    /// An option's value is not in double quotes.
    #[error("expected a value in double quotes after {0}=")]
    Unquoted(&'static str),
    /// A time that is not one.
    #[error("{0} is not a time; write YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ")]
    Time(String),
    /// A time without a zone.
    #[error("{0} means another moment on each machine; end it in Z for UTC")]
    LocalTime(String),
    /// The key is never valid.
    #[error("valid-before is not after valid-after")]
    NeverValid,
    /// A pattern list without a pattern.
    #[error("namespaces lists nothing")]
    NoNamespaces,
}

/// A read `allowed_signers` file: persons and the keys they hold.
#[derive(Debug, Clone, Default)]
pub struct AllowedSigners {
    holders: HashMap<Vec<u8>, Holder>,
}

/// The one person a key belongs to, and what each of the key's lines allows.
#[derive(Debug, Clone)]
struct Holder {
    person: PersonId,
    key: PublicKey,
    first_line: usize,
    grants: Vec<Grant>,
}

/// One line's options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Grant {
    /// OpenSSH pattern list; absent means any namespace.
    namespaces: Option<Vec<String>>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
}

impl AllowedSigners {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`AllowedSignersError`] names the first line that is not accepted.
    pub fn parse(bytes: &[u8]) -> Result<Self, AllowedSignersError> {
        let at_start = |problem| AllowedSignersError { line: 1, column: 1, problem };
        if bytes.len() > MAX_FILE_BYTES {
            return Err(at_start(LineProblem::TooLarge));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| not_text(bytes, error.valid_up_to()))?;
        let mut signers = Self::default();
        for (index, line) in text.split('\n').enumerate() {
            let number = index + 1;
            signers
                .add_line(number, line.strip_suffix('\r').unwrap_or(line))
                .map_err(|(column, problem)| AllowedSignersError { line: number, column, problem })?;
        }
        Ok(signers)
    }

    /// A line for this file: `person` may sign with `key` in the namespaces of `kinds`; in every one when it is empty.
    #[must_use]
    pub fn line(person: &PersonId, key: &PublicKey, kinds: &[StatementKind]) -> String {
        if kinds.is_empty() {
            return format!("{person} {}", key.line());
        }
        let namespaces: Vec<String> = kinds.iter().map(|kind| kind.namespace()).collect();
        format!("{person} namespaces=\"{}\" {}", namespaces.join(","), key.line())
    }

    /// True when nobody may sign.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    /// Every key with its person, sorted by person, then fingerprint.
    #[must_use]
    pub fn signers(&self) -> Vec<(Signer, &PublicKey)> {
        let mut signers: Vec<_> = self.holders.values().map(|holder| (holder.signer(), &holder.key)).collect();
        signers.sort_by(|a, b| a.0.cmp(&b.0));
        signers
    }

    /// Whose key it is, whatever its options.
    #[must_use]
    pub fn person(&self, key: &PublicKey) -> Option<&PersonId> {
        self.holders.get(key.blob()).map(|holder| &holder.person)
    }

    /// A verifier that holds keys to their validity at `at`.
    #[must_use]
    pub fn verifier(&self, at: Timestamp) -> Verifier<'_> {
        Verifier { signers: self, at }
    }

    fn add_line(&mut self, number: usize, line: &str) -> Result<(), (usize, LineProblem)> {
        let mut cursor = Cursor { line, at: 0 };
        cursor.skip_blanks();
        if cursor.rest().is_empty() || cursor.rest().starts_with('#') {
            return Ok(());
        }
        let person = read_person(&mut cursor)?;
        let grant = read_options(&mut cursor)?;
        let (column, key) = read_key(&mut cursor)?;
        let holder = self.holders.entry(key.blob().to_vec()).or_insert_with(|| Holder {
            person: person.clone(),
            key: key.clone(),
            first_line: number,
            grants: Vec::new(),
        });
        if holder.person != person {
            let (key, person) = (key.fingerprint().clone(), holder.person.clone());
            return Err((column, LineProblem::TwoPersons { key, person, line: holder.first_line }));
        }
        holder.grants.push(grant);
        Ok(())
    }
}

fn not_text(bytes: &[u8], valid_up_to: usize) -> AllowedSignersError {
    let before = &bytes[..valid_up_to];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    AllowedSignersError { line, column, problem: LineProblem::NotText }
}

impl Holder {
    fn signer(&self) -> Signer {
        Signer { person: self.person.clone(), fingerprint: self.key.fingerprint().clone() }
    }

    /// Ok when one of the key's lines allows this kind at this time.
    fn allows(&self, kind: StatementKind, at: Timestamp) -> Result<(), SignatureRefusal> {
        let namespace = kind.namespace();
        let mut for_namespace = self.grants.iter().filter(|grant| grant.covers(&namespace)).peekable();
        if for_namespace.peek().is_none() {
            return Err(SignatureRefusal::NamespaceNotAllowed(namespace));
        }
        if for_namespace.any(|grant| grant.is_valid(at)) {
            return Ok(());
        }
        Err(SignatureRefusal::NotValidAt { key: self.key.fingerprint().clone(), at })
    }
}

impl Grant {
    fn covers(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|patterns| matches_list(patterns, namespace))
    }

    /// Both ends belong to the span, as in OpenSSH.
    fn is_valid(&self, at: Timestamp) -> bool {
        self.valid_after.is_none_or(|after| at >= after) && self.valid_before.is_none_or(|before| at <= before)
    }
}

/// Verifies signatures against an [`AllowedSigners`] at one point in time.
#[derive(Debug, Clone, Copy)]
pub struct Verifier<'a> {
    signers: &'a AllowedSigners,
    at: Timestamp,
}

impl SignatureVerifier for Verifier<'_> {
    fn verify(&self, payload: &[u8], signature: &[u8]) -> Result<(StatementKind, Signer), SignatureRefusal> {
        let authentic = sshsig::verify(payload, signature)?;
        let holder = self
            .signers
            .holders
            .get(authentic.key.blob())
            .ok_or_else(|| SignatureRefusal::UnknownKey(authentic.key.fingerprint().clone()))?;
        holder.allows(authentic.kind, self.at)?;
        Ok((authentic.kind, holder.signer()))
    }
}

/// A place in a line. Blanks are spaces and tabs.
struct Cursor<'a> {
    line: &'a str,
    at: usize,
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn column(&self) -> usize {
        self.at + 1
    }

    fn skip_blanks(&mut self) {
        self.at = self.line.len() - self.rest().trim_start_matches(is_blank).len();
    }

    /// Everything up to the first character `stop` is true for.
    fn until(&mut self, stop: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let word = &rest[..rest.find(stop).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn eat(&mut self, expected: char) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }
}

type LineResult<T> = Result<T, (usize, LineProblem)>;

fn read_person(cursor: &mut Cursor<'_>) -> LineResult<PersonId> {
    let column = cursor.column();
    let word = cursor.until(is_blank);
    if word.contains(',') {
        return Err((column, LineProblem::SeveralPersons(quoted(word))));
    }
    PersonId::new(word).map_err(|error| (column, error.into()))
}

/// Reads the options between the person and the key, if there are any: what stands there is an option list exactly when
/// it is not a key algorithm followed by a key.
fn read_options(cursor: &mut Cursor<'_>) -> LineResult<Grant> {
    cursor.skip_blanks();
    if cursor.rest().is_empty() {
        return Err((cursor.column(), LineProblem::Missing("a key after the person")));
    }
    if !starts_with_option(cursor.rest()) {
        return Ok(Grant::default());
    }
    let start = cursor.column();
    let mut grant = Grant::default();
    loop {
        read_option(cursor, &mut grant)?;
        if !cursor.eat(',') {
            break;
        }
    }
    if !cursor.rest().starts_with(is_blank) {
        return Err((cursor.column(), LineProblem::Missing("a blank and a key after the options")));
    }
    if matches!((grant.valid_after, grant.valid_before), (Some(after), Some(before)) if before <= after) {
        return Err((start, LineProblem::NeverValid));
    }
    Ok(grant)
}

/// A key's line begins with a known shape of algorithm name; all else is taken for options, so that a mistyped option is
/// named as such.
fn starts_with_option(rest: &str) -> bool {
    let word = rest.split(is_blank).next().unwrap_or(rest);
    let algorithm = ["ssh-", "ecdsa-", "sk-", "rsa-", "dsa-"];
    !algorithm.iter().any(|prefix| word.starts_with(prefix))
}

fn read_option(cursor: &mut Cursor<'_>, grant: &mut Grant) -> LineResult<()> {
    let column = cursor.column();
    let name = cursor.until(|c| is_blank(c) || matches!(c, '=' | ',' | '"'));
    match name.to_ascii_lowercase().as_str() {
        "namespaces" => {
            let value = read_value(cursor, "namespaces")?;
            let patterns: Vec<String> = value.split(',').map(str::to_owned).collect();
            if patterns.iter().any(|pattern| pattern.trim_start_matches('!').is_empty()) {
                return Err((column, LineProblem::NoNamespaces));
            }
            set_once(&mut grant.namespaces, patterns, column, "namespaces")
        }
        "valid-after" => {
            let time = read_time(cursor, "valid-after")?;
            set_once(&mut grant.valid_after, time, column, "valid-after")
        }
        "valid-before" => {
            let time = read_time(cursor, "valid-before")?;
            set_once(&mut grant.valid_before, time, column, "valid-before")
        }
        "cert-authority" => Err((column, LineProblem::CertAuthority)),
        _ => Err((column, LineProblem::UnknownOption(quoted(name)))),
    }
}

fn set_once<T>(slot: &mut Option<T>, value: T, column: usize, name: &'static str) -> LineResult<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err((column, LineProblem::RepeatedOption(name))),
    }
}

/// `="value"`; a backslash before a double quote stands for the quote.
fn read_value(cursor: &mut Cursor<'_>, name: &'static str) -> LineResult<String> {
    if !cursor.eat('=') || !cursor.eat('"') {
        return Err((cursor.column(), LineProblem::Unquoted(name)));
    }
    let mut value = String::new();
    loop {
        value.push_str(cursor.until(|c| matches!(c, '"' | '\\')));
        if cursor.eat('"') {
            return Ok(value);
        }
        if !cursor.eat('\\') {
            return Err((cursor.column(), LineProblem::Missing("a closing double quote")));
        }
        value.push(if cursor.eat('"') { '"' } else { '\\' });
    }
}

fn read_time(cursor: &mut Cursor<'_>, name: &'static str) -> LineResult<Timestamp> {
    let column = cursor.column() + 1;
    let text = read_value(cursor, name)?;
    parse_time(&text).map_err(|problem| (column, problem))
}

fn parse_time(text: &str) -> Result<Timestamp, LineProblem> {
    let digits = text.strip_suffix(['Z', 'z']).or_else(|| text.strip_suffix("UTC"));
    let is_time = |digits: &str| matches!(digits.len(), 8 | 12 | 14) && digits.bytes().all(|b| b.is_ascii_digit());
    let Some(digits) = digits else {
        return Err(if is_time(text) { LineProblem::LocalTime } else { LineProblem::Time }(quoted(text)));
    };
    let refuse = || LineProblem::Time(quoted(text));
    if !is_time(digits) {
        return Err(refuse());
    }
    read_moment(digits).and_then(|moment| TimeZone::UTC.to_timestamp(moment).ok()).ok_or_else(refuse)
}

/// Eight, twelve or fourteen digits; what is missing is zero.
fn read_moment(digits: &str) -> Option<DateTime> {
    let two = |from: usize| digits.get(from..from + 2).map_or(Some(0), |pair| pair.parse::<i8>().ok());
    let year: i16 = digits.get(..4)?.parse().ok()?;
    DateTime::new(year, two(4)?, two(6)?, two(8)?, two(10)?, two(12)?, 0).ok()
}

fn read_key(cursor: &mut Cursor<'_>) -> LineResult<(usize, PublicKey)> {
    cursor.skip_blanks();
    let column = cursor.column();
    cursor.until(is_blank);
    cursor.skip_blanks();
    if cursor.rest().is_empty() {
        return Err((column, LineProblem::Missing("a key: its algorithm and its base64")));
    }
    cursor.until(is_blank);
    let key = PublicKey::parse(&cursor.line[column - 1..cursor.at]).map_err(|error| (column, error.into()))?;
    Ok((column, key))
}

/// OpenSSH's pattern list (ssh_config(5), PATTERNS): one pattern must match, and none that begins with `!` may.
fn matches_list(patterns: &[String], text: &str) -> bool {
    let negated = |pattern: &&String| pattern.strip_prefix('!').is_some_and(|inner| matches_pattern(inner, text));
    let positive = |pattern: &String| !pattern.starts_with('!') && matches_pattern(pattern, text);
    !patterns.iter().any(|pattern| negated(&pattern)) && patterns.iter().any(positive)
}

/// `*` stands for any number of bytes, `?` for one. Linear in `pattern` times `text`.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star_p, star_t)) = star else { return false };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIENDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0ND";

    fn grants(line: &str) -> Vec<Grant> {
        let signers = AllowedSigners::parse(line.as_bytes()).unwrap();
        let [holder] = signers.holders.values().collect::<Vec<_>>()[..] else { panic!("expected one key") };
        holder.grants.clone()
    }

    #[test]
    fn comments_blanks_and_both_line_ends_are_read() {
        let file = format!("# people\n\n \t\n  ana {KEY} laptop of ana\r\nbo\t{OTHER}\n  # end");
        let signers = AllowedSigners::parse(file.as_bytes()).unwrap();
        let persons: Vec<_> = signers.signers().into_iter().map(|(signer, _)| signer.person.to_string()).collect();
        assert_eq!(persons, ["ana", "bo"]);
        assert!(AllowedSigners::parse(b"").unwrap().is_empty());
    }

    #[test]
    fn options_are_read() {
        let line = format!(
            r#"ana NameSpaces="plan@countersign,app*",valid-after="20260101Z",valid-before="202701021530UTC" {KEY}"#
        );
        let time = |text: &str| Some(text.parse().unwrap());
        let expected = Grant {
            namespaces: Some(vec!["plan@countersign".to_owned(), "app*".to_owned()]),
            valid_after: time("2026-01-01T00:00:00Z"),
            valid_before: time("2027-01-02T15:30:00Z"),
        };
        assert_eq!(grants(&line), [expected]);
        assert_eq!(grants(&format!("ana {KEY}")), [Grant::default()]);
    }

    #[test]
    fn one_person_may_list_a_key_twice() {
        let file = format!("ana namespaces=\"plan@*\" {KEY}\nana namespaces=\"apply@*\" {KEY}\n");
        assert_eq!(grants(&file).len(), 2);
    }

    #[test]
    fn a_written_line_reads_back() {
        let (person, key) = (PersonId::new("ana@example.org").unwrap(), PublicKey::parse(KEY).unwrap());
        let all = AllowedSigners::line(&person, &key, &[]);
        assert_eq!(all, format!("ana@example.org {KEY}"));
        let some = AllowedSigners::line(&person, &key, &[StatementKind::Plan, StatementKind::Apply]);
        assert_eq!(some, format!("ana@example.org namespaces=\"plan@countersign,apply@countersign\" {KEY}"));
        let signers = AllowedSigners::parse(some.as_bytes()).unwrap();
        assert_eq!(signers.person(&key), Some(&person));
    }

    #[test]
    fn every_refusal_names_its_place_and_reason() {
        let line = |text: &str| text.replace("KEY", KEY).replace("OTHER", OTHER);
        let refusals: Vec<String> = [
            "ana",
            "ana ssh-ed25519",
            "ana,bo KEY",
            "*@example.org KEY",
            "\"ana\" KEY",
            "ana KEY\nbo OTHER\nbo KEY",
            "ana cert-authority KEY",
            "ana  namespace=\"git\" KEY",
            "ana namespaces=git KEY",
            "ana namespaces=\"git KEY",
            "ana namespaces=\"\" KEY",
            "ana namespaces=\"a\",namespaces=\"b\" KEY",
            "ana namespaces=\"a\"KEY",
            "ana valid-after=\"20260101\" KEY",
            "ana valid-after=\"20261301Z\" KEY",
            "ana valid-after=\"tomorrow\" KEY",
            "ana valid-after=\"20260101Z\",valid-before=\"20260101Z\" KEY",
            "ana ssh-rsa AAAAB3NzaC1yc2E=",
            "ana ssh-ed25519 AAAAC3Nza",
            "ana ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEJC",
            "ana ecdsa-sha2-nistp256 AAAAC3NzaC1lZDI1NTE5AAAAIEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC",
        ]
        .into_iter()
        .map(|text| AllowedSigners::parse(line(text).as_bytes()).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(refusals.join("\n"), @r#"
        line 1, column 4: expected a key after the person
        line 1, column 5: expected a key: its algorithm and its base64
        line 1, column 1: a key belongs to one person; "ana,bo" names several
        line 1, column 1: invalid person "*@example.org": only letters, digits and . _ - @ + are allowed; name one person, without wildcards
        line 1, column 1: invalid person "\"ana\"": only letters, digits and . _ - @ + are allowed; name one person, without wildcards
        line 3, column 4: the key SHA256:LgZpRzWEAbVvBimxTv69/UB88PD8jyOSDqfozr+iNX0 is already listed for ana on line 1; one key cannot be two persons
        line 1, column 5: cert-authority is not accepted: list each person's plain key
        line 1, column 6: unknown option "namespace"; known are namespaces, valid-after and valid-before
        line 1, column 16: expected a value in double quotes after namespaces=
        line 1, column 101: expected a closing double quote
        line 1, column 5: namespaces lists nothing
        line 1, column 20: the option namespaces is given twice
        line 1, column 19: expected a blank and a key after the options
        line 1, column 17: "20260101" means another moment on each machine; end it in Z for UTC
        line 1, column 17: "20261301Z" is not a time; write YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ
        line 1, column 17: "tomorrow" is not a time; write YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ
        line 1, column 5: valid-before is not after valid-after
        line 1, column 5: the algorithm "ssh-rsa" is not accepted; use ed25519, ecdsa-p256 or a hardware key of these
        line 1, column 5: not an OpenSSH public key: it is not base64
        line 1, column 5: not an OpenSSH public key: its parts do not fit its algorithm
        line 1, column 5: the key is labelled "ecdsa-sha2-nistp256", but its encoding says ssh-ed25519
        "#);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_where_they_are() {
        let error = AllowedSigners::parse(b"# ok\nab\xff").unwrap_err();
        assert_eq!(error.to_string(), "line 2, column 3: the file is not UTF-8 text");
    }

    #[test]
    fn patterns_follow_openssh() {
        let list = |patterns: &str, text: &str| {
            matches_list(&patterns.split(',').map(str::to_owned).collect::<Vec<_>>(), text)
        };
        assert!(list("*@countersign", "plan@countersign"));
        assert!(list("a,pl?n@*", "plan@countersign"));
        assert!(!list("*,!plan@*", "plan@countersign"));
        assert!(!list("!plan@*", "apply@countersign"));
        assert!(!list("Plan@countersign", "plan@countersign"));
        assert!(!list("plan", "plan@countersign"));
        // Would take longer than the universe by backtracking.
        assert!(!matches_pattern(&"*a".repeat(500), &"a".repeat(499)));
    }

    /// The definition of a pattern, without regard to time.
    fn matches_slowly(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], text) => text.is_empty(),
            ([b'*', rest @ ..], text) => (0..=text.len()).any(|skip| matches_slowly(rest, &text[skip..])),
            ([b'?', rest @ ..], [_, tail @ ..]) => matches_slowly(rest, tail),
            ([byte, rest @ ..], [first, tail @ ..]) => byte == first && matches_slowly(rest, tail),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn patterns_match_as_defined(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            prop_assert_eq!(matches_pattern(&pattern, &text), matches_slowly(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn any_bytes_end_in_a_value(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = AllowedSigners::parse(&bytes);
        }

        #[test]
        fn any_line_ends_in_a_value(options in "[a-z=\",\\\\*! Z0-9äé-]{0,40}") {
            let _ = AllowedSigners::parse(format!("ana {options} {KEY}").as_bytes());
        }

        #[test]
        fn any_time_text_ends_in_a_value(text in "[0-9]{0,15}(Z|UTC|z)?") {
            let _ = parse_time(&text);
        }
    }
}

//! The commitment to a plan: HMAC-SHA-256 with a random 256-bit key over the plan JSON less its `timestamp`.
//!
//! A plain hash of a plan would let anyone try out likely values of the secrets in it; the key travels inside the sealed
//! bundle, so only those who can read the plan can recompute it. It covers the whole of `terraform show -json`,
//! `configuration` included, since a swapped provisioner shows nowhere else.
//!
//! Two plans of the same input are byte for byte equal but for the top-level `timestamp` (measured with Terraform 1.11).
//! Therefore nothing is normalised: the [`canonical`] form is `{`, the top-level members in their order and in their
//! exact bytes without `timestamp`, joined by `,`, each `key:value`, and `}`. Blanks between top-level members, which
//! no tool writes, are the only other bytes left out.
//!
//! Terraform writes no such blanks, so stock tools recompute it (`timestamp` is the last member of that name):
//!
//! ```text
//! age -d -i identity.txt review.age | tar xzf -
//! tr -d '\n' < plan.json | sed -E 's/(.*),"timestamp":"[^"]*"/\1/' |
//!     openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(cat commitment.key)"
//! ```

use std::collections::HashSet;
use std::fmt;

use countersign_domain::names::{Digest, quoted};
use ring::hmac;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::NoRandomness;

/// Deepest accepted nesting of arrays and objects.
pub const MAX_DEPTH: usize = 512;

/// The one top-level member that differs between plans of the same input.
const VOLATILE: &str = "timestamp";

/// Why there is no commitment to a text, or why one does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitmentError {
    /// Not one JSON object and nothing else.
    #[error("the plan is not one JSON object: {0}")]
    NotAnObject(String),
    /// The same top-level member twice: tools disagree about which counts.
    #[error("the plan has the top-level member {0} twice")]
    Duplicate(String),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the plan is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The plan is not the one that was committed to, or the key is another.
    #[error("the plan does not match its commitment")]
    Mismatch,
    /// Not a key.
    #[error("a commitment key is 64 hexadecimal digits")]
    Key,
}

/// The random key of one plan's commitment. `Debug` does not print it; memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct CommitmentKey(Zeroizing<[u8; 32]>);

impl CommitmentKey {
    /// A new random key; each plan gets its own.
    ///
    /// # Errors
    /// [`NoRandomness`] when the operating system has none.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice())?;
        Ok(Self(key))
    }

    /// Reads what [`CommitmentKey::to_hex`] wrote; blanks around it are ignored.
    ///
    /// # Errors
    /// [`CommitmentError::Key`] when it is anything else.
    pub fn from_hex(text: &[u8]) -> Result<Self, CommitmentError> {
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_ascii(), key.as_mut_slice()).map_err(|_| CommitmentError::Key)?;
        Ok(Self(key))
    }

    /// 64 lowercase hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice())
    }
}

impl fmt::Debug for CommitmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommitmentKey(…)")
    }
}

/// The commitment to a plan.
///
/// # Errors
/// [`CommitmentError`] when `plan_json` is not one JSON object with each top-level member once.
pub fn commit(key: &CommitmentKey, plan_json: &[u8]) -> Result<Digest, CommitmentError> {
    let tag = hmac::sign(&key.hmac(), &canonical(plan_json)?);
    let mut value = [0; 32];
    value.copy_from_slice(tag.as_ref());
    Ok(Digest::from_bytes(value))
}

/// Checks a plan against its commitment, in constant time.
///
/// # Errors
/// [`CommitmentError::Mismatch`] when it is another plan or key; the others as for [`commit`].
pub fn verify(key: &CommitmentKey, plan_json: &[u8], commitment: &Digest) -> Result<(), CommitmentError> {
    let mut expected = [0; 32];
    hex::decode_to_slice(commitment.as_str(), &mut expected).map_err(|_| CommitmentError::Mismatch)?;
    hmac::verify(&key.hmac(), &canonical(plan_json)?, &expected).map_err(|_| CommitmentError::Mismatch)
}

/// The bytes that are committed to. Two plans do the same exactly when these are equal. They hold the plan's secrets.
///
/// # Errors
/// As for [`commit`].
pub fn canonical(plan_json: &[u8]) -> Result<Zeroizing<Vec<u8>>, CommitmentError> {
    require_shallow(plan_json)?;
    let mut parser = serde_json::Deserializer::from_slice(plan_json);
    let members = parser.deserialize_map(TopLevel).map_err(|error| not_an_object(&error))?;
    parser.end().map_err(|error| not_an_object(&error))?;

    // Sized once, so that no half-grown copy of a secret is left behind.
    let mut out = Zeroizing::new(Vec::with_capacity(plan_json.len() + 2));
    let mut seen = HashSet::with_capacity(members.len());
    out.push(b'{');
    for (key, value) in members {
        let name: String = serde_json::from_str(key.get()).map_err(|error| not_an_object(&error))?;
        if name != VOLATILE {
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(key.get().as_bytes());
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
        if let Some(twice) = seen.replace(name) {
            return Err(CommitmentError::Duplicate(quoted(&twice)));
        }
    }
    out.push(b'}');
    Ok(out)
}

/// Category and place only: serde_json's own words can quote a string of the plan.
fn not_an_object(error: &serde_json::Error) -> CommitmentError {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends early",
        serde_json::error::Category::Data => "expected an object",
        _ => "the syntax is wrong",
    };
    CommitmentError::NotAnObject(format!("{what} at line {}, column {}", error.line(), error.column()))
}

/// Counts open brackets outside strings. The parser below does not recurse into values, so it has no limit of its own.
fn require_shallow(json: &[u8]) -> Result<(), CommitmentError> {
    let mut depth = 0_usize;
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(CommitmentError::TooDeep);
        }
    }
    Ok(())
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

/// Takes an object apart into its members' exact texts, in order.
struct TopLevel;

impl<'de> Visitor<'de> for TopLevel {
    type Value = Vec<(&'de RawValue, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAN: &str = concat!(
        r#"{"format_version":"1.2","variables":{"password":{"value":"hunter2"}},"#,
        r#""big":12345678901234567890123.10,"nested":{"timestamp":"2001-01-01T00:00:00Z"},"#,
        r#""timestamp":"2026-01-02T03:04:05Z","errored":false}"#
    );

    fn fixed_key() -> CommitmentKey {
        CommitmentKey::from_hex("07".repeat(32).as_bytes()).unwrap()
    }

    fn canonical_text(json: &str) -> Result<String, CommitmentError> {
        canonical(json.as_bytes()).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn only_the_top_level_timestamp_is_left_out() {
        insta::assert_snapshot!(canonical_text(PLAN).unwrap(), @r#"{"format_version":"1.2","variables":{"password":{"value":"hunter2"}},"big":12345678901234567890123.10,"nested":{"timestamp":"2001-01-01T00:00:00Z"},"errored":false}"#);
    }

    #[test]
    fn the_exact_spelling_of_values_counts_and_blanks_between_members_do_not() {
        assert_eq!(canonical_text("{ \"a\" : [ 1 ,2] ,\n\"b\":1e2}\n"), Ok(r#"{"a":[ 1 ,2],"b":1e2}"#.to_owned()));
        assert_eq!(canonical_text("{}"), Ok("{}".to_owned()));
        assert_eq!(canonical_text(r#"{"timestamp":0}"#), Ok("{}".to_owned()));
        assert_eq!(canonical_text(r#"{"time\u0073tamp":0,"\u0061":1}"#), Ok(r#"{"\u0061":1}"#.to_owned()));
        assert_ne!(canonical_text(r#"{"a":1,"b":2}"#), canonical_text(r#"{"b":2,"a":1}"#));
    }

    #[test]
    fn ambiguous_or_broken_plans_have_no_commitment() {
        for bad in
            ["", "[]", "null", "{}{}", "{} x", r#"{"a":}"#, r#"{"a":1,}"#, r#"{"a":1"#, "\u{feff}{}", r#"{"a":"b"#]
        {
            assert!(matches!(canonical_text(bad), Err(CommitmentError::NotAnObject(_))), "{bad:?}");
        }
        for twice in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"timestamp":1,"timestamp":2}"#] {
            assert!(matches!(canonical_text(twice), Err(CommitmentError::Duplicate(_))), "{twice}");
        }
        assert!(canonical(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn nesting_is_bounded_and_brackets_in_strings_do_not_count() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(canonical_text(&nested(MAX_DEPTH - 1)).is_ok());
        assert_eq!(canonical_text(&nested(MAX_DEPTH)), Err(CommitmentError::TooDeep));
        assert_eq!(canonical_text(&nested(1_000_000)), Err(CommitmentError::TooDeep));
        let quoted = format!(r#"{{"a":"\\\"{}"}}"#, "[".repeat(1000));
        assert!(canonical_text(&quoted).is_ok());
    }

    #[test]
    fn errors_carry_nothing_of_the_plan() {
        for bad in [r#""hunter2""#, r#"{"a":"hunter2"#, r#"{"a":hunter2}"#] {
            let text = canonical_text(bad).unwrap_err().to_string();
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_commitment_holds_for_its_plan_and_key_alone() {
        let (key, other) = (CommitmentKey::generate().unwrap(), CommitmentKey::generate().unwrap());
        let commitment = commit(&key, PLAN.as_bytes()).unwrap();
        assert_eq!(verify(&key, PLAN.as_bytes(), &commitment), Ok(()));
        assert_eq!(verify(&other, PLAN.as_bytes(), &commitment), Err(CommitmentError::Mismatch));
        assert_eq!(verify(&key, b"{}", &commitment), Err(CommitmentError::Mismatch));
        assert_ne!(commit(&other, PLAN.as_bytes()).unwrap(), commitment);
    }

    #[test]
    fn keys_survive_their_text() {
        let key = CommitmentKey::generate().unwrap();
        assert!(CommitmentKey::from_hex(format!("{}\n", *key.to_hex()).as_bytes()) == Ok(key));
        for bad in ["", "07", &"g".repeat(64), &"07".repeat(33)] {
            assert_eq!(CommitmentKey::from_hex(bad.as_bytes()), Err(CommitmentError::Key));
        }
    }

    proptest! {
        #[test]
        fn one_changed_byte_outside_the_timestamp_changes_it(at in 0..PLAN.len(), byte in any::<u8>()) {
            let span = PLAN.find(r#""timestamp":"2026"#).unwrap();
            let span = span..span + r#""timestamp":"2026-01-02T03:04:05Z""#.len();
            let mut changed = PLAN.as_bytes().to_vec();
            prop_assume!(!span.contains(&at) && changed[at] != byte);
            changed[at] = byte;
            let key = fixed_key();
            let original = commit(&key, PLAN.as_bytes()).unwrap();
            prop_assert_ne!(commit(&key, &changed), Ok(original));
        }

        #[test]
        fn another_timestamp_does_not(text in "[ -!#-\\[\\]-~]{0,40}") {
            let changed = PLAN.replace("2026-01-02T03:04:05Z", &text);
            prop_assert_eq!(canonical_text(&changed), canonical_text(PLAN));
        }

        #[test]
        fn any_bytes_end_in_a_value(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = canonical(&bytes);
        }

        #[test]
        fn what_is_canonical_stays_so(pairs in prop::collection::btree_map("[a-z]{1,6}", "[ -~]{0,9}", 0..6)) {
            let json = serde_json::to_vec(&pairs).unwrap();
            let once = canonical(&json).unwrap();
            prop_assert_eq!(canonical(&once).unwrap(), once);
        }
    }
}

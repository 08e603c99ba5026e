//! JSON cut into unparsed parts, one level at a time.

use std::borrow::Cow;
use std::fmt;

use countersign_domain::names::quoted;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::{MAX_CHILDREN, MAX_NESTING, PlanError, wrong};

/// The members of one object, sorted by key; every key stands once.
#[derive(Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// How a JSON value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Null,
    Scalar,
    Array,
    Object,
}

pub(super) fn form(raw: &RawValue) -> Form {
    match raw.get().as_bytes().first() {
        Some(b'n') => Form::Null,
        Some(b'[') => Form::Array,
        Some(b'{') => Form::Object,
        _ => Form::Scalar,
    }
}

/// Checks that `text` is JSON from end to end, and cuts its outermost object.
pub(super) fn document(text: &str) -> Result<Members<'_>, PlanError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let cut = MembersSeed { limit: MAX_CHILDREN }.deserialize(&mut deserializer);
    let cut = cut.and_then(|cut| deserializer.end().map(|()| cut)).map_err(|error| not_json(&error, text))?;
    let members = cut.ok_or_else(|| wrong("the plan", "an object of the known keys"))?;
    members.unique("the plan")
}

fn not_json(error: &serde_json::Error, text: &str) -> PlanError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Eof => PlanError::Truncated { line, column },
        Category::Data | Category::Io => PlanError::NotAPlan { found: "a JSON value that is no object" },
        Category::Syntax => PlanError::NotJson { found: what_it_seems(text), line, column },
    }
}

fn what_it_seems(text: &str) -> &'static str {
    let first_line = text.trim_ascii_start().lines().next().unwrap_or_default();
    if first_line.contains("\"@level\"") {
        return "it is a log in JSON lines";
    }
    match text.trim_ascii_start().as_bytes().first() {
        Some(b'{' | b'[') => "it is not valid JSON",
        _ => "it is text, not JSON",
    }
}

/// Refuses what is nested deeper than [`MAX_NESTING`]; `text` is valid JSON.
pub(super) fn check_nesting(text: &str) -> Result<(), PlanError> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err(PlanError::TooDeep { limit: MAX_NESTING });
        }
    }
    Ok(())
}

impl<'a> Members<'a> {
    /// Cuts the object `raw`, which stands at `place`; `null` counts as an object without members.
    pub(super) fn of(raw: &'a RawValue, place: &str) -> Result<Self, PlanError> {
        if form(raw) == Form::Null {
            return Ok(Self::default());
        }
        Self::up_to(raw, MAX_CHILDREN, place)?.ok_or_else(|| wrong(place, "an object of reasonable size"))
    }

    /// As [`Members::of`], but nothing when there are more than `limit` members.
    pub(super) fn up_to(raw: &'a RawValue, limit: usize, place: &str) -> Result<Option<Self>, PlanError> {
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        let cut = MembersSeed { limit }.deserialize(&mut deserializer).map_err(|_| wrong(place, "an object"))?;
        cut.map(|members| members.unique(place)).transpose()
    }

    fn unique(mut self, place: &str) -> Result<Self, PlanError> {
        if !self.0.is_sorted_by(|a, b| a.0 < b.0) {
            self.0.sort_by(|a, b| a.0.cmp(&b.0));
        }
        match self.0.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(PlanError::DuplicateKey { key: quoted(&pair[0].0), place: place.to_owned() }),
            None => Ok(self),
        }
    }

    /// The value at `key`; `null` counts as none.
    pub(super) fn get(&self, key: &str) -> Option<&'a RawValue> {
        let found = self.0.binary_search_by(|(name, _)| name.as_ref().cmp(key)).ok()?;
        self.0.get(found).map(|(_, raw)| *raw).filter(|raw| form(raw) != Form::Null)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_ref())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (Cow<'a, str>, &'a RawValue)> {
        self.0.into_iter()
    }

    pub(super) fn text(&self, key: &str, place: &str) -> Result<Option<String>, PlanError> {
        let Some(raw) = self.get(key) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| wrong(format!("{key} of {place}"), "a text"))
    }

    pub(super) fn texts(&self, key: &str, place: &str) -> Result<Vec<String>, PlanError> {
        let Some(raw) = self.get(key) else { return Ok(Vec::new()) };
        serde_json::from_str(raw.get()).map_err(|_| wrong(format!("{key} of {place}"), "a list of texts"))
    }

    pub(super) fn flag(&self, key: &str, place: &str) -> Result<Option<bool>, PlanError> {
        match self.get(key).map(RawValue::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(wrong(format!("{key} of {place}"), "true or false")),
        }
    }
}

/// The elements of the array `raw`; nothing when there are more than `limit`.
pub(super) fn elements_up_to<'a>(
    raw: &'a RawValue,
    limit: usize,
    place: &str,
) -> Result<Option<Vec<&'a RawValue>>, PlanError> {
    let mut elements = Vec::new();
    let mut too_many = false;
    each_element(raw, place, |element| {
        too_many = too_many || elements.len() >= limit;
        if !too_many {
            elements.push(element);
        }
        Ok(())
    })?;
    Ok((!too_many).then_some(elements))
}

/// Hands over the elements of the array `raw` one by one, without keeping them.
pub(super) fn each_element<'a>(
    raw: &'a RawValue,
    place: &str,
    mut take: impl FnMut(&'a RawValue) -> Result<(), PlanError>,
) -> Result<(), PlanError> {
    if form(raw) == Form::Null {
        return Ok(());
    }
    let mut refused = None;
    let visitor = ElementsVisitor { take: &mut take, refused: &mut refused };
    let walked = serde_json::Deserializer::from_str(raw.get()).deserialize_seq(visitor);
    match (refused, walked) {
        (Some(error), _) => Err(error),
        (None, Err(_)) => Err(wrong(place, "a list")),
        (None, Ok(())) => Ok(()),
    }
}

struct ElementsVisitor<'v, F> {
    take: &'v mut F,
    refused: &'v mut Option<PlanError>,
}

impl<'a, F: FnMut(&'a RawValue) -> Result<(), PlanError>> Visitor<'a> for ElementsVisitor<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut seq: S) -> Result<(), S::Error> {
        while let Some(element) = seq.next_element::<&'a RawValue>()? {
            if let Err(error) = (self.take)(element) {
                *self.refused = Some(error);
                return Err(de::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// Cuts one object; nothing when it has more than `limit` members.
struct MembersSeed {
    limit: usize,
}

impl<'de> DeserializeSeed<'de> for MembersSeed {
    type Value = Option<Members<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MembersSeed {
    type Value = Option<Members<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key_seed(KeySeed)? {
            if members.len() == self.limit {
                map.next_value::<IgnoredAny>()?;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            members.push((key, map.next_value()?));
        }
        Ok(Some(Members(members)))
    }
}

/// A key, borrowed when it holds no escapes.
struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

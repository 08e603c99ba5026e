//! What differs between a resource's values before and after, by path.

use countersign_domain::plan::{Action, AttributeChange, AttributeValue};
use serde_json::value::RawValue;

use super::raw::{Form, Members, elements_up_to, form};
use super::{MAX_ATTRIBUTES, MAX_CHILDREN, PlanError, wrong};

/// How many more attributes may be told apart.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn new() -> Self {
        Self(MAX_ATTRIBUTES)
    }

    fn children(&self) -> usize {
        self.0.min(MAX_CHILDREN)
    }

    fn spend_one(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }
}

/// Which parts of a value carry a mark (unknown, sensitive): none, all, or those that a tree of booleans names.
#[derive(Clone, Copy)]
pub(super) enum Mark<'a> {
    None,
    All,
    Parts(&'a RawValue),
}

impl<'a> Mark<'a> {
    fn of(raw: Option<&'a RawValue>, place: &str) -> Result<Self, PlanError> {
        let Some(raw) = raw else { return Ok(Self::None) };
        match (form(raw), raw.get()) {
            (Form::Null, _) | (Form::Scalar, "false") => Ok(Self::None),
            (Form::Scalar, "true") => Ok(Self::All),
            (Form::Scalar, _) => Err(wrong(format!("a mark of {place}"), "true, false or a tree of these")),
            // A tree without the word names nothing. A key that contains it costs a walk, no more.
            (_, text) if !text.contains("true") => Ok(Self::None),
            _ => Ok(Self::Parts(raw)),
        }
    }

    fn is_none(self) -> bool {
        matches!(self, Self::None)
    }

    fn is_all(self) -> bool {
        matches!(self, Self::All)
    }

    fn same_as(self, other: Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) | (Self::All, Self::All) => true,
            (Self::Parts(a), Self::Parts(b)) => a.get() == b.get(),
            _ => false,
        }
    }

    fn form(self) -> Form {
        match self {
            Self::None => Form::Null,
            Self::All => Form::Scalar,
            Self::Parts(raw) => form(raw),
        }
    }
}

/// A mark opened by one level.
enum Opened<'a> {
    /// The same for every part.
    Uniform(Mark<'a>),
    Members(Members<'a>),
    Elements(Vec<&'a RawValue>),
}

impl<'a> Opened<'a> {
    /// Nothing when there are more parts than `limit`.
    fn of(mark: Mark<'a>, limit: usize, place: &str) -> Result<Option<Self>, PlanError> {
        let Mark::Parts(raw) = mark else { return Ok(Some(Self::Uniform(mark))) };
        Ok(match form(raw) {
            Form::Object => Members::up_to(raw, limit, place)?.map(Self::Members),
            _ => elements_up_to(raw, limit, place)?.map(Self::Elements),
        })
    }

    fn key(&self, key: &str, place: &str) -> Result<Mark<'a>, PlanError> {
        match self {
            Self::Uniform(mark) => Ok(*mark),
            Self::Members(members) => Mark::of(members.get(key), place),
            // Marks of another form than the value: nothing can be said of a part, so the mark holds for all.
            Self::Elements(_) => Ok(Mark::All),
        }
    }

    fn index(&self, index: usize, place: &str) -> Result<Mark<'a>, PlanError> {
        match self {
            Self::Uniform(mark) => Ok(*mark),
            Self::Elements(elements) => Mark::of(elements.get(index).copied(), place),
            Self::Members(_) => Ok(Mark::All),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        let members = match self {
            Self::Members(members) => Some(members),
            _ => None,
        };
        members.into_iter().flat_map(Members::keys)
    }

    fn len(&self) -> usize {
        match self {
            Self::Uniform(_) => 0,
            Self::Members(members) => members.len(),
            Self::Elements(elements) => elements.len(),
        }
    }
}

/// The three marks of one place, opened by one level.
struct OpenedMarks<'a> {
    unknown: Opened<'a>,
    was_sensitive: Opened<'a>,
    is_sensitive: Opened<'a>,
}

impl<'a> OpenedMarks<'a> {
    fn of(sides: Sides<'a>, limit: usize, place: &str) -> Result<Option<Self>, PlanError> {
        let unknown = Opened::of(sides.unknown, limit, place)?;
        let was_sensitive = Opened::of(sides.was_sensitive, limit, place)?;
        let is_sensitive = Opened::of(sides.is_sensitive, limit, place)?;
        Ok(match (unknown, was_sensitive, is_sensitive) {
            (Some(unknown), Some(was_sensitive), Some(is_sensitive)) => {
                Some(Self { unknown, was_sensitive, is_sensitive })
            }
            _ => None,
        })
    }
}

/// The `change` of a resource or an output.
pub(super) struct Delta<'a> {
    before: Option<&'a RawValue>,
    after: Option<&'a RawValue>,
    unknown: Mark<'a>,
    was_sensitive: Mark<'a>,
    is_sensitive: Mark<'a>,
    replace_paths: Option<&'a RawValue>,
    place: String,
}

/// One place in the values, seen from every side.
#[derive(Clone, Copy)]
struct Sides<'a> {
    before: Option<&'a RawValue>,
    after: Option<&'a RawValue>,
    unknown: Mark<'a>,
    was_sensitive: Mark<'a>,
    is_sensitive: Mark<'a>,
}

impl<'a> Delta<'a> {
    pub(super) fn open(change: &Members<'a>, place: &str) -> Result<Self, PlanError> {
        Ok(Self {
            before: change.get("before"),
            after: change.get("after"),
            unknown: Mark::of(change.get("after_unknown"), place)?,
            was_sensitive: Mark::of(change.get("before_sensitive"), place)?,
            is_sensitive: Mark::of(change.get("after_sensitive"), place)?,
            replace_paths: change.get("replace_paths"),
            place: place.to_owned(),
        })
    }

    /// True when both sides are written alike and nothing is unknown.
    pub(super) fn is_empty(&self) -> bool {
        self.before.map(RawValue::get) == self.after.map(RawValue::get) && self.unknown.is_none()
    }

    /// Both sides as one value each, for outputs.
    pub(super) fn whole(&self) -> (AttributeValue, AttributeValue) {
        values(self.sides())
    }

    pub(super) fn attributes(&self, action: Action, budget: &mut Budget) -> Result<Vec<AttributeChange>, PlanError> {
        let mut walk = Walk {
            path: String::new(),
            replace_paths: self.replace_paths()?,
            shows_marks: matches!(action, Action::Update | Action::Replace(_)),
            found: Vec::new(),
            budget,
            place: &self.place,
        };
        walk.compare(self.sides())?;
        Ok(walk.found)
    }

    /// The paths that are marked sensitive on either side, sorted, each once; the empty path is the whole.
    pub(super) fn sensitive_paths(&self, budget: &mut Budget) -> Result<Vec<String>, PlanError> {
        let mut paths = Vec::new();
        for mark in [self.was_sensitive, self.is_sensitive] {
            marked_paths(mark, &mut String::new(), budget, &mut paths, &self.place)?;
        }
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    fn sides(&self) -> Sides<'a> {
        Sides {
            before: self.before,
            after: self.after,
            unknown: self.unknown,
            was_sensitive: self.was_sensitive,
            is_sensitive: self.is_sensitive,
        }
    }

    /// `replace_paths` as texts of the same form as attribute paths.
    fn replace_paths(&self) -> Result<Vec<String>, PlanError> {
        let Some(raw) = self.replace_paths else { return Ok(Vec::new()) };
        let place = format!("replace_paths of {}", self.place);
        let mut paths = Vec::new();
        for steps in elements_up_to(raw, MAX_CHILDREN, &place)?.unwrap_or_default() {
            let mut path = String::new();
            for step in elements_up_to(steps, MAX_CHILDREN, &place)?.unwrap_or_default() {
                match serde_json::from_str::<String>(step.get()) {
                    Ok(key) => push_key(&mut path, &key),
                    Err(_) if step.get().bytes().all(|b| b.is_ascii_digit()) => {
                        path.push_str(&format!("[{}]", step.get()));
                    }
                    // A step that is neither key nor index (a member of a set): all below it counts.
                    Err(_) => break,
                }
            }
            paths.push(path);
        }
        Ok(paths)
    }
}

fn marked_paths(
    mark: Mark<'_>,
    path: &mut String,
    budget: &mut Budget,
    into: &mut Vec<String>,
    place: &str,
) -> Result<(), PlanError> {
    if mark.is_none() {
        return Ok(());
    }
    // More parts than are told apart: some are marked, so the whole counts as marked.
    let opened = Opened::of(mark, budget.children(), place)?.unwrap_or(Opened::Uniform(Mark::All));
    let length = path.len();
    match &opened {
        Opened::Uniform(_) => {
            budget.spend_one();
            into.push(path.clone());
        }
        Opened::Members(members) => {
            for key in members.keys() {
                push_key(path, key);
                marked_paths(opened.key(key, place)?, path, budget, into, place)?;
                path.truncate(length);
            }
        }
        Opened::Elements(elements) => {
            for index in 0..elements.len() {
                push_index(path, index);
                marked_paths(opened.index(index, place)?, path, budget, into, place)?;
                path.truncate(length);
            }
        }
    }
    Ok(())
}

struct Walk<'w> {
    path: String,
    replace_paths: Vec<String>,
    /// Whether a value that merely becomes sensitive, or ceases to be, is worth an entry.
    shows_marks: bool,
    found: Vec<AttributeChange>,
    budget: &'w mut Budget,
    place: &'w str,
}

impl Walk<'_> {
    fn compare(&mut self, sides: Sides<'_>) -> Result<(), PlanError> {
        let sides = Sides { before: sides.before.and_then(set), after: sides.after.and_then(set), ..sides };
        if self.is_unchanged(sides) {
            return Ok(());
        }
        if sides.unknown.is_all() || sides.was_sensitive.is_all() || sides.is_sensitive.is_all() {
            self.leaf(sides);
            return Ok(());
        }
        match common_form(sides) {
            Form::Object => self.compare_objects(sides),
            Form::Array => self.compare_arrays(sides),
            Form::Null => Ok(()),
            Form::Scalar => {
                self.leaf(sides);
                Ok(())
            }
        }
    }

    fn is_unchanged(&self, sides: Sides<'_>) -> bool {
        sides.before.map(RawValue::get) == sides.after.map(RawValue::get)
            && sides.unknown.is_none()
            && (!self.shows_marks || sides.was_sensitive.same_as(sides.is_sensitive))
    }

    fn compare_objects(&mut self, sides: Sides<'_>) -> Result<(), PlanError> {
        let (limit, place) = (self.budget.children(), self.place);
        let cut = |side: Option<_>| side.map_or(Ok(Some(Members::default())), |raw| Members::up_to(raw, limit, place));
        let (Some(before), Some(after), Some(marks)) =
            (cut(sides.before)?, cut(sides.after)?, OpenedMarks::of(sides, limit, place)?)
        else {
            self.leaf(sides);
            return Ok(());
        };
        let mut keys: Vec<&str> = before.keys().chain(after.keys()).chain(marks.unknown.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            self.leaf(sides);
            return Ok(());
        }
        let length = self.path.len();
        for key in keys {
            push_key(&mut self.path, key);
            self.compare(Sides {
                before: before.get(key),
                after: after.get(key),
                unknown: marks.unknown.key(key, place)?,
                was_sensitive: marks.was_sensitive.key(key, place)?,
                is_sensitive: marks.is_sensitive.key(key, place)?,
            })?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn compare_arrays(&mut self, sides: Sides<'_>) -> Result<(), PlanError> {
        let (limit, place) = (self.budget.children(), self.place);
        let cut = |side: Option<_>| side.map_or(Ok(Some(Vec::new())), |raw| elements_up_to(raw, limit, place));
        let (Some(before), Some(after), Some(marks)) =
            (cut(sides.before)?, cut(sides.after)?, OpenedMarks::of(sides, limit, place)?)
        else {
            self.leaf(sides);
            return Ok(());
        };
        let count = before.len().max(after.len()).max(marks.unknown.len());
        if count == 0 {
            self.leaf(sides);
            return Ok(());
        }
        let length = self.path.len();
        for index in 0..count {
            push_index(&mut self.path, index);
            self.compare(Sides {
                before: before.get(index).copied(),
                after: after.get(index).copied(),
                unknown: marks.unknown.index(index, place)?,
                was_sensitive: marks.was_sensitive.index(index, place)?,
                is_sensitive: marks.is_sensitive.index(index, place)?,
            })?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn leaf(&mut self, sides: Sides<'_>) {
        let (before, after) = values(sides);
        if before == AttributeValue::Absent && after == AttributeValue::Absent {
            return;
        }
        self.budget.spend_one();
        let forces_replacement = self.replace_paths.iter().any(|path| is_along(path, &self.path));
        self.found.push(AttributeChange { path: self.path.clone(), before, after, forces_replacement });
    }
}

/// `null` is how the plan writes what is not set.
fn set(raw: &RawValue) -> Option<&RawValue> {
    (form(raw) != Form::Null).then_some(raw)
}

/// The form in which both sides can be walked together: `Scalar` when they cannot, `Null` when there is nothing.
fn common_form(sides: Sides<'_>) -> Form {
    let of = |side: Option<&RawValue>| side.map_or(Form::Null, form);
    match (of(sides.before), of(sides.after)) {
        (Form::Null, Form::Null) => match sides.unknown.form() {
            Form::Scalar => Form::Null,
            walkable => walkable,
        },
        (Form::Null, one) | (one, Form::Null) => one,
        (before, after) if before == after => before,
        _ => Form::Scalar,
    }
}

/// Both sides' values. A mark on either side covers both: the value before a secret became one is still the secret.
fn values(sides: Sides<'_>) -> (AttributeValue, AttributeValue) {
    // Of a value that is known in part, the known part is shown.
    let after_unknown = sides.unknown.is_all() || (!sides.unknown.is_none() && sides.after.is_none());
    let sensitive = !sides.was_sensitive.is_none() || !sides.is_sensitive.is_none();
    let value = |side: Option<&RawValue>| match side.and_then(set) {
        None => AttributeValue::Absent,
        Some(raw) if sensitive => AttributeValue::Sensitive(raw.get().to_owned()),
        Some(raw) => AttributeValue::Known(raw.get().to_owned()),
    };
    let after = match after_unknown {
        true if sensitive => AttributeValue::SensitiveUnknown,
        true => AttributeValue::Unknown,
        false => value(sides.after),
    };
    (value(sides.before), after)
}

fn push_key(path: &mut String, key: &str) {
    let mut chars = key.chars();
    let begins = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if begins && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
        return;
    }
    path.push_str("[\"");
    for c in key.chars() {
        match c {
            '"' | '\\' => path.extend(['\\', c]),
            // Control characters and those that reorder text on screen are written out.
            _ if c.is_control()
                || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{061C}' | '\u{FEFF}') =>
            {
                path.extend(c.escape_unicode());
            }
            _ => path.push(c),
        }
    }
    path.push_str("\"]");
}

fn push_index(path: &mut String, index: usize) {
    path.push('[');
    path.push_str(&index.to_string());
    path.push(']');
}

/// True when one of the two paths leads to or through the other.
fn is_along(a: &str, b: &str) -> bool {
    let leads_to = |short: &str, long: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || short.is_empty() || rest.starts_with(['.', '[']))
    };
    leads_to(a, b) || leads_to(b, a)
}

//! The policy: who may sign, how many, for what. Read from trunk, never from the change under review.
//!
//! ```toml
//! version = 1
//! repository = "infrastructure-live"
//!
//! [people.ana]                    # the principal in allowed_signers
//! emails = ["ana@example.com"]    # whose commits are hers
//! roles = ["reviewer", "security"]
//!
//! [people.runner]
//! roles = ["runner"]
//!
//! [environments.prod]
//! units = ["prod/**"]
//! approvals = 2
//! roles = { security = 1 }
//! acknowledge_destroys = true
//! approval_hours = 72
//!
//! [policy_change]                 # for changes that edit this file or allowed_signers
//! approvals = 2
//!
//! [[checklist]]
//! id = "security"
//! question = "No secret, open port or wide permission gets in."
//! ```

use std::collections::{BTreeMap, BTreeSet};

use globset::{Glob, GlobBuilder, GlobMatcher};
use indexmap::IndexMap;
use serde::Deserialize;

use crate::names::{EnvironmentName, PersonId, QuestionId, RepositoryId, UnitPath};

/// Where the policy stands in a repository.
pub const POLICY_FILE: &str = "countersign.toml";
/// Where the keys stand in a repository, in OpenSSH's own format (ssh-keygen(1), ALLOWED SIGNERS).
pub const ALLOWED_SIGNERS_FILE: &str = "allowed_signers";
/// Largest accepted policy file in bytes.
pub const MAX_POLICY_BYTES: usize = 1024 * 1024;
/// How long an approval counts when the policy does not say, in hours.
pub const DEFAULT_APPROVAL_HOURS: u32 = 72;
/// The longest an approval may count, in hours: 90 days.
pub const MAX_APPROVAL_HOURS: u32 = 24 * 90;

/// Why a policy cannot be used. While it stands, the gate is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{POLICY_FILE}:{line}:{column}: {problem}")]
pub struct PolicyError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
}

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Approves and refuses changes.
    Reviewer,
    /// Approves where security has to look; may revoke anyone's approval.
    Security,
    /// Signs releases.
    ReleaseManager,
    /// Plans, consumes and applies; not a person, and its approvals never count.
    Runner,
}

impl Role {
    /// The role's word in the policy.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Reviewer => "reviewer",
            Self::Security => "security",
            Self::ReleaseManager => "release-manager",
            Self::Runner => "runner",
        }
    }
}

/// A person, or the deploy runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Lower-case e-mail addresses whose commits are this person's.
    pub emails: BTreeSet<String>,
    /// What the person may do.
    pub roles: BTreeSet<Role>,
}

/// What a change needs, for one environment or for edits of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// How many persons have to approve; 1 to 20.
    pub approvals: u32,
    /// Of these, how many must hold a role.
    pub roles: BTreeMap<Role, u32>,
    /// Whether each destroyed or replaced address has to be typed.
    pub acknowledge_destroys: bool,
    /// How long an approval counts, in hours; 1 to [`MAX_APPROVAL_HOURS`].
    pub approval_hours: u32,
}

/// An environment: a rule and the units it is for.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Patterns over unit paths, `*` within a part and `**` across parts.
    pub units: Vec<GlobMatcher>,
    /// What its changes need.
    pub rule: Rule,
}

/// A checklist question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its id, which the answer is bound to.
    pub id: QuestionId,
    /// What is asked.
    pub text: String,
}

/// A policy that was read whole and makes sense.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The repository's own name; every statement binds it.
    pub repository: RepositoryId,
    /// Everyone who has a say, by principal.
    pub people: BTreeMap<PersonId, Person>,
    /// The environments in the order of the file: the first whose pattern matches a unit is the unit's.
    pub environments: Vec<(EnvironmentName, Environment)>,
    /// What changes of the policy need, and changes that affect no unit.
    pub policy_change: Rule,
    /// What every approval answers.
    pub checklist: Vec<Question>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyToml {
    version: toml::Spanned<u32>,
    repository: RepositoryId,
    #[serde(default)]
    people: BTreeMap<PersonId, PersonToml>,
    #[serde(default)]
    environments: IndexMap<EnvironmentName, EnvironmentToml>,
    #[serde(default)]
    policy_change: RuleToml,
    #[serde(default)]
    checklist: Vec<QuestionToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonToml {
    #[serde(default)]
    emails: Vec<toml::Spanned<String>>,
    roles: BTreeSet<Role>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvironmentToml {
    units: Vec<toml::Spanned<String>>,
    #[serde(default)]
    approvals: Option<toml::Spanned<u32>>,
    #[serde(default)]
    roles: BTreeMap<Role, toml::Spanned<u32>>,
    #[serde(default)]
    acknowledge_destroys: bool,
    #[serde(default)]
    approval_hours: Option<toml::Spanned<u32>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RuleToml {
    #[serde(default)]
    approvals: Option<toml::Spanned<u32>>,
    #[serde(default)]
    roles: BTreeMap<Role, toml::Spanned<u32>>,
    #[serde(default)]
    approval_hours: Option<toml::Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuestionToml {
    id: toml::Spanned<QuestionId>,
    question: String,
}

/// A problem at a byte of the file.
struct At(usize, String);

impl Policy {
    /// Reads `countersign.toml`.
    ///
    /// # Errors
    /// [`PolicyError`] with line and column for anything that is not a whole, sensible policy; unknown keys included.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError { line: 1, column: 1, problem: format!("longer than {MAX_POLICY_BYTES} bytes") });
        }
        let raw: PolicyToml = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            located(text, &At(start, error.message().to_owned()))
        })?;
        Self::from_toml(raw).map_err(|problem| located(text, &problem))
    }

    fn from_toml(raw: PolicyToml) -> Result<Self, At> {
        if *raw.version.get_ref() != 1 {
            return Err(At(
                raw.version.span().start,
                "this program reads version 1; a newer file needs a newer Countersign".to_owned(),
            ));
        }
        let people = people(raw.people)?;
        let environments = raw
            .environments
            .into_iter()
            .map(|(name, environment)| Ok((name, environment.try_into()?)))
            .collect::<Result<_, At>>()?;
        let policy_change =
            rule(raw.policy_change.approvals, raw.policy_change.roles, false, raw.policy_change.approval_hours)?;
        Ok(Self {
            repository: raw.repository,
            people,
            environments,
            policy_change,
            checklist: checklist(raw.checklist)?,
        })
    }

    /// The environment of a unit: the first whose pattern matches.
    #[must_use]
    pub fn environment_of(&self, unit: &UnitPath) -> Option<(&EnvironmentName, &Environment)> {
        self.environments
            .iter()
            .find(|(_, environment)| environment.units.iter().any(|glob| glob.is_match(unit.as_str())))
            .map(|(name, environment)| (name, environment))
    }

    /// True when `person` holds `role`.
    #[must_use]
    pub fn holds(&self, person: &PersonId, role: Role) -> bool {
        self.people.get(person).is_some_and(|p| p.roles.contains(&role))
    }

    /// The person whose commits carry `email`.
    #[must_use]
    pub fn person_of_email(&self, email: &str) -> Option<&PersonId> {
        let email = email.to_lowercase();
        self.people.iter().find(|(_, person)| person.emails.contains(&email)).map(|(id, _)| id)
    }
}

fn people(raw: BTreeMap<PersonId, PersonToml>) -> Result<BTreeMap<PersonId, Person>, At> {
    let mut owners: BTreeMap<String, PersonId> = BTreeMap::new();
    let mut people = BTreeMap::new();
    for (id, person) in raw {
        let mut emails = BTreeSet::new();
        for spanned in person.emails {
            let email = spanned.get_ref().to_lowercase();
            if let Some(other) = owners.insert(email.clone(), id.clone()) {
                return Err(At(spanned.span().start, format!("{email} is listed for {other} and for {id}")));
            }
            emails.insert(email);
        }
        if person.roles.contains(&Role::Runner) && person.roles.len() > 1 {
            return Err(At(0, format!("{id} is a runner and holds other roles; a runner only plans and applies")));
        }
        people.insert(id, Person { emails, roles: person.roles });
    }
    Ok(people)
}

fn checklist(raw: Vec<QuestionToml>) -> Result<Vec<Question>, At> {
    let mut seen = BTreeSet::new();
    raw.into_iter()
        .map(|question| {
            let start = question.id.span().start;
            let id = question.id.into_inner();
            if !seen.insert(id.clone()) {
                return Err(At(start, format!("the checklist asks {id} twice")));
            }
            Ok(Question { id, text: question.question })
        })
        .collect()
}

impl TryFrom<EnvironmentToml> for Environment {
    type Error = At;
    fn try_from(raw: EnvironmentToml) -> Result<Self, At> {
        let units = raw.units.iter().map(glob).collect::<Result<_, _>>()?;
        Ok(Self { units, rule: rule(raw.approvals, raw.roles, raw.acknowledge_destroys, raw.approval_hours)? })
    }
}

fn glob(pattern: &toml::Spanned<String>) -> Result<GlobMatcher, At> {
    GlobBuilder::new(pattern.get_ref())
        .literal_separator(true)
        .build()
        .map(|glob: Glob| glob.compile_matcher())
        .map_err(|error| At(pattern.span().start, error.to_string()))
}

fn rule(
    approvals: Option<toml::Spanned<u32>>,
    roles: BTreeMap<Role, toml::Spanned<u32>>,
    acknowledge_destroys: bool,
    hours: Option<toml::Spanned<u32>>,
) -> Result<Rule, At> {
    let approvals = within(approvals, 1, 1..=20, "approvals")?;
    let approval_hours = within(hours, DEFAULT_APPROVAL_HOURS, 1..=MAX_APPROVAL_HOURS, "approval_hours")?;
    let mut needed = BTreeMap::new();
    for (role, count) in roles {
        let start = count.span().start;
        if role == Role::Runner {
            return Err(At(start, "a runner cannot approve".to_owned()));
        }
        if *count.get_ref() > approvals {
            return Err(At(start, format!("asks for more of {} than approvals = {approvals}", role.word())));
        }
        needed.insert(role, count.into_inner());
    }
    Ok(Rule { approvals, roles: needed, acknowledge_destroys, approval_hours })
}

fn within(
    value: Option<toml::Spanned<u32>>,
    default: u32,
    range: std::ops::RangeInclusive<u32>,
    name: &str,
) -> Result<u32, At> {
    let Some(value) = value else { return Ok(default) };
    if !range.contains(value.get_ref()) {
        return Err(At(
            value.span().start,
            format!("{name} must be {} to {}, not {}", range.start(), range.end(), value.get_ref()),
        ));
    }
    Ok(value.into_inner())
}

fn located(text: &str, At(start, problem): &At) -> PolicyError {
    let before = text.get(..*start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    PolicyError { line, column, problem: problem.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
version = 1
repository = "infrastructure-live"
[people.ana]
emails = ["Ana@Example.com"]
roles = ["reviewer", "security"]
[people.runner]
roles = ["runner"]
[environments.prod]
units = ["prod/**"]
approvals = 2
roles = { security = 1 }
acknowledge_destroys = true
[environments.rest]
units = ["**"]
[[checklist]]
id = "security"
question = "Safe?"
"#;

    fn unit(path: &str) -> UnitPath {
        UnitPath::new(path).unwrap()
    }

    #[test]
    fn a_whole_policy_is_read() {
        let policy = Policy::parse(GOOD).unwrap();
        let (name, environment) = policy.environment_of(&unit("prod/orders-db")).unwrap();
        assert_eq!(name.as_str(), "prod");
        assert_eq!(environment.rule.approvals, 2);
        assert_eq!(environment.rule.approval_hours, DEFAULT_APPROVAL_HOURS);
        assert_eq!(policy.environment_of(&unit("dev/web")).map(|(name, _)| name.as_str()), Some("rest"));
        assert_eq!(policy.person_of_email("ANA@example.com").map(PersonId::as_str), Some("ana"));
    }

    fn problem_of(edit: impl FnOnce(String) -> String) -> String {
        Policy::parse(&edit(GOOD.to_owned())).unwrap_err().to_string()
    }

    #[test]
    fn mistakes_are_named_with_line_and_column() {
        insta::assert_snapshot!(problem_of(|t| t.replace("approvals = 2", "approvals = 0")), @"countersign.toml:11:13: approvals must be 1 to 20, not 0");
        insta::assert_snapshot!(problem_of(|t| t.replace("approvals = 2", "aprovals = 2")), @"countersign.toml:11:1: unknown field `aprovals`, expected one of `units`, `approvals`, `roles`, `acknowledge_destroys`, `approval_hours`");
        insta::assert_snapshot!(problem_of(|t| t.replace("security = 1", "security = 3")), @"countersign.toml:12:22: asks for more of security than approvals = 2");
        insta::assert_snapshot!(problem_of(|t| t.replace("version = 1", "version = 2")), @"countersign.toml:2:11: this program reads version 1; a newer file needs a newer Countersign");
        insta::assert_snapshot!(problem_of(|t| t.replace("prod/**", "prod/[")), @"countersign.toml:10:10: error parsing glob 'prod/[': unclosed character class; missing ']'");
        insta::assert_snapshot!(problem_of(|t| t.replace("[people.runner]", "[people.b]\nemails = [\"ana@example.com\"]\nroles = []\n[people.runner]")), @"countersign.toml:8:11: ana@example.com is listed for ana and for b");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = Policy::parse(&text);
        }

        #[test]
        fn no_cut_makes_it_panic(cut in 0..GOOD.len()) {
            let _ = Policy::parse(&GOOD[..cut]);
        }
    }
}

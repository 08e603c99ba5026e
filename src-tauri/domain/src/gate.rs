//! The gate: (policy, change, statements, now) → verdict. One pure function serves the window, the command line and the
//! deploy runner.
//!
//! Everything that cannot be decided is closed, with the reason. Two rules make it monotone: taking an approval away
//! never opens it, and neither does adding a refusal, a revocation, or an approval of anything else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::change::{AffectedUnit, ChangeFacts, Mergeability};
use crate::names::{Digest, EnvironmentName, PersonId, StatementId, UnitPath};
use crate::plan::Counts;
use crate::policy::{Policy, Role, Rule};
use crate::statement::{
    Acknowledgement, Approval, ApprovedUnit, PlanManifest, PlanOutcome, PlannedChanges, PlannedUnit, Rejection,
    Statement, Verified,
};

/// How far a signer's clock may run ahead of the gate's before a statement counts as issued in the future.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(120);

/// The policy on trunk and the digest that approvals bind it by.
#[derive(Debug, Clone, Copy)]
pub struct PolicyInForce<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// SHA-256 over the policy files' bytes.
    pub digest: &'a Digest,
}

/// All the gate looks at.
#[derive(Debug, Clone, Copy)]
pub struct GateInput<'a> {
    /// The policy on trunk, or why it cannot be used.
    pub policy: Result<PolicyInForce<'a>, &'a str>,
    /// The change.
    pub change: &'a ChangeFacts,
    /// Verified statements; those of other repositories and changes are ignored.
    pub statements: &'a [Verified],
    /// The gate's own clock.
    pub now: Timestamp,
}

/// What a requirement is about. Its text form is stable: scripts rely on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequirementName {
    /// `policy`: trunk has a policy that can be read.
    Policy,
    /// `merge`: the change merges into trunk, or has been.
    Merge,
    /// `units`: the affected units are known and each belongs to an environment.
    Units,
    /// `plan`: a runner's plan of exactly this head, these units and these inputs.
    Plan,
    /// `approvals` with the environment behind a colon.
    Approvals(String),
    /// `role` with role and environment behind colons.
    Role(Role, String),
    /// `refusals`: nobody's refusal stands.
    Refusals,
    /// `not-applied`: a plan is applied at most once.
    NotApplied,
}

impl fmt::Display for RequirementName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy => f.write_str("policy"),
            Self::Merge => f.write_str("merge"),
            Self::Units => f.write_str("units"),
            Self::Plan => f.write_str("plan"),
            Self::Approvals(scope) => write!(f, "approvals:{scope}"),
            Self::Role(role, scope) => write!(f, "role:{}:{scope}", role.word()),
            Self::Refusals => f.write_str("refusals"),
            Self::NotApplied => f.write_str("not-applied"),
        }
    }
}

/// Something a requirement rests on, for or against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// In words.
    pub text: String,
    /// Whether it counts towards the requirement.
    pub counts: bool,
    /// The statement, when it is one.
    pub statement: Option<StatementId>,
}

/// One requirement and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// What it is about.
    pub name: RequirementName,
    /// Whether it is met.
    pub met: bool,
    /// How it stands, or what it lacks, in words.
    pub detail: String,
    /// What that rests on.
    pub evidence: Vec<Evidence>,
}

/// How many approvals a scope has and needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The environment, or `policy`.
    pub scope: String,
    /// Persons whose approvals count.
    pub counted: u32,
    /// Persons needed.
    pub required: u32,
}

/// The gate's verdict, with everything it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    requirements: Vec<Requirement>,
    manifest: Option<(StatementId, PlanManifest)>,
    counted: BTreeMap<PersonId, StatementId>,
    tallies: Vec<Tally>,
    plans: Vec<ApprovedPlan>,
}

/// A plan that an open gate lets be applied. Only [`Verdict::approved_plans`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedPlan {
    unit: PlannedUnit,
    changes: PlannedChanges,
    approvals: Vec<StatementId>,
}

impl ApprovedPlan {
    /// The unit as the manifest has it.
    #[must_use]
    pub fn unit(&self) -> &PlannedUnit {
        &self.unit
    }

    /// What would be applied.
    #[must_use]
    pub fn changes(&self) -> &PlannedChanges {
        &self.changes
    }

    /// The approvals that opened the gate, sorted.
    #[must_use]
    pub fn approvals(&self) -> &[StatementId] {
        &self.approvals
    }
}

impl Verdict {
    /// True when every requirement is met.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.requirements.iter().all(|requirement| requirement.met)
    }

    /// Every requirement, in a fixed order.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The manifest the verdict speaks of: the runner's newest for this head.
    #[must_use]
    pub fn manifest(&self) -> Option<&(StatementId, PlanManifest)> {
        self.manifest.as_ref()
    }

    /// Persons whose approvals count, with the approval.
    #[must_use]
    pub fn counted(&self) -> &BTreeMap<PersonId, StatementId> {
        &self.counted
    }

    /// Approvals by scope.
    #[must_use]
    pub fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// The plans that may be applied now, by unit path; none unless the gate is open.
    #[must_use]
    pub fn approved_plans(&self) -> &[ApprovedPlan] {
        if self.is_open() { &self.plans } else { &[] }
    }
}

/// Judges a change.
#[must_use]
pub fn evaluate(input: &GateInput<'_>) -> Verdict {
    let in_force = match input.policy {
        Ok(in_force) => in_force,
        Err(problem) => return without_policy(problem),
    };
    let court = Court::assemble(input, in_force);
    let mut requirements = vec![
        met(RequirementName::Policy, format!("countersign.toml on trunk, {}", in_force.digest.short())),
        merge(&input.change.mergeability),
        court.units(),
        court.plan(),
    ];
    let ballots = court.ballots();
    let counted: BTreeMap<PersonId, StatementId> =
        ballots.iter().filter(|b| b.objection.is_none()).map(|b| (b.person.clone(), b.id.clone())).collect();
    let mut tallies = Vec::new();
    for (scope, rule) in &court.scopes {
        let (requirement, tally) = approvals(scope, rule, &ballots, &counted);
        requirements.push(requirement);
        tallies.push(tally);
        requirements.extend(rule.roles.iter().map(|(role, needed)| court.role(scope, *role, *needed, &counted)));
    }
    requirements.push(court.refusals(&ballots));
    let (applied, plans) = court.not_applied(counted.values().cloned().collect());
    requirements.push(applied);
    let manifest = court.manifest.map(|(id, manifest)| (id.clone(), manifest.clone()));
    Verdict { requirements, manifest, counted, tallies, plans }
}

fn without_policy(problem: &str) -> Verdict {
    Verdict {
        requirements: vec![unmet(RequirementName::Policy, problem.to_owned())],
        manifest: None,
        counted: BTreeMap::new(),
        tallies: Vec::new(),
        plans: Vec::new(),
    }
}

fn met(name: RequirementName, detail: impl Into<String>) -> Requirement {
    Requirement { name, met: true, detail: detail.into(), evidence: Vec::new() }
}

fn unmet(name: RequirementName, detail: impl Into<String>) -> Requirement {
    Requirement { name, met: false, detail: detail.into(), evidence: Vec::new() }
}

fn merge(mergeability: &Mergeability) -> Requirement {
    match mergeability {
        Mergeability::Clean => met(RequirementName::Merge, "merges into trunk"),
        Mergeability::Merged { commit } => met(RequirementName::Merge, format!("merged as {}", commit.short())),
        Mergeability::Conflicts(files) => {
            unmet(RequirementName::Merge, format!("conflicts with trunk in {}", listed(files)))
        }
    }
}

/// An approval and whether it counts.
struct Ballot {
    person: PersonId,
    id: StatementId,
    issued: Timestamp,
    objection: Option<String>,
}

/// The statements of this change, sorted by what they are.
struct Court<'a> {
    input: &'a GateInput<'a>,
    in_force: PolicyInForce<'a>,
    units: Result<&'a [AffectedUnit], &'a str>,
    manifest: Option<(&'a StatementId, &'a PlanManifest)>,
    /// Who revoked a statement. Looked up once for all, so that the cost stays linear in the number of statements.
    revokers: HashMap<&'a StatementId, Vec<&'a PersonId>>,
    /// When each person refused last.
    last_refusal: HashMap<&'a PersonId, Timestamp>,
    /// Rules that apply, by environment name or `policy`.
    scopes: Vec<(String, &'a Rule)>,
    homeless: Vec<&'a UnitPath>,
}

impl<'a> Court<'a> {
    fn assemble(input: &'a GateInput<'a>, in_force: PolicyInForce<'a>) -> Self {
        let units = input.change.units.as_deref().map_err(String::as_str);
        let mut court = Self {
            input,
            in_force,
            units,
            manifest: None,
            revokers: HashMap::new(),
            last_refusal: HashMap::new(),
            scopes: Vec::new(),
            homeless: Vec::new(),
        };
        court.manifest = court.newest_manifest();
        court.hear_objections();
        court.find_scopes();
        court
    }

    fn hear_objections(&mut self) {
        let mut revokers: HashMap<&StatementId, Vec<&PersonId>> = HashMap::new();
        let mut last_refusal: HashMap<&PersonId, Timestamp> = HashMap::new();
        for verified in self.statements() {
            let person = &verified.signer().person;
            match verified.statement() {
                Statement::Revocation(revocation) => revokers.entry(&revocation.statement).or_default().push(person),
                Statement::Rejection(refusal) => {
                    let last = last_refusal.entry(person).or_insert(refusal.issued);
                    *last = refusal.issued.max(*last);
                }
                _ => {}
            }
        }
        (self.revokers, self.last_refusal) = (revokers, last_refusal);
    }

    fn find_scopes(&mut self) {
        let policy = self.in_force.policy;
        let mut found: BTreeMap<&EnvironmentName, &Rule> = BTreeMap::new();
        for affected in self.units.unwrap_or_default() {
            match policy.environment_of(&affected.unit) {
                Some((name, environment)) => {
                    found.insert(name, &environment.rule);
                }
                None => self.homeless.push(&affected.unit),
            }
        }
        self.scopes = found.into_iter().map(|(name, rule)| (name.to_string(), rule)).collect();
        if self.scopes.is_empty() || self.input.change.edits_policy {
            self.scopes.push(("policy".to_owned(), &policy.policy_change));
        }
    }

    /// Statements about this change of this repository that are not from the future.
    fn statements(&self) -> impl Iterator<Item = &'a Verified> {
        let repository = &self.in_force.policy.repository;
        let change = &self.input.change.id;
        self.input
            .statements
            .iter()
            .filter(move |s| s.statement().repository() == repository && s.statement().change() == Some(change))
    }

    fn is_from_future(&self, issued: Timestamp) -> bool {
        issued.duration_since(self.input.now) > CLOCK_SKEW
    }

    fn newest_manifest(&self) -> Option<(&'a StatementId, &'a PlanManifest)> {
        self.statements()
            .filter(|s| self.in_force.policy.holds(&s.signer().person, Role::Runner))
            .filter_map(|s| match s.statement() {
                Statement::Plan(manifest) => Some((s.id(), manifest)),
                _ => None,
            })
            .filter(|(_, manifest)| manifest.head == self.input.change.head && !self.is_from_future(manifest.issued))
            .max_by(|(a_id, a), (b_id, b)| a.issued.cmp(&b.issued).then_with(|| a_id.cmp(b_id)))
    }

    fn units(&self) -> Requirement {
        let units = match self.units {
            Ok(units) => units,
            Err(problem) => return unmet(RequirementName::Units, problem.to_owned()),
        };
        if !self.homeless.is_empty() {
            let names: Vec<String> = self.homeless.iter().map(ToString::to_string).collect();
            return unmet(
                RequirementName::Units,
                format!("no environment in countersign.toml covers {}", listed(&names)),
            );
        }
        met(
            RequirementName::Units,
            match units.len() {
                0 => "affects no unit".to_owned(),
                1 => format!("affects {}", units[0].unit),
                n => format!("affects {n} units"),
            },
        )
    }

    fn plan(&self) -> Requirement {
        let Ok(units) = self.units else {
            return unmet(RequirementName::Plan, "the affected units are not known");
        };
        let Some((id, manifest)) = self.manifest else {
            if units.is_empty() {
                return met(RequirementName::Plan, "nothing to plan");
            }
            return unmet(RequirementName::Plan, "waiting for the deploy runner to plan this commit");
        };
        let mut requirement = match manifest_problem(units, manifest) {
            Some(problem) => unmet(RequirementName::Plan, problem),
            None => met(RequirementName::Plan, format!("current: {} planned and sealed", counted_units(units.len()))),
        };
        requirement.evidence.push(Evidence {
            text: format!("planned at {}", manifest.issued),
            counts: requirement.met,
            statement: Some(id.clone()),
        });
        requirement
    }

    fn ballots(&self) -> Vec<Ballot> {
        let mut newest: BTreeMap<PersonId, Ballot> = BTreeMap::new();
        let expected = self.expected();
        for verified in self.statements() {
            let Statement::Approval(approval) = verified.statement() else { continue };
            let ballot = Ballot {
                person: verified.signer().person.clone(),
                id: verified.id().clone(),
                issued: approval.issued,
                objection: self.objection(verified, approval, &expected),
            };
            keep_better(&mut newest, ballot);
        }
        newest.into_values().collect()
    }

    fn expected(&self) -> Expected {
        let manifest_units = self.manifest.map(|(_, manifest)| manifest.units.as_slice()).unwrap_or_default();
        let mut acknowledged = BTreeSet::new();
        for unit in manifest_units {
            let asks = self
                .in_force
                .policy
                .environment_of(&unit.unit)
                .is_some_and(|(_, environment)| environment.rule.acknowledge_destroys);
            if let (true, PlanOutcome::Planned(changes)) = (asks, &unit.outcome) {
                acknowledged.extend(
                    changes
                        .destroys
                        .iter()
                        .map(|address| Acknowledgement { unit: unit.unit.clone(), address: address.clone() }),
                );
            }
        }
        Expected {
            units: manifest_units.iter().filter_map(ApprovedUnit::of).collect(),
            hours: self.scopes.iter().map(|(_, rule)| rule.approval_hours).min().unwrap_or_default(),
            acknowledged,
        }
    }

    /// Why an approval does not count; nothing when it does.
    fn objection(&self, verified: &Verified, approval: &Approval, expected: &Expected) -> Option<String> {
        let person = &verified.signer().person;
        self.signer_objection(person)
            .or_else(|| self.binding_objection(approval, expected))
            .or_else(|| self.time_objection(approval, expected.hours))
            .or_else(|| self.content_objection(approval, expected))
            .or_else(|| self.revocation_of(verified).map(|by| format!("it was revoked by {by}")))
            .or_else(|| {
                let refused = self.last_refusal.get(person).is_some_and(|at| *at >= approval.issued);
                refused.then(|| "a refusal of the same person came later".to_owned())
            })
    }

    fn signer_objection(&self, person: &PersonId) -> Option<String> {
        let policy = self.in_force.policy;
        let Some(entry) = policy.people.get(person) else {
            return Some("its signer is not among the people of countersign.toml".to_owned());
        };
        if !may_review(policy, person) {
            return Some("its signer holds no role that may approve".to_owned());
        }
        if entry.emails.is_empty() {
            return Some("its signer has no emails in countersign.toml and may have written this change".to_owned());
        }
        let wrote = entry.emails.iter().any(|email| self.input.change.contributors.contains(email));
        wrote.then(|| "its signer wrote a commit of this change".to_owned())
    }

    fn binding_objection(&self, approval: &Approval, expected: &Expected) -> Option<String> {
        if approval.head != self.input.change.head {
            return Some(format!("it is of commit {}, not of the newest", approval.head.short()));
        }
        if approval.units != expected.units {
            return Some("it is of other plans than the current ones".to_owned());
        }
        (approval.policy != *self.in_force.digest).then(|| "it was given under another policy".to_owned())
    }

    fn time_objection(&self, approval: &Approval, hours: u32) -> Option<String> {
        if self.is_from_future(approval.issued) {
            return Some("it is issued in the future".to_owned());
        }
        if approval.expires <= self.input.now {
            return Some(format!("it expired at {}", approval.expires));
        }
        let lifetime = approval.expires.duration_since(approval.issued);
        let longest = SignedDuration::from_hours(i64::from(hours));
        (lifetime > longest).then(|| format!("it asks to count longer than {hours} hours"))
    }

    fn content_objection(&self, approval: &Approval, expected: &Expected) -> Option<String> {
        let checklist = &self.in_force.policy.checklist;
        let unanswered = checklist.iter().find(|q| !approval.checklist.iter().any(|a| a.question == q.id));
        if let Some(question) = unanswered {
            return Some(format!("it leaves the checklist question {} unanswered", question.id));
        }
        let missing = expected.acknowledged.iter().find(|needed| !approval.acknowledged.contains(needed));
        missing.map(|needed| format!("it does not acknowledge that {} is destroyed", needed.address))
    }

    /// Who revoked a statement: its signer, or someone of the role security.
    fn revocation_of(&self, verified: &Verified) -> Option<&'a PersonId> {
        let owner = &verified.signer().person;
        let revokers = self.revokers.get(verified.id())?;
        revokers.iter().copied().find(|by| *by == owner || self.in_force.policy.holds(by, Role::Security))
    }

    fn all_refusals(&self) -> impl Iterator<Item = (&'a Verified, &'a Rejection)> {
        self.statements().filter_map(|s| match s.statement() {
            Statement::Rejection(rejection) => Some((s, rejection)),
            _ => None,
        })
    }

    fn refusals(&self, ballots: &[Ballot]) -> Requirement {
        let policy = self.in_force.policy;
        let standing: Vec<Evidence> = self
            .all_refusals()
            .filter(|(s, _)| may_review(policy, &s.signer().person))
            .filter(|(s, refusal)| !is_lifted(&s.signer().person, refusal, ballots))
            .map(|(s, refusal)| Evidence {
                text: format!("{}: {}", s.signer().person, refusal.reason),
                counts: false,
                statement: Some(s.id().clone()),
            })
            .collect();
        if standing.is_empty() {
            return met(RequirementName::Refusals, "nobody refuses");
        }
        let who: BTreeSet<String> =
            standing.iter().filter_map(|e| e.text.split(':').next().map(str::to_owned)).collect();
        let who: Vec<String> = who.into_iter().collect();
        Requirement { evidence: standing, ..unmet(RequirementName::Refusals, format!("refused by {}", listed(&who))) }
    }

    fn role(&self, scope: &str, role: Role, needed: u32, counted: &BTreeMap<PersonId, StatementId>) -> Requirement {
        let holders: Vec<(&PersonId, &StatementId)> =
            counted.iter().filter(|(person, _)| self.in_force.policy.holds(person, role)).collect();
        let have = u32::try_from(holders.len()).unwrap_or(u32::MAX);
        let word = role.word();
        let detail = if have >= needed {
            format!("{have} of {needed} of {word}")
        } else {
            format!("needs {} more of {word}", needed - have)
        };
        let evidence = holders
            .into_iter()
            .map(|(person, id)| Evidence { text: person.to_string(), counts: true, statement: Some(id.clone()) })
            .collect();
        Requirement { name: RequirementName::Role(role, scope.to_owned()), met: have >= needed, detail, evidence }
    }

    /// Whether anything is left to apply, and what.
    fn not_applied(&self, approvals: Vec<StatementId>) -> (Requirement, Vec<ApprovedPlan>) {
        let mut approvals = approvals;
        approvals.sort();
        let planned = self.manifest.map(|(_, manifest)| manifest.units.as_slice()).unwrap_or_default();
        let appliable: Vec<(&PlannedUnit, &PlannedChanges)> = planned
            .iter()
            .filter_map(|unit| match &unit.outcome {
                PlanOutcome::Planned(changes) if !changes.no_changes => Some((unit, changes)),
                _ => None,
            })
            .collect();
        let consumed = self.consumed();
        let evidence: Vec<Evidence> = appliable
            .iter()
            .filter_map(|(unit, changes)| {
                consumed.get(&changes.commitment).map(|id| Evidence {
                    text: format!("{} was consumed", unit.unit),
                    counts: false,
                    statement: Some((*id).clone()),
                })
            })
            .collect();
        let plans: Vec<ApprovedPlan> = appliable
            .iter()
            .filter(|(_, changes)| !consumed.contains_key(&changes.commitment))
            .map(|(unit, changes)| ApprovedPlan {
                unit: (*unit).clone(),
                changes: (*changes).clone(),
                approvals: approvals.clone(),
            })
            .collect();
        let requirement = if !appliable.is_empty() && plans.is_empty() {
            unmet(RequirementName::NotApplied, "every plan was consumed by an apply before")
        } else if appliable.is_empty() {
            met(RequirementName::NotApplied, "nothing to apply")
        } else {
            met(RequirementName::NotApplied, format!("{} to apply", counted_units(plans.len())))
        };
        (Requirement { evidence, ..requirement }, plans)
    }

    fn consumed(&self) -> BTreeMap<&'a Digest, &'a StatementId> {
        self.statements()
            .filter(|s| self.in_force.policy.holds(&s.signer().person, Role::Runner))
            .filter_map(|s| match s.statement() {
                Statement::Consumption(consumption) => Some((&consumption.commitment, s.id())),
                _ => None,
            })
            .collect()
    }
}

/// What an approval has to bind to count.
struct Expected {
    units: Vec<ApprovedUnit>,
    hours: u32,
    acknowledged: BTreeSet<Acknowledgement>,
}

/// True when the person may approve and refuse.
#[must_use]
pub fn may_review(policy: &Policy, person: &PersonId) -> bool {
    policy.holds(person, Role::Reviewer) || policy.holds(person, Role::Security)
}

/// Of a person's approvals, one that counts wins; otherwise the newest, whose objection is the one worth telling.
fn keep_better(newest: &mut BTreeMap<PersonId, Ballot>, ballot: Ballot) {
    let rank = |b: &Ballot| (b.objection.is_none(), b.issued, b.id.clone());
    match newest.get(&ballot.person) {
        Some(kept) if rank(kept) >= rank(&ballot) => {}
        _ => {
            newest.insert(ballot.person.clone(), ballot);
        }
    }
}

fn is_lifted(person: &PersonId, refusal: &Rejection, ballots: &[Ballot]) -> bool {
    ballots.iter().any(|b| b.person == *person && b.objection.is_none() && b.issued > refusal.issued)
}

fn manifest_problem(units: &[AffectedUnit], manifest: &PlanManifest) -> Option<String> {
    let planned: BTreeMap<&UnitPath, &PlannedUnit> = manifest.units.iter().map(|unit| (&unit.unit, unit)).collect();
    if planned.len() != manifest.units.len() {
        return Some("the manifest names a unit twice".to_owned());
    }
    for affected in units {
        let Some(unit) = planned.get(&affected.unit) else {
            return Some(format!("{} is not planned", affected.unit));
        };
        if unit.inputs != affected.inputs || unit.deleted != affected.deleted {
            return Some(format!("the plan of {} is outdated: what it reads has changed", affected.unit));
        }
        if unit.outcome == PlanOutcome::Failed {
            return Some(format!("planning {} failed", affected.unit));
        }
    }
    let extra = manifest.units.iter().find(|unit| !units.iter().any(|affected| affected.unit == unit.unit));
    extra.map(|unit| format!("{} is planned but no longer part of the change", unit.unit))
}

fn approvals(
    scope: &str,
    rule: &Rule,
    ballots: &[Ballot],
    counted: &BTreeMap<PersonId, StatementId>,
) -> (Requirement, Tally) {
    let have = u32::try_from(counted.len()).unwrap_or(u32::MAX);
    let enough = have >= rule.approvals;
    let detail = if enough {
        format!("{have} of {} for {scope}", rule.approvals)
    } else {
        format!("{have} of {} for {scope}: needs {} more", rule.approvals, rule.approvals - have)
    };
    let evidence = ballots
        .iter()
        .map(|ballot| Evidence {
            text: match &ballot.objection {
                None => format!("approved by {}", ballot.person),
                Some(objection) => format!("the approval of {} does not count: {objection}", ballot.person),
            },
            counts: ballot.objection.is_none(),
            statement: Some(ballot.id.clone()),
        })
        .collect();
    let name = RequirementName::Approvals(scope.to_owned());
    let tally = Tally { scope: scope.to_owned(), counted: have, required: rule.approvals };
    (Requirement { name, met: enough, detail, evidence }, tally)
}

/// A number of units in words: `1 unit`, `3 units`.
#[must_use]
pub fn counted_units(n: usize) -> String {
    if n == 1 { "1 unit".to_owned() } else { format!("{n} units") }
}

/// Names in a sentence: at most three, then how many more.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    match names.len() {
        0..=3 => shown,
        n => format!("{shown} and {} more", n - 3),
    }
}

/// The sum of what a manifest's plans would do.
#[must_use]
pub fn total_counts(manifest: &PlanManifest) -> Counts {
    manifest
        .units
        .iter()
        .filter_map(|unit| match &unit.outcome {
            PlanOutcome::Planned(changes) => Some(changes.counts),
            PlanOutcome::Failed => None,
        })
        .fold(Counts::default(), Counts::plus)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::names::{ChangeId, CommitId, Fingerprint, Nonce, QuestionId, RepositoryId};
    use crate::statement::{
        Answer, ChecklistAnswer, Consumption, Revocation, SignatureRefusal, SignatureVerifier, Signer, StatementKind,
    };

    /// Stands for a signature that was checked: says who signed what.
    struct Says(StatementKind, &'static str);

    impl SignatureVerifier for Says {
        fn verify(&self, _: &[u8], _: &[u8]) -> Result<(StatementKind, Signer), SignatureRefusal> {
            let fingerprint = Fingerprint::new(format!("SHA256:{}", "A".repeat(43))).unwrap();
            Ok((self.0, Signer { person: PersonId::new(self.1).unwrap(), fingerprint }))
        }
    }

    const POLICY: &str = r#"
version = 1
repository = "live"
[people.ana]
emails = ["ana@x.example"]
roles = ["reviewer"]
[people.sec]
emails = ["sec@x.example"]
roles = ["security"]
[people.mira]
emails = ["mira@x.example"]
roles = ["reviewer", "security"]
[people.guest]
emails = ["guest@x.example"]
roles = []
[people.unlisted]
roles = ["reviewer"]
[people.runner]
roles = ["runner"]
[environments.prod]
units = ["prod/*"]
approvals = 2
roles = { security = 1 }
acknowledge_destroys = true
approval_hours = 24
[[checklist]]
id = "looked"
question = "Looked?"
"#;

    fn digest(c: char) -> Digest {
        Digest::new(c.to_string().repeat(64)).unwrap()
    }

    fn commit(c: char) -> CommitId {
        CommitId::new(c.to_string().repeat(40)).unwrap()
    }

    fn now() -> Timestamp {
        "2026-01-02T00:00:00Z".parse().unwrap()
    }

    fn ago(minutes: i64) -> Timestamp {
        now() - SignedDuration::from_mins(minutes)
    }

    fn signed(by: &'static str, n: u32, statement: &Statement) -> Verified {
        let id = Digest::new(format!("{n:064x}")).unwrap();
        Verified::accept(&Says(statement.kind(), by), id, &statement.to_payload().unwrap(), b"").unwrap()
    }

    fn unit() -> UnitPath {
        UnitPath::new("prod/db").unwrap()
    }

    fn nonce() -> Nonce {
        Nonce::new("0".repeat(32)).unwrap()
    }

    fn repository() -> RepositoryId {
        RepositoryId::new("live").unwrap()
    }

    fn change_id() -> ChangeId {
        ChangeId::new("grow").unwrap()
    }

    fn manifest() -> PlanManifest {
        PlanManifest {
            repository: repository(),
            change: change_id(),
            base: commit('b'),
            head: commit('a'),
            units: vec![PlannedUnit {
                unit: unit(),
                inputs: digest('1'),
                deleted: false,
                tool: "terraform".into(),
                tool_version: "1.11.4".into(),
                workspace: "default".into(),
                review: digest('2'),
                outcome: PlanOutcome::Planned(PlannedChanges {
                    commitment: digest('3'),
                    apply: digest('4'),
                    counts: Counts { replace: 1, ..Counts::default() },
                    destroys: vec!["db.orders".into()],
                    no_changes: false,
                }),
            }],
            issued: ago(60),
            nonce: nonce(),
        }
    }

    fn approval() -> Approval {
        Approval {
            repository: repository(),
            change: change_id(),
            base: commit('b'),
            head: commit('a'),
            units: manifest().units.iter().filter_map(ApprovedUnit::of).collect(),
            policy: digest('9'),
            checklist: vec![ChecklistAnswer { question: QuestionId::new("looked").unwrap(), answer: Answer::Yes }],
            acknowledged: vec![Acknowledgement { unit: unit(), address: "db.orders".into() }],
            issued: ago(30),
            expires: now() + SignedDuration::from_hours(12),
            nonce: nonce(),
        }
    }

    fn rejection(minutes_ago: i64) -> Statement {
        Statement::Rejection(Rejection {
            repository: repository(),
            change: change_id(),
            head: commit('a'),
            reason: "no".into(),
            issued: ago(minutes_ago),
            nonce: nonce(),
        })
    }

    fn consumption() -> Statement {
        Statement::Consumption(Consumption {
            repository: repository(),
            change: change_id(),
            trunk: commit('c'),
            unit: unit(),
            commitment: digest('3'),
            apply: digest('4'),
            approvals: vec![],
            issued: ago(1),
            nonce: nonce(),
        })
    }

    fn revocation(n: u32) -> Statement {
        Statement::Revocation(Revocation {
            repository: repository(),
            change: change_id(),
            statement: Digest::new(format!("{n:064x}")).unwrap(),
            reason: String::new(),
            issued: ago(1),
            nonce: nonce(),
        })
    }

    fn facts() -> ChangeFacts {
        ChangeFacts {
            id: change_id(),
            base: commit('b'),
            head: commit('a'),
            contributors: ["mira@x.example".to_owned()].into(),
            mergeability: Mergeability::Clean,
            units: Ok(vec![AffectedUnit { unit: unit(), inputs: digest('1'), deleted: false }]),
            edits_policy: false,
        }
    }

    fn open_world() -> Vec<Verified> {
        vec![
            signed("runner", 1, &Statement::Plan(manifest())),
            signed("ana", 2, &Statement::Approval(approval())),
            signed("sec", 3, &Statement::Approval(approval())),
        ]
    }

    fn judge(change: &ChangeFacts, statements: &[Verified]) -> Verdict {
        let policy = Policy::parse(POLICY).unwrap();
        let digest = digest('9');
        let in_force = PolicyInForce { policy: &policy, digest: &digest };
        evaluate(&GateInput { policy: Ok(in_force), change, statements, now: now() })
    }

    fn lacking(verdict: &Verdict) -> Vec<String> {
        verdict.requirements().iter().filter(|r| !r.met).map(|r| format!("{}: {}", r.name, r.detail)).collect()
    }

    fn with_ana(edit: impl FnOnce(&mut Approval)) -> Verdict {
        let mut world = open_world();
        let mut edited = approval();
        edit(&mut edited);
        world[1] = signed("ana", 2, &Statement::Approval(edited));
        judge(&facts(), &world)
    }

    fn say(edit: impl FnOnce(&mut Approval)) -> String {
        let verdict = with_ana(edit);
        assert!(!verdict.is_open());
        let evidence = verdict.requirements().iter().flat_map(|r| &r.evidence);
        evidence.filter(|e| !e.counts).map(|e| e.text.clone()).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn two_persons_one_of_security_open_the_gate() {
        let verdict = judge(&facts(), &open_world());
        assert_eq!(lacking(&verdict), Vec::<String>::new());
        assert_eq!(verdict.approved_plans().len(), 1);
        assert_eq!(verdict.approved_plans()[0].approvals().len(), 2);
    }

    #[test]
    fn each_wrong_binding_is_named() {
        assert_eq!(
            say(|a| a.head = commit('d')),
            "the approval of ana does not count: it is of commit dddddddddd, not of the newest"
        );
        assert_eq!(
            say(|a| a.units[0].commitment = digest('d')),
            "the approval of ana does not count: it is of other plans than the current ones"
        );
        assert_eq!(
            say(|a| a.units[0].inputs = digest('d')),
            "the approval of ana does not count: it is of other plans than the current ones"
        );
        assert_eq!(
            say(|a| a.units.clear()),
            "the approval of ana does not count: it is of other plans than the current ones"
        );
        assert_eq!(
            say(|a| a.policy = digest('d')),
            "the approval of ana does not count: it was given under another policy"
        );
        assert_eq!(
            say(|a| a.expires = now()),
            "the approval of ana does not count: it expired at 2026-01-02T00:00:00Z"
        );
        assert_eq!(
            say(|a| a.expires = now() + SignedDuration::from_hours(25)),
            "the approval of ana does not count: it asks to count longer than 24 hours"
        );
        assert_eq!(
            say(|a| a.issued = now() + SignedDuration::from_mins(5)),
            "the approval of ana does not count: it is issued in the future"
        );
        assert_eq!(
            say(|a| a.checklist.clear()),
            "the approval of ana does not count: it leaves the checklist question looked unanswered"
        );
        assert_eq!(
            say(|a| a.acknowledged.clear()),
            "the approval of ana does not count: it does not acknowledge that db.orders is destroyed"
        );
        assert_eq!(say(|a| a.change = ChangeId::new("other").unwrap()), "");
        assert_eq!(say(|a| a.repository = RepositoryId::new("other").unwrap()), "");
    }

    #[test]
    fn an_author_a_guest_a_stranger_and_a_runner_do_not_count() {
        for (who, why) in [
            ("mira", "wrote a commit of this change"),
            ("guest", "holds no role that may approve"),
            ("unlisted", "no emails in countersign.toml"),
            ("nobody", "not among the people"),
            ("runner", "holds no role that may approve"),
        ] {
            let mut world = open_world();
            world[1] = signed(who, 2, &Statement::Approval(approval()));
            let verdict = judge(&facts(), &world);
            let said = format!("{:?}", verdict.requirements());
            assert!(!verdict.is_open() && said.contains(why), "{who}: {said}");
        }
    }

    #[test]
    fn one_person_counts_once() {
        let mut world = open_world();
        world[1] = signed("sec", 2, &Statement::Approval(approval()));
        assert_eq!(lacking(&judge(&facts(), &world)), ["approvals:prod: 1 of 2 for prod: needs 1 more"]);
    }

    #[test]
    fn a_manifest_by_anyone_but_a_runner_is_nothing() {
        let mut world = open_world();
        world[0] = signed("ana", 1, &Statement::Plan(manifest()));
        assert!(lacking(&judge(&facts(), &world))[0].starts_with("plan: waiting for the deploy runner"));
    }

    #[test]
    fn new_inputs_a_missing_unit_and_an_extra_unit_close_it() {
        let mut change = facts();
        change.units = Ok(vec![AffectedUnit { unit: unit(), inputs: digest('7'), deleted: false }]);
        assert!(lacking(&judge(&change, &open_world()))[0].contains("outdated"));
        let more = AffectedUnit { unit: UnitPath::new("prod/web").unwrap(), inputs: digest('7'), deleted: false };
        change.units = facts().units.map(|units| [units, vec![more]].concat());
        assert!(lacking(&judge(&change, &open_world()))[0].contains("prod/web is not planned"));
        change.units = Ok(vec![]);
        assert!(!judge(&change, &open_world()).is_open());
        change.units = Err("main.tf:3:1: expected an expression".into());
        assert!(lacking(&judge(&change, &open_world()))[0].contains("main.tf:3:1"));
    }

    #[test]
    fn a_unit_of_no_environment_closes_it() {
        let mut change = facts();
        let unit = UnitPath::new("elsewhere/x").unwrap();
        change.units = Ok(vec![AffectedUnit { unit, inputs: digest('1'), deleted: false }]);
        assert!(
            lacking(&judge(&change, &open_world()))[0]
                .contains("no environment in countersign.toml covers elsewhere/x")
        );
    }

    #[test]
    fn a_refusal_stands_until_the_same_person_approves_later() {
        let mut world = open_world();
        world.push(signed("ana", 4, &rejection(40)));
        assert!(judge(&facts(), &world).is_open(), "ana approved after she refused");
        world.push(signed("ana", 5, &rejection(10)));
        assert!(lacking(&judge(&facts(), &world)).contains(&"refusals: refused by ana".to_owned()));
    }

    #[test]
    fn a_consumed_plan_is_not_applied_again() {
        let mut world = open_world();
        world.push(signed("ana", 4, &consumption()));
        assert!(judge(&facts(), &world).is_open(), "only the runner consumes");
        world.push(signed("runner", 5, &consumption()));
        let verdict = judge(&facts(), &world);
        assert_eq!(lacking(&verdict), ["not-applied: every plan was consumed by an apply before"]);
        assert!(verdict.approved_plans().is_empty());
    }

    #[test]
    fn without_a_policy_it_is_closed_with_the_reason() {
        let change = facts();
        let world = open_world();
        let verdict = evaluate(&GateInput {
            policy: Err("countersign.toml is missing on trunk"),
            change: &change,
            statements: &world,
            now: now(),
        });
        assert!(!verdict.is_open());
        assert_eq!(lacking(&verdict), ["policy: countersign.toml is missing on trunk"]);
    }

    fn any_person() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["ana", "sec", "mira", "guest", "runner", "nobody"])
    }

    /// Any approval that is of something else in one field.
    fn wrong_approval() -> impl Strategy<Value = Approval> {
        (0..9u8, any::<u8>()).prop_map(|(field, salt)| {
            let other = char::from(b"abcdef5678"[usize::from(salt) % 10]);
            let mut a = approval();
            match field {
                0 => a.repository = RepositoryId::new(format!("r{salt}")).unwrap(),
                1 => a.change = ChangeId::new(format!("c{salt}")).unwrap(),
                2 => a.head = commit(if other == 'a' { 'f' } else { other }),
                3 => a.units[0].unit = UnitPath::new(format!("u{salt}")).unwrap(),
                4 => a.units[0].inputs = digest(other),
                5 => a.units[0].commitment = digest(other),
                6 => a.units[0].review = digest(other),
                7 => a.policy = digest(other),
                _ => a.units[0].workspace = format!("w{salt}"),
            }
            a
        })
    }

    fn any_statement() -> impl Strategy<Value = (&'static str, Statement)> {
        let content = prop_oneof![
            3 => Just(Statement::Approval(approval())),
            2 => wrong_approval().prop_map(Statement::Approval),
            2 => (0..60i64).prop_map(rejection),
            2 => (1..8u32).prop_map(revocation),
            1 => Just(consumption()),
            2 => Just(Statement::Plan(manifest())),
        ];
        (any_person(), content)
    }

    fn world(parts: &[(&'static str, Statement)]) -> Vec<Verified> {
        let mut all = open_world();
        all.extend(parts.iter().zip(10..).map(|((by, s), n)| signed(by, n, s)));
        all
    }

    proptest! {
        #[test]
        fn taking_an_approval_away_never_opens(parts in prop::collection::vec(any_statement(), 0..8), pick in any::<prop::sample::Index>()) {
            let all = world(&parts);
            let approvals: Vec<usize> = (0..all.len()).filter(|i| matches!(all[*i].statement(), Statement::Approval(_))).collect();
            let gone = approvals[pick.index(approvals.len())];
            let fewer: Vec<Verified> = all.iter().enumerate().filter(|(i, _)| *i != gone).map(|(_, s)| s.clone()).collect();
            prop_assert!(judge(&facts(), &all).is_open() || !judge(&facts(), &fewer).is_open());
        }

        #[test]
        fn an_approval_of_anything_else_never_opens(parts in prop::collection::vec(any_statement(), 0..8), by in any_person(), wrong in wrong_approval(), start in 0..4usize) {
            let before: Vec<Verified> = world(&parts).into_iter().skip(start).collect();
            let mut after = before.clone();
            after.push(signed(by, 99, &Statement::Approval(wrong)));
            prop_assert!(judge(&facts(), &before).is_open() || !judge(&facts(), &after).is_open());
        }

        #[test]
        fn a_refusal_or_revocation_never_opens(parts in prop::collection::vec(any_statement(), 0..8), by in any_person(), minutes in 0..60i64, n in 1..20u32, start in 0..4usize) {
            let before: Vec<Verified> = world(&parts).into_iter().skip(start).collect();
            for more in [rejection(minutes), revocation(n)] {
                let mut after = before.clone();
                after.push(signed(by, 99, &more));
                prop_assert!(judge(&facts(), &before).is_open() || !judge(&facts(), &after).is_open());
            }
        }

        #[test]
        fn order_does_not_matter(parts in prop::collection::vec(any_statement(), 0..8)) {
            let all = world(&parts);
            let reversed: Vec<Verified> = all.iter().rev().cloned().collect();
            prop_assert_eq!(judge(&facts(), &all).is_open(), judge(&facts(), &reversed).is_open());
        }
    }
}

//! Where a change stands, and whom it needs: a pure reading of the verdict and the statements.

use countersign_domain::change::Mergeability;
use countersign_domain::gate::{RequirementName, Verdict, may_review};
use countersign_domain::names::PersonId;
use countersign_domain::plan::Counts;
use countersign_domain::policy::Policy;
use countersign_domain::statement::{AfterApply, ApplyOutcome, ApplyResult, PlanOutcome};
use jiff::{SignedDuration, Timestamp};

use crate::facts::Surveyed;

/// How long an applied change stays in the queue.
const SHOWN_AFTER_APPLY: SignedDuration = SignedDuration::from_hours(24);

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// The deploy runner has not planned this commit yet, or its plan is outdated.
    Planning,
    /// Planning failed.
    PlanFailed,
    /// It conflicts with trunk.
    Conflicts,
    /// Somebody refuses it.
    Refused,
    /// Approvals are lacking.
    NeedsReview,
    /// The gate is closed for another reason, such as a missing policy.
    Blocked,
    /// The gate is open.
    Ready,
    /// Merged; the runner is expected to apply it.
    Applying,
    /// Merged while the gate was closed: nothing is applied.
    MergedClosed,
    /// Applied.
    Applied,
    /// Merged, and there was nothing to apply.
    NothingToApply,
    /// An apply failed or was cut off.
    ApplyFailed,
}

/// A section of the queue, in the order shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// I can move it on.
    NeedsMyReview,
    /// The gate is open.
    ReadyToMerge,
    /// Somebody else can move it on.
    WaitingOnOthers,
    /// There is no plan to review.
    NotPlanned,
    /// Merged, not applied yet.
    Applying,
    /// Applied within a day.
    AppliedToday,
}

/// Everything that decides where a change stands.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The change.
    pub surveyed: &'a Surveyed,
    /// The gate's verdict.
    pub verdict: &'a Verdict,
    /// The newest apply result of each unit.
    pub results: &'a [ApplyResult],
    /// The policy, when there is one.
    pub policy: Option<&'a Policy>,
    /// The person at this machine.
    pub you: Option<&'a PersonId>,
    /// The clock.
    pub now: Timestamp,
}

impl Circumstances<'_> {
    /// Where the change stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if !self.results.is_empty() {
            return self.after_apply();
        }
        if matches!(self.surveyed.facts.mergeability, Mergeability::Merged { .. }) {
            return self.merged();
        }
        if self.lacks(|name| *name == RequirementName::Merge) {
            return Standing::Conflicts;
        }
        if self.verdict.is_open() {
            return Standing::Ready;
        }
        self.closed()
    }

    fn after_apply(&self) -> Standing {
        let is = |outcome: ApplyOutcome| self.results.iter().any(|result| result.outcome == outcome);
        if is(ApplyOutcome::Failed) || is(ApplyOutcome::Stale) || is(ApplyOutcome::Interrupted) {
            return Standing::ApplyFailed;
        }
        let expected = self.verdict.manifest().map_or(0, |(_, manifest)| manifest.units.len());
        if self.results.len() < expected {
            return Standing::Applying;
        }
        if is(ApplyOutcome::Applied) { Standing::Applied } else { Standing::NothingToApply }
    }

    fn merged(&self) -> Standing {
        if self.surveyed.facts.units.as_ref().is_ok_and(Vec::is_empty) {
            return Standing::NothingToApply;
        }
        if self.verdict.is_open() { Standing::Applying } else { Standing::MergedClosed }
    }

    fn closed(&self) -> Standing {
        if self.lacks(|name| matches!(name, RequirementName::Policy | RequirementName::Units)) {
            return Standing::Blocked;
        }
        if self.plan_failed() {
            return Standing::PlanFailed;
        }
        if self.lacks(|name| *name == RequirementName::Plan) {
            return Standing::Planning;
        }
        if self.lacks(|name| *name == RequirementName::Refusals) {
            return Standing::Refused;
        }
        if self.lacks(|name| matches!(name, RequirementName::Approvals(_) | RequirementName::Role(..))) {
            return Standing::NeedsReview;
        }
        Standing::Blocked
    }

    fn plan_failed(&self) -> bool {
        let Some((_, manifest)) = self.verdict.manifest() else { return false };
        let Ok(units) = &self.surveyed.facts.units else { return false };
        manifest.units.iter().any(|planned| {
            planned.outcome == PlanOutcome::Failed
                && units.iter().any(|unit| unit.unit == planned.unit && unit.inputs == planned.inputs)
        })
    }

    fn lacks(&self, which: impl Fn(&RequirementName) -> bool) -> bool {
        self.verdict.requirements().iter().any(|requirement| !requirement.met && which(&requirement.name))
    }

    /// True when I wrote a commit of the change.
    #[must_use]
    pub fn is_mine(&self) -> bool {
        let emails = self.policy.zip(self.you).and_then(|(policy, you)| policy.people.get(you)).map(|p| &p.emails);
        emails.is_some_and(|emails| emails.iter().any(|email| self.surveyed.facts.contributors.contains(email)))
    }

    /// Why I may not approve now; nothing when I may.
    #[must_use]
    pub fn approve_blocked(&self) -> Option<String> {
        let blocked = match self.standing() {
            Standing::NeedsReview | Standing::Refused | Standing::Ready => None,
            Standing::Planning => Some("there is no current plan to approve yet"),
            Standing::PlanFailed => Some("planning failed: there is no plan to approve"),
            Standing::Conflicts => Some("it conflicts with trunk"),
            Standing::Blocked => Some("the policy or the affected units cannot be read"),
            _ => Some("it is merged"),
        };
        blocked.map(str::to_owned).or_else(|| self.voice_blocked()).or_else(|| self.mine_counts())
    }

    /// Why I may not refuse now; nothing when I may.
    #[must_use]
    pub fn refuse_blocked(&self) -> Option<String> {
        match self.standing() {
            Standing::Applied | Standing::NothingToApply => Some("it is applied".to_owned()),
            _ => self.person_blocked(),
        }
    }

    /// Why it may not be merged now; nothing when it may.
    #[must_use]
    pub fn merge_blocked(&self) -> Option<String> {
        match self.standing() {
            Standing::Ready => None,
            standing if self.is_merged() => Some(match standing {
                Standing::Applied => "it is merged and applied".to_owned(),
                _ => "it is merged".to_owned(),
            }),
            _ => Some(self.lacking()),
        }
    }

    fn is_merged(&self) -> bool {
        matches!(self.surveyed.facts.mergeability, Mergeability::Merged { .. })
    }

    fn person_blocked(&self) -> Option<String> {
        let Some(policy) = self.policy else { return Some("the policy cannot be read".to_owned()) };
        let Some(you) = self.you else {
            return Some("your key is not in allowed_signers on trunk, or no key is chosen".to_owned());
        };
        (!may_review(policy, you)).then(|| format!("{you} holds no role that may approve"))
    }

    fn voice_blocked(&self) -> Option<String> {
        self.person_blocked().or_else(|| self.is_mine().then(|| "you wrote a commit of this change".to_owned()))
    }

    fn mine_counts(&self) -> Option<String> {
        let you = self.you?;
        self.verdict.counted().contains_key(you).then(|| "you approved it already".to_owned())
    }

    /// What the gate lacks, in words.
    #[must_use]
    pub fn lacking(&self) -> String {
        let lacking: Vec<&str> =
            self.verdict.requirements().iter().filter(|r| !r.met).map(|r| r.detail.as_str()).collect();
        lacking.join("; ")
    }

    /// The one thing to know, in a few words.
    #[must_use]
    pub fn summary(&self) -> String {
        match self.standing() {
            Standing::Ready => match self.verdict.approved_plans() {
                [] => "gate open, nothing to apply".to_owned(),
                _ => "gate open".to_owned(),
            },
            Standing::Applied => match self.results.iter().all(|result| result.after == AfterApply::NoChanges) {
                true => "applied; trunk plans to no changes".to_owned(),
                false => "applied".to_owned(),
            },
            Standing::NothingToApply => "nothing to apply".to_owned(),
            Standing::ApplyFailed => self.failed_summary(),
            Standing::Applying => "the deploy runner applies it".to_owned(),
            Standing::MergedClosed => format!("merged, but not applied: {}", self.lacking()),
            Standing::NeedsReview => self.lacking_approvals(),
            _ => self.lacking(),
        }
    }

    fn failed_summary(&self) -> String {
        let failed = self.results.iter().find(|result| {
            matches!(result.outcome, ApplyOutcome::Failed | ApplyOutcome::Stale | ApplyOutcome::Interrupted)
        });
        failed.map_or_else(String::new, |result| format!("{}: {}", result.unit, outcome_words(result.outcome)))
    }

    fn lacking_approvals(&self) -> String {
        let requirements = self.verdict.requirements().iter().filter(|r| !r.met);
        let mut details: Vec<&str> = Vec::new();
        for requirement in requirements {
            let scope_only = matches!(requirement.name, RequirementName::Role(..));
            if scope_only || details.is_empty() {
                details.push(&requirement.detail);
            }
        }
        details.join("; ")
    }

    /// The section it is shown in; none when it is done and gone.
    #[must_use]
    pub fn section(&self) -> Option<Section> {
        Some(match self.standing() {
            Standing::Planning | Standing::PlanFailed => Section::NotPlanned,
            Standing::NeedsReview if self.can_help() => Section::NeedsMyReview,
            Standing::NeedsReview | Standing::Refused | Standing::Conflicts | Standing::Blocked => {
                Section::WaitingOnOthers
            }
            Standing::Ready => Section::ReadyToMerge,
            Standing::Applying | Standing::MergedClosed | Standing::ApplyFailed => Section::Applying,
            Standing::Applied | Standing::NothingToApply => return self.applied_section(),
        })
    }

    fn applied_section(&self) -> Option<Section> {
        let newest = self.results.iter().map(|result| result.issued).max()?;
        (self.now.duration_since(newest) < SHOWN_AFTER_APPLY).then_some(Section::AppliedToday)
    }

    /// True when my approval would move it on: approvals are lacking, or a role that I hold.
    fn can_help(&self) -> bool {
        let (Some(policy), Some(you)) = (self.policy, self.you) else { return false };
        let lacking = self.verdict.requirements().iter().filter(|r| !r.met);
        let helps = |name: &RequirementName| match name {
            RequirementName::Approvals(_) => true,
            RequirementName::Role(role, _) => policy.holds(you, *role),
            _ => false,
        };
        self.approve_blocked().is_none() && lacking.into_iter().any(|requirement| helps(&requirement.name))
    }

    /// The sum of what the current plans would do.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.verdict
            .manifest()
            .map(|(_, manifest)| countersign_domain::gate::total_counts(manifest))
            .unwrap_or_default()
    }
}

/// How an apply ended, in words.
#[must_use]
pub fn outcome_words(outcome: ApplyOutcome) -> &'static str {
    match outcome {
        ApplyOutcome::Applied => "applied",
        ApplyOutcome::NothingToApply => "nothing to apply",
        ApplyOutcome::Failed => "the apply failed; part of the plan may have been applied",
        ApplyOutcome::Stale => "the plan no longer fits; nothing was applied",
        ApplyOutcome::Interrupted => "the apply was cut off; what it did is not known",
    }
}

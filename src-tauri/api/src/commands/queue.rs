//! The queue and a change's page.

use std::collections::BTreeSet;

use countersign_domain::change::Mergeability;
use countersign_domain::gate::{Requirement, Verdict};
use countersign_domain::names::UnitPath;
use countersign_domain::plan::{Action, Plan};
use countersign_domain::statement::{AfterApply, PlanOutcome, PlannedUnit};
use countersign_engine::attention::{Section as EngineSection, Standing, outcome_words};
use countersign_engine::audit::in_words;
use countersign_engine::changes::{ChangeView, CloneView};
use countersign_engine::decide::destroys;
use countersign_engine::review::OpenedPlan;

use super::plan::shown_plainly;
use super::{Found, count, counts, problem, safe};
use crate::Host;
use crate::dto::{
    Change, ChangeActions, ChangeRef, ChangeRow, ChangeState, Danger, Gate, GateEvidence, GateRequirement, History,
    HistoryEntry, Nothing, Problem, Queue, QueueProblem, Section, SectionName, UnitInfo, UnitState,
};
use crate::error::ApiError;

const SECTIONS: [(EngineSection, SectionName, &str); 6] = [
    (EngineSection::NeedsMyReview, SectionName::NeedsMyReview, "Needs my review"),
    (EngineSection::ReadyToMerge, SectionName::ReadyToMerge, "Ready to merge"),
    (EngineSection::WaitingOnOthers, SectionName::WaitingOnOthers, "Waiting on others"),
    (EngineSection::NotPlanned, SectionName::NotPlanned, "No current plan"),
    (EngineSection::Applying, SectionName::Applying, "Being applied"),
    (EngineSection::AppliedToday, SectionName::AppliedToday, "Applied today"),
];

/// The review queue over all watched clones of live configuration.
///
/// # Errors
/// Fails when the record cannot be read; a clone that cannot be read is a problem in the answer.
pub async fn queue(host: &Host, _: Nothing) -> Result<Queue, ApiError> {
    let mut rows: Vec<(EngineSection, ChangeRow)> = Vec::new();
    let mut problems = Vec::new();
    let places = host.engine.places().await?;
    let clones = count(places.len());
    for (info, place) in places {
        let view = match place {
            Ok(place) => host.engine.clone_view(&place).await,
            Err(error) => Err(error),
        };
        match view {
            Ok(view) => collect(&view, &mut rows, &mut problems),
            Err(error) => problems.push(QueueProblem {
                clone: info.id.to_string(),
                subject: safe(&info.name),
                problem: problem(&error),
            }),
        }
    }
    rows.sort_by(|(_, a), (_, b)| b.updated_at.cmp(&a.updated_at).then_with(|| a.id.cmp(&b.id)));
    let sections: Vec<Section> = SECTIONS
        .into_iter()
        .map(|(section, name, title)| Section {
            name,
            title: title.to_owned(),
            changes: rows.iter().filter(|(of, _)| *of == section).map(|(_, row)| row.clone()).collect(),
        })
        .filter(|section| !section.changes.is_empty() || section.name == SectionName::NeedsMyReview)
        .collect();
    let needs_me = count(rows.iter().filter(|(section, _)| *section == EngineSection::NeedsMyReview).count());
    Ok(Queue { sections, needs_me, problems, clones })
}

fn collect(view: &CloneView, rows: &mut Vec<(EngineSection, ChangeRow)>, problems: &mut Vec<QueueProblem>) {
    let is_modules = view.clone.kind == countersign_store::clones::CloneKind::Modules;
    if is_modules {
        return;
    }
    for change in &view.changes {
        if let Some(section) = view.circumstances(change).section() {
            rows.push((section, row(view, change)));
        }
    }
    problems.extend(view.refused.iter().map(|why| QueueProblem {
        clone: view.clone.id.to_string(),
        subject: safe(&view.clone.name),
        problem: Problem {
            message: safe(why),
            kept: Some("the branch itself is untouched".to_owned()),
            hint: Some("rename the branch to show it here".to_owned()),
        },
    }));
}

fn row(clone: &CloneView, view: &ChangeView) -> ChangeRow {
    let circumstances = clone.circumstances(view);
    let units = view.surveyed.facts.units.as_deref().unwrap_or_default();
    let policy = clone.policy().ok();
    let environment = |unit: &UnitPath| {
        policy.and_then(|policy| policy.policy.environment_of(unit)).map(|(name, _)| name.to_string())
    };
    let environments: BTreeSet<String> = units.iter().filter_map(|unit| environment(&unit.unit)).collect();
    let tally = view.verdict.tallies().iter().max_by_key(|tally| tally.required.saturating_sub(tally.counted));
    let destroyed = view.verdict.manifest().map(|(_, manifest)| destroys(manifest).len()).unwrap_or_default();
    ChangeRow {
        clone: clone.clone.id.to_string(),
        clone_name: safe(&clone.clone.name),
        id: view.change.id.to_string(),
        title: safe(&view.change.title),
        author: safe(&view.change.author),
        head: view.change.head.to_string(),
        updated_at: view.change.updated.to_string(),
        commits: view.change.commits,
        environments: environments.into_iter().collect(),
        units: count(units.len()),
        counts: counts(circumstances.counts()),
        approvals: tally.map_or(0, |tally| tally.counted),
        approvals_required: tally.map_or(0, |tally| tally.required),
        destroys: count(destroyed),
        open: view.verdict.is_open(),
        state: state(circumstances.standing()),
        summary: safe(&circumstances.summary()),
        mine: circumstances.is_mine(),
    }
}

fn state(standing: Standing) -> ChangeState {
    match standing {
        Standing::Planning => ChangeState::Planning,
        Standing::PlanFailed => ChangeState::PlanFailed,
        Standing::Conflicts => ChangeState::Conflicts,
        Standing::Refused => ChangeState::Refused,
        Standing::NeedsReview => ChangeState::NeedsReview,
        Standing::Blocked | Standing::MergedClosed => ChangeState::Blocked,
        Standing::Ready => ChangeState::Ready,
        Standing::Applying => ChangeState::Applying,
        Standing::Applied => ChangeState::Applied,
        Standing::NothingToApply => ChangeState::NothingToApply,
        Standing::ApplyFailed => ChangeState::ApplyFailed,
    }
}

/// A change with all that its page shows.
///
/// # Errors
/// Fails when there is no such change; a plan that cannot be opened is a problem of its unit.
pub async fn change(host: &Host, args: ChangeRef) -> Result<Change, ApiError> {
    let found = Found::find(host, &args.clone, &args.change).await?;
    let Found { place, clone, view } = &found;
    let circumstances = clone.circumstances(view);
    let mut units = Vec::new();
    let mut dangers = Vec::new();
    for affected in view.surveyed.facts.units.as_deref().unwrap_or_default() {
        let planned = planned_unit(view, &affected.unit);
        let opened = match planned {
            Some(_) => Some(host.engine.open_plan(place, clone, view, &affected.unit).await),
            None => None,
        };
        let problem = opened.as_ref().and_then(|opened| opened.as_ref().err()).map(problem);
        let opened = opened.and_then(Result::ok);
        dangers.extend(dangers_of(&affected.unit, planned, opened.as_deref()));
        units.push(unit_info(clone, view, affected, planned, problem));
    }
    let manifest = view.verdict.manifest();
    let planned_by = manifest.and_then(|(id, _)| view.statements.iter().find(|s| s.id() == id));
    let my_approval = clone.you.as_ref().and_then(|you| view.verdict.counted().get(you));
    Ok(Change {
        row: row(clone, view),
        description: safe(&view.change.description),
        trunk: clone.trunk.clone(),
        base: view.change.base.to_string(),
        merged_as: match &view.surveyed.facts.mergeability {
            Mergeability::Merged { commit } => Some(commit.to_string()),
            Mergeability::Clean | Mergeability::Conflicts(_) => None,
        },
        units,
        dangers,
        gate: gate(&view.verdict),
        actions: ChangeActions {
            approve_blocked: circumstances.approve_blocked(),
            refuse_blocked: circumstances.refuse_blocked(),
            merge_blocked: circumstances.merge_blocked(),
            my_approval: my_approval.map(ToString::to_string),
        },
        planned_at: manifest.map(|(_, manifest)| manifest.issued.to_string()),
        planned_by: planned_by.map(|verified| verified.signer().person.to_string()),
        trunk_check: trunk_check(view),
    })
}

fn planned_unit<'a>(view: &'a ChangeView, unit: &UnitPath) -> Option<&'a PlannedUnit> {
    view.verdict.manifest().and_then(|(_, manifest)| manifest.units.iter().find(|planned| planned.unit == *unit))
}

fn unit_info(
    clone: &CloneView,
    view: &ChangeView,
    affected: &countersign_domain::change::AffectedUnit,
    planned: Option<&PlannedUnit>,
    problem: Option<Problem>,
) -> UnitInfo {
    let changes = planned.and_then(|planned| match &planned.outcome {
        PlanOutcome::Planned(changes) => Some(changes),
        PlanOutcome::Failed => None,
    });
    let environment = clone.policy().ok().and_then(|policy| policy.policy.environment_of(&affected.unit));
    let applied = view.results.iter().find(|result| result.unit == affected.unit);
    UnitInfo {
        unit: affected.unit.to_string(),
        environment: environment.map(|(name, _)| name.to_string()),
        deleted: affected.deleted,
        state: match planned {
            None => UnitState::Waiting,
            Some(planned) if planned.inputs != affected.inputs => UnitState::Outdated,
            Some(planned) if planned.outcome == PlanOutcome::Failed => UnitState::Failed,
            Some(_) => UnitState::Planned,
        },
        counts: counts(changes.map(|changes| changes.counts).unwrap_or_default()),
        no_changes: changes.is_some_and(|changes| changes.no_changes),
        tool: planned.map(|planned| safe(&format!("{} {}", planned.tool, planned.tool_version))),
        inputs: affected.inputs.to_string(),
        commitment: changes.map(|changes| changes.commitment.to_string()),
        review: planned.map(|planned| planned.review.to_string()),
        problem,
        applied: applied.map(|result| outcome_words(result.outcome).to_owned()),
    }
}

/// Destroys as the manifest has them, with what forces them where the plan can be read here.
fn dangers_of(unit: &UnitPath, planned: Option<&PlannedUnit>, opened: Option<&OpenedPlan>) -> Vec<Danger> {
    let Some(PlanOutcome::Planned(changes)) = planned.map(|planned| &planned.outcome) else { return Vec::new() };
    if let Some(plan) = opened.and_then(|opened| opened.plan.as_ref()) {
        return dangers_of_plan(unit, plan);
    }
    changes
        .destroys
        .iter()
        .map(|address| Danger {
            unit: unit.to_string(),
            index: None,
            address: safe(address),
            action: "destroy".to_owned(),
            symbol: "-".to_owned(),
            forces: Vec::new(),
        })
        .collect()
}

fn dangers_of_plan(unit: &UnitPath, plan: &Plan) -> Vec<Danger> {
    let dangerous = plan.resources.iter().enumerate().filter(|(_, resource)| resource.action.is_dangerous());
    dangerous
        .map(|(index, resource)| Danger {
            unit: unit.to_string(),
            index: Some(count(index)),
            address: safe(&resource.address),
            action: resource.action.to_string(),
            symbol: resource.action.symbol().to_owned(),
            forces: match resource.action {
                Action::Replace(_) => resource
                    .attributes
                    .iter()
                    .filter(|attribute| attribute.forces_replacement)
                    .map(|a| safe(&format!("{}: {} → {}", a.path, shown_plainly(&a.before), shown_plainly(&a.after))))
                    .collect(),
                _ => Vec::new(),
            },
        })
        .collect()
}

fn trunk_check(view: &ChangeView) -> Option<String> {
    if view.results.is_empty() {
        return None;
    }
    let all = |wanted: AfterApply| view.results.iter().all(|result| result.after == wanted);
    Some(if all(AfterApply::NoChanges) {
        "a fresh dry run of trunk shows no changes".to_owned()
    } else if view.results.iter().any(|result| result.after == AfterApply::Changes) {
        "a fresh dry run of trunk still shows changes".to_owned()
    } else {
        "trunk has not been dry-run since".to_owned()
    })
}

pub(crate) fn gate(verdict: &Verdict) -> Gate {
    Gate { open: verdict.is_open(), requirements: verdict.requirements().iter().map(requirement).collect() }
}

fn requirement(requirement: &Requirement) -> GateRequirement {
    GateRequirement {
        name: requirement.name.to_string(),
        met: requirement.met,
        detail: safe(&requirement.detail),
        evidence: requirement
            .evidence
            .iter()
            .map(|evidence| GateEvidence {
                text: safe(&evidence.text),
                counts: evidence.counts,
                statement: evidence.statement.as_ref().map(ToString::to_string),
            })
            .collect(),
    }
}

/// What happened to a change: its commits and the statements about it.
///
/// # Errors
/// Fails when there is no such change.
pub async fn history(host: &Host, args: ChangeRef) -> Result<History, ApiError> {
    let Found { place, clone, view } = Found::find(host, &args.clone, &args.change).await?;
    let git = place.git.clone();
    let (base, head) = (view.change.base.clone(), view.change.head.clone());
    let commits = tokio::task::spawn_blocking(move || git.commits_ahead(&base, &head))
        .await
        .map_err(ApiError::bug)?
        .map_err(countersign_engine::EngineError::from)?;
    let mut entries: Vec<HistoryEntry> = commits
        .iter()
        .map(|commit| HistoryEntry {
            at: commit.time.to_string(),
            kind: "commit".to_owned(),
            who: safe(&commit.author.name),
            text: safe(&commit.summary),
            statement: None,
            commit: Some(commit.id.to_string()),
        })
        .collect();
    entries.extend(view.statements.iter().map(|verified| HistoryEntry {
        at: verified.statement().issued().to_string(),
        kind: verified.statement().kind().word().to_owned(),
        who: verified.signer().person.to_string(),
        text: safe(&in_words(verified.statement())),
        statement: Some(verified.id().to_string()),
        commit: None,
    }));
    let policy = clone.policy()?;
    let reveals = host.engine.store().reveals(&policy.policy.repository, &view.change.id).await;
    for reveal in reveals.map_err(countersign_engine::EngineError::from)? {
        entries.push(HistoryEntry {
            at: reveal.at.to_string(),
            kind: "reveal".to_owned(),
            who: reveal.person.to_string(),
            text: safe(&format!("looked at {} of {} in {}", reveal.path, reveal.address, reveal.unit)),
            statement: None,
            commit: None,
        });
    }
    entries.sort_by(|a, b| b.at.cmp(&a.at));
    Ok(History { entries })
}

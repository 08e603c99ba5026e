//! Changes with everything that decides about them: facts from Git, verified statements, the gate's verdict.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use countersign_domain::change::{Change, Mergeability};
use countersign_domain::gate::{self, GateInput, PolicyInForce, Verdict};
use countersign_domain::names::{ChangeId, CommitId, Digest, PersonId, StatementId, UnitPath};
use countersign_domain::policy::Role;
use countersign_domain::statement::{ApplyResult, PlanManifest, PlanOutcome, Statement, Verified};
use countersign_forge::{ChangeList, Forge, Merge};
use countersign_git::{Clone, GitError};
use countersign_store::clones::WatchedClone;
use countersign_store::statements::{RecordedStatement, StatementFilter};
use jiff::Timestamp;

use crate::attention::{Circumstances, Section};
use crate::blocking::blocking;
use crate::error::EngineError;
use crate::facts::{Surveyed, survey, survey_shallow};
use crate::place::Place;
use crate::shared_log;
use crate::trunk::TrunkPolicy;
use crate::{Engine, lock, now};

/// A change and all that is known of it.
#[derive(Debug, std::clone::Clone)]
pub struct ChangeView {
    /// The change.
    pub change: Change,
    /// What Git says of it.
    pub surveyed: Surveyed,
    /// Verified statements about it.
    pub statements: Vec<Verified>,
    /// The newest apply result of each unit since the current plan.
    pub results: Vec<ApplyResult>,
    /// The gate's verdict.
    pub verdict: Verdict,
}

/// A clone's changes.
#[derive(Debug, std::clone::Clone)]
pub struct CloneView {
    /// The clone.
    pub clone: WatchedClone,
    /// Trunk's branch name.
    pub trunk: String,
    /// Trunk's commit.
    pub trunk_commit: CommitId,
    /// The policy on trunk, or why it cannot be used.
    pub policy: Arc<Result<TrunkPolicy, String>>,
    /// Who the person at this machine is here.
    pub you: Option<PersonId>,
    /// Open changes and those merged with a plan.
    pub changes: Vec<ChangeView>,
    /// Branches that were left out, with the reason.
    pub refused: Vec<String>,
    /// When all this was judged.
    pub now: Timestamp,
}

impl CloneView {
    /// Where a change of this clone stands.
    #[must_use]
    pub fn circumstances<'a>(&'a self, view: &'a ChangeView) -> Circumstances<'a> {
        Circumstances {
            surveyed: &view.surveyed,
            verdict: &view.verdict,
            results: &view.results,
            policy: self.policy.as_ref().as_ref().ok().map(|policy| &policy.policy),
            you: self.you.as_ref(),
            now: self.now,
        }
    }

    /// The change of this id.
    #[must_use]
    pub fn change(&self, id: &ChangeId) -> Option<&ChangeView> {
        self.changes.iter().find(|view| view.change.id == *id)
    }

    /// The policy, or the error that says why there is none.
    ///
    /// # Errors
    /// [`EngineError::Policy`].
    pub fn policy(&self) -> Result<&TrunkPolicy, EngineError> {
        self.policy.as_ref().as_ref().map_err(|problem| EngineError::Policy(problem.clone()))
    }

    /// Changes that need the person at this machine.
    pub fn needing_me(&self) -> impl Iterator<Item = &ChangeView> {
        self.changes.iter().filter(|view| self.circumstances(view).section() == Some(Section::NeedsMyReview))
    }
}

/// What was judged before and holds as long as nothing moves: facts by the commits they are of, and signatures by the
/// policy they were checked against.
#[derive(Default)]
pub(crate) struct Memory {
    surveys: HashMap<SurveyedCommits, Surveyed>,
    verified: HashMap<Digest, CheckedStatements>,
}

/// The commits that a survey is of, with the change's id: trunk, base, head, and the merge.
type SurveyedCommits = (ChangeId, CommitId, CommitId, CommitId, Option<CommitId>);

/// Signatures checked in one minute: a key's validity may end in the next.
#[derive(Default)]
struct CheckedStatements {
    minute: i64,
    by_id: HashMap<StatementId, Option<Verified>>,
}

/// How many surveys are remembered; those of a trunk that moved on are of no use.
const REMEMBERED_SURVEYS: usize = 2048;

/// What is read from Git before statements are looked at.
struct Basis {
    list: ChangeList,
    policy: Result<TrunkPolicy, String>,
}

impl Engine {
    /// A clone's changes, judged now, from what is on this machine.
    ///
    /// # Errors
    /// Fails when the clone cannot be read or has no trunk.
    pub async fn clone_view(&self, place: &Place) -> Result<CloneView, EngineError> {
        let (git, forge) = (place.git.clone(), place.forge.clone());
        let basis = blocking(move || {
            let list = forge.changes()?;
            let policy = TrunkPolicy::read(&git, &list.trunk.commit);
            Ok::<_, EngineError>(Basis { list, policy })
        })
        .await?;
        let rows = match &basis.policy {
            Ok(policy) => {
                let repository = Some(policy.policy.repository.clone());
                self.store().statements(&StatementFilter { repository, ..StatementFilter::default() }).await?
            }
            Err(_) => Vec::new(),
        };
        let you = match &basis.policy {
            Ok(policy) => self.person_in(policy).await,
            Err(_) => None,
        };
        let (git, info, engine) = (place.git.clone(), place.info.clone(), self.clone());
        blocking(move || judge(&engine, &git, info, basis, &rows, you)).await
    }

    /// The clone and the view that hold a change; `clone` narrows it down when several have one of that id.
    ///
    /// # Errors
    /// [`EngineError::NoSuchChange`], [`EngineError::AmbiguousChange`].
    pub async fn find_change(
        &self,
        clone: Option<&str>,
        id: &str,
    ) -> Result<(Place, CloneView, ChangeId), EngineError> {
        let id = ChangeId::new(id)?;
        if let Some(clone) = clone {
            let place = self.place(clone).await?;
            let view = self.clone_view(&place).await?;
            return match view.change(&id) {
                Some(_) => Ok((place, view, id)),
                None => Err(EngineError::NoSuchChange(id.to_string())),
            };
        }
        let mut found = Vec::new();
        let mut last_problem = None;
        for (_, place) in self.places().await? {
            let view = match place {
                Ok(place) => self.clone_view(&place).await.map(|view| (place, view)),
                Err(error) => Err(error),
            };
            match view {
                Ok((place, view)) if view.change(&id).is_some() => found.push((place, view)),
                Ok(_) => {}
                Err(error) => last_problem = Some(error),
            }
        }
        match (found.len(), last_problem) {
            (0, Some(error)) => Err(error),
            (0, None) => Err(EngineError::NoSuchChange(id.to_string())),
            (1, _) => found
                .pop()
                .map(|(place, view)| (place, view, id))
                .ok_or_else(|| EngineError::Defect("one change was found and then none".to_owned())),
            _ => Err(EngineError::AmbiguousChange {
                change: id.to_string(),
                clones: found.iter().map(|(place, _)| place.info.name.clone()).collect::<Vec<_>>().join(", "),
            }),
        }
    }
}

fn judge(
    engine: &Engine,
    git: &Clone,
    clone: WatchedClone,
    basis: Basis,
    rows: &[RecordedStatement],
    you: Option<PersonId>,
) -> Result<CloneView, EngineError> {
    let now = now();
    let Basis { list, policy } = basis;
    let statements = policy.as_ref().map(|policy| by_change(known(engine, rows, policy, now))).unwrap_or_default();
    let mut all = list.open.clone();
    if let Ok(policy) = &policy {
        all.extend(merged_changes(git, &list, policy, &statements)?);
    }
    let mut changes = Vec::new();
    let is_shallow = git.identity()?.is_shallow;
    for change in all {
        let surveyed = if is_shallow {
            survey_shallow(&list.trunk.commit, &change)
        } else {
            remembered_survey(engine, git, &list.trunk.commit, &change)?
        };
        let of_change = statements.get(&change.id).cloned().unwrap_or_default();
        changes.push(match policy_before(git, &change, &surveyed) {
            None => judged(change, surveyed, of_change, &policy, now),
            Some(before) => {
                let of_change = before.as_ref().map(|before| {
                    let rows = rows.iter().filter(|row| row.change.as_ref() == Some(&change.id));
                    accepted(rows, before, now)
                });
                judged(change, surveyed, of_change.unwrap_or_default(), &before, now)
            }
        });
    }
    Ok(CloneView {
        clone,
        trunk: list.trunk.branch.to_string(),
        trunk_commit: list.trunk.commit,
        policy: Arc::new(policy),
        you,
        changes,
        refused: list.refused,
        now,
    })
}

/// A merged change that edits the policy is judged by the policy it was merged into, not by the one it made.
fn policy_before(git: &Clone, change: &Change, surveyed: &Surveyed) -> Option<Result<TrunkPolicy, String>> {
    let is_merged = matches!(surveyed.facts.mergeability, Mergeability::Merged { .. });
    (is_merged && surveyed.facts.edits_policy).then(|| TrunkPolicy::read(git, &change.base))
}

fn accepted<'a>(
    rows: impl IntoIterator<Item = &'a RecordedStatement>,
    policy: &TrunkPolicy,
    at: Timestamp,
) -> Vec<Verified> {
    rows.into_iter().filter_map(|row| shared_log::accept(&policy.signers, row, at).ok()).collect()
}

/// As [`accepted`], with signatures checked once a minute.
fn known(engine: &Engine, rows: &[RecordedStatement], policy: &TrunkPolicy, at: Timestamp) -> Vec<Verified> {
    let minute = at.as_second().div_euclid(60);
    let mut checked = {
        let mut memory = lock(&engine.inner.judged);
        memory.verified.retain(|_, checked| checked.minute == minute);
        memory.verified.remove(&policy.digest).unwrap_or_default()
    };
    checked.minute = minute;
    let mut statements = Vec::with_capacity(rows.len());
    for row in rows {
        let verified =
            checked.by_id.entry(row.id.clone()).or_insert_with(|| shared_log::accept(&policy.signers, row, at).ok());
        statements.extend(verified.clone());
    }
    lock(&engine.inner.judged).verified.insert(policy.digest.clone(), checked);
    statements
}

fn remembered_survey(engine: &Engine, git: &Clone, trunk: &CommitId, change: &Change) -> Result<Surveyed, GitError> {
    let merge = match &change.mergeability {
        Mergeability::Merged { commit } => Some(commit.clone()),
        Mergeability::Clean | Mergeability::Conflicts(_) => None,
    };
    let commits = (change.id.clone(), trunk.clone(), change.base.clone(), change.head.clone(), merge);
    if let Some(surveyed) = lock(&engine.inner.judged).surveys.get(&commits) {
        return Ok(surveyed.clone());
    }
    let surveyed = survey(git, engine.trees(), trunk, change)?;
    let mut memory = lock(&engine.inner.judged);
    if memory.surveys.len() >= REMEMBERED_SURVEYS {
        memory.surveys.clear();
    }
    // What could not be read may be there at the next look.
    if surveyed.facts.units.is_ok() {
        memory.surveys.insert(commits, surveyed.clone());
    }
    Ok(surveyed)
}

fn by_change(statements: Vec<Verified>) -> BTreeMap<ChangeId, Vec<Verified>> {
    let mut sorted: BTreeMap<ChangeId, Vec<Verified>> = BTreeMap::new();
    for verified in statements {
        if let Some(change) = verified.statement().change() {
            sorted.entry(change.clone()).or_default().push(verified);
        }
    }
    sorted
}

fn judged(
    change: Change,
    surveyed: Surveyed,
    statements: Vec<Verified>,
    policy: &Result<TrunkPolicy, String>,
    now: Timestamp,
) -> ChangeView {
    let in_force: Result<PolicyInForce<'_>, &str> = match policy {
        Ok(policy) => Ok(policy.in_force()),
        Err(problem) => Err(problem),
    };
    let input = GateInput { policy: in_force, change: &surveyed.facts, statements: &statements, now };
    let verdict = gate::evaluate(&input);
    let results = newest_results(&statements, policy, &verdict);
    ChangeView { change, surveyed, statements, results, verdict }
}

/// The newest result of each unit, as far as it is of the plans that the verdict speaks of.
fn newest_results(
    statements: &[Verified],
    policy: &Result<TrunkPolicy, String>,
    verdict: &Verdict,
) -> Vec<ApplyResult> {
    let (Ok(policy), Some((_, manifest))) = (policy, verdict.manifest()) else { return Vec::new() };
    let planned = |commitment: &Digest| {
        manifest.units.iter().any(|unit| match &unit.outcome {
            PlanOutcome::Planned(changes) => changes.commitment == *commitment,
            PlanOutcome::Failed => false,
        })
    };
    let consumed_here: BTreeSet<&StatementId> = statements
        .iter()
        .filter(|verified| matches!(verified.statement(), Statement::Consumption(c) if planned(&c.commitment)))
        .map(Verified::id)
        .collect();
    let mut newest: BTreeMap<&UnitPath, &ApplyResult> = BTreeMap::new();
    for verified in statements {
        let Statement::Apply(result) = verified.statement() else { continue };
        let by_runner = policy.policy.holds(&verified.signer().person, Role::Runner);
        let of_these = result.consumption.as_ref().is_none_or(|consumption| consumed_here.contains(consumption));
        if !by_runner || !of_these || result.issued < manifest.issued {
            continue;
        }
        let newer = newest.get(&result.unit).is_none_or(|kept| kept.issued <= result.issued);
        if newer {
            newest.insert(&result.unit, result);
        }
    }
    newest.into_values().cloned().collect()
}

/// Changes that trunk contains already and that a runner has planned: found by the planned head, so that it does not
/// matter who merged them or how. Of a name that was used again, the newest plan that trunk contains counts.
fn merged_changes(
    git: &Clone,
    list: &ChangeList,
    policy: &TrunkPolicy,
    statements: &BTreeMap<ChangeId, Vec<Verified>>,
) -> Result<Vec<Change>, GitError> {
    let open: BTreeSet<&ChangeId> = list.open.iter().map(|change| &change.id).collect();
    let mut merged = Vec::new();
    for (_, statements) in statements.iter().filter(|(id, _)| !open.contains(id)) {
        let mut manifests: Vec<&PlanManifest> = statements
            .iter()
            .filter(|verified| policy.policy.holds(&verified.signer().person, Role::Runner))
            .filter_map(|verified| match verified.statement() {
                Statement::Plan(manifest) => Some(manifest),
                _ => None,
            })
            .collect();
        manifests.sort_by_key(|manifest| std::cmp::Reverse(manifest.issued));
        let mut looked_at = BTreeSet::new();
        for manifest in manifests {
            if !looked_at.insert(&manifest.head) || !git.has_commit(&manifest.head)? {
                continue;
            }
            if git.is_ancestor(&manifest.head, &list.trunk.commit)? {
                let merge = list.merges.iter().find(|merge| merge.head == manifest.head);
                merged.push(merged_change(git, manifest, merge)?);
                break;
            }
        }
    }
    Ok(merged)
}

fn merged_change(git: &Clone, manifest: &PlanManifest, merge: Option<&Merge>) -> Result<Change, GitError> {
    // Without a merge commit trunk was moved forward to the head itself.
    let (base, commit) = match merge {
        Some(merge) => (merge.trunk_before.clone(), merge.commit.clone()),
        None => (manifest.base.clone(), manifest.head.clone()),
    };
    let head = git.commit(&manifest.head)?;
    let commits = git.commits_ahead(&base, &manifest.head)?;
    Ok(Change {
        id: manifest.change.clone(),
        title: head.summary.clone(),
        description: String::new(),
        author: head.author.name.clone(),
        contributors: commits
            .iter()
            .flat_map(|commit| commit.contributors().map(|who| who.email.to_lowercase()))
            .collect(),
        base,
        head: manifest.head.clone(),
        commits: u32::try_from(commits.len()).unwrap_or(u32::MAX),
        updated: merge.map_or(head.time, |merge| merge.time),
        mergeability: Mergeability::Merged { commit },
    })
}

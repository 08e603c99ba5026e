//! Changes with everything that decides about them: facts from Git, verified statements, the gate's verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign_domain::change::{Change, Mergeability};
use countersign_domain::gate::{self, GateInput, PolicyInForce, Verdict};
use countersign_domain::names::{ChangeId, CommitId, PersonId, UnitPath};
use countersign_domain::policy::Role;
use countersign_domain::statement::{ApplyResult, PlanManifest, Statement, Verified};
use countersign_forge::{ChangeList, Forge, Merge};
use countersign_git::{Clone, GitError};
use countersign_store::clones::WatchedClone;
use jiff::Timestamp;

use crate::attention::{Circumstances, Section};
use crate::blocking::blocking;
use crate::error::EngineError;
use crate::facts::{Surveyed, survey};
use crate::place::Place;
use crate::trunk::TrunkPolicy;
use crate::{Engine, now};

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
        let statements = match &basis.policy {
            Ok(policy) => self.verified(policy, None, None).await?.accepted,
            Err(_) => Vec::new(),
        };
        let you = match &basis.policy {
            Ok(policy) => self.person_in(policy).await,
            Err(_) => None,
        };
        let (git, info, engine) = (place.git.clone(), place.info.clone(), self.clone());
        blocking(move || judge(&engine, &git, info, basis, &statements, you)).await
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
    statements: &[Verified],
    you: Option<PersonId>,
) -> Result<CloneView, EngineError> {
    let now = now();
    let Basis { list, policy } = basis;
    let mut all = list.open.clone();
    if let Ok(policy) = &policy {
        all.extend(merged_changes(git, &list, policy, statements)?);
    }
    let mut changes = Vec::new();
    for change in all {
        let about: Vec<Verified> =
            statements.iter().filter(|s| s.statement().change() == Some(&change.id)).cloned().collect();
        let surveyed = survey(git, engine.trees(), &list.trunk.commit, &change)?;
        let in_force: Result<PolicyInForce<'_>, &str> = match &policy {
            Ok(policy) => Ok(policy.in_force()),
            Err(problem) => Err(problem),
        };
        let verdict = gate::evaluate(&GateInput { policy: in_force, change: &surveyed.facts, statements: &about, now });
        let results = newest_results(&about, &policy, &verdict);
        changes.push(ChangeView { change, surveyed, statements: about, results, verdict });
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

fn newest_results(
    statements: &[Verified],
    policy: &Result<TrunkPolicy, String>,
    verdict: &Verdict,
) -> Vec<ApplyResult> {
    let (Ok(policy), Some((_, manifest))) = (policy, verdict.manifest()) else { return Vec::new() };
    let mut newest: BTreeMap<&UnitPath, &ApplyResult> = BTreeMap::new();
    for verified in statements {
        let Statement::Apply(result) = verified.statement() else { continue };
        let by_runner = policy.policy.holds(&verified.signer().person, Role::Runner);
        if !by_runner || result.issued < manifest.issued {
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
/// matter who merged them or how.
fn merged_changes(
    git: &Clone,
    list: &ChangeList,
    policy: &TrunkPolicy,
    statements: &[Verified],
) -> Result<Vec<Change>, GitError> {
    let open: BTreeSet<&ChangeId> = list.open.iter().map(|change| &change.id).collect();
    let mut newest: BTreeMap<&ChangeId, &PlanManifest> = BTreeMap::new();
    for verified in statements {
        let Statement::Plan(manifest) = verified.statement() else { continue };
        let by_runner = policy.policy.holds(&verified.signer().person, Role::Runner);
        if !by_runner || open.contains(&manifest.change) {
            continue;
        }
        if newest.get(&manifest.change).is_none_or(|kept| kept.issued < manifest.issued) {
            newest.insert(&manifest.change, manifest);
        }
    }
    let mut merged = Vec::new();
    for manifest in newest.into_values() {
        if !git.has_commit(&manifest.head)? || !git.is_ancestor(&manifest.head, &list.trunk.commit)? {
            continue;
        }
        let merge = list.merges.iter().find(|merge| merge.head == manifest.head);
        merged.push(merged_change(git, manifest, merge)?);
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

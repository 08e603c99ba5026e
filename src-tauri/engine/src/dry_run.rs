//! Planning a change: every affected unit, at the merge of its head into trunk, sealed and signed.
//!
//! This runs the code under review with this process's credentials, so it is the deploy runner's work: the key in use has
//! to be a runner's in the policy on trunk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use countersign_domain::names::{ChangeId, CommitId, Recipient, RepositoryId, StatementId, TreeId, UnitPath};
use countersign_domain::plan::Plan;
use countersign_domain::policy::Role;
use countersign_domain::statement::{PlanManifest, PlanOutcome, PlannedChanges, PlannedUnit, Statement, StatementKind};
use countersign_forge::Forge;
use countersign_git::{LeftOut, ToolCache};
use countersign_iac::plan_json;
use countersign_seal::bundle::{ReviewContents, seal_apply, seal_review};
use countersign_seal::commitment::{self, CommitmentKey};
use countersign_store::runs::{NewRun, RunEnd, RunKind, RunVerdict};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::blocking::blocking;
use crate::changes::{ChangeView, CloneView};
use crate::error::EngineError;
use crate::event::Event;
use crate::facts::TreeUnits;
use crate::place::Place;
use crate::review::bundles_key;
use crate::runs::{Kind, Run};
use crate::tooling::{MadePlan, PlanAttempt, Tooling, goal};
use crate::trunk::TrunkPolicy;
use crate::{Engine, now};

/// Largest plan file that is sealed, in bytes.
const MAX_PLAN_FILE: u64 = 256 * 1024 * 1024;

/// What was planned.
#[derive(Debug)]
pub struct DryRun {
    /// The signed manifest.
    pub manifest: StatementId,
    /// The units, as the manifest has them.
    pub units: Vec<PlannedUnit>,
    /// Why the manifest is not on the shared log yet.
    pub unpublished: Option<EngineError>,
}

/// One unit, planned and sealed.
struct SealedUnit {
    planned: PlannedUnit,
    bundles: Vec<Vec<u8>>,
    said: String,
}

/// Who reads which bundle.
#[derive(Clone)]
struct Readers {
    reviewers: Vec<Recipient>,
    runners: Vec<Recipient>,
}

/// The directories a change is planned in. They are the same at every plan and apply of the change, since a directory's
/// own path can end in a plan.
#[derive(Clone)]
pub(crate) struct Workplace {
    /// The merged tree.
    pub(crate) merged: PathBuf,
    /// The tree before, for units the change deletes.
    pub(crate) before: PathBuf,
}

impl Workplace {
    pub(crate) fn dir(&self, unit: &UnitPath, deleted: bool) -> PathBuf {
        let root = if deleted { &self.before } else { &self.merged };
        if unit.is_root() { root.clone() } else { root.join(unit.as_str()) }
    }
}

impl Engine {
    pub(crate) fn workplace(&self, repository: &RepositoryId, change: &ChangeId) -> Workplace {
        let dir = self.data_dir().join("work").join(bundles_key(repository, change));
        Workplace { merged: dir.join("merged"), before: dir.join("before") }
    }

    /// Plans every unit of a change, seals the plans, signs the manifest and publishes both.
    ///
    /// # Errors
    /// [`EngineError::NotNow`] when the key in use is no runner's or the change cannot be merged. That a unit fails to plan
    /// is no error: the manifest says so, and the log is sealed for the reviewers.
    pub async fn plan_change(
        &self,
        place: &Place,
        clone: &CloneView,
        view: &ChangeView,
    ) -> Result<DryRun, EngineError> {
        let title = format!("Plan {}", view.change.id);
        let run = self.begin(Kind::Plan, title, Some((place.id(), view.change.id.clone())), None);
        let done = self.plan_all(place, clone, view, &run).await;
        self.end(&run, done.as_ref().map(|dry_run| format!("{} units planned", dry_run.units.len())));
        done
    }

    async fn plan_all(
        &self,
        place: &Place,
        clone: &CloneView,
        view: &ChangeView,
        run: &Run,
    ) -> Result<DryRun, EngineError> {
        let policy = clone.policy()?;
        self.must_be_runner(policy).await?;
        let readers = self.readers(policy).await?;
        let tooling = Tooling::find().await?;
        let workplace = self.check_out(place, clone, view).await?;
        let sealed = self.plan_units(place, clone, view, run, &readers, &tooling, &workplace).await?;
        let manifest = self.manifest(clone, view, &sealed)?;
        let repository = policy.policy.repository.clone();
        self.publish_bundles(place, &repository, &view.change.id, &sealed).await?;
        let id = self.sign_and_record(place, Statement::Plan(manifest), None).await?;
        let recorded = self.publish(place, id).await;
        self.emit(Event::CloneChanged { clone: place.id() });
        let units = sealed.into_iter().map(|unit| unit.planned).collect();
        Ok(DryRun { manifest: recorded.id, units, unpublished: recorded.unpublished })
    }

    /// The person of the key in use, who must be a runner.
    pub(crate) async fn must_be_runner(&self, policy: &TrunkPolicy) -> Result<(), EngineError> {
        let key = self.key_in_use().await?;
        let fingerprint = key.public.fingerprint().to_string();
        let person = self.person_in(policy).await.ok_or(EngineError::KeyOfNobody(fingerprint))?;
        if policy.policy.holds(&person, Role::Runner) {
            return Ok(());
        }
        Err(EngineError::NotNow(format!(
            "{person} is not a deploy runner in countersign.toml on trunk: planning runs the change's code and is the runner's work"
        )))
    }

    async fn readers(&self, policy: &TrunkPolicy) -> Result<Readers, EngineError> {
        let devices = self.verified(policy, None, Some(StatementKind::Device)).await?.accepted;
        let mut reviewers = BTreeSet::new();
        let mut runners = BTreeSet::from([self.identity().recipient().clone()]);
        for verified in &devices {
            let Statement::Device(device) = verified.statement() else { continue };
            let person = &verified.signer().person;
            if policy.policy.holds(person, Role::Runner) {
                runners.insert(device.recipient.clone());
            } else if countersign_domain::gate::may_review(&policy.policy, person) {
                reviewers.insert(device.recipient.clone());
            }
        }
        if reviewers.is_empty() {
            return Err(EngineError::NoRecipients);
        }
        reviewers.extend(runners.iter().cloned());
        Ok(Readers { reviewers: reviewers.into_iter().collect(), runners: runners.into_iter().collect() })
    }

    /// Puts the merged tree, and for deleted units the tree before, where the change is planned.
    pub(crate) async fn check_out(
        &self,
        place: &Place,
        clone: &CloneView,
        view: &ChangeView,
    ) -> Result<Workplace, EngineError> {
        let merged = view.surveyed.merged.clone().ok_or_else(|| {
            EngineError::NotNow(format!("{} conflicts with trunk, so there is nothing to plan", view.change.id))
        })?;
        let units = view.surveyed.facts.units.as_deref().map_err(|why| EngineError::NotNow(why.clone()))?;
        let affected: Vec<UnitPath> = units.iter().map(|unit| unit.unit.clone()).collect();
        let deletes = units.iter().any(|unit| unit.deleted);
        let workplace = self.workplace(&clone.policy()?.policy.repository, &view.change.id);
        let (git, base, to) = (place.git.clone(), view.change.base.clone(), workplace.clone());
        blocking(move || {
            let parent = to.merged.parent().map(PathBuf::from).unwrap_or_default();
            std::fs::create_dir_all(&parent).map_err(|source| EngineError::Io {
                doing: "make",
                path: parent,
                source,
            })?;
            let mut left_out = git.checkout(&merged, &to.merged, ToolCache::Keep)?.left_out;
            if deletes {
                left_out.extend(git.checkout(&base, &to.before, ToolCache::Keep)?.left_out);
            }
            whole(&affected, &left_out)
        })
        .await?;
        Ok(workplace)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a different thing that the planning of one change needs")]
    async fn plan_units(
        &self,
        place: &Place,
        clone: &CloneView,
        view: &ChangeView,
        run: &Run,
        readers: &Readers,
        tooling: &Tooling,
        workplace: &Workplace,
    ) -> Result<Vec<SealedUnit>, EngineError> {
        let waves = self.waves(place, clone, view).await?;
        let bound = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));
        let mut sealed = Vec::new();
        for wave in waves {
            let mut planning = JoinSet::new();
            for unit in wave {
                let task = UnitTask {
                    engine: self.clone(),
                    repository: clone.policy()?.policy.repository.clone(),
                    change: view.change.id.clone(),
                    dir: workplace.dir(&unit.unit, unit.deleted),
                    affected: unit,
                    tooling: tooling.clone(),
                    readers: readers.clone(),
                    cancel: run.cancel_token().clone(),
                };
                let bound = Arc::clone(&bound);
                planning.spawn(async move {
                    let _place = bound.acquire_owned().await;
                    task.run().await
                });
            }
            // The others are let finish when one fails: a tool killed in the middle leaves its state locked.
            let mut failed = None;
            while let Some(done) = planning.join_next().await {
                match done.map_err(|error| EngineError::Defect(error.to_string())).and_then(|done| done) {
                    Ok(unit) => {
                        self.progress(run, &unit.said);
                        sealed.push(unit);
                    }
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
        }
        sealed.sort_by(|a, b| a.planned.unit.cmp(&b.planned.unit));
        Ok(sealed)
    }

    /// Affected units in waves: each wave reads only the state of units in earlier ones.
    async fn waves(
        &self,
        place: &Place,
        clone: &CloneView,
        view: &ChangeView,
    ) -> Result<Vec<Vec<countersign_domain::change::AffectedUnit>>, EngineError> {
        let affected = view.surveyed.facts.units.clone().map_err(EngineError::NotNow)?;
        let (git, engine) = (place.git.clone(), self.clone());
        let (merged, base) = (view.surveyed.merged.clone(), clone.trunk_commit.clone());
        let read = blocking(move || tree_units(&engine, &git, merged.as_ref(), &base)).await?;
        let mut waves: Vec<Vec<countersign_domain::change::AffectedUnit>> = Vec::new();
        let mut depth: BTreeMap<UnitPath, usize> = BTreeMap::new();
        for path in &view.surveyed.order {
            let Some(unit) = affected.iter().find(|unit| unit.unit == *path) else { continue };
            let before = read.depends_on.get(path).map(Vec::as_slice).unwrap_or_default();
            let level = before.iter().filter_map(|on| depth.get(on)).max().map_or(0, |deepest| deepest + 1);
            depth.insert(path.clone(), level);
            if waves.len() <= level {
                waves.resize_with(level + 1, Vec::new);
            }
            waves[level].push(unit.clone());
        }
        Ok(waves)
    }

    fn manifest(
        &self,
        clone: &CloneView,
        view: &ChangeView,
        sealed: &[SealedUnit],
    ) -> Result<PlanManifest, EngineError> {
        Ok(PlanManifest {
            repository: clone.policy()?.policy.repository.clone(),
            change: view.change.id.clone(),
            base: clone.trunk_commit.clone(),
            head: view.change.head.clone(),
            units: sealed.iter().map(|unit| unit.planned.clone()).collect(),
            issued: now(),
            nonce: countersign_seal::nonce()?,
        })
    }

    async fn publish_bundles(
        &self,
        place: &Place,
        repository: &RepositoryId,
        change: &ChangeId,
        sealed: &[SealedUnit],
    ) -> Result<(), EngineError> {
        let mut files = Vec::new();
        for bytes in sealed.iter().flat_map(|unit| &unit.bundles) {
            let digest = self.store().keep_bundle(repository, change, bytes, now()).await?;
            files.push((format!("{digest}.age"), bytes.clone()));
        }
        let (forge, key) = (place.forge.clone(), bundles_key(repository, change));
        blocking(move || forge.publish_bundles(&key, &files)).await
    }
}

/// A unit whose files could not all be written is not planned: the plan would not be of what was reviewed.
fn whole(affected: &[UnitPath], left_out: &[LeftOut]) -> Result<(), EngineError> {
    let missing = left_out.iter().find(|entry| affected.iter().any(|unit| unit.contains(&entry.path)));
    missing.map_or(Ok(()), |entry| {
        let path = countersign_domain::names::quoted(&entry.path);
        Err(EngineError::NotNow(format!("{path} was left out because {}; remove it from the change", entry.problem)))
    })
}

fn tree_units(
    engine: &Engine,
    git: &countersign_git::Clone,
    merged: Option<&TreeId>,
    base: &CommitId,
) -> Result<TreeUnits, EngineError> {
    let base = git.tree_of(base)?;
    let tree = merged.unwrap_or(&base);
    engine.trees().units(git, tree).map(|units| (*units).clone()).map_err(EngineError::NotNow)
}

/// Everything that planning one unit needs.
struct UnitTask {
    engine: Engine,
    repository: RepositoryId,
    change: ChangeId,
    affected: countersign_domain::change::AffectedUnit,
    dir: PathBuf,
    tooling: Tooling,
    readers: Readers,
    cancel: CancellationToken,
}

impl UnitTask {
    async fn run(self) -> Result<SealedUnit, EngineError> {
        let store = self.engine.store();
        let id = store
            .queue_run(&NewRun {
                kind: RunKind::Plan,
                repository: self.repository.clone(),
                clone: None,
                change: Some(self.change.clone()),
                unit: Some(self.affected.unit.clone()),
                queued_at: now(),
            })
            .await?;
        store.start_run(id, now()).await?;
        let done = self.plan_and_seal().await;
        let (verdict, summary) = match &done {
            Ok(unit) if unit.planned.outcome == PlanOutcome::Failed => (RunVerdict::Failed, unit.public_summary()),
            Ok(unit) => (RunVerdict::Succeeded, unit.public_summary()),
            Err(EngineError::Cancelled) => (RunVerdict::Cancelled, "cancelled".to_owned()),
            Err(error) => (RunVerdict::Failed, error.recorded()),
        };
        store.end_run(id, &RunEnd { verdict, at: now(), exit: None, summary: Some(summary), sealed_log: None }).await?;
        done
    }

    async fn plan_and_seal(&self) -> Result<SealedUnit, EngineError> {
        let attempt = self.tooling.plan(&self.dir, goal(self.affected.deleted), &self.cancel).await?;
        match attempt.plan {
            None => self.seal_failure(&attempt),
            Some(ref made) => self.seal_plan(&attempt, made).await,
        }
    }

    fn seal_failure(&self, attempt: &PlanAttempt) -> Result<SealedUnit, EngineError> {
        let contents = ReviewContents { log: &attempt.log, plan_json: None, commitment_key: None };
        let review = seal_review(contents, &self.readers.reviewers)?;
        // What the tool said may hold a secret, so it goes to the reviewers only.
        let said = format!("{}: planning failed", self.affected.unit);
        let planned = self.planned(review.sha256, "default", PlanOutcome::Failed);
        Ok(SealedUnit { planned, bundles: vec![review.bytes], said })
    }

    async fn seal_plan(&self, attempt: &PlanAttempt, made: &MadePlan) -> Result<SealedUnit, EngineError> {
        let plan = plan_json::read(&made.json)?;
        if plan.errored {
            return self.seal_failure(attempt);
        }
        let key = CommitmentKey::generate()?;
        let commitment = commitment::commit(&key, &made.json)?;
        let contents = ReviewContents { log: &attempt.log, plan_json: Some(&made.json), commitment_key: Some(&key) };
        let review = seal_review(contents, &self.readers.reviewers)?;
        let file = made.file.read(MAX_PLAN_FILE)?;
        let apply = seal_apply(&file, &self.readers.runners)?;
        let changes = PlannedChanges {
            commitment,
            apply: apply.sha256,
            counts: plan.counts(),
            destroys: plan.destroys(),
            no_changes: plan.has_no_changes(),
        };
        let said = format!("{}: {}", self.affected.unit, in_words(&plan));
        let planned = self.planned(review.sha256, &made.workspace, PlanOutcome::Planned(changes));
        Ok(SealedUnit { planned, bundles: vec![review.bytes, apply.bytes], said })
    }

    fn planned(&self, review: countersign_domain::names::Digest, workspace: &str, outcome: PlanOutcome) -> PlannedUnit {
        PlannedUnit {
            unit: self.affected.unit.clone(),
            inputs: self.affected.inputs.clone(),
            deleted: self.affected.deleted,
            tool: self.tooling.name().to_owned(),
            tool_version: self.tooling.version().to_owned(),
            workspace: workspace.to_owned(),
            review,
            outcome,
        }
    }
}

impl SealedUnit {
    fn public_summary(&self) -> String {
        self.said.clone()
    }
}

fn in_words(plan: &Plan) -> String {
    if plan.has_no_changes() {
        return "no changes".to_owned();
    }
    let (add, change, destroy) = plan.counts().tool_line();
    format!("{add} to add, {change} to change, {destroy} to destroy")
}

//! Applying what was approved: exactly the sealed plan file, at most once, and only through an open gate.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use countersign_domain::change::Mergeability;
use countersign_domain::gate::ApprovedPlan;
use countersign_domain::names::{ChangeId, RepositoryId, StatementId, UnitPath};
use countersign_domain::policy::{Policy, Role};
use countersign_domain::statement::{
    AfterApply, ApplyOutcome, ApplyResult, Consumption, PlanOutcome, PlannedUnit, Statement,
};
use countersign_forge::Forge;
use countersign_iac::plan_json;
use countersign_runner::SealedMemoryFile;
use countersign_seal::bundle::{open_apply, open_review};
use countersign_seal::commitment::{self, CommitmentKey};
use countersign_store::runs::{NewRun, RunEnd, RunKind, RunVerdict};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::attention::outcome_words;
use crate::blocking::blocking;
use crate::changes::{ChangeView, CloneView};
use crate::dry_run::Workplace;
use crate::error::EngineError;
use crate::event::Event;
use crate::place::Place;
use crate::review::bundles_key;
use crate::runs::{Kind, Run};
use crate::tooling::{ApplyEnd, Tooling, goal};
use crate::{Engine, now};

/// After this long no apply is still running: the tool is given six hours.
const LONGEST_APPLY: SignedDuration = SignedDuration::from_hours(7);

/// What applying a change came to.
#[derive(Debug, Clone)]
pub struct Applied {
    /// A result for each unit that was reached, in the order of apply.
    pub results: Vec<ApplyResult>,
}

impl Applied {
    /// True when nothing failed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.results.iter().all(|result| matches!(result.outcome, ApplyOutcome::Applied | ApplyOutcome::NothingToApply))
    }

    /// In a sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self.results.as_slice() {
            [] => "there was nothing left to apply".to_owned(),
            results => results
                .iter()
                .map(|result| format!("{}: {}", result.unit, outcome_words(result.outcome)))
                .collect::<Vec<_>>()
                .join("; "),
        }
    }
}

/// A plan file that is proven to be the approved one.
struct ProvenPlan {
    file: SealedMemoryFile,
    key: CommitmentKey,
}

/// Keeps other processes from applying the same unit from this machine. Its file names the consumption that was begun
/// here last, so that a process that was killed can be told from another machine that is still at work.
struct UnitLock {
    file: File,
    path: PathBuf,
}

impl UnitLock {
    fn note(&self, consumption: &StatementId) -> Result<(), EngineError> {
        let mut file = &self.file;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(consumption.as_str().as_bytes()))
            .and_then(|()| file.sync_all())
            .map_err(lock_error(&self.path))
    }

    fn noted(&self) -> Result<String, EngineError> {
        let (mut file, mut text) = (&self.file, String::new());
        file.rewind().and_then(|()| file.take(1024).read_to_string(&mut text)).map_err(lock_error(&self.path))?;
        Ok(text)
    }
}

fn lock_error(path: &Path) -> impl FnOnce(std::io::Error) -> EngineError {
    let path = path.to_owned();
    move |source| EngineError::Io { doing: "lock", path, source }
}

impl Engine {
    /// Applies every approved plan of a merged change, in dependency order, and stops at the first that fails.
    ///
    /// Everything is fetched fresh and the gate is judged anew; nothing that was decided earlier is believed.
    ///
    /// # Errors
    /// [`EngineError::GateClosed`] with what is lacking. That a unit's apply fails is no error: its result says so.
    pub async fn apply_change(&self, place: &Place, id: &ChangeId) -> Result<Applied, EngineError> {
        let title = format!("Apply {id}");
        let run = self.begin(Kind::Apply, title, Some((place.id(), id.clone())), None);
        let done = self.apply_all(place, id, &run).await;
        self.end(&run, done.as_ref().map(Applied::in_words));
        if let Ok(applied) = &done {
            self.emit(Event::ApplyEnded {
                clone: place.id(),
                change: id.to_string(),
                ok: applied.is_whole(),
                text: applied.in_words(),
            });
        }
        self.emit(Event::CloneChanged { clone: place.id() });
        done
    }

    async fn apply_all(&self, place: &Place, id: &ChangeId, run: &Run) -> Result<Applied, EngineError> {
        let (clone, view) = self.judged_for_apply(place, id).await?;
        let mut results = self.record_nothing_to_apply(place, &clone, &view).await?;
        let mut next = first_plan(&view).map(|plan| (clone, view, plan));
        if next.is_some() {
            let tooling = Tooling::find().await?;
            while let Some((clone, view, plan)) = next.take() {
                let workplace = self.check_out(place, &clone, &view).await?;
                let plan = &plan;
                let step =
                    Step { place, clone: &clone, view: &view, tooling: &tooling, workplace: &workplace, plan, run };
                let result = self.apply_recorded(&step).await?;
                self.progress(run, &format!("{}: {}", result.unit, outcome_words(result.outcome)));
                let went_well = result.outcome == ApplyOutcome::Applied;
                results.push(result);
                if went_well && view.verdict.approved_plans().len() > 1 {
                    // An apply can take hours. Nothing that was judged before it is believed after it.
                    let (clone, view) = self.judged_for_apply(place, id).await?;
                    next = first_plan(&view).map(|plan| (clone, view, plan));
                }
            }
        }
        let applied = Applied { results };
        if applied.is_whole() {
            let clone = self.clone_view(place).await?;
            self.prune(place, &clone.policy()?.policy.repository, id).await;
        }
        Ok(applied)
    }

    /// The change, fetched fresh and judged, if and only if its plans may be applied now.
    async fn judged_for_apply(&self, place: &Place, id: &ChangeId) -> Result<(CloneView, ChangeView), EngineError> {
        self.fetch_quietly(place).await?;
        self.exchange(place).await?;
        let clone = self.clone_view(place).await?;
        let view = clone.change(id).ok_or_else(|| EngineError::NoSuchChange(id.to_string()))?.clone();
        self.must_be_runner(clone.policy()?).await?;
        if !matches!(view.surveyed.facts.mergeability, Mergeability::Merged { .. }) {
            return Err(EngineError::NotNow(format!("{id} is not merged yet; only what is on trunk is applied")));
        }
        if !view.verdict.is_open() {
            let why = clone.circumstances(&view).lacking();
            return Err(EngineError::GateClosed { change: id.clone(), why });
        }
        if let Some(failed) = view.results.iter().find(|result| is_failure(result.outcome)) {
            return Err(EngineError::NotNow(format!(
                "{}: {}; the other units of {id} wait for a new change that mends it",
                failed.unit,
                outcome_words(failed.outcome)
            )));
        }
        Ok((clone, view))
    }

    /// Units whose plan has no changes get a result that says just that, once.
    async fn record_nothing_to_apply(
        &self,
        place: &Place,
        clone: &CloneView,
        view: &ChangeView,
    ) -> Result<Vec<ApplyResult>, EngineError> {
        let mut results = Vec::new();
        let manifest = view.verdict.manifest().map(|(_, manifest)| manifest);
        for unit in manifest.map(|manifest| manifest.units.as_slice()).unwrap_or_default() {
            let quiet = matches!(&unit.outcome, PlanOutcome::Planned(changes) if changes.no_changes);
            let known = view.results.iter().any(|result| result.unit == unit.unit);
            if !quiet || known {
                continue;
            }
            let end = ResultOf { outcome: ApplyOutcome::NothingToApply, after: AfterApply::NoChanges, started: now() };
            results.push(self.record_result(place, clone, view, &unit.unit, None, end).await?);
        }
        Ok(results)
    }

    async fn apply_recorded(&self, step: &Step<'_>) -> Result<ApplyResult, EngineError> {
        let store = self.store();
        let id = store
            .queue_run(&NewRun {
                kind: RunKind::Apply,
                repository: step.clone.policy()?.policy.repository.clone(),
                clone: Some(step.place.info.id),
                change: Some(step.view.change.id.clone()),
                unit: Some(step.plan.unit().unit.clone()),
                queued_at: now(),
            })
            .await?;
        store.start_run(id, now()).await?;
        let done = self.apply_unit(step).await;
        let (verdict, summary) = match &done {
            Ok(result) if result.outcome == ApplyOutcome::Applied => (RunVerdict::Succeeded, "applied".to_owned()),
            Ok(result) => (RunVerdict::Failed, outcome_words(result.outcome).to_owned()),
            Err(error) => (RunVerdict::Failed, error.recorded()),
        };
        store.end_run(id, &RunEnd { verdict, at: now(), exit: None, summary: Some(summary), sealed_log: None }).await?;
        done
    }

    async fn apply_unit(&self, step: &Step<'_>) -> Result<ApplyResult, EngineError> {
        let planned = step.plan.unit();
        let lock = self.lock_unit(&step.clone.policy()?.policy.repository, &planned.unit)?;
        let lock =
            lock.ok_or_else(|| EngineError::NotNow(format!("{} is being applied by another process", planned.unit)))?;
        let cancel = step.run.cancel_token();
        let dir = step.workplace.dir(&planned.unit, planned.deleted);
        let mut log = Vec::new();
        if !step.tooling.init(&dir, &mut log, cancel).await? {
            return Err(EngineError::Tool {
                tool: step.tooling.name().to_owned(),
                detail: format!("{} could not be initialised; nothing was applied", planned.unit),
            });
        }
        let proven = self.prove(step, planned, &dir, cancel).await?;
        if cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        let consumption = self.consume_plan(step, &lock).await?;
        let started = now();
        let outcome = self.apply_proven(step, planned, &dir, &proven, cancel).await;
        let after = match outcome {
            ApplyOutcome::Applied => check_after(step, planned, &dir).await,
            _ => AfterApply::Unknown,
        };
        let end = ResultOf { outcome, after, started };
        self.record_result(step.place, step.clone, step.view, &planned.unit, Some(consumption), end).await
    }

    /// The unit's lock on this machine; none while another process holds it.
    fn lock_unit(&self, repository: &RepositoryId, unit: &UnitPath) -> Result<Option<UnitLock>, EngineError> {
        let dir = self.data_dir().join("locks");
        let parts = [("repository", repository.as_str().as_bytes()), ("unit", unit.as_str().as_bytes())];
        let path = dir.join(&crate::trunk::digest_of(&parts).as_str()[..32]);
        std::fs::create_dir_all(&dir).map_err(lock_error(&dir))?;
        // What a killed process noted in the file is still to be read.
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(lock_error(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(UnitLock { file, path })),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(source)) => Err(lock_error(&path)(source)),
        }
    }

    /// Opens the sealed plan file and proves that it is the committed one: its JSON, recomputed from that very file after
    /// it was closed to writing, has the approved commitment.
    async fn prove(
        &self,
        step: &Step<'_>,
        planned: &PlannedUnit,
        dir: &Path,
        cancel: &CancellationToken,
    ) -> Result<ProvenPlan, EngineError> {
        let repository = step.clone.policy()?.policy.repository.clone();
        let change = &step.view.change.id;
        let manifest = step.view.verdict.manifest().map(|(_, manifest)| manifest);
        let review = self.bundle(step.place, &repository, change, &planned.review, manifest).await?;
        let apply = self.bundle(step.place, &repository, change, &step.plan.changes().apply, manifest).await?;
        let (engine, wanted) = (self.clone(), (planned.review.clone(), step.plan.changes().apply.clone()));
        let (key, file) = blocking(move || {
            let review = open_review(&review, &wanted.0, engine.identity())?;
            let file = open_apply(&apply, &wanted.1, engine.identity())?;
            Ok::<_, EngineError>((review.commitment_key, SealedMemoryFile::holding(&file)?))
        })
        .await?;
        let key = key.ok_or_else(|| EngineError::PlanStale {
            unit: planned.unit.to_string(),
            detail: "its review bundle holds no commitment key".to_owned(),
        })?;
        let json = step.tooling.show(dir, &file, cancel).await?;
        commitment::verify(&key, &json, &step.plan.changes().commitment)?;
        Ok(ProvenPlan { file, key })
    }

    async fn consume_plan(&self, step: &Step<'_>, lock: &UnitLock) -> Result<StatementId, EngineError> {
        let changes = step.plan.changes();
        let policy = step.clone.policy()?;
        let consumption = Consumption {
            repository: policy.policy.repository.clone(),
            change: step.view.change.id.clone(),
            trunk: step.clone.trunk_commit.clone(),
            unit: step.plan.unit().unit.clone(),
            commitment: changes.commitment.clone(),
            apply: changes.apply.clone(),
            approvals: step.plan.approvals().to_vec(),
            issued: now(),
            nonce: countersign_seal::nonce()?,
        };
        self.consume(step.place, policy, consumption, &step.view.statements, |id| lock.note(id)).await
    }

    /// Applies the proven file; when the tool calls it stale, plans anew and goes on only with an equal plan.
    async fn apply_proven(
        &self,
        step: &Step<'_>,
        planned: &PlannedUnit,
        dir: &Path,
        proven: &ProvenPlan,
        cancel: &CancellationToken,
    ) -> ApplyOutcome {
        let first = match step.tooling.apply(dir, &proven.file, cancel).await {
            Ok(attempt) => attempt.end,
            Err(_) => ApplyEnd::Failed,
        };
        match first {
            ApplyEnd::Applied => ApplyOutcome::Applied,
            ApplyEnd::Failed => ApplyOutcome::Failed,
            ApplyEnd::Stale => self.apply_equal_plan(step, planned, dir, proven, cancel).await,
        }
    }

    async fn apply_equal_plan(
        &self,
        step: &Step<'_>,
        planned: &PlannedUnit,
        dir: &Path,
        proven: &ProvenPlan,
        cancel: &CancellationToken,
    ) -> ApplyOutcome {
        let Ok(attempt) = step.tooling.plan(dir, goal(planned.deleted), cancel).await else {
            return ApplyOutcome::Stale;
        };
        let Some(made) = attempt.plan else { return ApplyOutcome::Stale };
        if commitment::verify(&proven.key, &made.json, &step.plan.changes().commitment).is_err() {
            return ApplyOutcome::Stale;
        }
        match step.tooling.apply(dir, &made.file, cancel).await.map(|attempt| attempt.end) {
            Ok(ApplyEnd::Applied) => ApplyOutcome::Applied,
            Ok(ApplyEnd::Stale) => ApplyOutcome::Stale,
            Ok(ApplyEnd::Failed) | Err(_) => ApplyOutcome::Failed,
        }
    }

    async fn record_result(
        &self,
        place: &Place,
        clone: &CloneView,
        view: &ChangeView,
        unit: &UnitPath,
        consumption: Option<StatementId>,
        end: ResultOf,
    ) -> Result<ApplyResult, EngineError> {
        let result = ApplyResult {
            repository: clone.policy()?.policy.repository.clone(),
            change: view.change.id.clone(),
            trunk: clone.trunk_commit.clone(),
            unit: unit.clone(),
            consumption,
            outcome: end.outcome,
            after: end.after,
            started: end.started,
            issued: now(),
            nonce: countersign_seal::nonce()?,
        };
        let id = self.sign_and_record(place, Statement::Apply(result.clone()), None).await?;
        // What could not be published now is published with the next exchange.
        self.publish(place, id).await;
        Ok(result)
    }

    /// Records a result for every plan that this runner consumed and then did not report on: it was cut off in between.
    /// Such a plan is never applied again. Returns the changes concerned.
    ///
    /// # Errors
    /// Fails when the record cannot be read or written.
    pub(crate) async fn report_interrupted(
        &self,
        place: &Place,
        clone: &CloneView,
    ) -> Result<Vec<ChangeId>, EngineError> {
        let key = self.key_in_use().await?;
        let policy = clone.policy()?;
        let mut reported = Vec::new();
        for view in &clone.changes {
            for verified in &view.statements {
                let Statement::Consumption(consumption) = verified.statement() else { continue };
                let mine = verified.signer().fingerprint == *key.public.fingerprint();
                if !mine || has_result(&policy.policy, view, verified.id()) {
                    continue;
                }
                let Some(lock) = self.lock_unit(&policy.policy.repository, &consumption.unit)? else { continue };
                let begun_here = lock.noted()? == verified.id().as_str();
                // Another machine with the same key may still be at it, for as long as an apply may take.
                if !begun_here && now().duration_since(consumption.issued) < LONGEST_APPLY {
                    continue;
                }
                let end = ResultOf {
                    outcome: ApplyOutcome::Interrupted,
                    after: AfterApply::Unknown,
                    started: consumption.issued,
                };
                let id = Some(verified.id().clone());
                self.record_result(place, clone, view, &consumption.unit, id, end).await?;
                reported.push(view.change.id.clone());
            }
        }
        Ok(reported)
    }

    /// Removes a change's sealed bundles, here and on the remote; what cannot be removed now is found again later.
    async fn prune(&self, place: &Place, repository: &RepositoryId, change: &ChangeId) {
        let (forge, key) = (place.forge.clone(), bundles_key(repository, change));
        let removed = blocking(move || forge.delete_bundles(&key)).await;
        if let Err(error) = removed {
            tracing::warn!(%error, %change, "sealed bundles stay on the remote");
        }
        if let Err(error) = self.store().prune_bundles(repository, change).await {
            tracing::warn!(%error, %change, "sealed bundles stay in this machine's record");
        }
        let dirs = self.workplace(repository, change);
        let cleared = blocking(move || {
            countersign_git::checkout::remove_checkout(&dirs.merged)?;
            countersign_git::checkout::remove_checkout(&dirs.before)
        })
        .await;
        if let Err(error) = cleared {
            tracing::warn!(%error, %change, "the change's checkout stays");
        }
    }
}

/// What applying one plan needs.
struct Step<'a> {
    place: &'a Place,
    clone: &'a CloneView,
    view: &'a ChangeView,
    tooling: &'a Tooling,
    workplace: &'a Workplace,
    plan: &'a ApprovedPlan,
    run: &'a Run,
}

/// How one unit ended.
struct ResultOf {
    outcome: ApplyOutcome,
    after: AfterApply,
    started: Timestamp,
}

/// The approved plan whose unit comes first in dependency order.
fn first_plan(view: &ChangeView) -> Option<ApprovedPlan> {
    let place = |plan: &&ApprovedPlan| view.surveyed.order.iter().position(|unit| *unit == plan.unit().unit);
    view.verdict.approved_plans().iter().min_by_key(|plan| place(plan).unwrap_or(usize::MAX)).cloned()
}

/// True when the units that come after it must not be applied.
fn is_failure(outcome: ApplyOutcome) -> bool {
    match outcome {
        ApplyOutcome::Applied | ApplyOutcome::NothingToApply => false,
        ApplyOutcome::Failed | ApplyOutcome::Stale | ApplyOutcome::Interrupted => true,
    }
}

fn has_result(policy: &Policy, view: &ChangeView, consumption: &StatementId) -> bool {
    view.statements.iter().any(|verified| match verified.statement() {
        Statement::Apply(result) => {
            result.consumption.as_ref() == Some(consumption) && policy.holds(&verified.signer().person, Role::Runner)
        }
        _ => false,
    })
}

/// Trunk should plan to no changes once it is applied.
async fn check_after(step: &Step<'_>, planned: &PlannedUnit, dir: &Path) -> AfterApply {
    let fresh = step.tooling.plan(dir, goal(planned.deleted), &CancellationToken::new()).await;
    let json = fresh.ok().and_then(|attempt| attempt.plan).map(|made| made.json);
    match json.map(|json| plan_json::read(&json)) {
        Some(Ok(plan)) if plan.has_no_changes() => AfterApply::NoChanges,
        Some(Ok(_)) => AfterApply::Changes,
        _ => AfterApply::Unknown,
    }
}

//! Opening a sealed plan: fetched, authenticated whole, checked against the manifest, kept in memory only.

use std::collections::VecDeque;
use std::sync::Arc;

use countersign_domain::names::{ChangeId, Digest, PersonId, RepositoryId, UnitPath};
use countersign_domain::plan::{AttributeValue, Plan, ResourceChange};
use countersign_domain::statement::{PlanManifest, PlanOutcome, PlannedUnit};
use countersign_forge::Forge;
use countersign_iac::ansi::{self, Line};
use countersign_iac::plan_json;
use countersign_seal::bundle::open_review;
use countersign_seal::commitment;
use countersign_store::reveals::Reveal;
use jiff::Timestamp;

use crate::blocking::blocking;
use crate::changes::{ChangeView, CloneView};
use crate::error::EngineError;
use crate::place::Place;
use crate::{Engine, lock, now};

/// How many opened plans are kept in memory.
const KEPT_OPEN: usize = 24;

/// A plan that was opened and matches its manifest.
pub struct OpenedPlan {
    /// The unit.
    pub unit: UnitPath,
    /// The plan, danger first; none when planning failed.
    pub plan: Option<Plan>,
    /// The tool's log.
    pub log: Vec<Line>,
    /// Lines of the log that begin an error.
    pub error_lines: Vec<usize>,
}

/// Which of a resource's sides is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before the apply.
    Before,
    /// After it.
    After,
}

/// A sensitive value to be shown.
#[derive(Debug, Clone)]
pub struct RevealRequest {
    /// The unit.
    pub unit: UnitPath,
    /// The resource's place in the opened plan.
    pub index: usize,
    /// The attribute's path.
    pub path: String,
    /// Before or after.
    pub side: Side,
}

/// Opened plans by the hash of their sealed bundle; the newest are kept.
#[derive(Default)]
pub(crate) struct Opened(VecDeque<(Digest, Arc<OpenedPlan>)>);

impl Opened {
    fn get(&self, bundle: &Digest) -> Option<Arc<OpenedPlan>> {
        self.0.iter().find(|(digest, _)| digest == bundle).map(|(_, plan)| Arc::clone(plan))
    }

    fn put(&mut self, bundle: Digest, plan: Arc<OpenedPlan>) {
        self.0.truncate(KEPT_OPEN - 1);
        self.0.push_front((bundle, plan));
    }
}

/// The name of a change's bundles on the remote.
#[must_use]
pub fn bundles_key(repository: &RepositoryId, change: &ChangeId) -> String {
    let digest = crate::trunk::digest_of(&[
        ("repository", repository.as_str().as_bytes()),
        ("change", change.as_str().as_bytes()),
    ]);
    digest.as_str()[..32].to_owned()
}

impl Engine {
    /// Opens a unit's plan as the current manifest has it.
    ///
    /// # Errors
    /// [`EngineError::NoSuchUnit`] without a plan; [`EngineError::Bundle`] when it is damaged or not for this device;
    /// [`EngineError::Commitment`] when it is not what the manifest commits to.
    pub async fn open_plan(
        &self,
        place: &Place,
        clone: &CloneView,
        view: &ChangeView,
        unit: &UnitPath,
    ) -> Result<Arc<OpenedPlan>, EngineError> {
        let manifest = view.verdict.manifest().map(|(_, manifest)| manifest);
        let planned = manifest.and_then(|manifest| manifest.units.iter().find(|planned| planned.unit == *unit));
        let planned = planned.ok_or_else(|| EngineError::NoSuchUnit(unit.to_string()))?.clone();
        if let Some(open) = lock(&self.inner.opened).get(&planned.review) {
            return Ok(open);
        }
        let repository = clone.policy()?.policy.repository.clone();
        let sealed = self.bundle(place, &repository, &view.change.id, &planned.review, manifest).await?;
        let engine = self.clone();
        let open =
            blocking(move || engine.unseal(&planned, &sealed).map(|plan| (planned.review, Arc::new(plan)))).await?;
        lock(&self.inner.opened).put(open.0, Arc::clone(&open.1));
        Ok(open.1)
    }

    fn unseal(&self, planned: &PlannedUnit, sealed: &[u8]) -> Result<OpenedPlan, EngineError> {
        let review = open_review(sealed, &planned.review, self.identity())?;
        let plan = match &planned.outcome {
            PlanOutcome::Failed => None,
            PlanOutcome::Planned(changes) => {
                let (Some(json), Some(key)) = (&review.plan_json, &review.commitment_key) else {
                    return Err(EngineError::PlanStale {
                        unit: planned.unit.to_string(),
                        detail: "its bundle holds no plan".to_owned(),
                    });
                };
                commitment::verify(key, json, &changes.commitment)?;
                Some(in_danger_order(plan_json::read(json)?))
            }
        };
        let log = ansi::parse(&review.log);
        let error_lines = ansi::error_lines(&log);
        Ok(OpenedPlan { unit: planned.unit.clone(), plan, log, error_lines })
    }

    /// A sealed bundle, from this machine or from the remote. Of what the remote has, only what the manifest names is
    /// kept here.
    ///
    /// # Errors
    /// [`EngineError::BundleMissing`] when it is in neither place.
    pub(crate) async fn bundle(
        &self,
        place: &Place,
        repository: &RepositoryId,
        change: &ChangeId,
        wanted: &Digest,
        manifest: Option<&PlanManifest>,
    ) -> Result<Vec<u8>, EngineError> {
        if let Some(bytes) = self.store().bundle(wanted).await? {
            return Ok(bytes);
        }
        let (forge, key) = (place.forge.clone(), bundles_key(repository, change));
        let entries = blocking(move || forge.fetch_bundles(&key)).await?;
        let mut found = None;
        for entry in entries {
            let digest = countersign_seal::digest(&entry.content);
            if digest != *wanted && !manifest.is_some_and(|manifest| names(manifest, &digest)) {
                continue;
            }
            self.store().keep_bundle(repository, change, &entry.content, now()).await?;
            if digest == *wanted {
                found = Some(entry.content);
            }
        }
        found.ok_or_else(|| EngineError::BundleMissing(wanted.clone()))
    }

    /// Shows one sensitive value, after recording that it was asked for.
    ///
    /// # Errors
    /// [`EngineError::NotNow`] when there is no such value; nothing is shown when recording fails.
    pub async fn reveal(
        &self,
        clone: &CloneView,
        view: &ChangeView,
        plan: &OpenedPlan,
        request: &RevealRequest,
    ) -> Result<(String, Timestamp), EngineError> {
        let resource = plan.resource(request.index)?;
        let attribute = resource.attributes.iter().find(|attribute| attribute.path == request.path);
        let value = attribute.map(|attribute| match request.side {
            Side::Before => &attribute.before,
            Side::After => &attribute.after,
        });
        let Some(AttributeValue::Sensitive(text)) = value else {
            return Err(EngineError::NotNow("there is no sensitive value at this place".to_owned()));
        };
        let policy = clone.policy()?;
        let at = now();
        let key = self.key_in_use().await.ok();
        let nobody = || PersonId::new("unknown");
        let reveal = Reveal {
            at,
            person: clone.you.clone().map_or_else(nobody, Ok)?,
            fingerprint: key.map(|key| key.public.fingerprint().clone()),
            repository: policy.policy.repository.clone(),
            change: view.change.id.clone(),
            unit: request.unit.clone(),
            address: resource.address.clone(),
            path: request.path.clone(),
        };
        self.store().record_reveal(&reveal).await?;
        Ok((text.clone(), at))
    }
}

impl OpenedPlan {
    /// The resource at this place.
    ///
    /// # Errors
    /// [`EngineError::NotNow`] when there is none.
    pub fn resource(&self, index: usize) -> Result<&ResourceChange, EngineError> {
        let resources = self.plan.as_ref().map(|plan| plan.resources.as_slice()).unwrap_or_default();
        resources.get(index).ok_or_else(|| EngineError::NotNow("the plan has no such resource".to_owned()))
    }
}

/// True when the manifest names this sealed bundle.
fn names(manifest: &PlanManifest, bundle: &Digest) -> bool {
    manifest.units.iter().any(|unit| {
        unit.review == *bundle || matches!(&unit.outcome, PlanOutcome::Planned(changes) if changes.apply == *bundle)
    })
}

/// Danger first, then by address: the order in which the plan is shown, and in which rows are numbered.
fn in_danger_order(mut plan: Plan) -> Plan {
    plan.resources
        .sort_by(|a, b| a.action.danger_rank().cmp(&b.action.danger_rank()).then_with(|| a.address.cmp(&b.address)));
    plan
}

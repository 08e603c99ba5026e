//! Decisions of the person at this machine: sign an approval, refuse, revoke, merge.
//!
//! What is signed is exactly what a preview showed. A preview is kept under a token; signing takes the token, looks
//! whether the change still stands as it did, and signs the previewed bytes and no others.

use std::collections::BTreeMap;

use countersign_domain::names::{ChangeId, CommitId, Digest, QuestionId, StatementId, UnitPath};
use countersign_domain::policy::{MAX_APPROVAL_HOURS, Question};
use countersign_domain::statement::{
    Acknowledgement, Answer, Approval, ApprovedUnit, ChecklistAnswer, PlanManifest, PlanOutcome, Rejection, Revocation,
    Statement, StatementKind,
};
use countersign_forge::{Forge, MergeRequest};
use countersign_git::Signature;
use countersign_seal::keys::AvailableKey;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::blocking::blocking;
use crate::changes::{ChangeView, CloneView};
use crate::error::EngineError;
use crate::place::Place;
use crate::runs::Kind;
use crate::shared_log::RecordedHere;
use crate::watch::one_line;
use crate::{Engine, lock, now};

/// How many previews are kept; the oldest go first.
const KEPT_PREVIEWS: usize = 32;
/// Longest reason that is accepted, in bytes.
const MAX_REASON_BYTES: usize = 16 * 1024;

/// What an approval of the current plans would bind, before the reviewer fills anything in.
#[derive(Debug, Clone)]
pub struct ApprovalTerms {
    /// The manifest that is approved.
    pub manifest: PlanManifest,
    /// The policy's digest.
    pub policy: Digest,
    /// The questions to answer.
    pub questions: Vec<Question>,
    /// The destroys that have to be typed.
    pub acknowledge: Vec<Acknowledgement>,
    /// The longest an approval may count, in hours.
    pub max_hours: u32,
    /// The key that signs.
    pub key: AvailableKey,
}

/// What the reviewer filled in.
#[derive(Debug, Clone, Default)]
pub struct ApprovalDraft {
    /// Answers by question.
    pub answers: BTreeMap<QuestionId, Answer>,
    /// Typed addresses.
    pub acknowledged: Vec<Acknowledgement>,
    /// Hours until it ceases to count; the policy's longest when left out.
    pub hours: Option<u32>,
}

/// The bytes that a token stands for.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The token.
    pub token: String,
    /// The exact bytes.
    pub payload: Vec<u8>,
    /// Their SHA-256: the statement's id.
    pub id: StatementId,
    /// When the approval would cease to count.
    pub expires: Timestamp,
    statement: Statement,
    clone: String,
    change: ChangeId,
    manifest: StatementId,
}

impl Engine {
    /// What an approval of a change's current plans would bind.
    ///
    /// # Errors
    /// [`EngineError::NotNow`] says why the person at this machine cannot approve it now.
    pub async fn approval_terms(&self, clone: &CloneView, view: &ChangeView) -> Result<ApprovalTerms, EngineError> {
        let policy = clone.policy()?;
        let key = self.key_in_use().await?;
        if clone.you.is_none() {
            return Err(EngineError::KeyOfNobody(key.public.fingerprint().to_string()));
        }
        if let Some(why) = clone.circumstances(view).approve_blocked() {
            return Err(EngineError::NotNow(format!("{} cannot be approved: {why}", view.change.id)));
        }
        let (_, manifest) = view.verdict.manifest().cloned().unzip();
        let manifest = match manifest {
            Some(manifest) => manifest,
            None => self.empty_manifest(clone, view)?,
        };
        let asks = |unit: &UnitPath| {
            policy.policy.environment_of(unit).is_some_and(|(_, environment)| environment.rule.acknowledge_destroys)
        };
        let acknowledge = destroys(&manifest).into_iter().filter(|destroy| asks(&destroy.unit)).collect();
        Ok(ApprovalTerms {
            acknowledge,
            max_hours: max_hours(clone, view, &manifest)?,
            policy: policy.digest.clone(),
            questions: policy.policy.checklist.clone(),
            manifest,
            key,
        })
    }

    /// A change that affects no unit has no manifest: there is nothing to plan and its commit is what is approved.
    fn empty_manifest(&self, clone: &CloneView, view: &ChangeView) -> Result<PlanManifest, EngineError> {
        Ok(PlanManifest {
            repository: clone.policy()?.policy.repository.clone(),
            change: view.change.id.clone(),
            base: clone.trunk_commit.clone(),
            head: view.change.head.clone(),
            units: Vec::new(),
            issued: now(),
            nonce: countersign_seal::nonce()?,
        })
    }

    /// The exact bytes that signing this draft would sign.
    ///
    /// # Errors
    /// [`EngineError::NotNow`] names what the draft leaves out.
    pub async fn preview_approval(
        &self,
        place: &Place,
        clone: &CloneView,
        view: &ChangeView,
        draft: &ApprovalDraft,
    ) -> Result<Preview, EngineError> {
        let terms = self.approval_terms(clone, view).await?;
        let hours = draft.hours.unwrap_or(terms.max_hours);
        check_draft(&terms, draft, hours)?;
        let issued = now();
        let expires = issued + SignedDuration::from_hours(i64::from(hours));
        let mut acknowledged = draft.acknowledged.clone();
        acknowledged.sort();
        acknowledged.dedup();
        let statement = Statement::Approval(Approval {
            repository: terms.manifest.repository.clone(),
            change: terms.manifest.change.clone(),
            base: terms.manifest.base.clone(),
            head: terms.manifest.head.clone(),
            units: terms.manifest.units.iter().filter_map(ApprovedUnit::of).collect(),
            policy: terms.policy,
            checklist: terms.questions.iter().filter_map(|question| answer(draft, question)).collect(),
            acknowledged,
            issued,
            expires,
            nonce: countersign_seal::nonce()?,
        });
        let payload = statement.to_payload().map_err(|error| EngineError::Defect(error.to_string()))?;
        let preview = Preview {
            token: countersign_seal::nonce()?.to_string(),
            id: countersign_seal::digest(&payload),
            payload,
            expires,
            statement,
            clone: place.id(),
            change: view.change.id.clone(),
            manifest: manifest_id(view, &terms.manifest),
        };
        self.keep(preview.clone());
        Ok(preview)
    }

    fn keep(&self, preview: Preview) {
        let mut previews = lock(&self.inner.previews);
        if previews.len() >= KEPT_PREVIEWS {
            let oldest = previews.values().min_by_key(|kept| kept.expires).map(|kept| kept.token.clone());
            oldest.and_then(|token| previews.remove(&token));
        }
        previews.insert(preview.token.clone(), preview);
    }

    /// Signs the bytes that a preview showed, records them and publishes them.
    ///
    /// # Errors
    /// [`EngineError::StalePreview`] when the change moved on since; nothing is signed then. That the remote could not be
    /// reached is no error: the statement is kept and published later.
    pub async fn approve(
        &self,
        token: &str,
        passphrase: Option<SecretString>,
    ) -> Result<(Place, RecordedHere), EngineError> {
        let preview = lock(&self.inner.previews).get(token).cloned().ok_or(EngineError::StalePreview)?;
        let place = self.place(&preview.clone).await?;
        let clone = self.clone_view(&place).await?;
        let view = clone.change(&preview.change).ok_or(EngineError::StalePreview)?;
        let terms = self.approval_terms(&clone, view).await?;
        let Statement::Approval(approval) = &preview.statement else { return Err(EngineError::StalePreview) };
        let same = manifest_id(view, &terms.manifest) == preview.manifest
            && approval.policy == terms.policy
            && approval.head == view.change.head;
        if !same {
            return Err(EngineError::StalePreview);
        }
        let key = self.signing_key(passphrase).await?;
        let id = self.sign_payload(&place, &preview.statement, preview.payload, key).await?;
        lock(&self.inner.previews).remove(token);
        let recorded = self.publish(&place, id).await;
        Ok((place, recorded))
    }

    /// Refuses a change.
    ///
    /// # Errors
    /// [`EngineError::Moved`] when `head` is no longer its newest commit; [`EngineError::NotNow`] without a reason.
    pub async fn refuse(
        &self,
        place: &Place,
        clone: &CloneView,
        view: &ChangeView,
        head: &CommitId,
        reason: &str,
        passphrase: Option<SecretString>,
    ) -> Result<RecordedHere, EngineError> {
        if view.change.head != *head {
            return Err(EngineError::Moved { change: view.change.id.clone(), seen: head.clone() });
        }
        if let Some(why) = clone.circumstances(view).refuse_blocked() {
            return Err(EngineError::NotNow(format!("{} cannot be refused: {why}", view.change.id)));
        }
        let reason = checked_reason(reason)?;
        if reason.is_empty() {
            return Err(EngineError::NotNow("a refusal needs a reason that its author can act on".to_owned()));
        }
        let statement = Statement::Rejection(Rejection {
            repository: clone.policy()?.policy.repository.clone(),
            change: view.change.id.clone(),
            head: head.clone(),
            reason,
            issued: now(),
            nonce: countersign_seal::nonce()?,
        });
        let id = self.sign_and_record(place, statement, passphrase).await?;
        Ok(self.publish(place, id).await)
    }

    /// Takes an approval back.
    ///
    /// # Errors
    /// [`EngineError::NoSuchStatement`], or [`EngineError::NotNow`] when it is no approval of one's own.
    pub async fn revoke(
        &self,
        statement: &str,
        reason: &str,
        passphrase: Option<SecretString>,
    ) -> Result<RecordedHere, EngineError> {
        let (place, row) = self.find_statement(statement).await?;
        if row.kind != StatementKind::Approval {
            return Err(EngineError::NotNow(format!("{} is no approval; only approvals are revoked", row.id.short())));
        }
        let change = row.change.ok_or_else(|| EngineError::NoSuchStatement(statement.to_owned()))?;
        let statement = Statement::Revocation(Revocation {
            repository: row.repository,
            change,
            statement: row.id,
            reason: checked_reason(reason)?,
            issued: now(),
            nonce: countersign_seal::nonce()?,
        });
        let id = self.sign_and_record(&place, statement, passphrase).await?;
        Ok(self.publish(&place, id).await)
    }

    /// Merges a change whose gate is open, and pushes the merge.
    ///
    /// # Errors
    /// [`EngineError::GateClosed`] with what is lacking, [`EngineError::Moved`], or the forge's reason; nothing is merged
    /// then.
    pub async fn merge(&self, place: &Place, id: &ChangeId, head: &CommitId) -> Result<CommitId, EngineError> {
        let run = self.begin(Kind::Merge, format!("Merge {id}"), Some((place.id(), id.clone())), None);
        let merged = self.merge_checked(place, id, head).await;
        self.end(&run, merged.as_ref().map(|commit| format!("merged as {}", commit.short())));
        self.emit(crate::event::Event::CloneChanged { clone: place.id() });
        merged
    }

    async fn merge_checked(&self, place: &Place, id: &ChangeId, head: &CommitId) -> Result<CommitId, EngineError> {
        self.fetch_quietly(place).await?;
        self.exchange(place).await?;
        let clone = self.clone_view(place).await?;
        let view = clone.change(id).ok_or_else(|| EngineError::NoSuchChange(id.to_string()))?;
        if view.change.head != *head {
            return Err(EngineError::Moved { change: id.clone(), seen: head.clone() });
        }
        if let Some(why) = clone.circumstances(view).merge_blocked() {
            return Err(EngineError::GateClosed { change: id.clone(), why });
        }
        let forge = place.forge.clone();
        let (name, email) = self.git_user(place).await?;
        let request = MergeRequest {
            change: id.clone(),
            head: head.clone(),
            message: format!("Merge {id}: {}\n\nCountersign-Change: {id}\n", one_line(&view.change.title)),
            author: Signature { name, email, time: now() },
        };
        blocking(move || forge.merge(&request)).await
    }

    async fn git_user(&self, place: &Place) -> Result<(String, String), EngineError> {
        let git = place.git.clone();
        let user = blocking(move || git.user()).await?;
        let user = user.ok_or_else(|| {
            EngineError::NotNow(
                "Git does not know who you are: set user.name and user.email with `git config`".to_owned(),
            )
        })?;
        Ok((user.name, user.email))
    }
}

/// Every destroy of a manifest.
#[must_use]
pub fn destroys(manifest: &PlanManifest) -> Vec<Acknowledgement> {
    let of_unit = |unit: &countersign_domain::statement::PlannedUnit| match &unit.outcome {
        PlanOutcome::Failed => Vec::new(),
        PlanOutcome::Planned(changes) => changes
            .destroys
            .iter()
            .map(|address| Acknowledgement { unit: unit.unit.clone(), address: address.clone() })
            .collect(),
    };
    manifest.units.iter().flat_map(of_unit).collect()
}

fn manifest_id(view: &ChangeView, manifest: &PlanManifest) -> StatementId {
    let known = view.verdict.manifest().map(|(id, _)| id.clone());
    // Without a manifest the commit itself is what is approved.
    known.unwrap_or_else(|| countersign_seal::digest(manifest.head.as_str().as_bytes()))
}

/// The shortest that any rule the change falls under allows, as the gate has it.
fn max_hours(clone: &CloneView, view: &ChangeView, manifest: &PlanManifest) -> Result<u32, EngineError> {
    let policy = &clone.policy()?.policy;
    let environments = manifest.units.iter().filter_map(|unit| policy.environment_of(&unit.unit));
    let shortest = environments.map(|(_, environment)| environment.rule.approval_hours).min();
    let of_policy = policy.policy_change.approval_hours;
    let hours = match shortest {
        Some(hours) if view.surveyed.facts.edits_policy => hours.min(of_policy),
        Some(hours) => hours,
        None => of_policy,
    };
    Ok(hours.min(MAX_APPROVAL_HOURS))
}

fn check_draft(terms: &ApprovalTerms, draft: &ApprovalDraft, hours: u32) -> Result<(), EngineError> {
    let refuse = |why: String| Err(EngineError::NotNow(why));
    if let Some(question) = terms.questions.iter().find(|question| !draft.answers.contains_key(&question.id)) {
        return refuse(format!("the checklist question {} is not answered: {}", question.id, question.text));
    }
    if let Some(missing) = terms.acknowledge.iter().find(|needed| !draft.acknowledged.contains(needed)) {
        return refuse(format!("{} in {} is destroyed and has to be acknowledged", missing.address, missing.unit));
    }
    let known = destroys(&terms.manifest);
    if let Some(unknown) = draft.acknowledged.iter().find(|given| !known.contains(given)) {
        return refuse(format!("{} is not destroyed by this change", unknown.address));
    }
    if !(1..=terms.max_hours).contains(&hours) {
        return refuse(format!("an approval may count for 1 to {} hours here, not {hours}", terms.max_hours));
    }
    Ok(())
}

fn answer(draft: &ApprovalDraft, question: &Question) -> Option<ChecklistAnswer> {
    let answer = *draft.answers.get(&question.id)?;
    Some(ChecklistAnswer { question: question.id.clone(), answer })
}

fn checked_reason(reason: &str) -> Result<String, EngineError> {
    let reason = reason.trim();
    if reason.len() > MAX_REASON_BYTES {
        return Err(EngineError::NotNow(format!("the reason is longer than {MAX_REASON_BYTES} bytes")));
    }
    Ok(reason.to_owned())
}

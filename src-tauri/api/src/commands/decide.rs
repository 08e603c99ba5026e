//! Decisions: sign, refuse, revoke, merge.

use countersign_domain::names::{CommitId, QuestionId, UnitPath};
use countersign_domain::statement::{Acknowledgement, Answer, PlanManifest, PlanOutcome, StatementKind};
use countersign_engine::EngineError;
use countersign_engine::decide::{ApprovalDraft, ApprovalTerms};
use countersign_engine::place::Place;
use countersign_engine::shared_log::RecordedHere;
use countersign_seal::keys::{AvailableKey, KeyHome, Unlock};
use secrecy::SecretString;

use super::{Found, problem, safe};
use crate::Host;
use crate::dto::{
    AcknowledgedDestroy, AnswerChoice, BoundField, ChangeRef, ChecklistQuestion, MergeArgs, Merged, Recorded,
    RefuseArgs, RevokeArgs, SignArgs, SignDraft, SignPreview, SignSheet, SignerInfo,
};
use crate::error::ApiError;

/// What an approval would bind, and what has to be filled in.
///
/// # Errors
/// Says why the person at this machine cannot approve now.
pub async fn sign_sheet(host: &Host, args: ChangeRef) -> Result<SignSheet, ApiError> {
    let found = Found::find(host, &args.clone, &args.change).await?;
    let terms = host.engine.approval_terms(&found.clone, &found.view).await?;
    let person = found.clone.you.as_ref().map_or_else(String::new, ToString::to_string);
    Ok(SignSheet {
        signer: signer(&person, &terms.key),
        bound: bound(&terms),
        questions: terms
            .questions
            .iter()
            .map(|question| ChecklistQuestion { id: question.id.to_string(), text: safe(&question.text) })
            .collect(),
        acknowledge: terms
            .acknowledge
            .iter()
            .map(|destroy| AcknowledgedDestroy { unit: destroy.unit.to_string(), address: safe(&destroy.address) })
            .collect(),
        max_hours: terms.max_hours,
        default_hours: terms.max_hours.min(24),
    })
}

fn signer(person: &str, key: &AvailableKey) -> SignerInfo {
    SignerInfo {
        person: person.to_owned(),
        fingerprint: key.public.fingerprint().to_string(),
        algorithm: key.public.algorithm().to_owned(),
        home: home(key),
        needs_passphrase: key.unlock == Unlock::Passphrase,
        needs_touch: key.unlock == Unlock::Touch,
    }
}

pub(crate) fn home(key: &AvailableKey) -> String {
    match &key.home {
        KeyHome::File(path) => format!("file {}", path.display()),
        KeyHome::Agent => "ssh-agent".to_owned(),
    }
}

fn bound(terms: &ApprovalTerms) -> Vec<BoundField> {
    let manifest: &PlanManifest = &terms.manifest;
    let mut fields = vec![
        field("Repository", manifest.repository.to_string(), None),
        field("Change", manifest.change.to_string(), None),
        field("Head", manifest.head.to_string(), None),
        field("Base", manifest.base.to_string(), None),
        field("Policy", terms.policy.to_string(), None),
    ];
    for unit in &manifest.units {
        let PlanOutcome::Planned(changes) = &unit.outcome else { continue };
        let mut of_unit = |label: &str, value: String| fields.push(field(label, value, Some(&unit.unit)));
        of_unit("Inputs", unit.inputs.to_string());
        of_unit("Plan commitment", changes.commitment.to_string());
        of_unit("Sealed review bundle", unit.review.to_string());
        of_unit("Tool", safe(&format!("{} {}", unit.tool, unit.tool_version)));
        of_unit("Workspace", safe(&unit.workspace));
    }
    fields
}

fn field(label: &str, value: String, unit: Option<&UnitPath>) -> BoundField {
    BoundField { label: label.to_owned(), value, unit: unit.map(ToString::to_string) }
}

/// The exact bytes that would be signed.
///
/// # Errors
/// Names what the draft leaves out.
pub async fn sign_preview(host: &Host, args: SignDraft) -> Result<SignPreview, ApiError> {
    let found = Found::find(host, &args.clone, &args.change).await?;
    let draft = draft(&args)?;
    let preview = host.engine.preview_approval(&found.place, &found.clone, &found.view, &draft).await?;
    Ok(SignPreview {
        token: preview.token,
        payload: String::from_utf8_lossy(&preview.payload).into_owned(),
        sha256: preview.id.to_string(),
        namespace: StatementKind::Approval.namespace(),
        expires: preview.expires.to_string(),
    })
}

fn draft(args: &SignDraft) -> Result<ApprovalDraft, EngineError> {
    let mut draft = ApprovalDraft { hours: Some(args.expires_in_hours), ..ApprovalDraft::default() };
    for entry in &args.answers {
        let answer = match entry.answer {
            AnswerChoice::Yes => Answer::Yes,
            AnswerChoice::NotApplicable => Answer::NotApplicable,
        };
        draft.answers.insert(QuestionId::new(entry.question.clone())?, answer);
    }
    for given in &args.acknowledged {
        let unit = UnitPath::new(given.unit.clone())?;
        draft.acknowledged.push(Acknowledgement { unit, address: given.address.clone() });
    }
    Ok(draft)
}

/// Signs what a preview showed.
///
/// # Errors
/// Fails when the change moved on since; nothing is signed then.
pub async fn approve(host: &Host, args: SignArgs) -> Result<Recorded, ApiError> {
    let (place, recorded) = host.engine.approve(&args.token, secret(args.passphrase)).await?;
    Ok(answer(host, &place, recorded).await)
}

/// Refuses a change.
///
/// # Errors
/// Fails when the change moved on or there is no reason given; nothing is signed then.
pub async fn refuse(host: &Host, args: RefuseArgs) -> Result<Recorded, ApiError> {
    let found = Found::find(host, &args.clone, &args.change).await?;
    let head = CommitId::new(args.head).map_err(EngineError::from)?;
    let passphrase = secret(args.passphrase);
    let Found { place, clone, view } = &found;
    let recorded = host.engine.refuse(place, clone, view, &head, &args.reason, passphrase).await?;
    Ok(answer(host, place, recorded).await)
}

/// Takes an approval back.
///
/// # Errors
/// Fails when there is no such approval.
pub async fn revoke(host: &Host, args: RevokeArgs) -> Result<Recorded, ApiError> {
    let (place, _) = host.engine.find_statement(&args.statement).await?;
    let recorded = host.engine.revoke(&args.statement, &args.reason, secret(args.passphrase)).await?;
    Ok(answer(host, &place, recorded).await)
}

fn secret(passphrase: Option<String>) -> Option<SecretString> {
    passphrase.filter(|text| !text.is_empty()).map(SecretString::from)
}

async fn answer(host: &Host, place: &Place, recorded: RecordedHere) -> Recorded {
    let view = host.engine.clone_view(place).await.ok();
    let next = view.as_ref().and_then(|view| view.needing_me().next());
    Recorded {
        statement: recorded.id.to_string(),
        published: recorded.unpublished.is_none(),
        problem: recorded.unpublished.as_ref().map(problem),
        next: next.map(|next| ChangeRef { clone: place.id(), change: next.change.id.to_string() }),
    }
}

/// Merges a change whose gate is open.
///
/// # Errors
/// Says what is lacking, or what the remote said; nothing is merged then.
pub async fn merge(host: &Host, args: MergeArgs) -> Result<Merged, ApiError> {
    let found = Found::find(host, &args.clone, &args.change).await?;
    let head = CommitId::new(args.head).map_err(EngineError::from)?;
    let commit = host.engine.merge(&found.place, &found.view.change.id, &head).await?;
    Ok(Merged { commit: commit.to_string() })
}

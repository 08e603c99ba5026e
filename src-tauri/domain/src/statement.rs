//! Statements: signed JSON, and the only way by which signed bytes become a value that rules may rely on.
//!
//! A payload is the exact bytes of an [in-toto Statement v1](https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md);
//! its signature is a detached SSHSIG over those bytes in the kind's own namespace. [`Verified::accept`] checks the
//! signature over the bytes first and parses them after; unknown and duplicate keys are refused, and nothing is ever
//! serialised again to be compared.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::names::{
    ChangeId, CommitId, Digest, Fingerprint, Nonce, PersonId, QuestionId, Recipient, RepositoryId, StatementId,
    UnitPath,
};
use crate::plan::Counts;

/// Largest accepted payload in bytes. A manifest of 2,000 units with 20 destroyed addresses each stays below 8 MiB.
pub const MAX_PAYLOAD_BYTES: usize = 8 * 1024 * 1024;

const IN_TOTO_V1: &str = "https://in-toto.io/Statement/v1";

/// The kinds of statement. The kind is carried by the signature's namespace, so a signature for one kind can never
/// serve as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatementKind {
    /// What the deploy runner planned for a change: hashes of the sealed bundles, commitments, inputs.
    Plan,
    /// A person approves exactly the named plans.
    Approval,
    /// A person refuses a change.
    Rejection,
    /// A person takes back an approval.
    Revocation,
    /// The deploy runner is about to apply a plan; a plan is consumed at most once.
    Consumption,
    /// What an apply did.
    Apply,
    /// A device announces the age recipient it reads sealed bundles with.
    Device,
}

impl StatementKind {
    /// Every kind, in the order of a change's life.
    pub const ALL: [Self; 7] =
        [Self::Device, Self::Plan, Self::Approval, Self::Rejection, Self::Revocation, Self::Consumption, Self::Apply];

    /// The kind's word, as it stands in namespaces, files and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Approval => "approval",
            Self::Rejection => "rejection",
            Self::Revocation => "revocation",
            Self::Consumption => "consumption",
            Self::Apply => "apply",
            Self::Device => "device",
        }
    }

    /// The SSHSIG namespace, for `ssh-keygen -Y verify -n`.
    #[must_use]
    pub fn namespace(self) -> String {
        format!("{}@countersign", self.word())
    }

    /// The kind a namespace stands for.
    #[must_use]
    pub fn from_namespace(namespace: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.namespace() == namespace)
    }

    /// The in-toto predicate type.
    #[must_use]
    pub fn predicate_type(self) -> String {
        format!("urn:countersign:{}:v1", self.word())
    }
}

/// Who signed: the person a key belongs to, and the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signer {
    /// The person, as `allowed_signers` on trunk names the key's owner.
    pub person: PersonId,
    /// The key.
    pub fingerprint: Fingerprint,
}

/// Why a signature does not count. Each reason is told to people; none is ever treated as another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefusal {
    /// Not an SSHSIG.
    #[error("the signature cannot be read: {0}")]
    Unreadable(String),
    /// A namespace that is none of ours.
    #[error("the signature is for the namespace {0}, which is not one of Countersign's")]
    UnknownNamespace(String),
    /// The key may not sign this kind.
    #[error("allowed_signers does not let this key sign in the namespace {0}")]
    NamespaceNotAllowed(String),
    /// Only sha512 is used.
    #[error("the signature uses the hash {0}; only sha512 is accepted")]
    HashAlgorithm(String),
    /// The key is nobody's.
    #[error("the key {0} is not in allowed_signers on trunk")]
    UnknownKey(Fingerprint),
    /// The key is not valid at the time asked for.
    #[error("the key {key} is not valid at {at}")]
    NotValidAt {
        /// The key.
        key: Fingerprint,
        /// When it was asked for.
        at: Timestamp,
    },
    /// SSH certificates are refused by name.
    #[error("the signature was made with an SSH certificate; sign with a plain key")]
    Certificate,
    /// An algorithm that is not accepted, RSA among them.
    #[error("the key's algorithm {0} is not accepted; use ed25519, ecdsa-p256 or a hardware key of these")]
    Algorithm(String),
    /// A hardware key signed without its owner's touch.
    #[error("the hardware key {0} signed without a touch")]
    NoPresence(Fingerprint),
    /// The bytes are not those that were signed.
    #[error("the signature does not match these bytes")]
    Mismatch,
}

/// Verifies a detached signature over exact bytes. Implemented by the room that knows cryptography.
pub trait SignatureVerifier {
    /// The kind (from the signature's namespace) and the signer.
    ///
    /// # Errors
    /// [`SignatureRefusal`] says why the signature does not count.
    fn verify(&self, payload: &[u8], signature: &[u8]) -> Result<(StatementKind, Signer), SignatureRefusal>;
}

/// What the signed bytes said, with proof that they were signed: the fields are readable, the only constructor is
/// [`Verified::accept`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    id: StatementId,
    signer: Signer,
    statement: Statement,
}

impl Verified {
    /// Verifies the signature over `payload`, then parses it. `id` is the SHA-256 of `payload`, computed by the caller's
    /// store of bytes.
    ///
    /// # Errors
    /// [`StatementRefusal`] says whether the signature or the content was refused.
    pub fn accept(
        verifier: &dyn SignatureVerifier,
        id: StatementId,
        payload: &[u8],
        signature: &[u8],
    ) -> Result<Self, StatementRefusal> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(StatementRefusal::TooLarge(payload.len()));
        }
        let (kind, signer) = verifier.verify(payload, signature)?;
        let statement = Statement::parse(kind, payload)?;
        Ok(Self { id, signer, statement })
    }

    /// The SHA-256 of the signed bytes.
    #[must_use]
    pub fn id(&self) -> &StatementId {
        &self.id
    }

    /// Who signed.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// What was said.
    #[must_use]
    pub fn statement(&self) -> &Statement {
        &self.statement
    }
}

/// Why bytes did not become a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementRefusal {
    /// The signature does not count.
    #[error(transparent)]
    Signature(#[from] SignatureRefusal),
    /// The content is not a statement of the kind that was signed.
    #[error(transparent)]
    Content(#[from] ContentRefusal),
    /// More bytes than any real statement has.
    #[error("the statement has {0} bytes; the limit is {MAX_PAYLOAD_BYTES}")]
    TooLarge(usize),
}

/// What is wrong with a statement's content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentRefusal {
    /// Not the JSON that is expected; unknown and duplicate keys end here.
    #[error("not a {kind} statement: {problem}")]
    Json {
        /// The expected kind's word.
        kind: &'static str,
        /// serde's own words, with line and column.
        problem: String,
    },
    /// `_type` or `predicateType` are not those of the signed kind.
    #[error("the statement calls itself {found}, but it was signed as {expected}")]
    WrongType {
        /// What the signature's namespace stands for.
        expected: String,
        /// What the payload says.
        found: String,
    },
    /// The in-toto subjects are not those that follow from the predicate.
    #[error("the statement's subjects do not match what it says")]
    Subjects,
}

/// The content of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// See [`PlanManifest`].
    Plan(PlanManifest),
    /// See [`Approval`].
    Approval(Approval),
    /// See [`Rejection`].
    Rejection(Rejection),
    /// See [`Revocation`].
    Revocation(Revocation),
    /// See [`Consumption`].
    Consumption(Consumption),
    /// See [`ApplyResult`].
    Apply(ApplyResult),
    /// See [`Device`].
    Device(Device),
}

/// One in-toto subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    name: String,
    digest: SubjectDigest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectDigest {
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Digest>,
    #[serde(rename = "gitCommit", skip_serializing_if = "Option::is_none")]
    git_commit: Option<CommitId>,
}

impl Subject {
    fn sha256(name: impl Into<String>, digest: &Digest) -> Self {
        Self { name: name.into(), digest: SubjectDigest { sha256: Some(digest.clone()), git_commit: None } }
    }

    fn commit(name: impl Into<String>, commit: &CommitId) -> Self {
        Self { name: name.into(), digest: SubjectDigest { sha256: None, git_commit: Some(commit.clone()) } }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<P> {
    #[serde(rename = "_type")]
    type_: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: P,
}

/// What a dry run of a whole change found: every unit, its inputs and its sealed plan. Signed by the deploy runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanManifest {
    /// The repository, as its policy names it.
    pub repository: RepositoryId,
    /// The change.
    pub change: ChangeId,
    /// Trunk's commit when planning began.
    pub base: CommitId,
    /// The change's newest commit.
    pub head: CommitId,
    /// Every unit the change affects, sorted by path.
    pub units: Vec<PlannedUnit>,
    /// When it was signed.
    pub issued: Timestamp,
    /// Makes the statement unique.
    pub nonce: Nonce,
}

/// One unit of a [`PlanManifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedUnit {
    /// The unit.
    pub unit: UnitPath,
    /// Digest over the Git trees the unit reads at the merge of head into trunk.
    pub inputs: Digest,
    /// Whether the change deletes the unit, so that it was planned for destruction from the base commit.
    pub deleted: bool,
    /// The program's name: `terraform`, `tofu`.
    pub tool: String,
    /// The program's version.
    pub tool_version: String,
    /// The workspace that was selected.
    pub workspace: String,
    /// SHA-256 of the sealed review bundle (`review.age`).
    pub review: Digest,
    /// What came of it.
    pub outcome: PlanOutcome,
}

/// What came of planning one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PlanOutcome {
    /// The tool made a plan.
    Planned(PlannedChanges),
    /// The tool failed; the log is in the review bundle.
    Failed,
}

/// What a plan would do, as far as it may be public: no value and no name that a provider marked sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedChanges {
    /// HMAC-SHA-256 over the plan JSON less its timestamp; the key travels in the review bundle.
    pub commitment: Digest,
    /// SHA-256 of the sealed plan file (`apply.age`).
    pub apply: Digest,
    /// How many of each action.
    pub counts: Counts,
    /// Addresses that are destroyed or replaced, sorted.
    pub destroys: Vec<String>,
    /// True when applying the plan would change nothing, outputs included.
    pub no_changes: bool,
}

/// What an approval binds for one unit. All of it is copied from the manifest the reviewer looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovedUnit {
    /// The unit.
    pub unit: UnitPath,
    /// See [`PlannedUnit::inputs`].
    pub inputs: Digest,
    /// See [`PlannedChanges::commitment`].
    pub commitment: Digest,
    /// See [`PlannedUnit::review`].
    pub review: Digest,
    /// The program's name.
    pub tool: String,
    /// The program's version.
    pub tool_version: String,
    /// The workspace.
    pub workspace: String,
}

impl ApprovedUnit {
    /// What an approval of this planned unit must say; nothing for a unit that has no plan.
    #[must_use]
    pub fn of(unit: &PlannedUnit) -> Option<Self> {
        let PlanOutcome::Planned(changes) = &unit.outcome else { return None };
        Some(Self {
            unit: unit.unit.clone(),
            inputs: unit.inputs.clone(),
            commitment: changes.commitment.clone(),
            review: unit.review.clone(),
            tool: unit.tool.clone(),
            tool_version: unit.tool_version.clone(),
            workspace: unit.workspace.clone(),
        })
    }
}

/// An answer to a checklist question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChecklistAnswer {
    /// The question's id in the policy.
    pub question: QuestionId,
    /// The answer.
    pub answer: Answer,
}

/// What a reviewer may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Looked at and in order.
    Yes,
    /// Does not apply to this change.
    NotApplicable,
}

/// A destroy or replacement that the reviewer acknowledged by typing its address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The unit.
    pub unit: UnitPath,
    /// The resource's address.
    pub address: String,
}

/// A person approves exactly these plans of exactly this change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The repository.
    pub repository: RepositoryId,
    /// The change.
    pub change: ChangeId,
    /// Trunk's commit the plans were made against.
    pub base: CommitId,
    /// The change's newest commit.
    pub head: CommitId,
    /// Every unit, sorted by path.
    pub units: Vec<ApprovedUnit>,
    /// SHA-256 over the policy files on trunk that the reviewer was shown.
    pub policy: Digest,
    /// The checklist, answered.
    pub checklist: Vec<ChecklistAnswer>,
    /// Destroys and replacements that were acknowledged, sorted.
    pub acknowledged: Vec<Acknowledgement>,
    /// When it was signed.
    pub issued: Timestamp,
    /// When it ceases to count.
    pub expires: Timestamp,
    /// Makes the statement unique.
    pub nonce: Nonce,
}

/// A person refuses a change. It stands, whatever is pushed later, until the same person approves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// The repository.
    pub repository: RepositoryId,
    /// The change.
    pub change: ChangeId,
    /// The newest commit the person looked at.
    pub head: CommitId,
    /// Why, in the person's words.
    pub reason: String,
    /// When it was signed.
    pub issued: Timestamp,
    /// Makes the statement unique.
    pub nonce: Nonce,
}

/// A person takes an approval back. It wins over the approval for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The repository.
    pub repository: RepositoryId,
    /// The change the approval is of.
    pub change: ChangeId,
    /// The approval.
    pub statement: StatementId,
    /// Why, in the person's words; may be empty.
    pub reason: String,
    /// When it was signed.
    pub issued: Timestamp,
    /// Makes the statement unique.
    pub nonce: Nonce,
}

/// The deploy runner is about to apply a plan. Pushed by compare-and-swap before the apply, at most once for a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumption {
    /// The repository.
    pub repository: RepositoryId,
    /// The change.
    pub change: ChangeId,
    /// Trunk's commit that is applied.
    pub trunk: CommitId,
    /// The unit.
    pub unit: UnitPath,
    /// The plan's commitment.
    pub commitment: Digest,
    /// SHA-256 of the sealed plan file.
    pub apply: Digest,
    /// The approvals that opened the gate, sorted.
    pub approvals: Vec<StatementId>,
    /// When it was signed.
    pub issued: Timestamp,
    /// Makes the statement unique.
    pub nonce: Nonce,
}

/// What an apply did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyResult {
    /// The repository.
    pub repository: RepositoryId,
    /// The change.
    pub change: ChangeId,
    /// Trunk's commit that was applied.
    pub trunk: CommitId,
    /// The unit.
    pub unit: UnitPath,
    /// The consumption this is the result of; none when there was nothing to apply.
    pub consumption: Option<StatementId>,
    /// How it ended.
    pub outcome: ApplyOutcome,
    /// What a fresh dry run of trunk said afterwards.
    pub after: AfterApply,
    /// When the tool started.
    pub started: Timestamp,
    /// When it was signed.
    pub issued: Timestamp,
    /// Makes the statement unique.
    pub nonce: Nonce,
}

/// How an apply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyOutcome {
    /// The tool applied the plan and said so.
    Applied,
    /// The plan had no changes; the tool was not asked to apply it.
    NothingToApply,
    /// The tool failed; part of the plan may have been applied.
    Failed,
    /// The plan no longer fits the state or its commitment; nothing was applied.
    Stale,
    /// A former run was cut off between consuming and recording; what it did is not known.
    Interrupted,
}

/// What a fresh dry run of the applied unit said: trunk should plan to no changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterApply {
    /// The real objects are as trunk says.
    NoChanges,
    /// There is still something to do.
    Changes,
    /// It was not asked, or failed.
    Unknown,
}

/// A device announces the age recipient it reads sealed bundles with. Signed by the device's owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The repository.
    pub repository: RepositoryId,
    /// The X25519 recipient.
    pub recipient: Recipient,
    /// What its owner calls the device.
    pub name: String,
    /// When it was signed.
    pub issued: Timestamp,
    /// Makes the statement unique.
    pub nonce: Nonce,
}

impl Statement {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> StatementKind {
        match self {
            Self::Plan(_) => StatementKind::Plan,
            Self::Approval(_) => StatementKind::Approval,
            Self::Rejection(_) => StatementKind::Rejection,
            Self::Revocation(_) => StatementKind::Revocation,
            Self::Consumption(_) => StatementKind::Consumption,
            Self::Apply(_) => StatementKind::Apply,
            Self::Device(_) => StatementKind::Device,
        }
    }

    /// The repository it is about.
    #[must_use]
    pub fn repository(&self) -> &RepositoryId {
        match self {
            Self::Plan(s) => &s.repository,
            Self::Approval(s) => &s.repository,
            Self::Rejection(s) => &s.repository,
            Self::Revocation(s) => &s.repository,
            Self::Consumption(s) => &s.repository,
            Self::Apply(s) => &s.repository,
            Self::Device(s) => &s.repository,
        }
    }

    /// The change it is about, if any.
    #[must_use]
    pub fn change(&self) -> Option<&ChangeId> {
        match self {
            Self::Plan(s) => Some(&s.change),
            Self::Approval(s) => Some(&s.change),
            Self::Rejection(s) => Some(&s.change),
            Self::Revocation(s) => Some(&s.change),
            Self::Consumption(s) => Some(&s.change),
            Self::Apply(s) => Some(&s.change),
            Self::Device(_) => None,
        }
    }

    /// When its signer says it was signed.
    #[must_use]
    pub fn issued(&self) -> Timestamp {
        match self {
            Self::Plan(s) => s.issued,
            Self::Approval(s) => s.issued,
            Self::Rejection(s) => s.issued,
            Self::Revocation(s) => s.issued,
            Self::Consumption(s) => s.issued,
            Self::Apply(s) => s.issued,
            Self::Device(s) => s.issued,
        }
    }

    /// What the statement is about, in in-toto's terms; each is something that a stranger can hash or look up.
    #[must_use]
    pub fn subjects(&self) -> Vec<Subject> {
        match self {
            Self::Plan(s) => s.units.iter().map(|unit| review_subject(&unit.unit, &unit.review)).collect(),
            Self::Approval(s) if s.units.is_empty() => vec![Subject::commit(s.change.as_str(), &s.head)],
            Self::Approval(s) => s.units.iter().map(|unit| review_subject(&unit.unit, &unit.review)).collect(),
            Self::Rejection(s) => vec![Subject::commit(s.change.as_str(), &s.head)],
            Self::Revocation(s) => vec![Subject::sha256("statement", &s.statement)],
            Self::Consumption(s) => vec![Subject::sha256(format!("{}/apply.age", s.unit), &s.apply)],
            Self::Apply(s) => vec![Subject::commit(s.unit.as_str(), &s.trunk)],
            Self::Device(s) => vec![Subject {
                name: s.recipient.to_string(),
                digest: SubjectDigest { sha256: None, git_commit: None },
            }],
        }
    }

    /// The exact bytes to sign and keep: compact JSON in a fixed field order.
    ///
    /// # Errors
    /// Only when the JSON writer fails, which it does not for these types.
    pub fn to_payload(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Self::Plan(s) => self.enveloped(s),
            Self::Approval(s) => self.enveloped(s),
            Self::Rejection(s) => self.enveloped(s),
            Self::Revocation(s) => self.enveloped(s),
            Self::Consumption(s) => self.enveloped(s),
            Self::Apply(s) => self.enveloped(s),
            Self::Device(s) => self.enveloped(s),
        }
    }

    fn enveloped<P: Serialize>(&self, predicate: &P) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Envelope {
            type_: IN_TOTO_V1.to_owned(),
            subject: self.subjects(),
            predicate_type: self.kind().predicate_type(),
            predicate,
        })
    }

    /// Reads a payload as the kind it was signed as. Reading proves nothing: rules take [`Verified`] only.
    ///
    /// # Errors
    /// [`ContentRefusal`] for anything but exactly the expected keys and types.
    pub fn parse(kind: StatementKind, payload: &[u8]) -> Result<Self, ContentRefusal> {
        let (statement, subjects) = match kind {
            StatementKind::Plan => opened(kind, payload, Self::Plan),
            StatementKind::Approval => opened(kind, payload, Self::Approval),
            StatementKind::Rejection => opened(kind, payload, Self::Rejection),
            StatementKind::Revocation => opened(kind, payload, Self::Revocation),
            StatementKind::Consumption => opened(kind, payload, Self::Consumption),
            StatementKind::Apply => opened(kind, payload, Self::Apply),
            StatementKind::Device => opened(kind, payload, Self::Device),
        }?;
        if statement.subjects() != subjects {
            return Err(ContentRefusal::Subjects);
        }
        Ok(statement)
    }
}

fn review_subject(unit: &UnitPath, review: &Digest) -> Subject {
    Subject::sha256(format!("{unit}/review.age"), review)
}

fn opened<P: DeserializeOwned>(
    kind: StatementKind,
    payload: &[u8],
    wrap: impl FnOnce(P) -> Statement,
) -> Result<(Statement, Vec<Subject>), ContentRefusal> {
    let envelope: Envelope<P> = serde_json::from_slice(payload)
        .map_err(|error| ContentRefusal::Json { kind: kind.word(), problem: error.to_string() })?;
    let expected = kind.predicate_type();
    if envelope.type_ != IN_TOTO_V1 {
        return Err(ContentRefusal::WrongType { expected: IN_TOTO_V1.to_owned(), found: envelope.type_ });
    }
    if envelope.predicate_type != expected {
        return Err(ContentRefusal::WrongType { expected, found: envelope.predicate_type });
    }
    Ok((wrap(envelope.predicate), envelope.subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revocation() -> Statement {
        Statement::Revocation(Revocation {
            repository: RepositoryId::new("live").unwrap(),
            change: ChangeId::new("grow").unwrap(),
            statement: Digest::new("a".repeat(64)).unwrap(),
            reason: "looked again".into(),
            issued: "2026-01-02T03:04:05Z".parse().unwrap(),
            nonce: Nonce::new("0".repeat(32)).unwrap(),
        })
    }

    fn payload() -> String {
        String::from_utf8(revocation().to_payload().unwrap()).unwrap()
    }

    fn refusal(edit: impl FnOnce(String) -> String) -> String {
        Statement::parse(StatementKind::Revocation, edit(payload()).as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_payload_is_an_in_toto_statement() {
        insta::assert_snapshot!(payload(), @r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"statement","digest":{"sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}],"predicateType":"urn:countersign:revocation:v1","predicate":{"repository":"live","change":"grow","statement":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","reason":"looked again","issued":"2026-01-02T03:04:05Z","nonce":"00000000000000000000000000000000"}}"#);
        let parsed = Statement::parse(StatementKind::Revocation, payload().as_bytes());
        assert_eq!(parsed, Ok(revocation()));
    }

    #[test]
    fn unknown_and_duplicate_keys_wrong_types_and_wrong_subjects_are_refused() {
        let add = |t: String| t.replace(r#""reason":"#, r#""extra":1,"reason":"#);
        assert!(refusal(add).contains("unknown field `extra`"));
        let twice = |t: String| t.replace(r#""reason":"#, r#""change":"other","reason":"#);
        assert!(refusal(twice).contains("duplicate field `change`"));
        let subject = |t: String| t.replacen("aaaa", "bbbb", 1);
        assert_eq!(refusal(subject), "the statement's subjects do not match what it says");
        let predicate = |t: String| t.replace("urn:countersign:revocation:v1", "urn:countersign:approval:v1");
        assert!(refusal(predicate).contains("but it was signed as"));
        assert!(refusal(|t| t + "x").contains("trailing characters"));
        assert!(Statement::parse(StatementKind::Approval, payload().as_bytes()).is_err());
    }

    #[test]
    fn every_kind_has_its_own_namespace() {
        let mut namespaces: Vec<String> = StatementKind::ALL.iter().map(|kind| kind.namespace()).collect();
        namespaces.sort();
        namespaces.dedup();
        assert_eq!(namespaces.len(), StatementKind::ALL.len());
        for kind in StatementKind::ALL {
            assert_eq!(StatementKind::from_namespace(&kind.namespace()), Some(kind));
        }
        assert_eq!(StatementKind::from_namespace("file"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            for kind in StatementKind::ALL {
                let _ = Statement::parse(kind, &bytes);
            }
        }
    }
}
